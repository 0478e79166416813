// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Client

@Suite("The client's cache") struct ClientCacheTests {
    private let folder = TemporaryFolder()

    private func context(
        limit: Int = ClientCache.standardLimit, _ configure: (inout TransferSettings) -> Void = { _ in }
    ) throws -> TransferContext {
        var settings = TransferSettings()
        configure(&settings)
        return TransferContext(
            settings: settings, cache: try ClientCache(path: folder.file("cache"), limit: limit))
    }

    private func get(
        _ server: ScriptedServer, _ path: String = "/", _ configure: (inout TransferSettings) -> Void = { _ in }
    ) throws -> Outcome {
        try TransferRunner(try context(configure)).fetch(server.url(path))
    }

    private func fresh(_ body: String, fields: String = "") -> String {
        ok(body, fields: "Cache-Control: max-age=1000\r\n" + fields)
    }

    /// A response that is stale when it comes.
    private func stale(_ body: String, fields: String = "") -> String {
        ok(body, fields: "Cache-Control: max-age=10\r\nAge: 20\r\n" + fields)
    }

    @Test("answers without a connection while a response is fresh")
    func hit() throws {
        let server = scripted { _, _, number in fresh("body \(number)", fields: "X-Kept: yes\r\nAge: 7\r\n") }
        let first = try get(server)
        #expect(first.report.cache == .miss && first.report.isStored)
        server.stop()
        let second = try get(server)
        #expect(second.text == "body 0" && second.report.cache == .hit && second.report.peer == nil)
        #expect(second.heads.first?.contains("X-Kept: yes\r\n") == true)
        let age = UInt32(second.report.field("age") ?? "") ?? 0
        #expect(age >= 7 && age < 900)
        #expect(second.report.field("content-length") == "6")
        #expect(server.connections == 1)
        let head = try get(server) { $0.asksForHead = true }
        #expect(head.report.cache == .hit && head.text == "" && head.report.field("content-length") == "6")
    }

    @Test("asks once whether a stale response is still good, and sends its body from the disk")
    func validation() throws {
        let server = scripted { head, _, number in
            head.contains("If-None-Match: \"v1\"\r\n")
                ? "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=1000\r\nX-New: \(number)\r\nETag: \"v1\"\r\n\r\n"
                : stale("body", fields: "ETag: \"v1\"\r\nX-New: old\r\n")
        }
        #expect(try get(server).report.cache == .miss)
        let second = try get(server)
        #expect(second.text == "body" && second.report.status == 200 && second.report.cache == .revalidated)
        #expect(second.report.field("x-new") == "1")
        let third = try get(server)
        #expect(third.text == "body" && third.report.cache == .hit && third.report.field("x-new") == "1")
        #expect(server.requests.count == 2)
    }

    @Test("takes what a validation brings instead")
    func replaced() throws {
        let server = scripted { _, _, number in stale("body \(number)", fields: "ETag: \"v\(number)\"\r\n") }
        _ = try get(server)
        #expect(try get(server).text == "body 1")
        #expect(server.requests.last?.contains("If-None-Match: \"v0\"\r\n") == true)
        _ = try get(server)
        #expect(server.requests.last?.contains("If-None-Match: \"v1\"\r\n") == true)
    }

    @Test("keeps apart what Vary, credentials, cookies and trust tell apart")
    func apart() throws {
        let server = scripted { head, _, number in fresh("\(number)", fields: "Vary: X-Kind\r\n") }
        func body(_ configure: (inout TransferSettings) -> Void) throws -> String {
            try get(server, "/", configure).text
        }
        let ways: [(inout TransferSettings) -> Void] = [
            { _ in }, { $0.fields = [RequestField(name: "X-Kind", value: "a")] },
            { $0.fields = [RequestField(name: "X-Kind", value: "b")] },
            { $0.credentials = .init(user: "a", password: "b") }, { $0.credentials = .init(user: "a", password: "c") },
            { $0.fields = [RequestField(name: "Cookie", value: "a=b")] }, { $0.trust = "insecure" },
            { settings in settings.overrides = (try? [AddressOverride(parsing: "*:\(server.port):127.0.0.1")]) ?? [] },
        ]
        var bodies: [String] = []
        for way in ways { bodies.append(try body(way)) }
        #expect(Set(bodies).count == ways.count)
        for (index, way) in ways.enumerated() { #expect(try body(way) == bodies[index]) }
        #expect(server.requests.count == ways.count)
    }

    @Test("does not keep what may not be kept")
    func refusals() throws {
        for fields in ["Cache-Control: no-store\r\n", "Cache-Control: max-age=1000\r\nVary: *\r\n", ""] {
            let server = scripted { _, _, _ in ok("x", fields: fields) }
            _ = try get(server)
            #expect(try get(server).report.cache == .miss)
            #expect(server.requests.count == 2)
        }
        let posted = scripted { _, _, _ in fresh("x") }
        #expect(try fetch(posted.url(), body: .bytes([1]), context: try context()).report.isStored == false)
        let cut = ScriptedServer.sendingAndClosing(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nContent-Length: 9\r\n\r\nhal")
        #expect(try get(cut).exitStatus == 18)
        #expect(try get(cut) { $0.cacheMode = .onlyIfCached }.exitStatus == 4)
    }

    @Test("asks a server that names no lifetime")
    func noGuesses() throws {
        let date = "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT\r\n"
        let server = scripted { head, _, _ in
            head.contains("If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT\r\n")
                ? "HTTP/1.1 304 Not Modified\r\n\(date)\r\n" : ok("old", fields: date)
        }
        _ = try get(server)
        for _ in 0..<2 { #expect(try get(server).report.cache == .revalidated) }
    }

    @Test("forgets a URL when something is changed there")
    func invalidation() throws {
        for method in ["POST", "PUT", "DELETE", "STRANGE"] {
            let server = scripted { head, _, number in
                head.hasPrefix("GET") ? fresh("\(number)") : ok("", fields: "Location: /other\r\n")
            }
            _ = try get(server, "/it")
            _ = try get(server, "/other")
            _ = try get(server, "/it") { $0.method = method }
            #expect(try get(server, "/it").text == "3")
            #expect(try get(server, "/other").text == "4")
        }
        let failing = scripted { head, _, number in
            head.hasPrefix("GET") ? fresh("\(number)") : "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        }
        _ = try get(failing)
        _ = try get(failing) { $0.method = "DELETE" }
        #expect(try get(failing).text == "0")
    }

    @Test("stands in for a server that fails, where the response allows it")
    func staleIfError() throws {
        let server = scripted { _, _, number in
            number == 0
                ? stale("kept", fields: "Cache-Control: stale-if-error=1000\r\nETag: \"a\"\r\n")
                : "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\noops"
        }
        _ = try get(server)
        let second = try get(server)
        #expect(second.text == "kept" && second.report.cache == .stale && second.exitStatus == 0)
        server.stop()
        #expect(try get(server).text == "kept")
        let strict = scripted { _, _, number in
            number == 0
                ? stale("kept", fields: "Cache-Control: must-revalidate, stale-if-error=1000\r\n")
                : "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\noops"
        }
        _ = try get(strict)
        #expect(try get(strict).text == "oops")
    }

    @Test("has the Fetch standard's modes")
    func modes() throws {
        let server = scripted { _, _, number in stale("\(number)", fields: "ETag: \"\(number)\"\r\n") }
        #expect(try get(server) { $0.cacheMode = .onlyIfCached }.exitStatus == 4)
        #expect(server.requests.isEmpty)
        _ = try get(server)
        #expect(try get(server) { $0.cacheMode = .onlyIfCached }.text == "0")
        #expect(try get(server) { $0.cacheMode = .forceCache }.text == "0")
        #expect(server.requests.count == 1)
        #expect(try get(server) { $0.cacheMode = .noStore }.text == "1")
        #expect(try get(server) { $0.cacheMode = .forceCache }.text == "0")
        #expect(try get(server) { $0.cacheMode = .reload }.text == "2")
        #expect(server.requests.last?.contains("Cache-Control: no-cache\r\n") == true)
        #expect(server.requests.last?.contains("If-None-Match") == false)
        #expect(try get(server) { $0.cacheMode = .forceCache }.text == "2")
        #expect(try get(server) { $0.cacheMode = .noCache }.text == "3")
        #expect(server.requests.last?.contains("If-None-Match: \"2\"\r\n") == true)
    }

    @Test("answers ranges and conditions from what is whole")
    func parts() throws {
        let server = scripted { _, _, _ in fresh("0123456789", fields: "ETag: \"a\"\r\n") }
        _ = try get(server)
        let part = try get(server) { $0.range = "2-4" }
        #expect(part.text == "234" && part.report.status == 206 && part.report.cache == .hit)
        #expect(part.report.field("content-range") == "bytes 2-4/10")
        let condition = try get(server) { $0.fields = [RequestField(name: "If-None-Match", value: "\"a\"")] }
        #expect(condition.report.status == 304 && condition.text == "")
        #expect(try get(server) { $0.range = "50-" }.report.status == 416)
        #expect(server.requests.count == 1)
    }

    @Test("never delivers a damaged file, but fetches anew")
    func damage() throws {
        let server = scripted { _, _, _ in fresh("the body of it") }
        _ = try get(server)
        let path = try #require(files().first)
        let size = fileBytes(path).count
        for offset in 0..<size {
            var bytes = fileBytes(path)
            bytes[offset] ^= 1
            writeBytes(bytes, to: path)
            let outcome = try get(server)
            #expect(outcome.text == "the body of it" && outcome.report.cache == .miss, "byte \(offset)")
        }
        for length in stride(from: 0, to: size, by: 7) {
            writeBytes(Array(fileBytes(path)[..<length]), to: path)
            #expect(try get(server).report.cache == .miss)
        }
        #expect(try get(server).report.cache == .hit)
    }

    @Test("removes what a client that was killed has left")
    func leftovers() throws {
        let server = scripted { _, _, _ in fresh("x") }
        _ = try get(server)
        writeBytes([1, 2, 3], to: folder.file("cache/tmp/1-dead"))
        let cache = try ClientCache(path: folder.file("cache"))
        guard let living = TemporaryFile(in: cache) else {
            Issue.record("no temporary file")
            return
        }
        _ = try get(server, "/other")
        #expect(names("cache/tmp") == [String(living.name.dropFirst(4))])
    }

    @Test("takes no more than its limit, and forgets first what was not used for longest")
    func limit() throws {
        let body = String(repeating: "x", count: 100_000)
        let server = scripted { _, _, _ in fresh(body) }
        let context = try context(limit: 1_000_000)
        for number in 0..<30 { _ = try TransferRunner(context).fetch(server.url("/\(number)")) }
        let total = files().reduce(0) { $0 + fileBytes($1).count }
        #expect(total <= 1_000_000 && total > 500_000)
        let large = try TransferRunner(try self.context(limit: 200_000)).fetch(server.url("/large"))
        #expect(!large.report.isStored && large.text == body)
    }

    @Test("belongs to its owner")
    func mode() throws {
        let server = scripted { _, _, _ in fresh("x") }
        _ = try get(server)
        #expect(permissions(of: folder.file("cache")) == 0o700)
        for path in files() { #expect(permissions(of: path) == 0o600) }
    }

    @Test("keeps secrets of requests out of its files")
    func secrets() throws {
        let server = scripted { _, _, _ in fresh("x", fields: "Vary: Authorization, Cookie, X-Token\r\n") }
        _ = try get(server) {
            $0.credentials = .init(user: "me", password: "secret")
            $0.fields = [
                RequestField(name: "Cookie", value: "c=secret"), RequestField(name: "X-Token", value: "secret"),
            ]
        }
        for path in files() {
            let text = String(decoding: fileBytes(path), as: UTF8.self)
            #expect(!text.contains("secret") && !text.contains("bWU6c2VjcmV0"))
        }
        #expect(files().count == 1)
    }

    @Test("follows a stored redirect")
    func redirect() throws {
        let server = scripted { head, _, _ in
            head.hasPrefix("GET /old")
                ? "HTTP/1.1 301 Moved\r\nLocation: /new\r\nCache-Control: max-age=1000\r\nContent-Length: 2\r\n\r\nxx"
                : fresh("new")
        }
        for _ in 0..<2 { #expect(try get(server, "/old") { $0.followsRedirects = true }.text == "new") }
        #expect(server.requests.count == 2)
    }

    // MARK: Looking at the folder

    private func names(_ path: String) -> [String] { listing(of: folder.file(path)) }

    private func files() -> [String] {
        names("cache").filter { $0.count == 2 }.flatMap { part in
            names("cache/\(part)").map { folder.file("cache/\(part)/\($0)") }
        }
    }
}
