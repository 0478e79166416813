// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("A response that varies") struct CacheVaryTests {
    /// Answers in the language asked for.
    private static func speaking(
        _ vary: String = "Accept-Language", _ lifetime: String = "max-age=60"
    ) -> ScriptedServer {
        origin { head, number in
            let language =
                head.contains("Accept-Language: de") ? "de" : head.contains("Accept-Language: en") ? "en" : "-"
            return response(
                "\(language)\(number)", "Cache-Control: \(lifetime)\r\nVary: \(vary)\r\nETag: \"\(language)\"\r\n")
        }
    }

    @Test("is stored once for each value, also for none")
    func variants() throws {
        let server = Self.speaking()
        let gateway = try CachingGateway(server)
        for fields in ["Accept-Language: de\r\n", "Accept-Language: en\r\n", ""] { gateway.store("/", fields) }
        #expect(gateway.ask("/", "Accept-Language: de\r\n").body == "de0")
        #expect(gateway.ask("/", "Accept-Language: en\r\n").body == "en1")
        #expect(gateway.ask().body == "-2")
        #expect(gateway.ask("/", "accept-language:  de \r\n").isHit)
        #expect(server.requests.count == 3)
        #expect(gateway.ask("/", "Accept-Language: fr\r\n").cacheStatus.contains("fwd=vary-miss"))
    }

    @Test("on other fields than before is found by the new ones")
    func changedNames() throws {
        let server = origin { head, number in
            response("\(number)", "Cache-Control: max-age=60\r\nVary: \(number == 0 ? "X-A" : "X-B")\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store("/", "X-A: 1\r\n")
        #expect(gateway.ask("/", "X-A: 2\r\nX-B: 1\r\n").body == "1")
        eventually { gateway.ask("/", "X-A: 3\r\nX-B: 1\r\nCache-Control: only-if-cached\r\n").status == 200 }
        #expect(gateway.ask("/", "X-A: 3\r\nX-B: 1\r\n").body == "1")
        #expect(!gateway.ask("/", "X-A: 1\r\nX-B: 2\r\n").isHit)
    }

    @Test("no more is for requests with the same fields, and takes no variant's place", arguments: [false, true])
    func noLonger(_ isIdentified: Bool) throws {
        let server = origin { head, number in
            response(
                "\(number)", "Cache-Control: public, max-age=60\r\n" + (head.contains("odd") ? "" : "Vary: X-A\r\n"))
        }
        let gateway = try CachingGateway(server)
        gateway.store("/", "X-A: 1\r\n")
        // One whose answer is stored only when it permits that, or one that others may wait for.
        let fields = "X-A: odd\r\n" + (isIdentified ? "Authorization: x\r\n" : "")
        #expect(gateway.ask("/", fields).body == "1")
        eventually { gateway.ask("/", "X-A: odd\r\nCache-Control: only-if-cached\r\n").isHit }
        #expect(gateway.ask("/", "X-A: 1\r\n").body == "0")
        #expect(gateway.ask("/", "X-A: 2\r\n").body == "2")
        #expect(gateway.ask("/", "X-A: odd\r\n").body == "1")
        #expect(server.requests.count == 3)
    }

    @Test("that did not vary before is a variant from then on")
    func fromNowOn() throws {
        let server = origin { head, number in
            number == 0
                ? response("0", "Cache-Control: max-age=10\r\nAge: 20\r\nETag: \"0\"\r\n")
                : response("\(number)", "Cache-Control: max-age=60\r\nVary: X-A\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store("/", "X-A: 1\r\n")
        #expect(gateway.ask("/", "X-A: 1\r\n").body == "1")
        eventually { gateway.ask("/", "X-A: 1\r\n").isHit }
        #expect(gateway.ask("/", "X-A: 1\r\n").body == "1")
        #expect(gateway.ask("/", "X-A: 2\r\n").body == "2")
    }

    @Test(
        "on what only the gateway tells of the client is not stored",
        arguments: ["X-Forwarded-For", "Accept, forwarded", "X-Client-Cert-Subject", "X-Request-ID"])
    func ofClient(_ name: String) throws {
        let server = Self.speaking(name)
        let gateway = try CachingGateway(server)
        #expect(gateway.ask().cacheStatus.contains("detail=vary-any"))
        #expect(!gateway.ask().isHit)
        #expect(server.requests.count == 2)
    }

    @Test("on everything is not stored")
    func star() throws {
        let server = Self.speaking("*")
        let gateway = try CachingGateway(server)
        #expect(gateway.ask().cacheStatus.contains("detail=vary-any"))
        #expect(!gateway.ask().isHit)
        #expect(server.requests.count == 2)
    }

    @Test("on other fields since a 304 says so is not served to those whom it does not match")
    func variesSince304() throws {
        let server = origin { head, number in
            if head.contains("If-None-Match") {
                return "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nVary: X-A\r\n\r\n"
            }
            return response("\(number)", "Cache-Control: max-age=10\r\nAge: 20\r\nETag: \"1\"\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask("/", "X-A: a\r\n").body == "0")
        eventually { gateway.files.isEmpty }
        #expect(!gateway.ask("/", "X-A: b\r\n").isHit)
    }

    @Test("is invalidated in all its variants")
    func invalidated() throws {
        let server = origin { head, number in
            head.hasPrefix("POST")
                ? response("", "") : response("\(number)", "Cache-Control: max-age=60\r\nVary: X-A\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store("/", "X-A: 1\r\n")
        gateway.store("/", "X-A: 2\r\n")
        gateway.ask("/", "Content-Length: 0\r\n", method: "POST")
        let again = gateway.store("/", "X-A: 1\r\n")
        #expect(!again.isHit)
        #expect(!gateway.ask("/", "X-A: 2\r\n").isHit)
        #expect(gateway.ask("/", "X-A: 1\r\n").body == again.body)
    }

    @Test("is fetched once for each variant however many ask at once, on both loops")
    func collapsed() throws {
        let gate = Gate()
        let server = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                if server.requests.count == 1 { gate.pass() }
                let language = head.contains("Accept-Language: de") ? "de" : "en"
                peer.send(response(language, "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n"))
            }
        }
        let gateway = try CachingGateway(server, workers: 2)
        let peers = (0..<20).map { _ in gateway.gateway.connect() }
        for (index, peer) in peers.enumerated() {
            peer.request("/", "Accept-Language: \(index % 2 == 0 ? "de" : "en")\r\n")
        }
        eventually { server.requests.count == 1 }
        gateway.gateway.hearAll()
        gate.open()
        for (index, peer) in peers.enumerated() { #expect(peer.reply().body == (index % 2 == 0 ? "de" : "en")) }
        #expect(server.requests.count == 2)
    }
}
