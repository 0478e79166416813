// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("The access log") struct LogTests {
    private let request =
        "GET /a?b HTTP/1.1\r\nHost: a\r\nReferer: http://r/\r\nUser-Agent: test/1\r\nX-Request-ID: id-1\r\n\r\n"

    @Test("has the Combined Log Format, and behind it what that lacks")
    func combined() throws {
        let origin = ScriptedServer.answering(ok("hello"))
        let gateway = try RunningGateway(upstreams: [origin.port])
        _ = gateway.exchange(request)
        let line = gateway.log().first ?? ""
        #expect(line.hasPrefix("127.0.0.1 - - ["))
        #expect(
            line.contains(
                " +0000] \"GET /a?b HTTP/1.1\" 200 5 \"http://r/\" \"test/1\" upstream=127.0.0.1:\(origin.port) upstream_time=0."
            ))
        #expect(line.hasSuffix(" cache=- id=id-1 reason=-"))
    }

    @Test("writes JSON lines when asked to")
    func json() throws {
        let origin = ScriptedServer.answering(ok("hello"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.logFormat = .json }
        _ = gateway.exchange(request)
        let line = gateway.log().first ?? ""
        #expect(line.hasPrefix("{\"time\":\""))
        #expect(
            line.contains(
                "\"method\":\"GET\",\"target\":\"/a?b\",\"version\":\"HTTP/1.1\",\"status\":200,\"bytes\":5,\"referer\":\"http://r/\""
            ))
        #expect(line.hasSuffix("\"id\":\"id-1\",\"reason\":\"-\"}"))
    }

    @Test("cannot be forged or torn by what a client sends", arguments: [false, true])
    func forging(_ json: Bool) throws {
        let origin = ScriptedServer.answering(ok("hello"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { if json { $0.logFormat = .json } }
        _ = gateway.exchange("GET /\"\\\" HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = gateway.exchange(
            "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \"\\\u{9B}31m\u{1F600}\t\"\r\nReferer: \\x\"\r\n\r\n")
        let lines = gateway.log()
        #expect(lines.count == 2)
        for line in lines {
            #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
            // Every quotation mark inside a field is escaped, so the marks that are not come in pairs.
            var isOpen = false
            var isEscaped = false
            for byte in line.utf8 {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5C {
                    isEscaped = true
                } else if byte == 0x22 {
                    isOpen.toggle()
                }
            }
            #expect(!isOpen)
        }
    }

    @Test("has a line for every request, whole, from all loops")
    func whole() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], workers: 2)
        let clients = (0..<4).map { _ in gateway.connect() }
        for round in 0..<50 {
            for (index, client) in clients.enumerated() {
                client.send("GET /\(index)/\(round) HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = client.receiveMessage()
            }
        }
        let lines = gateway.log()
        #expect(lines.count == 200)
        #expect(Set(lines.map { $0.split(separator: "\"")[1] }).count == 200)
        #expect(lines.allSatisfy { $0.hasSuffix("reason=-") })
    }
}
