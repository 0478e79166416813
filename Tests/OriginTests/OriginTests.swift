// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Origin
import TestSupport
import Testing

@Suite("The origin server") struct OriginTests {
    private let folder = TemporaryFolder()
    private let outside = TemporaryFolder()
    private let loop: Loop
    private let server: OriginServer

    init() throws {
        loop = try Loop(index: 0)
        loop.start()
        Self.write("hello, world\n", to: folder.file("hello.txt"))
        Self.write("<h1>index</h1>\n", to: folder.file("index.html"))
        Self.write("secret", to: outside.file("secret"))
        unsafe symlink(outside.file("secret"), folder.file("link"))
        server = try OriginServer(
            name: "test", root: folder.path, at: SocketAddress(ipv4: 0x7F00_0001, port: 0), on: loop, report: { _ in })
    }

    private static func write(_ text: String, to path: String) {
        guard let file = unsafe fopen(path, "w") else { return }
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    private func ask(_ request: String) -> (head: String, body: String) {
        let peer = Peer(port: server.address.port)
        peer.send(request)
        return peer.receiveMessage()
    }

    private func get(_ path: String, _ fields: String = "") -> (head: String, body: String) {
        ask("GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
    }

    private func value(_ name: String, in head: String) -> String {
        for line in head.split(separator: "\r\n") where line.hasPrefix("\(name): ") {
            return String(line.dropFirst(name.count + 2))
        }
        return ""
    }

    @Test("serves files with their type, and an index for a folder")
    func files() {
        let file = get("/hello.txt")
        #expect(file.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(file.head.contains("Content-Type: text/plain; charset=utf-8\r\n"))
        #expect(file.body == "hello, world\n")
        #expect(get("/").body == "<h1>index</h1>\n")
        #expect(get("/%68ello.txt").body == "hello, world\n")
        #expect(get("/nothing").head.hasPrefix("HTTP/1.1 404 "))
        #expect(ask("POST /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n").head.hasPrefix("HTTP/1.1 405 "))
        let head = ask("HEAD /hello.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").head
        #expect(head.contains("Content-Length: 13\r\n"))
    }

    @Test(
        "lets nobody out of its folder",
        arguments: ["/../secret", "/link", "/%2e%2e/secret", "/..%2fsecret", "/./../secret"])
    func escapes(_ path: String) {
        let answer = get(path)
        #expect(!answer.body.contains("secret"))
        #expect(answer.head.hasPrefix("HTTP/1.1 40"))
    }

    @Test("answers conditional requests")
    func conditions() {
        let head = get("/hello.txt").head
        let tag = value("ETag", in: head)
        let date = value("Last-Modified", in: head)
        #expect(get("/hello.txt", "If-None-Match: \(tag)\r\n").head.hasPrefix("HTTP/1.1 304 "))
        #expect(get("/hello.txt", "If-None-Match: \"x\", W/\(tag)\r\n").head.hasPrefix("HTTP/1.1 304 "))
        #expect(
            get("/hello.txt", "If-None-Match: \"x\"\r\nIf-Modified-Since: \(date)\r\n").head.hasPrefix("HTTP/1.1 200 "))
        #expect(get("/hello.txt", "If-Modified-Since: \(date)\r\n").head.hasPrefix("HTTP/1.1 304 "))
        #expect(
            get("/hello.txt", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").head.hasPrefix("HTTP/1.1 200 "))
        #expect(get("/hello.txt", "If-Match: \"x\"\r\n").head.hasPrefix("HTTP/1.1 412 "))
        #expect(
            get("/hello.txt", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").head.hasPrefix("HTTP/1.1 412 "))
    }

    @Test("answers ranges")
    func ranges() {
        let part = get("/hello.txt", "Range: bytes=7-11\r\n")
        #expect(part.head.hasPrefix("HTTP/1.1 206 "))
        #expect(part.head.contains("Content-Range: bytes 7-11/13\r\n"))
        #expect(part.body == "world")
        #expect(get("/hello.txt", "Range: bytes=-6\r\n").body == "world\n")
        #expect(get("/hello.txt", "Range: bytes=13-\r\n").head.contains("Content-Range: bytes */13\r\n"))
        #expect(get("/hello.txt", "Range: bytes=0-1,3-4\r\n").head.hasPrefix("HTTP/1.1 200 "))
        #expect(get("/hello.txt", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n").head.hasPrefix("HTTP/1.1 200 "))
        let tag = value("ETag", in: part.head)
        #expect(get("/hello.txt", "Range: bytes=0-4\r\nIf-Range: \(tag)\r\n").body == "hello")
    }

    @Test("has paths that make testing real")
    func paths() {
        #expect(get("/whoami").body.hasPrefix("origin test\n"))
        #expect(get("/status/503").head.hasPrefix("HTTP/1.1 503 "))
        #expect(get("/bytes/100000").body.utf8.count == 100_000)
        #expect(get("/chunked/3").head.contains("Transfer-Encoding: chunked\r\n"))
        #expect(get("/delay/50").body == "late, by test\n")
        let cached = get("/cache/60").head
        #expect(cached.contains("Cache-Control: public, max-age=60\r\n"))
        #expect(get("/cache/60", "If-None-Match: \(value("ETag", in: cached))\r\n").head.hasPrefix("HTTP/1.1 304 "))
        #expect(get("/headers", "X-Mine: 1\r\n").body.contains("X-Mine: 1\r\n"))
        #expect(ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").body == "hello")
    }

    @Test("tells two chunked bodies apart that arrive together")
    func pipelinedBodies() {
        let peer = Peer(port: server.address.port)
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.send(head)
        _ = peer.receiveHead()
        peer.send("3\r\nabc\r\n0\r\n\r\n" + head + "3\r\nde")
        #expect(peer.receive(count: 13) == "3\r\nabc\r\n0\r\n\r\n")
        #expect(peer.receiveHead().hasPrefix("HTTP/1.1 200 "))
        peer.send("f\r\n0\r\n\r\n")
        var body = ""
        while !body.hasSuffix("0\r\n\r\n") {
            let piece = peer.receive()
            if piece.isEmpty { break }
            body += String(decoding: piece, as: UTF8.self)
        }
        #expect(body == "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n")
    }
}
