// SPDX-License-Identifier: Apache-2.0
// Clients and servers that reset, half-close, stall, talk nonsense and come back, at every byte of every kind of exchange. What must
// hold whatever they do: the process lives, nothing that looks whole is not what the server sent, well-behaved exchanges beside it
// are served, nobody is left waiting, and when all is over nothing is held. The sanitizers look at the memory meanwhile.
//
// All is drawn from a seed, so that what it found can be looked for again. `ChaosTests` runs the kept seeds with the other tests,
// and `ChaosCommand` runs new ones for as long as one likes.

import Bytes
import Foundation
import Glibc
import Settings
import Synchronization
import TestSupport

/// What clients know of the gateway that they are about to maltreat.
struct ChaosGateway {
    var port: UInt16
    var tlsPort: UInt16
    /// How long it waits for anybody, in milliseconds.
    var patience: Int

    /// Seconds after which a peer that waits has been forgotten. Far more than any deadline: under a sanitizer, on a machine that has
    /// other things to do, the loops have been late by ten.
    static let longest = 60

    /// Whether nobody stalls for as long as it waits, so that it has no reason to break off a well-behaved exchange.
    var isPatient: Bool { patience > 1_000 }
}

/// A gateway with all its clients and servers, from one seed.
public struct ChaosRun {
    /// Seeds that are run each time. Those that found something are behind the first six.
    public static let keptSeeds: [UInt64] = [1, 2, 3, 4, 5, 6, 17_562_215_886_606_312_421, 11_041_516_059_044_698_360]

    /// Clients at the same time.
    private static let clients = 32
    /// Exchanges of each.
    private static let exchanges = 6

    private let seed: UInt64
    private var settings: SeededGenerator
    private let servers: [ScriptedServer]
    private let gateway: RunningGateway
    private let target: ChaosGateway
    private let folder = TemporaryFolder()
    private let findings: Findings

    /// What came of it.
    public struct Outcome: Sendable {
        /// What must not have happened, in sentences.
        public var findings: [String]
        /// How many requests ended for which reason, as the gateway's log has it: that all that is to happen does.
        public var ends: [String: Int]
    }

    private final class Findings: Sendable {
        let sentences = Lock<[String]>([])
        func add(_ sentence: String) { sentences.withLock { $0.append(sentence) } }
    }

    private init(_ seed: UInt64) throws {
        self.seed = seed
        let findings = Findings()
        self.findings = findings
        servers = (0..<2).map { _ in
            ScriptedServer(waiting: ChaosGateway.longest) { peer, _, _ in
                playChaosServer(peer)
                if peer.hasWaitedInVain { findings.add("the gateway left a server waiting") }
            }
        }
        var settings = SeededGenerator(seed)
        let patience = settings.below(3) == 0 ? 30_000 : 100
        let file = folder.file("cache")
        gateway = try RunningGateway(
            upstreams: servers.map(\.port), workers: 1 + settings.below(2), certificates: [.selfSigned()]
        ) { configuration in
            configuration.cache.isOn = true
            configuration.cache.directory = settings.below(4) == 0 ? nil : file
            configuration.cache.lockTimeout = 100
            configuration.timeouts.header = patience
            configuration.timeouts.body = patience
            configuration.timeouts.write = patience
            configuration.timeouts.idle = patience
            configuration.timeouts.halfClose = 50
            configuration.timeouts.handshake = 30_000
            configuration.timeouts.connect = 30_000
            configuration.timeouts.firstByte = patience
            configuration.timeouts.responseHead = patience
            configuration.timeouts.read = patience
            configuration.timeouts.tunnel = 100
            configuration.timeouts.stall = 100
            configuration.timeouts.upstreamIdle = 150
            configuration.timeouts.drain = 3_000
            configuration.limits.connectionsPerUpstream = [4, 64][settings.below(2)]
            configuration.pools[0].settings.queueTimeout = patience
            // A server that was taken out comes back while others still ask.
            configuration.pools[0].settings.ejection.time = 50
            configuration.pools[0].settings.ejection.longest = 200
        }
        target = ChaosGateway(port: gateway.port, tlsPort: gateway.tlsPort, patience: patience)
        self.settings = settings
    }

    /// Lets all that happen which this seed stands for.
    public static func outcome(of seed: UInt64) throws -> Outcome {
        var run = try ChaosRun(seed)
        run.letThemLoose()
        run.lookAtWhatIsLeft()
        var ends: [String: Int] = [:]
        for line in run.gateway.log() {
            if let reason = line.split(separator: "reason=").last { ends[String(reason), default: 0] += 1 }
        }
        return Outcome(findings: run.findings.sentences.withLock { $0 }, ends: ends)
    }

    private mutating func letThemLoose() {
        let group = DispatchGroup()
        for client in 0..<Self.clients {
            group.enter()
            Thread.detachNewThread { [seed, target, findings] in
                var numbers = SeededGenerator(seed &+ UInt64(client) << 32)
                for _ in 0..<Self.exchanges {
                    let plan = ChaosPlan(&numbers)
                    // One that stalls leaves the gateway with what it has to send.
                    let isSlow = numbers.below(4) == 0 || plan.receiving?.fault == .stall
                    let buffer: Int32 = plan.isHuge ? 65_536 : 4_096
                    if let finding = plan.run(target, receiveBuffer: isSlow ? buffer : nil) { findings.add(finding) }
                }
                group.leave()
            }
        }
        // Now and then the loops stand still, so that what happens meanwhile comes to them in one batch.
        while group.wait(timeout: .now() + .milliseconds(20)) == .timedOut {
            gateway.holdLoops(milliseconds: settings.below(3) * 15)
        }
    }

    private func lookAtWhatIsLeft() {
        // Its servers may have been taken out.
        var answer = ""
        for _ in 0..<100 where !answer.hasSuffix("here") {
            answer = gateway.exchange("GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            if !answer.hasSuffix("here") { pause(milliseconds: 20) }
        }
        if !answer.hasSuffix("here") { findings.add("afterwards the gateway answers: \(answer)") }
        if !gateway.waitForConnections(0) { findings.add("client connections stay open") }
        if !gateway.waitForBlocks(0) { findings.add("\(gateway.blocksInUse) blocks are never given back") }
        if gateway.stop() != 0 { findings.add("the gateway has to cut what it should have ended") }
        for server in servers where !server.waitForEnds() { findings.add("connections to a server stay open") }
    }
}

/// Lets others do something for a while.
public func pause(milliseconds: Int) { _ = poll(nil, 0, Int32(milliseconds)) }
