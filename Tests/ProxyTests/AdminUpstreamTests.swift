// SPDX-License-Identifier: Apache-2.0
import Foundation
import Settings
import TestSupport
import Testing

@Suite("The operator") struct AdminUpstreamTests {
    /// Two servers that say who they are, and a gateway in front of them.
    private final class Scene {
        let first = ScriptedServer.named("first")
        let second = ScriptedServer.named("second")
        let gateway: RunningGateway

        init() throws {
            gateway = try RunningGateway(upstreams: [first.port, second.port]) {
                $0.admin = .init(address: "127.0.0.1", port: 0)
            }
        }

        /// Who answers so many requests in turn.
        func answers(_ count: Int = 6) -> [String: Int] {
            var found: [String: Int] = [:]
            for _ in 0..<count {
                let reply = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                found[String(reply.suffix(6)), default: 0] += 1
            }
            return found
        }

        func call(_ target: String, method: String = "POST") -> (status: Int, json: [String: Any]) {
            let peer = gateway.connectToAdmin()
            peer.request(target, "", method: method, host: "127.0.0.1", minor: 1)
            let reply = peer.reply(to: method)
            let json = try? JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any]
            return (reply.status, json ?? [:])
        }

        /// What is told of the servers of the one pool.
        var servers: [[String: Any]] {
            let pools = call("/upstreams", method: "GET").json["pools"] as? [[String: Any]]
            return pools?.first?["servers"] as? [[String: Any]] ?? []
        }
    }

    @Test("drains a server, and takes that back") func drains() throws {
        let scene = try Scene()
        #expect(scene.answers() == [" first": 3, "second": 3])
        #expect(scene.call("/upstreams/default/127.0.0.1:\(scene.first.port)/drain").status == 200)
        #expect(scene.answers() == ["second": 6])
        #expect(scene.servers.map { $0["state"] as? String } == ["draining", "up"])
        #expect(scene.call("/upstreams/default/127.0.0.1:\(scene.first.port)/undrain").status == 200)
        #expect(scene.answers(20)[" first"] ?? 0 > 0)
    }

    @Test("is told since when a server is in its state, not how long the machine runs") func since() throws {
        let begun = ProcessInfo.processInfo.systemUptime
        let scene = try Scene()
        let seconds = scene.servers.compactMap { $0["for_seconds"] as? Int }
        #expect(seconds.count == 2)
        #expect(seconds.allSatisfy { Double($0) <= ProcessInfo.processInfo.systemUptime - begun + 1 })
    }

    @Test("gives a server another weight, removes one, adds one") func changes() throws {
        let scene = try Scene()
        let first = "/upstreams/default/127.0.0.1:\(scene.first.port)"
        #expect(scene.call("\(first)/weight?to=2").status == 200)
        #expect(scene.answers() == [" first": 4, "second": 2])
        #expect(scene.call("\(first)/remove").status == 200)
        #expect(scene.answers() == ["second": 6])
        #expect(scene.servers.count == 1)
        #expect(scene.call("/upstreams/default/add?server=http://127.0.0.1:\(scene.first.port)").status == 200)
        #expect(scene.servers.count == 2)
        #expect(scene.answers(20)[" first"] ?? 0 > 0)
    }

    @Test(
        "is told what is wrong with a call",
        arguments: [
            ("/upstreams/none/127.0.0.1:1/drain", 404), ("/upstreams/default/127.0.0.1:1/drain", 404),
            ("/upstreams/default/127.0.0.1:1/jump", 404), ("/upstreams/default/127.0.0.1:1/weight?to=257", 400),
            ("/upstreams/default/add?server=nonsense", 400), ("/upstreams/default/add?server=http://a.test", 400),
            ("/upstreams/default/add?server=https://127.0.0.1", 409), ("/upstreams/default/add", 400),
        ]) func isTold(_ target: String, _ status: Int) throws
    {
        let reply = try Scene().call(target)
        #expect(reply.status == status)
        #expect((reply.json["error"] as? String)?.isEmpty == false)
    }
}

extension ScriptedServer {
    fileprivate static func named(_ name: String) -> ScriptedServer {
        ScriptedServer { peer, _, _ in
            while !peer.receiveMessage().head.isEmpty, peer.send(ok("I am \(name)")) {}
        }
    }
}
