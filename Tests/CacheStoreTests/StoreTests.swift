// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

@Suite struct StoreTests {
    @Test func checksumsAreThoseOfTheSpecification() {
        #expect(Checksum.of("".utf8Span.span, seed: 0) == 0xEF46_DB37_51D8_E999)
        #expect(Checksum.of("a".utf8Span.span, seed: 0) == 0xD24E_C4F1_A98C_6E5B)
        #expect(Checksum.of("abc".utf8Span.span, seed: 0) == 0x44BC_2CF5_AD77_0999)
        let long = "Nobody inspects the spammish repetition"
        #expect(Checksum.of(long.utf8Span.span, seed: 0) == 0xFBCE_A83C_8A37_8BF1)
    }

    @Test func whatIsStoredComesBackFromMemoryAndFromDisk() throws {
        let test = try TestStore()
        for (index, size) in [0, 1, 4096, 65_535, 65_536, 65_537, 200_000, 261_000, 700_001, 3_000_000].enumerated() {
            for hasLength in [true, false] {
                let key = "object \(index) \(hasLength)"
                let body = pattern(size, seed: UInt64(index))
                test.put(key, body, metadata: "head of \(key)", length: hasLength, word: UInt64(size))
                for found in [test.get(key), test.openIt(key)] {
                    #expect(found?.body == body)
                    #expect(found?.metadata == "head of \(key)")
                    #expect(found?.word == UInt64(size))
                }
                #expect(test.get(key)?.place == (size <= 261_000 ? .memory : .file))
            }
        }
        #expect(test.store.counters.stores.load(ordering: .relaxed) == 20)
        #expect(test.store.counters.corrupt.load(ordering: .relaxed) == 0)
        #expect(test.get("something else") == nil)
    }

    @Test func variantsAreObjectsOfTheirOwn() throws {
        let test = try TestStore()
        test.put("key", [1], variant: 1)
        test.put("key", [2], variant: 2)
        test.put("key", [0])
        #expect(test.get("key", variant: 1)?.body == [1])
        #expect(test.get("key", variant: 2)?.body == [2])
        #expect(test.get("key")?.body == [0])
        #expect(test.get("key", variant: 3) == nil)
    }

    @Test func anotherKeyOfTheSameHashIsAMissAndLeavesTheObject() throws {
        let test = try TestStore()
        test.put("key", [1, 2, 3])
        let other = TestReader(on: test.loop)
        for isInMemory in [true, false] {
            if !isInMemory { test.store.objects.removeAll() }
            let store = test.store
            let answer = test.loop.perform { store.look(id("key"), key: "other".utf8Span.span, now: 1) }
            if case .object = answer { fail("another's object") }
            #expect(store.open(id("key"), key: bytes("other"), for: other))
            other.wait()
            guard case .miss = test.loop.perform({ other.opening }) else { return fail("another's object") }
        }
        #expect(test.get("key")?.body == [1, 2, 3])
        #expect(test.store.counters.corrupt.load(ordering: .relaxed) == 0)
    }

    @Test func aForgottenObjectIsGoneWithItsFile() throws {
        let test = try TestStore()
        test.put("key", [1])
        let before = test.store.counters.diskBytes.load(ordering: .relaxed)
        test.store.forget(id("key"))
        eventually("the file is removed") { unsafe access(test.path(id("key")), F_OK) != 0 }
        eventually("its bytes are free") { test.store.counters.diskBytes.load(ordering: .relaxed) < before }
        #expect(test.get("key") == nil)
    }

    @Test func aLargeFileLeavesBySendfileAndIsCheckedFirst() throws {
        let test = try TestStore()
        let body = pattern(1_000_000, seed: 3)
        test.put("large", body)
        guard test.openIt("large") != nil, case .file(let file)? = test.store.files.look(id("large")) else {
            return fail("no file")
        }
        #expect(send(file, on: test.loop) == body)
        #expect(send(file, on: test.loop) == body)

        // Somebody changes a byte of the open file: it is opened and checked anew, and removed.
        let path = test.path(id("large"))
        let number = unsafe open(path, O_RDWR)
        #expect(FileCalls.write(number, [body[500_000] ^ 1].span, at: file.head.length + 500_000) == 0)
        close(number)
        #expect(!file.isCurrent(now: ObjectStore.monotonicMilliseconds()))
        #expect(test.get("large") == nil)
        eventually("the damaged file is removed") { unsafe access(path, F_OK) != 0 }
    }

    private func send(_ file: StoredFile, on loop: Loop) -> [UInt8]? {
        var ends: [Int32] = [0, 0]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { return nil }
        defer { for end in ends { close(end) } }
        var received: [UInt8] = []
        let reader = TestReader(on: loop)
        while received.count < file.length {
            let offset = received.count
            let socket = ends[0]
            let sending = loop.perform { file.send(from: offset, limit: 100_000, to: socket, scratch: reader.block) }
            switch sending {
            case .sent(.bytes(let count)):
                var piece = [UInt8](repeating: 0, count: count)
                guard unsafe recv(ends[1], &piece, count, Int32(MSG_WAITALL)) == count else { return nil }
                received += piece
            case .wouldBlock(let chunk):
                #expect(loop.perform { file.readSoon(chunk, into: reader.block, for: reader) })
                reader.wait()
            default: return nil
            }
        }
        return received
    }
}
