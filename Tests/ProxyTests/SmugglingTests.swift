// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

/// Bytes in which two readers could find different requests, and what is owed for them.
struct Disguise: CustomTestStringConvertible, Sendable {
    var why: String
    var bytes: String
    var status: Int
    var testDescription: String { why }

    init(_ why: String, _ bytes: String, _ status: Int = 400) {
        self.why = why
        self.bytes = bytes
        self.status = status
    }
}

@Suite("A request that could be read in two ways") struct SmugglingTests {
    static let disguises: [Disguise] = [
        .init(
            "both lengths",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"),
        .init(
            "chunked spelt with a vertical tab",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n"),
        .init("xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        .init("a comma before chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
        .init(
            "chunked with a parameter", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x=1\r\n\r\n0\r\n\r\n"),
        .init(
            "Transfer-Encoding twice",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init(
            "identity, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
            501),
        .init("gzip, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        .init("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init("two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        .init("one length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        .init("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"),
        .init("a length with a plus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
        .init("a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        .init("a hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
        .init("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
        .init("a length of 2^63", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n"),
        .init(
            "a length of 10^30", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000000000000000000\r\n\r\n"
        ),
        .init("a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello"),
        .init("a tab before the colon", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
        .init("a folded line", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        .init("a bare LF between fields", "GET / HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\nhello"),
        .init("a bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\rX: y\r\n\r\n"),
        .init("a NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n"),
        .init("a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\ngarbage\r\n\r\n"),
        .init("a field without a name", "GET / HTTP/1.1\r\n: x\r\nHost: a\r\n\r\n"),
        .init("no Host", "GET / HTTP/1.1\r\n\r\n"),
        .init("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        .init("a list of hosts", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
        .init("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        .init("user information in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        .init("user information in the target", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("two spaces in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("HTTP/0.9", "GET /\r\n\r\n"),
        .init("a lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"),
        .init("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        .init("HTTP/1.9", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", 505),
        .init("an unknown expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417),
        .init("the PROXY protocol", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("a TLS handshake", "\u{16}\u{03}\u{01}"),
    ]

    @Test("is refused, the connection closed, and nothing of it reaches the upstream server", arguments: disguises)
    func isRefused(_ disguise: Disguise) throws {
        let origin = ScriptedServer.answering(ok("hello"))
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send(disguise.bytes + "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = client.receiveAll()
        #expect(answer.hasPrefix("HTTP/1.1 \(disguise.status) "))
        #expect(answer.contains("Connection: close\r\n"))
        #expect(!answer.contains("hello"))
        let log = gateway.log()
        #expect(log.count == 1)
        #expect(origin.requests.isEmpty)
    }

    @Test(
        "in its body is refused, and what was pipelined behind it is never served",
        arguments: [
            "5\nhello\r\n0\r\n\r\n", "5\r\nhelloXX", "5\r\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\n",
            "10000000000000001\r\n",
            "-1\r\n", "+5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n", "5;\0\r\nhello\r\n0\r\n\r\n", "0\r\nbad trailer\r\n\r\n",
        ])
    func bodyIsRefused(_ body: String) throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
                + "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = client.receiveAll()
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
        #expect(answer.components(of: "HTTP/1.1 ") == 1)
        gateway.stop()
        #expect(!origin.requests.contains { $0.contains("/evil") })
    }

    @Test("but whose body looks like a request is one request with a body")
    func bodyIsNoRequest() throws {
        let origin = ScriptedServer { peer, _, server in
            while true {
                let request = peer.receiveMessage()
                if request.head.isEmpty { return }
                server.note(request.head + request.body)
                peer.send(ok("hello"))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let evil = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \(evil.utf8.count)\r\n\r\n\(evil)")
        #expect(client.receiveMessage().body == "hello")
        client.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "hello")
        #expect(origin.requests.count == 2)
        #expect(origin.requests.first?.hasSuffix(evil) == true)
        #expect(origin.requests.last?.hasPrefix("GET /second ") == true)
    }
}

extension String {
    /// How often `part` occurs.
    func components(of part: String) -> Int {
        var count = 0
        var rest = Substring(self)
        while !rest.isEmpty {
            if rest.hasPrefix(part) { count += 1 }
            rest = rest.dropFirst()
        }
        return count
    }
}
