// SPDX-License-Identifier: Apache-2.0
import CacheStore
import Settings
import TestSupport
import Testing

@testable import Proxy

/// Who waits for another's request, and who does not because the answer would not be for him.
@Suite("Nobody waits for another's response") struct CacheWaitingTests {
    /// Answers the first request at once and the others when the gate opens.
    private func held(_ gate: Gate, _ first: String, _ others: String) -> ScriptedServer {
        origin { _, number in
            if number == 0 { return first }
            gate.pass()
            return others
        }
    }

    /// Clients that have asked at once.
    private func ask(_ gateway: CachingGateway, _ count: Int, _ fields: String = "") -> [Peer] {
        let peers = (0..<count).map { _ in gateway.gateway.connect() }
        for peer in peers { peer.request("/", fields) }
        return peers
    }

    @Test("when it could not be stored a moment ago") func refusedLately() throws {
        let gate = Gate()
        let response = response("mine", "Cache-Control: private\r\n")
        let server = held(gate, response, response)
        let gateway = try CachingGateway(server)
        gateway.ask()
        let peers = ask(gateway, 5)
        eventually { server.requests.count == 6 }
        gate.open(for: 5)
        for peer in peers { #expect(peer.reply().body == "mine") }
    }

    @Test("when he says who he is") func authorization() throws {
        let gate = Gate()
        let response = response("mine", "Cache-Control: private\r\n")
        let server = origin { _, _ in
            gate.pass()
            return response
        }
        let gateway = try CachingGateway(server)
        let peers = ask(gateway, 5, "Authorization: Basic eDp5\r\n")
        eventually { server.requests.count == 5 }
        gate.open(for: 5)
        for peer in peers { #expect(peer.reply().body == "mine") }
    }

    @Test("when it has to be validated for each") func noCache() throws {
        let gate = Gate()
        let fields = "ETag: \"1\"\r\nCache-Control: no-cache\r\n"
        let server = held(gate, response("page", fields), notModified + fields + "\r\n")
        let gateway = try CachingGateway(server)
        gateway.ask()
        eventually { gateway.gateway.storedResponses == 1 }
        let peers = ask(gateway, 5)
        eventually { server.requests.count == 6 }
        gate.open(for: 5)
        for peer in peers { #expect(peer.reply().body == "page") }
        // Each has asked once.
        #expect(server.requests.count == 6)
    }

    @Test("and what is storable after all is stored in spite of that") func storableAfterAll() throws {
        let server = origin { _, number in
            response("x", number == 0 ? "Cache-Control: no-store\r\n" : "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.ask()
        gateway.store()
        #expect(gateway.ask().isHit)
    }

    @Test("is remembered for a minute, in bounded room") func memory() {
        var refusals = RecentRefusals()
        let id = ObjectID(key: CacheHash(high: 1, low: 2))
        #expect(!refusals.contains(id, hadCookie: false, at: 0))
        refusals.insert(id, hadCookie: false, at: 1_000)
        #expect(refusals.contains(id, hadCookie: false, at: 60_999))
        // Of those with a session nothing is known.
        #expect(!refusals.contains(id, hadCookie: true, at: 60_999))
        #expect(!refusals.contains(id, hadCookie: false, at: 61_000))
        refusals.insert(id, hadCookie: false, at: 1_000)
        refusals.remove(id)
        #expect(!refusals.contains(id, hadCookie: false, at: 1_000))
        // One with the same place takes it.
        refusals.insert(id, hadCookie: false, at: 1_000)
        refusals.insert(ObjectID(key: CacheHash(high: 1, low: 2 + 4096)), hadCookie: false, at: 1_000)
        #expect(!refusals.contains(id, hadCookie: false, at: 1_000))
    }
}
