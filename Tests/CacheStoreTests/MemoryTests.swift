// SPDX-License-Identifier: Apache-2.0
import Bytes
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

/// A store without a folder.
@Suite struct MemoryTests {
    private func inMemory(_ change: (inout StoreOptions) -> Void = { _ in }) throws -> TestStore {
        try TestStore {
            $0.path = nil
            change(&$0)
        }
    }

    @Test func whatIsStoredComesBackWithoutADisk() throws {
        let test = try inMemory()
        for size in [0, 1, 65_536, 300_000, 1_000_000] {
            for hasLength in [true, false] {
                let key = "object \(size) \(hasLength)"
                let body = pattern(size, seed: UInt64(size))
                #expect(test.get(key) == nil)
                test.put(key, body, length: hasLength, word: 5)
                #expect(test.store.contains(id(key)))
                #expect(test.store.variants(of: id(key).key).map(\.id) == [id(key)])
                #expect(test.get(key)?.body == body)
                #expect(test.get(key)?.place == .memory)
                #expect(test.get(key)?.word == 5)
            }
        }
        #expect(test.store.counters.stores.load(ordering: .relaxed) == 10)
        #expect(test.store.counters.objects.load(ordering: .relaxed) == 10)
        #expect(test.store.counters.diskErrors.load(ordering: .relaxed) == 0)
        #expect(TemporaryFolder.names(test.folder.path).isEmpty)
        test.store.forget(id("object 1 true"))
        eventually("forgotten") { test.get("object 1 true") == nil }
    }

    @Test func itStaysWithinItsBudgetAndKeepsWhatIsAskedFor() throws {
        let test = try inMemory { $0.memoryBytes = 4 << 20 }
        for index in 0..<200 {
            test.put("object \(index)", pattern(100_000, seed: UInt64(index)))
            _ = test.get("object 0")
            _ = test.get("object 0")
            #expect(test.store.objects.size <= 4 << 20)
        }
        #expect(test.get("object 0")?.body == pattern(100_000, seed: 0))
        #expect(test.get("object 1") == nil)
        #expect(test.store.objects.count > 30)
    }

    /// What the allocator gives for an instance, with its own word before it.
    private func allocated(_ instance: AnyObject) -> Int {
        typealias UsableSize = @convention(c) (UnsafeMutableRawPointer?) -> Int
        guard let symbol = unsafe dlsym(nil, "malloc_usable_size") else { return 0 }
        let usableSize = unsafe unsafeBitCast(symbol, to: UsableSize.self)
        return unsafe usableSize(Unmanaged.passUnretained(instance).toOpaque()) + 8
    }

    @Test(arguments: [0, 5, 1000, 60_000]) func anObjectCostsWhatItTakesNotWhatItCarries(_ size: Int) throws {
        for isOnDisk in [true, false] {
            let test = try TestStore { if !isOnDisk { $0.path = nil } }
            test.put("key", pattern(size, seed: 1))
            guard case .object(let object)? = test.store.objects.look(id("key")) else { return fail("not in memory") }
            // The body is a part of the image, each with an instance; the table has up to twice the places it needs.
            let entry = MemoryLayout<(ObjectID, AnyObject, UInt32)>.stride
            let instances = allocated(object) + allocated(object.head) + 2 * allocated(object.body)
            let slot = 16 + MemoryLayout<ObjectID>.stride + 3 * 8
            let taken = object.head.length + size + 16 + instances + slot + 2 * entry + 32
            #expect(object.cost >= taken)
            #expect(object.cost <= taken + 300)
            #expect(test.store.objects.size == object.cost)
        }
    }

    @Test func whatIsTooLargeIsDeliveredAndNotStored() throws {
        let test = try inMemory { $0.fillWindow = 256 << 10 }
        for hasLength in [true, false] {
            guard let (fill, _) = test.lead("large") else { return fail("nobody leads") }
            let reader = TestReader(on: test.loop)
            let store = test.store
            test.loop.perform {
                guard case .follow(let fill) = store.join(id("large"), key: bytes("large"), as: reader) else { return }
                reader.follow(fill)
            }
            let body = pattern(1_500_000, seed: 1)
            test.loop.perform {
                fill.begin(
                    ObjectDescription(
                        metadata: bytes("head"), record: CacheRecord(), bodyLength: hasLength ? body.count : nil))
            }
            for start in stride(from: 0, to: body.count, by: 50_000) {
                let piece = Array(body[start..<start + 50_000])
                let room = test.loop.perform { fill.append(piece.span) }
                if room == .blocked { eventually("room") { fill.state.withLock { !$0.isLeaderBlocked } } }
                eventually("the reader keeps up") { test.loop.perform { reader.body.count == start + 50_000 } }
            }
            test.loop.perform { fill.complete() }
            reader.wait()
            #expect(test.loop.perform { reader.body } == body)
            eventually("the fill is over") { !store.fills.contains(fill) }
            #expect(test.get("large") == nil)
        }
    }

    @Test func purgesAndRevalidationsWorkAsOnDisk() throws {
        let test = try inMemory()
        let scope = CacheScope(.tag, "t".utf8Span.span)
        test.put("purged", [1], scopes: [scope])
        test.put("kept", [2])
        let outcome = Lock<Bool?>(nil)
        test.store.purge(scope, then: (test.loop, { isWritten in outcome.withLock { $0 = isWritten } }))
        eventually("an answer") { outcome.withLock { $0 } == true }
        #expect(test.get("purged") == nil)
        #expect(test.get("kept")?.body == [2])
        guard let (fill, _) = test.lead("kept"), let version = test.store.version(id("kept")) else {
            return fail("nobody leads")
        }
        test.loop.perform {
            fill.refresh(ObjectDescription(metadata: bytes("a new head"), record: CacheRecord()), of: version)
        }
        eventually("refreshed") { test.get("kept")?.metadata == "a new head" }
        #expect(test.get("kept")?.body == [2])
        #expect(test.store.purges.isSound)
    }
}
