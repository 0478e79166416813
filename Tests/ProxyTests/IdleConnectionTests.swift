// SPDX-License-Identifier: Apache-2.0
import Settings
import Synchronization
import TestSupport
import Testing

@Suite("Idle connections to a server") struct IdleConnectionTests {
    /// An origin that answers when so many requests are with it at once, again and again.
    private final class Gathering: Sendable {
        let size: Int
        private let arrived = Atomic<Int>(0)
        init(_ size: Int) { self.size = size }

        func origin() -> ScriptedServer {
            ScriptedServer { [self] peer, _, _ in
                while !peer.receiveHead().isEmpty {
                    let number = arrived.add(1, ordering: .relaxed).newValue
                    let wanted = (number + size - 1) / size * size
                    eventually { arrived.load(ordering: .relaxed) >= wanted }
                    if !peer.send(ok("x")) { return }
                }
            }
        }
    }

    /// Has the gateway ask so many requests at once, several times, and returns how many connections that took.
    private func connections(_ limit: Int?, clients count: Int = 80, rounds: Int = 3) throws -> Int {
        let origin = Gathering(count).origin()
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            $0.limits.idlePerUpstream = limit
            $0.timeouts.upstreamIdle = 60_000
        }
        let clients = (0..<count).map { _ in gateway.connect() }
        for _ in 0..<rounds {
            for client in clients { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
            for client in clients { #expect(client.receiveMessage().body == "x") }
        }
        return origin.connections
    }

    @Test("are by default as many as were in use, so that as many requests again need no new ones")
    func asManyAsInUse() throws {
        #expect(try connections(Configuration().limits.idlePerUpstream) == 80)
    }

    @Test("are no more than the settings say, where they name a number")
    func limited() throws {
        #expect(try connections(10) == 80 + 2 * 70)
    }
}
