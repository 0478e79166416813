// SPDX-License-Identifier: Apache-2.0
import Bytes
import Foundation
import Settings
import Synchronization
import TestSupport
import Testing

private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

@Suite("A request that finds every server busy") struct QueueTests {
    /// An origin that answers once it is told to.
    private final class Held: Sendable {
        private let isOpen = Atomic<Bool>(false)
        func open() { isOpen.store(true, ordering: .relaxed) }
        func origin() -> ScriptedServer {
            ScriptedServer { [self] peer, _, server in
                while true {
                    let head = peer.receiveHead()
                    if head.isEmpty { return }
                    server.note(head)
                    eventually { isOpen.load(ordering: .relaxed) }
                    if !peer.send(ok("late")) { return }
                }
            }
        }
    }

    private func gateway(
        _ origin: ScriptedServer, _ edit: (inout Configuration.PoolSettings) -> Void = { _ in }
    ) throws
        -> RunningGateway
    {
        try RunningGateway(upstreams: [origin.port]) {
            $0.limits.connectionsPerUpstream = 1
            edit(&$0.pools[0].settings)
        }
    }

    @Test("waits for its turn, first come first served")
    func waits() throws {
        let held = Held()
        let origin = held.origin()
        let gateway = try gateway(origin)
        let clients = (0..<4).map { _ in gateway.connect() }
        for (index, client) in clients.enumerated() {
            client.send("GET /\(index) HTTP/1.1\r\nHost: a\r\n\r\n")
            if index == 0 { eventually { origin.requests.count == 1 } }
        }
        #expect(gateway.waitForConnections(4))
        held.open()
        for client in clients { #expect(client.receiveMessage().body == "late") }
        #expect(origin.requests.count == 4)
        #expect(origin.connections == 1)
    }

    @Test("gets 503 when it has waited long enough, or too many wait already")
    func deadline() throws {
        let held = Held()
        let origin = held.origin()
        let gateway = try gateway(origin) {
            $0.queue = 1
            $0.queueTimeout = 300
        }
        let first = gateway.connect()
        first.send(get)
        eventually { origin.requests.count == 1 }
        let second = gateway.connect()
        second.send(get)
        let third = gateway.connect()
        third.send(get)
        for client in [second, third] {
            let head = client.receiveMessage().head
            #expect(head.hasPrefix("HTTP/1.1 503 "))
            #expect(head.contains("Retry-After: 1\r\n"))
        }
        held.open()
        #expect(first.receiveMessage().body == "late")
        #expect(origin.requests.count == 1)
    }

    @Test("and gives up leaves its place to others")
    func leaves() throws {
        let held = Held()
        let origin = held.origin()
        let gateway = try gateway(origin) { $0.queue = 1 }
        let first = gateway.connect()
        first.send(get)
        eventually { origin.requests.count == 1 }
        let second = gateway.connect()
        second.send(get)
        #expect(gateway.waitForConnections(2))
        second.reset()
        #expect(gateway.waitForConnections(1))
        let third = gateway.connect()
        third.send(get)
        held.open()
        #expect(first.receiveMessage().body == "late")
        #expect(third.receiveMessage().body == "late")
        #expect(origin.requests.count == 2)
    }

    @Test("does not stand in the way of others, when its own server is busy and theirs is not")
    func passedOver() throws {
        let held = Held()
        let busy = held.origin()
        let free = ScriptedServer { peer, number, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                if number == 0 {
                    peer.reset()
                    return
                }
                peer.send(ok("free"))
            }
        }
        let gateway = try RunningGateway(upstreams: [busy.port, free.port]) {
            $0.limits.connectionsPerUpstream = 1
            $0.pools[0].settings.queueTimeout = 5_000
        }
        let first = gateway.connect()
        first.send(get)
        eventually { busy.requests.count == 1 }
        // Its connection is reset, so that it may only go where no place is.
        let repeated = gateway.connect()
        repeated.send(get)
        eventually { free.requests.count == 1 }
        for _ in 0..<4 { #expect(gateway.exchange(get).hasSuffix("free")) }
        held.open()
        #expect(first.receiveMessage().body == "late")
        #expect(repeated.receiveMessage().body == "late")
    }

    @Test("keeps the answer it has, when nobody else has room to give a better one")
    func keepsAnswer() throws {
        let held = Held()
        let busy = held.origin()
        let bad = ScriptedServer.answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")
        let gateway = try RunningGateway(upstreams: [busy.port, bad.port]) {
            $0.limits.connectionsPerUpstream = 1
            $0.pools[0].settings.queueTimeout = 300
        }
        let first = gateway.connect()
        first.send(get)
        eventually { busy.requests.count == 1 }
        #expect(gateway.exchange(get).hasSuffix("busy"))
        held.open()
        #expect(first.receiveMessage().body == "late")
    }

    /// An origin that knows how many requests it had at once, and whose answers take a moment.
    private final class Counted: Sendable {
        private let present = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        func origin() -> ScriptedServer {
            ScriptedServer { [self] peer, _, _ in
                while !peer.receiveHead().isEmpty {
                    most.max(present.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
                    sched_yield()
                    present.subtract(1, ordering: .relaxed)
                    if !peer.send(ok("x")) { return }
                }
            }
        }
    }

    @Test("gets its turn on every loop, and one at a time where only one is allowed, however busy the others are")
    func everyLoop() throws {
        let counted = Counted()
        let origin = counted.origin()
        let gateway = try RunningGateway(upstreams: [origin.port], workers: 2) {
            $0.limits.connectionsPerUpstream = 1
            $0.pools[0].settings.queueTimeout = 60_000
        }
        let count = 12
        let answered = Lock([Int](repeating: 0, count: count))
        let ready = Atomic<Int>(0)
        let ended = Atomic<Int>(0)
        let refused = Atomic<Int>(0)
        for index in 0..<count {
            let client = gateway.connect()
            Thread.detachNewThread {
                ready.add(1, ordering: .relaxed)
                eventually { ready.load(ordering: .relaxed) == count }
                // All of them go on until each has been served, so that those served often do not make room.
                while answered.withLock({ $0.contains { $0 < 20 } }), refused.load(ordering: .relaxed) == 0 {
                    client.send(get)
                    if client.receiveMessage().body != "x" { refused.add(1, ordering: .relaxed) }
                    answered.withLock { $0[index] += 1 }
                }
                ended.add(1, ordering: .relaxed)
            }
        }
        eventually { ended.load(ordering: .relaxed) == count }
        #expect(refused.load(ordering: .relaxed) == 0)
        #expect(counted.most.load(ordering: .relaxed) == 1)
        // Each loop has as many turns as the other; its clients share them, and those of the loop with fewer have more each.
        let shares = answered.withLock { $0 }
        let least = shares.min() ?? 0
        let few = shares.filter { $0 * 2 <= least * 3 }.reduce(0, +)
        let many = shares.filter { $0 * 2 > least * 3 }.reduce(0, +)
        #expect(many <= 3 * few, "\(shares)")
    }
}
