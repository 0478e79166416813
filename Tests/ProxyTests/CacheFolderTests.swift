// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Proxy
import Settings
import TestSupport
import Testing

@Suite("The folder of the cache") struct CacheFolderTests {
    @Test("serves after a restart what was stored before", arguments: [10, 1_000_000])
    func restart(_ size: Int) throws {
        let body = letters(size)
        let server = origin { _, number in
            response(body, "Cache-Control: max-age=600\r\nVary: X-A\r\nETag: \"\(number)\"\r\n")
        }
        let folder = TemporaryFolder()
        do {
            let gateway = try CachingGateway(server, in: folder)
            gateway.store("/", "X-A: 1\r\n")
            gateway.gateway.stop()
        }
        let gateway = try CachingGateway(server, in: folder)
        let reply = gateway.ask("/", "X-A: 1\r\n")
        #expect(reply.isHit, "\(reply.cacheStatus)")
        #expect(reply.body == body)
        #expect(!gateway.ask("/", "X-A: 2\r\n").isHit)
    }

    @Test("that somebody removes is made anew, and serves after a restart what has been stored since")
    func removed() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=600\r\n") }
        let folder = TemporaryFolder()
        do {
            let gateway = try CachingGateway(server, in: folder)
            gateway.store("/before")
            try FileManager.default.removeItem(atPath: folder.file("cache"))
            gateway.ask("/first")
            eventually { gateway.gateway.reports.contains { $0.contains("made anew") } }
            gateway.store("/after")
            gateway.gateway.stop()
        }
        let gateway = try CachingGateway(server, in: folder)
        #expect(gateway.ask("/after").isHit)
        #expect(!gateway.ask("/before").isHit)
    }

    @Test("that is damaged is a miss", arguments: [10, 1_000_000])
    func damaged(_ size: Int) throws {
        let server = origin { _, number in
            response(letters(size), "Cache-Control: max-age=600\r\nX-Number: \(number)\r\n")
        }
        let folder = TemporaryFolder()
        do {
            let gateway = try CachingGateway(server, in: folder)
            gateway.store()
            gateway.gateway.stop()
            for path in gateway.files {
                let file = unsafe open(path, O_RDWR)
                var byte: UInt8 = 0
                _ = unsafe pread(file, &byte, 1, 170)
                byte ^= 1
                _ = unsafe pwrite(file, &byte, 1, 170)
                close(file)
            }
        }
        let gateway = try CachingGateway(server, in: folder)
        let reply = gateway.ask()
        #expect(reply.field("X-Number") == "1")
        #expect(reply.body == letters(size))
    }

    @Test("whose body is damaged cuts the response, never sends a wrong byte, and is a miss then")
    func damagedBody() throws {
        let body = letters(1_000_000)
        let server = origin { _, number in response(body, "Cache-Control: max-age=600\r\n") }
        let folder = TemporaryFolder()
        do {
            let gateway = try CachingGateway(server, in: folder)
            gateway.store()
            gateway.gateway.stop()
            for path in gateway.files {
                let file = unsafe open(path, O_RDWR)
                var byte: UInt8 = 1
                _ = unsafe pwrite(file, &byte, 1, 500_000)
                close(file)
            }
        }
        let gateway = try CachingGateway(server, in: folder)
        let reply = gateway.ask()
        #expect(!reply.isWhole)
        #expect(body.hasPrefix(reply.body))
        eventually { gateway.ask().body == body }
        #expect(gateway.gateway.log().first?.contains("reason=cache-damaged") == true)
    }

    @Test("that another gateway has keeps this one from starting when it was named")
    func inUse() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server)
        #expect(throws: StartFailure.self) { _ = try CachingGateway(server, in: gateway.folder) }
        gateway.store()
        #expect(gateway.ask().isHit)
    }

    /// What somebody, or a failing disk, may have put in the place of what is ours.
    static let damages: [(name: String, what: String)] =
        ["lock", "version", "secret", "tmp", "purges", "journal", "00"].flatMap { name in
            ["folder", "dangling link", "link to itself", "pipe", "file"].map { (name, $0) }
        }

    private static func put(_ what: String, at path: String) {
        switch what {
        case "folder": unsafe mkdir(path, 0o700)
        case "dangling link": unsafe symlink("/nowhere/at/all", path)
        case "link to itself": unsafe symlink(path, path)
        case "pipe": unsafe mkfifo(path, 0o600)
        default: _ = FileManager.default.createFile(atPath: path, contents: Data("nonsense".utf8))
        }
    }

    @Test(
        "that is damaged or somebody else's stops no start: requests are served, and the operator is told",
        arguments: damages)
    func foreign(_ damage: (name: String, what: String)) throws {
        let folder = TemporaryFolder()
        unsafe mkdir(folder.file("cache"), 0o700)
        Self.put(damage.what, at: folder.file("cache/\(damage.name)"))
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server, in: folder)
        #expect(gateway.ask().body == "x")
        if gateway.gateway.reports.contains(where: { $0.contains("in memory only") }) {
            gateway.store()
            #expect(gateway.ask().isHit)
            #expect(gateway.files.isEmpty)
        } else {
            #expect(damage.name != "lock" || damage.what == "file" || damage.what == "pipe")
        }
    }

    @Test(
        "that is no folder, or a link, is done without, although it was named: that is said, and memory does",
        arguments: ["dangling link", "link to itself", "pipe", "file", "link to a folder"])
    func noFolder(_ what: String) throws {
        let folder = TemporaryFolder()
        if what == "link to a folder" {
            unsafe symlink(folder.path, folder.file("cache"))
        } else {
            Self.put(what, at: folder.file("cache"))
        }
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server, in: folder)
        gateway.store()
        #expect(gateway.ask().isHit)
        #expect(gateway.gateway.reports.count == 1)
        #expect(gateway.gateway.reports.first?.contains("the cache is in memory only") == true)
    }

    @Test("by default is done without when another gateway has it: that is said, and memory does")
    func defaultInUse() throws {
        let home = TemporaryFolder()
        unsafe setenv("XDG_CACHE_HOME", home.path, 1)
        defer { unsafe unsetenv("XDG_CACHE_HOME") }
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let first = try CachingGateway(server) { $0.cache.directory = nil }
        let second = try CachingGateway(server) { $0.cache.directory = nil }
        #expect(first.ask().cacheStatus.contains("stored"))
        #expect(second.store().cacheStatus.contains("stored"))
        let reply = second.ask()
        #expect(reply.isHit)
        #expect(reply.body == "x")
        #expect(second.gateway.reports.count == 1)
        #expect(
            second.gateway.reports.first?.contains("in use by process \(getpid()); the cache is in memory only") == true
        )
    }

    @Test("may be full: requests go on", .enabled(if: geteuid() == 0))
    func full() throws {
        let folder = TemporaryFolder()
        let disk = folder.file("cache")
        unsafe mkdir(disk, 0o700)
        guard unsafe mount("none", disk, "tmpfs", 0, "size=2m") == 0 else { return }
        defer { unsafe umount2(disk, Int32(MNT_DETACH)) }
        let body = letters(600_000)
        let server = origin { _, number in response(body, "Cache-Control: max-age=600\r\n") }
        let gateway = try CachingGateway(server, in: folder)
        for target in 0..<20 { #expect(gateway.ask("/\(target)").body == body) }
        let peer = gateway.gateway.connect(receiveBuffer: 4096)
        peer.request("/slow")
        _ = peer.receiveHead()
        for _ in 0..<20 { dawdle() }
        #expect(peer.receive(count: 600_000) == body)
        gateway.gateway.stop()
    }
}
