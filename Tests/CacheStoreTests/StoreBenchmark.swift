// SPDX-License-Identifier: Apache-2.0
// Not a test: figures for docs/measurements.md. Writes a million files; see there for the command.

import Bytes
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

private let wanted = unsafe getenv("CACHE_STORE_BENCHMARK").flatMap { unsafe Int(String(cString: $0)) }

@Suite(.serialized, .enabled(if: wanted != nil, "CACHE_STORE_BENCHMARK gives the number of objects"))
struct StoreBenchmark {
    private let objects = wanted ?? 0

    private func seconds(_ body: () -> Void) -> Double {
        let start = ObjectStore.clock(CLOCK_MONOTONIC)
        body()
        let end = ObjectStore.clock(CLOCK_MONOTONIC)
        return Double(end.tv_sec - start.tv_sec) + Double(end.tv_nsec - start.tv_nsec) / 1e9
    }

    /// Resident bytes of the process.
    private var resident: Int {
        let pages = String(decoding: contentsOfProc("/proc/self/statm"), as: UTF8.self).split(separator: " ")
        return (pages.count > 1 ? Int(pages[1]) ?? 0 : 0) * 4096
    }
    private func contentsOfProc(_ path: String) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 256)
        let number = unsafe open(path, O_RDONLY)
        defer { close(number) }
        let count = unsafe read(number, &bytes, 256)
        return Array(bytes.prefix(max(0, count)))
    }

    /// However long it takes: the whole run has a limit of its own.
    private func patiently(_ condition: () -> Bool) { while !condition() { usleep(1000) } }

    private func nanoseconds(_ seconds: Double) -> Int { Int(seconds / Double(objects) * 1e9) }

    private func object(_ index: Int) -> ObjectID {
        var state = UInt64(index) &* 0x9E37_79B9_7F4A_7C15
        state = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        state = (state ^ state >> 27) &* 0x94D0_49BB_1331_11EB
        return ObjectID(key: CacheHash(high: state ^ state >> 31, low: state &* 0x2545_F491_4F6C_DD1D))
    }

    @Test func theIndexAlone() {
        let index = CacheIndex()
        let before = resident
        let inserting = seconds {
            for number in 0..<objects { _ = index.insert(object(number), CacheRecord(), units: 1) }
        }
        print("index: \((resident - before) / objects) bytes an object, insert \(nanoseconds(inserting)) ns")
        var found = 0
        let looking = seconds {
            for number in 0..<objects where index.look(object(number &* 7919 % objects)) != nil { found += 1 }
        }
        let churning = seconds {
            for number in 0..<objects {
                _ = index.evict()
                _ = index.insert(object(objects + number), CacheRecord(), units: 1)
            }
        }
        print("index: look \(nanoseconds(looking)) ns, evict and insert \(nanoseconds(churning)) ns, found \(found)")
        print("index: \((resident - before) / objects) bytes an object after everything was replaced once")

        let chunk = pattern(65_536, seed: 1)
        var sum: UInt64 = 0
        let summing = seconds { for seed in 0..<20_000 { sum &+= Checksum.of(chunk.span, seed: UInt64(seed)) } }
        print("checksum: \(20_000.0 * 65_536 / summing / 1e9) GB/s (\(sum))")
    }

    @Test func aMillionObjectsOnDisk() throws {
        let test = try TestStore(diskBytes: 64 << 30) { $0.memoryBytes = 1 << 20 }
        let body = pattern(1_000, seed: 1)
        let metadata = bytes("a head of some size")
        let storing = seconds {
            for number in 0..<objects {
                let store = test.store
                let id = object(number)
                // The files are small: what bounds how many are under way is how fast the disk threads are.
                if number % 64 == 0 {
                    eventually("room") { store.counters.stores.load(ordering: .relaxed) > number - 256 }
                }
                test.loop.submit { [loop = test.loop] in
                    let reader = CacheReader(on: loop)
                    guard case .lead(let fill) = store.join(id, key: metadata, as: reader) else { return }
                    fill.begin(ObjectDescription(metadata: metadata, record: CacheRecord(), bodyLength: body.count))
                    _ = fill.append(body.span)
                    fill.complete()
                }
            }
            patiently { test.store.counters.stores.load(ordering: .relaxed) == objects }
        }
        print("store: \(Int(storing / Double(objects) * 1e6)) us an object, du \(test.folder.diskUsage / objects)")
        print("store: counted \(test.store.counters.diskBytes.load(ordering: .relaxed) / objects) bytes an object")
        try start(test, "after an orderly end")
        // As after kill -9: the journal has everything, in order of arrival.
        try start(test, "without a journal") { unsafe unlink(test.directory + "/journal") }
        try evict(test)
    }

    /// A tenth of the objects, by one thread, as a store that is full does it for each that it takes in.
    private func evict(_ test: TestStore) throws {
        let store = test.store
        let before = store.counters.evictions.load(ordering: .relaxed)
        let used = store.counters.diskBytes.load(ordering: .relaxed)
        let cpu = processorSeconds
        let evicting = seconds { #expect(store.reserve(test.options.diskBytes - used + used / 10)) }
        let count = Double(max(1, store.counters.evictions.load(ordering: .relaxed) - before))
        let each = (time: evicting / count * 1e6, cpu: (processorSeconds - cpu) / count * 1e6)
        print("evict: \(Int(count)) objects, each \(each.time) us, of which \(each.cpu) us are processor time")
    }

    /// What the process has used of processors, in seconds.
    private var processorSeconds: Double {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }

    private func start(_ test: TestStore, _ what: String, _ change: () -> Void = {}) throws {
        test.store.stop()
        change()
        var opened = 0.0
        var replayed = 0.0
        let walked = try {
            let begin = ObjectStore.clock(CLOCK_MONOTONIC)
            func since() -> Double {
                let now = ObjectStore.clock(CLOCK_MONOTONIC)
                return Double(now.tv_sec - begin.tv_sec) + Double(now.tv_nsec - begin.tv_nsec) / 1e9
            }
            test.store = try ObjectStore(test.options)
            opened = since()
            eventually("replayed") { test.store.start.withLock { $0.isReplayed } }
            replayed = since()
            patiently { test.store.isIndexComplete.load(ordering: .relaxed) }
            return since()
        }()
        print(
            "start \(what): open \(opened) s, journal read \(replayed) s, walked \(walked) s, \(test.store.index.count)"
        )
    }
}
