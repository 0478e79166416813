// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@testable import Proxy

@Suite("An unsafe request") struct CacheInvalidationTests {
    private static let fresh = "Cache-Control: max-age=600\r\n"

    @Test("takes away what is stored for its URL, all variants, and nothing else; also after a restart")
    func itsURL() throws {
        let server = origin { head, number in
            response("\(number)", head.hasPrefix("GET") ? Self.fresh + "Vary: X-A\r\n" : "")
        }
        let folder = TemporaryFolder()
        do {
            let gateway = try CachingGateway(server, in: folder)
            gateway.store("/a", "X-A: 1\r\n")
            gateway.store("/a", "X-A: 2\r\n")
            gateway.store("/b", "X-A: 1\r\n")
            #expect(gateway.ask("/a", "Content-Length: 0\r\n", method: "POST").status == 200)
            for value in 1...2 {
                let reply = gateway.ask("/a", "X-A: \(value)\r\nCache-Control: only-if-cached\r\n")
                #expect(reply.status == 504)
            }
            gateway.gateway.stop()
        }
        let gateway = try CachingGateway(server, in: folder)
        #expect(gateway.ask("/a", "X-A: 1\r\nCache-Control: only-if-cached\r\n").status == 504)
        #expect(gateway.ask("/a", "X-A: 2\r\nCache-Control: only-if-cached\r\n").status == 504)
        #expect(gateway.ask("/b", "X-A: 1\r\n").isHit)
    }

    @Test("to thousands of URLs of one host, each stored before, takes nothing from another host")
    func emptiesNothing() throws {
        let server = origin { head, _ in response("x", head.hasPrefix("GET") ? Self.fresh : "") }
        let gateway = try CachingGateway(server)
        for page in 0..<5 { gateway.store("/\(page)", host: "good") }
        let peer = gateway.gateway.connect()
        for number in 0..<4_200 {
            peer.request("/?\(number)", host: "hostile")
            _ = peer.reply()
            peer.request("/?\(number)", "Content-Length: 0\r\n", method: "POST", host: "hostile")
            _ = peer.reply()
        }
        for page in 0..<5 { #expect(gateway.ask("/\(page)", host: "good").isHit) }
        #expect(gateway.ask("/?4199", "Cache-Control: only-if-cached\r\n", host: "hostile").status == 504)
    }
}
