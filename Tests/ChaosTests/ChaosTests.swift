// SPDX-License-Identifier: Apache-2.0
// Clients and servers that reset, half-close, stall, talk nonsense and come back, at every byte of every kind of exchange. What must
// hold whatever they do: the process lives, nothing that looks whole is not what the server sent, well-behaved exchanges beside it
// are served, and when all is over nothing is held. The sanitizers look at the memory meanwhile.
//
// All is drawn from a seed. Some seeds are kept and run each time, those that find something among them; `CHAOS_SECONDS=60` goes on with new ones,
// and says which; `CHAOS_SEED=123` runs that one alone.

import Bytes
import Foundation
import Glibc
import Settings
import Synchronization
import TestSupport
import Testing

/// Seeds that are run each time. Those that find something are added.
private let keptSeeds: [UInt64] = [1, 2, 3, 4]

private func number(_ name: String) -> UInt64? { unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) } }

@Suite("Chaos", .serialized) struct ChaosTests {
    /// Clients at the same time.
    private static let clients = 32
    /// Exchanges of each with one seed.
    private static let exchanges = 12

    @Test("hurts nobody else, whatever clients and servers do at whatever byte")
    func chaos() throws {
        let seeds = number("CHAOS_SEED").map { [$0] } ?? keptSeeds
        for seed in seeds { try run(seed) }
        guard let seconds = number("CHAOS_SECONDS") else { return }
        let end = ContinuousClock.now + .seconds(seconds)
        var count = 0
        while ContinuousClock.now < end {
            try run(UInt64.random(in: 1...(.max)))
            count += 1
        }
        print("chaos: \(count) new seeds")
    }

    private func run(_ seed: UInt64) throws {
        // Said before, since a process that dies says nothing.
        FileHandle.standardError.write(Data("chaos: CHAOS_SEED=\(seed)\n".utf8))
        let servers = (0..<2).map { _ in ScriptedServer { peer, _, _ in playChaosServer(peer) } }
        let folder = TemporaryFolder()
        var settings = SeededNumbers(seed)
        let gateway = try RunningGateway(
            upstreams: servers.map(\.port), workers: 1 + settings.below(2), certificates: [.selfSigned()]
        ) { configuration in
            configuration.cache.isOn = true
            configuration.cache.directory = settings.below(4) == 0 ? nil : folder.file("cache")
            configuration.cache.lockTimeout = 300
            configuration.timeouts.header = 400
            configuration.timeouts.body = 400
            configuration.timeouts.write = 400
            configuration.timeouts.idle = 400
            configuration.timeouts.halfClose = 50
            configuration.timeouts.read = 400
            configuration.timeouts.firstByte = 400
            configuration.timeouts.tunnel = 400
            configuration.timeouts.drain = 3_000
            configuration.limits.connectionsPerUpstream = [4, 64][settings.below(2)]
        }
        let wrong = Lock<[String]>([])
        let group = DispatchGroup()
        let (port, tlsPort) = (gateway.port, gateway.tlsPort)
        for client in 0..<Self.clients {
            group.enter()
            Thread.detachNewThread {
                var numbers = SeededNumbers(seed &+ UInt64(client) << 32)
                for _ in 0..<Self.exchanges {
                    let plan = ChaosPlan(&numbers)
                    let slow: Int32? = numbers.below(4) == 0 ? 4_096 : nil
                    let peer =
                        plan.isSecure
                        ? SecurePeer(port: tlsPort, .client(), receiveBuffer: slow)
                        : Peer(port: port, receiveBuffer: slow)
                    if let sentence = plan.run(on: peer) { wrong.withLock { $0.append(sentence) } }
                    peer.close()
                }
                group.leave()
            }
        }
        // Now and then the loops stand still, so that what happens meanwhile comes to them in one batch.
        while group.wait(timeout: .now() + .milliseconds(20)) == .timedOut {
            gateway.holdLoops(milliseconds: settings.below(3) * 15)
        }
        for sentence in wrong.withLock({ $0 }) { Issue.record("CHAOS_SEED=\(seed): \(sentence)") }
        // Its servers may have been taken out.
        var answer = ""
        for _ in 0..<100 where !answer.hasSuffix("here") {
            answer = gateway.exchange("GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            if !answer.hasSuffix("here") { _ = poll(nil, 0, 100) }
        }
        #expect(answer.hasSuffix("here"), "CHAOS_SEED=\(seed): \(answer)")
        #expect(gateway.waitForConnections(0), "CHAOS_SEED=\(seed): client connections stay open")
        #expect(gateway.waitForBlocks(0), "CHAOS_SEED=\(seed): \(gateway.blocksInUse) blocks are never given back")
        #expect(gateway.stop() == 0, "CHAOS_SEED=\(seed)")
    }
}

/// Lets others do something for a while.
func pause(milliseconds: Int) { _ = poll(nil, 0, Int32(milliseconds)) }
