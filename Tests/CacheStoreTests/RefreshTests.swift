// SPDX-License-Identifier: Apache-2.0
// What was validated is one response. Another that has been stored in the meantime gets nothing of its head.

import Bytes
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

@Suite struct RefreshTests {
    private func description(_ metadata: String) -> ObjectDescription {
        ObjectDescription(metadata: bytes(metadata), record: CacheRecord())
    }

    private func isOver(_ fill: Fill) -> Bool { fill.state.withLock { $0.phase != .open && !$0.isWriting } }

    /// Small, large, and in memory only.
    @Test(arguments: [(100, true), (700_000, true), (100, false)])
    func anotherObjectThanWasValidatedStaysAsItIs(_ size: Int, _ isOnDisk: Bool) throws {
        let test = try TestStore { if !isOnDisk { $0.path = nil } }
        test.put("key", pattern(size, seed: 1), metadata: "first")
        let validated = try #require(test.store.version(id("key")))
        test.put("key", pattern(size, seed: 2), metadata: "second")
        guard let (fill, _) = test.lead("key") else { return fail("nobody leads") }
        test.loop.perform { fill.refresh(description("renewed"), of: validated) }
        eventually("the end") { isOver(fill) }
        #expect(fill.state.withLock { $0.phase == .refused })
        #expect(test.get("key")?.metadata == "second")
        #expect(test.get("key")?.body == pattern(size, seed: 2))
        #expect(isOnDisk ? TemporaryFolder.names(test.directory + "/tmp").isEmpty : true)
        // Only because it was another.
        let present = try #require(test.store.version(id("key")))
        guard let (next, _) = test.lead("key") else { return fail("nobody leads") }
        test.loop.perform { next.refresh(description("renewed"), of: present) }
        eventually("the end") { isOver(next) }
        #expect(test.get("key")?.metadata == "renewed")
        #expect(test.get("key")?.body == pattern(size, seed: 2))
    }

    @Test(arguments: [100, 700_000]) func oneStoredWhileTheNewFileWasWrittenStays(_ size: Int) throws {
        let test = try TestStore()
        let path = test.path(id("key"))
        test.put("key", pattern(size, seed: 2), metadata: "second")
        let second = contents(path)
        test.put("key", pattern(size, seed: 1), metadata: "first")
        let validated = try #require(test.store.version(id("key")))
        #expect(test.get("key") != nil)
        guard let (fill, _) = test.lead("key") else { return fail("nobody leads") }
        let renewed = description("renewed")
        test.store.withName(id("key")) {
            test.loop.perform { fill.refresh(renewed, of: validated) }
            let temporaries = test.directory + "/tmp"
            eventually("the new file") { !TemporaryFolder.names(temporaries).isEmpty }
            overwrite(path + ".new", second)
            unsafe rename(path + ".new", path)
        }
        eventually("the end") { isOver(fill) }
        #expect(fill.state.withLock { $0.phase == .refused })
        test.store.objects.removeAll()
        test.store.files.removeAll()
        #expect(test.openIt("key")?.metadata == "second")
        #expect(test.openIt("key")?.body == pattern(size, seed: 2))
    }
}
