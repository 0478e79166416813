// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Client

@Suite("An upload") struct UploadTests {
    private let folder = TemporaryFolder()

    @Test("goes on when an interim response comes while the server is not reading")
    func interim() throws {
        let size = 32 << 20
        let server = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            peer.send("HTTP/1.1 100 Continue\r\n\r\n")
            // More than the content's first piece: it is on its way, and will be more than the sockets hold.
            var received = peer.receiveBytes(count: 100_000).count
            peer.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            // Here it is the client that must not stop: what it sends piles up until it has to wait.
            for _ in 0..<20 { dawdle() }
            while received < size {
                let piece = peer.receive()
                if piece.isEmpty { return }
                received += piece.count
            }
            peer.send(ok("all of it"))
        }
        let outcome = try fetch(server.url(), body: .bytes([UInt8](repeating: 0x61, count: size))) {
            $0.maxTime = 60_000
        }
        #expect(outcome.text == "all of it", "\(outcome.sentence)")
        #expect(outcome.report.sentBytes == UInt64(size))
        #expect(outcome.heads.filter { $0.hasPrefix("HTTP/1.1 10") }.count == 3)
    }

    @Test("that is continued says which bytes it has, and sends the rest of the file")
    func continued() throws {
        let file = folder.write("0123456789", to: "file")
        let server = scripted { _, body, _ in ok(body) }
        let runner = TransferRunner(TransferContext())
        let outcome = try runner.fetch(server.url(), body: .file(file), resumesAt: 4)
        #expect(outcome.text == "456789")
        #expect(server.requests.last?.contains("Content-Range: bytes 4-9/10\r\n") == true)
        #expect(server.requests.last?.contains("Content-Length: 6\r\n") == true)
        #expect(try runner.fetch(server.url(), body: .file(file), resumesAt: 0).text == "0123456789")
        #expect(server.requests.last?.contains("Content-Range") == false)
        #expect(try runner.fetch(server.url(), body: .file(file), resumesAt: 10).exitStatus == 18)
        #expect(server.requests.count == 2)
    }

    @Test("that is continued and redirected to a page fetches all of the page")
    func continuedElsewhere() throws {
        let file = folder.write("0123456789", to: "file")
        let server = scripted { head, _, _ in
            head.hasPrefix("PUT") ? "HTTP/1.1 303 See\r\nLocation: /done\r\nContent-Length: 0\r\n\r\n" : ok("done")
        }
        var context = TransferContext()
        context.settings.followsRedirects = true
        #expect(try TransferRunner(context).fetch(server.url(), body: .file(file), resumesAt: 4).text == "done")
        #expect(server.requests.last?.contains("Range") == false)
    }

    @Test("is framed once, whatever fields the user gives")
    func framing() throws {
        let server = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                var body = ""
                if head.lowercased().contains("transfer-encoding:") {
                    guard let content = peer.receiveChunks() else { return }
                    body = String(decoding: content, as: UTF8.self)
                } else if head.contains("Content-Length: 7\r\n") {
                    body = peer.receive(count: 7)
                }
                server.note(head)
                peer.send(ok(body))
            }
        }
        for field in [
            "Transfer-Encoding: chunked", "transfer-encoding: gzip", "Content-Length: 3", "Content-Length:",
            "Transfer-Encoding:",
        ] {
            let outcome = try fetch(server.url(), body: .bytes(Array("content".utf8))) {
                $0.maxTime = 10_000
                $0.fields = (try? [RequestField(parsing: field), RequestField(parsing: "X: y")]) ?? []
            }
            #expect(outcome.text == "content", "\(field): \(outcome.sentence)")
            let head = (server.requests.last ?? "").lowercased()
            let isChunked = field.lowercased().hasPrefix("transfer-encoding: ")
            #expect(head.contains("content-length: 7\r\n") == !isChunked, "\(field)")
            #expect(head.contains("chunked\r\n") == isChunked, "\(field)")
            #expect(head.fieldCount("content-length:") + head.fieldCount("transfer-encoding:") == 1, "\(field)")
            #expect(head.contains("x: y\r\n"))
        }
        #expect(server.requests.last?.contains("\r\nContent-Length: 7\r\n") == true)
    }
}

extension String {
    /// How often `part` is in it.
    fileprivate func fieldCount(_ part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let line = rest.firstIndex(of: "\r\n") {
            rest = rest[rest.index(after: line)...]
            if rest.hasPrefix(part) { count += 1 }
        }
        return count
    }
}
