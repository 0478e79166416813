// SPDX-License-Identifier: Apache-2.0
import Bytes
import TestSupport
import Testing

@testable import Client

@Suite("A hostile server") struct HostileTests {
    /// Sends `start`, then `piece` again and again until the client has had enough.
    private func endless(_ start: String, _ piece: [UInt8]) -> ScriptedServer {
        ScriptedServer { peer, _, server in
            _ = peer.receiveHead()
            peer.send(start)
            var sent = 0
            while sent < 1 << 30, peer.send(piece) { sent += piece.count }
            server.note("\(sent)")
        }
    }

    private func sent(_ server: ScriptedServer) -> Int {
        eventually { !server.requests.isEmpty }
        return server.requests.first.flatMap { Int($0) } ?? .max
    }

    @Test("costs a bounded amount with endless heads, lines and interim responses")
    func endlessHeads() throws {
        let line = Array("X-Field: value\r\n".utf8)
        let fields = endless("HTTP/1.1 200 OK\r\n", (0..<64).flatMap { _ in line })
        #expect(try fetch(fields.url()).exitStatus == 56)
        let long = endless("HTTP/1.1 200 OK\r\nX-Long: ", [UInt8](repeating: 0x61, count: 4_096))
        #expect(try fetch(long.url()).exitStatus == 56)
        let interim = endless("", Array("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".utf8))
        #expect(try fetch(interim.url()).exitStatus == 56)
        let trailers = endless(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", (0..<64).flatMap { _ in line })
        #expect(try fetch(trailers.url()).exitStatus == 56)
        // What the sockets between both hold is more than what the client has read.
        for server in [fields, long, interim, trailers] { #expect(sent(server) < 64 << 20) }
    }

    @Test(
        "is told by its lies about lengths",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 8),
            ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", 8),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello", 8),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 8),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 56),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello", 56),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n", 56),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nhello", 18),
            ("HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n", 8), ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", 8),
            ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 8),
            ("HTTP/2 200\r\n\r\n", 1), ("ICY 200 OK\r\n\r\n", 1), ("\0\0\0\0", 1),
        ] as [(String, Int32)])
    func lengths(_ bytes: String, _ expected: Int32) throws {
        let server = ScriptedServer.sendingAndClosing(bytes)
        let outcome = try fetch(server.url())
        #expect(outcome.exitStatus == expected, "\(outcome.sentence)")
    }

    @Test("cannot smuggle an answer to the next request in behind this one's")
    func surplus() throws {
        let server = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                peer.send(ok("good") + (server.requests.count == 1 ? ok("evil") : ""))
            }
        }
        let runner = TransferRunner(TransferContext())
        for _ in 0..<3 { #expect(try runner.fetch(server.url()).text == "good") }
    }

    @Test("with a gzip bomb is stopped, and its memory is not the client's")
    func bomb() throws {
        var guarded = BombGuard(limit: nil)
        var failure: ClientFailure?
        var passed: UInt64 = 0
        do throws(ClientFailure) {
            for _ in 0..<100_000 {
                try guarded.count(came: 64, passed: 64 << 10)
                passed += 64 << 10
            }
        } catch { failure = error }
        #expect(failure?.exitStatus == 63 && passed <= BombGuard.harmless + 64 << 10)
        var wished = BombGuard(limit: 1 << 40)
        for _ in 0..<2_000 { try wished.count(came: 64, passed: 64 << 10) }
        var limited = BombGuard(limit: 10)
        #expect(throws: ClientFailure.self) { try limited.count(came: 11, passed: 11) }
        var honest = BombGuard(limit: nil)
        for _ in 0..<100_000 { try honest.count(came: 64 << 10, passed: 640 << 10) }
    }

    @Test("that wraps codings in codings, or cuts them short, gets 61")
    func codings() throws {
        for coding in ["br", "gzip, gzip", "deflate", "x\u{1B}[2J"] {
            let server = ScriptedServer.answering(ok("x", fields: "Content-Encoding: \(coding)\r\n"))
            let outcome = try fetch(server.url()) { $0.acceptsCompressed = true }
            #expect(outcome.exitStatus == (coding.contains("\u{1B}") ? 8 : 61))
            #expect(!outcome.sentence.contains("\u{1B}"))
        }
        let cut = ScriptedServer.answering(ok("\u{1F}", fields: "Content-Encoding: gzip\r\n"))
        #expect(try fetch(cut.url()) { $0.acceptsCompressed = true }.exitStatus == 61)
    }

    @Test(
        "cannot speak to the terminal",
        arguments: [
            "\u{1B}[2J", "\u{1B}]0;title\u{07}", "\u{9B}31m", "\u{08}", "\u{7F}", "\u{202E}", "\u{85}", "\u{0}",
            "\u{E000}",
        ])
    func terminal(_ text: String) {
        let shown = Escaping.visible("a\(text)b")
        for scalar in shown.unicodeScalars {
            #expect(scalar.value >= 0x20 && scalar.value != 0x7F && !(0x80..<0xA0).contains(scalar.value))
        }
        #expect(shown.hasPrefix("a\\x") && !shown.contains("\u{202E}"))
        let bytes = Array("ä€😀\r\n\t\(text)\rx".utf8) + [0x9B, 0xC2]
        for cut in 0...bytes.count {
            let (first, second) = (Array(bytes[..<cut]), Array(bytes[cut...]))
            var filter = TerminalFilter()
            var lines = filter.take(first.span)
            lines += filter.take(second.span)
            lines += filter.finish()
            let all = String(decoding: lines, as: UTF8.self)
            #expect(all.hasPrefix("ä€😀\r\n\t\\x") && all.hasSuffix("\\x0dx\\x9b\\xc2"))
            for scalar in all.unicodeScalars where !["\r", "\n", "\t"].contains(scalar) {
                #expect(scalar.value >= 0x20 && scalar.value != 0x7F && !(0x80..<0xA0).contains(scalar.value))
            }
            #expect(!all.contains("\u{202E}") && !all.contains("\u{FFFD}"))
        }
    }

    @Test(
        "does not choose where a file goes",
        arguments: [
            ("http://a/x/y.txt", "y.txt"), ("http://a/x/..%2f..%2fetc", "..%2f..%2fetc"),
            ("http://a/.bashrc?x=/y", ".bashrc"),
        ])
    func names(_ url: String, _ expected: String) throws {
        #expect(try BodyOutput.remoteName(try HTTPURL(url)) == expected)
    }

    @Test(
        "does not make -O leave the folder",
        arguments: ["http://a/", "http://a/x/", "http://a/..", "http://a/x/%2e%2e"])
    func noNames(_ url: String) throws {
        #expect(throws: ClientFailure.self) { try BodyOutput.remoteName(try HTTPURL(url)) }
    }
}
