// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Client

@Suite("The client's cache, where somebody means harm or something is broken") struct CacheSafetyTests {
    private let folder = TemporaryFolder()

    private func context(_ configure: (inout TransferSettings) -> Void = { _ in }) throws -> TransferContext {
        var settings = TransferSettings()
        configure(&settings)
        return TransferContext(settings: settings, cache: try ClientCache(path: folder.file("cache")))
    }

    @Test("a stored redirect that a 304 turns elsewhere never takes this server's connection along")
    func turnedRedirect() throws {
        let bank = scripted { _, _, _ in ok("the bank's") }
        let place = bank.url("/account")
        let evil = scripted { head, _, _ in
            if head.contains("If-None-Match") {
                return "HTTP/1.1 304 Not Modified\r\nETag: \"v\"\r\nLocation: \(place)\r\n\r\n"
            }
            if head.hasPrefix("GET /x ") {
                return "HTTP/1.1 301 Moved\r\nETag: \"v\"\r\nCache-Control: no-cache\r\nLocation: /x\r\n"
                    + "Content-Length: 0\r\n\r\n"
            }
            return ok("evil's")
        }
        let outcome = try TransferRunner(try context { $0.followsRedirects = true }).fetch(evil.url("/x"))
        #expect(outcome.text == "the bank's", "\(outcome.sentence)")
        #expect(evil.requests.count == 2 && bank.requests.count == 1)
    }

    @Test("a Host by hand stores nothing under another site's name")
    func foreignHost() throws {
        let evil = scripted { _, _, _ in ok("evil's", fields: "Cache-Control: max-age=1000\r\n") }
        let bank = scripted { _, _, _ in ok("the bank's", fields: "Cache-Control: max-age=1000\r\n") }
        let named = RequestField(name: "Host", value: "127.0.0.1:\(bank.port)")
        let first = try TransferRunner(try context { $0.fields = [named] }).fetch(evil.url())
        #expect(first.text == "evil's" && !first.report.isStored && first.report.cache == .bypass)
        #expect(try TransferRunner(try context()).fetch(bank.url()).text == "the bank's")
        let own = RequestField(name: "Host", value: "127.0.0.1:\(bank.port)")
        #expect(try TransferRunner(try context { $0.fields = [own] }).fetch(bank.url()).report.cache == .hit)
    }

    @Test("a damaged response that might stand in for a failing server is asked for once more, and no oftener")
    func damagedStandIn() throws {
        let server = scripted { _, _, number in
            guard number < 20 else { return ok("asked too often") }
            return number == 0
                ? ok("body", fields: "Cache-Control: max-age=10, stale-if-error=9999\r\nAge: 20\r\nETag: \"v\"\r\n")
                : "HTTP/1.1 503 Later\r\nContent-Length: 4\r\n\r\nwait"
        }
        #expect(try TransferRunner(try context()).fetch(server.url()).report.isStored)
        for path in files() {
            var bytes = fileBytes(path)
            let place = try #require(
                bytes.indices.dropLast(3).last { Array(bytes[$0..<($0 + 4)]) == Array("body".utf8) })
            bytes[place] ^= 1
            writeBytes(bytes, to: path)
        }
        let outcome = try TransferRunner(try context()).fetch(server.url())
        #expect(outcome.report.status == 503 && outcome.text == "wait")
        #expect(server.requests.count == 3)
    }

    @Test("what is not the cache's stays as it was: names of others, and the mode of a folder it did not make")
    func strangers() throws {
        let server = scripted { _, _, _ in ok("x", fields: "Cache-Control: max-age=1000\r\n") }
        makeFolder(folder.file("cache"))
        changeMode(of: folder.file("cache"), to: 0o755)
        #expect(try TransferRunner(try context()).fetch(server.url()).report.isStored)
        #expect(permissions(of: folder.file("cache")) == 0o755)
        makeFolder(folder.file("cache/ab"))
        makeFolder(folder.file("cache/my"))
        let kept = ["cache/tmp/notes.txt", "cache/ab/letter", "cache/my/thesis", "cache/tmp/12-draft.doc"]
        for name in kept { folder.write("precious", to: name) }
        let cache = try ClientCache(path: folder.file("cache"))
        #expect(cache.flush().count == 1)
        _ = try TransferRunner(try context()).fetch(server.url())
        for name in kept { #expect(contents(of: folder.file(name)) == "precious", "\(name)") }
    }

    @Test("a folder with something else in it, or into which others may write, is refused as it is")
    func refusedFolders() throws {
        makeFolder(folder.file("home"))
        folder.write("precious", to: "home/letter")
        #expect(throws: ClientFailure.self) { try ClientCache(path: folder.file("home")) }
        #expect(listing(of: folder.file("home")) == ["letter"])
        makeFolder(folder.file("open"))
        changeMode(of: folder.file("open"), to: 0o777)
        #expect(throws: ClientFailure.self) { try ClientCache(path: folder.file("open")) }
        #expect(permissions(of: folder.file("open")) == 0o777 && listing(of: folder.file("open")).isEmpty)
    }

    @Test("a damaged account of the space is counted anew")
    func damagedAccount() throws {
        let cache = try ClientCache(path: folder.file("cache"), limit: 1_000)
        for byte in [0x7F, 0xFF] as [UInt8] {
            writeBytes([UInt8](repeating: byte, count: 8), to: folder.file("cache/usage"))
            #expect(CacheSpace(cache).reserve(10))
        }
    }

    private func files() -> [String] {
        listing(of: folder.file("cache")).filter { $0.count == 2 }.flatMap { part in
            listing(of: folder.file("cache/\(part)")).map { folder.file("cache/\(part)/\($0)") }
        }
    }
}
