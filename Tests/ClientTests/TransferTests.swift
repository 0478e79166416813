// SPDX-License-Identifier: Apache-2.0
import Client
import TestSupport
import Testing

/// Keeps what it is given.
private struct Collector: ResponseReceiver {
    var head = ""
    var body = ""
    mutating func head(_ bytes: Span<UInt8>, status: UInt16) throws(ClientFailure) {
        for index in bytes.indices { head.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
    }
    mutating func body(_ bytes: Span<UInt8>) throws(ClientFailure) {
        for index in bytes.indices { body.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
    }
}

@Suite("A transfer") struct TransferTests {
    /// Body and exit status of a request to a server that sends `bytes` and closes.
    private func exchange(
        _ bytes: String, method: String = "GET", body: [UInt8]? = nil
    ) throws -> (body: String, exitStatus: Int32) {
        let server = ScriptedServer { peer, _, _ in
            _ = peer.receiveMessage()
            peer.send(bytes)
            peer.close()
        }
        var collector = Collector()
        var report = TransferReport()
        let request = ClientRequest(method: method, url: try HTTPURL("http://127.0.0.1:\(server.port)/"), body: body)
        do throws(ClientFailure) {
            try Transfer.run(request, to: &collector, report: &report)
        } catch {
            return (collector.body, error.exitStatus)
        }
        return (collector.body, 0)
    }

    @Test("ends with curl's exit status")
    func exitStatuses() throws {
        #expect(try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == ("hello", 0))
        #expect(
            try exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") == ("hello", 0)
        )
        #expect(try exchange("HTTP/1.0 200 OK\r\n\r\nuntil the end") == ("until the end", 0))
        #expect(try exchange("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n") == ("", 0))
        #expect(try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method: "HEAD") == ("", 0))
        #expect(try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel") == ("hel", 18))
        #expect(try exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel") == ("hel", 18))
        #expect(try exchange("").exitStatus == 52)
        #expect(try exchange("garbage\r\n\r\n").exitStatus == 1)
        #expect(
            try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", method: "POST", body: Array("x".utf8))
                == ("hello", 0))
    }

    @Test("to nowhere says so")
    func nowhere() throws {
        let dead = ScriptedServer.answering("")
        dead.stop()
        for (url, status) in [("http://127.0.0.1:\(dead.port)/", 7), ("http://no-such-host.invalid/", 6)]
            as [(String, Int32)]
        {
            var collector = Collector()
            var report = TransferReport()
            let request = ClientRequest(method: "GET", url: try HTTPURL(url))
            var found: Int32 = 0
            do throws(ClientFailure) {
                try Transfer.run(request, to: &collector, report: &report)
            } catch {
                found = error.exitStatus
            }
            #expect(found == status)
        }
    }

    @Test("writes the request as it was asked for")
    func request() throws {
        let server = ScriptedServer { peer, _, server in
            let message = peer.receiveMessage()
            server.note(message.head + message.body)
            peer.send(ok(""))
        }
        var collector = Collector()
        var report = TransferReport()
        let request = ClientRequest(
            method: "PUT", url: try HTTPURL("http://127.0.0.1:\(server.port)/a?b"),
            fields: [("accept", "text/plain"), ("X-Empty", "")], body: Array("body".utf8))
        try Transfer.run(request, to: &collector, report: &report)
        let head = server.requests.first ?? ""
        #expect(head.hasPrefix("PUT /a?b HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"))
        #expect(head.contains("accept: text/plain\r\n"))
        #expect(!head.contains("Accept: */*"))
        #expect(!head.contains("X-Empty"))
        #expect(head.hasSuffix("Content-Length: 4\r\naccept: text/plain\r\n\r\nbody"))
        #expect(report.status == 200)
    }
}
