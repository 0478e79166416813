// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Settings
import TLS
import Testing

@testable import Upstream

@Suite("The health of a pool") struct PoolHealthTests {
    private let bad = CheckOutcome.failed("expected a status of 200-399, got 500")
    private let gone = CheckOutcome.unreachable("expected a connection, got: Connection refused")

    private func servers(_ count: Int, backups: Int = 0) -> [UpstreamServer] {
        (0..<count + backups).map { index in
            UpstreamServer(
                .init(host: "127.0.0.1", port: UInt16(index + 1), isBackup: index >= count),
                addresses: [SocketAddress(ipv4: 0x7F00_0001, port: UInt16(index + 1))])
        }
    }

    /// A pool whose servers have passed their first check.
    private func pool(
        _ servers: [UpstreamServer], _ edit: (inout Configuration.PoolSettings) -> Void = { _ in }
    ) -> PoolHealth {
        var settings = Configuration.PoolSettings()
        edit(&settings)
        var pool = PoolHealth(servers, settings, at: 0)
        for server in pool.beginChecks(at: 0) { pool.checked(server, .passed, at: 0, chance: 0) }
        _ = pool.takeEvents(pool.members(at: 0))
        return pool
    }

    private func states(_ pool: PoolHealth, at now: UInt64 = 0) -> [ServerState] {
        pool.members(at: now).list.map(\.state)
    }

    private func fail(
        _ pool: inout PoolHealth, _ server: UpstreamServer, _ count: Int = 5, at now: UInt64, atLeast: UInt64 = 0
    ) {
        for _ in 0..<count { pool.requestFailed(server, "got status 503", atLeast: atLeast, at: now) }
    }

    private func told(_ pool: inout PoolHealth, at now: UInt64) -> [String] {
        pool.takeEvents(pool.members(at: now)).map(\.text)
    }

    @Test("takes a server out by its checks, and takes it back slowly, telling what was expected and what came")
    func checks() {
        let servers = servers(2)
        var pool = pool(servers)
        for time in [1, 2, 3] { pool.checked(servers[1], bad, at: UInt64(time) * 1_000, chance: 0) }
        #expect(states(pool) == [.up, .unhealthy])
        #expect(
            told(&pool, at: 3_000) == [
                "http://127.0.0.1:2 is taken out: 3 health checks in a row failed; the last: expected a status of 200-399, "
                    + "got 500"
            ])
        #expect(pool.members(at: 3_000).eligible == [0])
        for time in [4, 5] { pool.checked(servers[1], .passed, at: UInt64(time) * 1_000, chance: 0) }
        #expect(states(pool) == [.up, .starting])
        #expect(told(&pool, at: 5_000) == ["http://127.0.0.1:2 is back: 2 health checks in a row passed"])
        #expect(pool.members(at: 5_000).list[1].tenths == 1)
        #expect(pool.members(at: 5_000).nextChange == 6_000)
        pool.timePassed(9_000)
        #expect(pool.members(at: 9_000).list[1].tenths == 5)
        pool.timePassed(14_000)
        #expect(states(pool) == [.up, .up])
        #expect(pool.members(at: 14_000).nextChange == .max)
    }

    @Test("takes a server out for a while by its failures, and puts it on trial")
    func ejection() {
        let servers = servers(3)
        var pool = pool(servers)
        fail(&pool, servers[0], 4, at: 100)
        #expect(states(pool) == [.up, .up, .up])
        fail(&pool, servers[0], 3, at: 100)
        #expect(states(pool) == [.ejected, .up, .up])
        #expect(
            told(&pool, at: 100) == [
                "http://127.0.0.1:1 is taken out for 10 s: 5 requests in a row failed; the last: got status 503"
            ])
        #expect(pool.members(at: 100).nextChange == 10_100)
        pool.timePassed(10_099)
        #expect(states(pool)[0] == .ejected)
        pool.timePassed(10_100)
        #expect(states(pool)[0] == .starting)
        #expect(told(&pool, at: 10_100) == ["http://127.0.0.1:1 is back on trial: its time out is over"])
        fail(&pool, servers[0], 1, at: 10_200)
        #expect(states(pool)[0] == .ejected)
        #expect(pool.members(at: 10_200).nextChange == 30_200)
        #expect(pool.entries[0].ejection.count == 2)
    }

    @Test("honours how long a server asks to be left alone")
    func retryAfter() {
        let servers = servers(2)
        var pool = pool(servers)
        fail(&pool, servers[0], at: 0, atLeast: 45_000)
        #expect(pool.members(at: 0).nextChange == 45_000)
    }

    @Test(
        "never takes more than half of its servers out for their failures, nor the last that can be used, and says so")
    func half() {
        let five = servers(5)
        var pool = pool(five)
        for server in five { fail(&pool, server, at: 0) }
        #expect(states(pool) == [.ejected, .ejected, .up, .up, .up])
        #expect(
            told(&pool, at: 0).contains(
                "http://127.0.0.1:3 should be taken out, but stays, since too few others are left: 5 requests in a row failed; "
                    + "the last: got status 503"))
        let one = servers(1)
        var alone = self.pool(one)
        fail(&alone, one[0], 100, at: 0)
        #expect(states(alone) == [.up])
        let two = servers(2)
        var pair = self.pool(two)
        pair.connectFailed(two[0], at: 0)
        fail(&pair, two[1], 100, at: 0)
        #expect(states(pair) == [.unreachable, .up])
        // With a backup there is somebody left.
        let backed = servers(1, backups: 1)
        var withBackup = self.pool(backed)
        fail(&withBackup, backed[0], at: 0)
        #expect(states(withBackup) == [.ejected, .up])
        #expect(withBackup.members(at: 0).eligible == [1])
    }

    @Test("uses those that answer badly when there is nobody better, and nobody when none can be reached")
    func panic() {
        let servers = servers(2, backups: 1)
        var pool = pool(servers)
        for server in servers[0...1] {
            for time in [1, 2, 3] { pool.checked(server, bad, at: UInt64(time), chance: 0) }
        }
        #expect(pool.members(at: 3).eligible == [2])
        #expect(!pool.members(at: 3).isPanicking)
        _ = told(&pool, at: 3)
        pool.connectFailed(servers[2], at: 4)
        #expect(pool.members(at: 4).eligible == [0, 1])
        #expect(pool.members(at: 4).isPanicking)
        #expect(told(&pool, at: 4).last == "no server is well: those that answer badly are used")
        for server in servers[0...1] { pool.connectFailed(server, at: 5) }
        #expect(pool.members(at: 5).eligible == [])
        #expect(told(&pool, at: 5).last == "no server can be reached: requests get 503 until one can")
        for time in [6, 7] { pool.checked(servers[1], .passed, at: UInt64(time), chance: 0) }
        #expect(pool.members(at: 7).eligible == [1])
        #expect(told(&pool, at: 7).last == "there are servers to use again")
    }

    @Test("does not take silence of the last server for its fault, but does take its word")
    func silence() {
        let servers = servers(2)
        var pool = pool(servers)
        pool.connectFailed(servers[0], isCertain: false, at: 1)
        #expect(states(pool) == [.unreachable, .up])
        pool.connectFailed(servers[1], isCertain: false, at: 2)
        #expect(states(pool) == [.unreachable, .up])
        pool.connectFailed(servers[1], isCertain: true, at: 3)
        #expect(states(pool) == [.unreachable, .unreachable])
    }

    @Test("keeps all servers while this machine has no descriptors or ports to ask them with")
    func shortage() {
        let ours: [UpstreamFailure] =
            [EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL].map { .connect($0) } + [.secure(TLSFailure(.ours(1)))]
        let servers = servers(2)
        for failure in ours {
            var pool = pool(servers)
            for _ in 0..<5 {
                for server in servers { pool.checked(server, CheckOutcome(failure), at: 1, chance: 0) }
            }
            #expect(states(pool) == [.up, .up])
            #expect(pool.entries[0].lastCheck?.words.hasPrefix("this gateway could not ask: ") == true)
        }
        for failure in [.connect(ECONNREFUSED), .connectTimeout, .secure(TLSFailure(.closed))] as [UpstreamFailure] {
            #expect(CheckOutcome(failure) == .unreachable(failure.words))
        }
        #expect(CheckOutcome(.firstByteTimeout) == .failed(UpstreamFailure.firstByteTimeout.words))
    }

    @Test("takes silence for uncertain, in a handshake too, and all else for certain")
    func certainty() {
        for failure in [.connectTimeout, .secure(TLSFailure(.timeout))] as [UpstreamFailure] {
            #expect(!failure.isCertain)
        }
        for failure in [.connect(ECONNREFUSED), .secure(TLSFailure(.closed)), .broken(0)] as [UpstreamFailure] {
            #expect(failure.isCertain)
        }
    }

    @Test("keeps clients that are stuck to a server that drains while it is well, to a backup only while it is needed")
    func stuck() {
        let servers = servers(2, backups: 1)
        var pool = pool(servers)
        func keeping() -> [Bool] {
            let members = pool.members(at: 5)
            return members.list.indices.map { members.keepsClients($0) }
        }
        #expect(keeping() == [true, true, false])
        pool.setDraining(true, servers[0], at: 1)
        #expect(keeping() == [true, true, false])
        let before = pool.members(at: 5)
        pool.connectFailed(servers[0], at: 2)
        #expect(keeping() == [false, true, false])
        // Loops are told, since what waits on it is better off elsewhere.
        #expect(!pool.members(at: 5).isSame(as: before))
        #expect(pool.members(at: 5).list.map(\.isTakenOut) == [true, false, false])
        pool.connectFailed(servers[1], at: 3)
        #expect(keeping() == [false, false, true])
        for time in [4, 5] { pool.checked(servers[1], .passed, at: UInt64(time), chance: 0) }
        #expect(keeping() == [false, true, false])
    }

    @Test("forgives the failures of a server whose checks failed and pass again")
    func forgiveness() {
        let servers = servers(2)
        var pool = pool(servers)
        fail(&pool, servers[0], at: 0)
        pool.connectFailed(servers[0], at: 1)
        #expect(states(pool)[0] == .unreachable)
        for time in [2, 3] { pool.checked(servers[0], .passed, at: UInt64(time), chance: 0) }
        #expect(states(pool)[0] == .starting)
        // But passing checks alone do not end an ejection.
        var other = self.pool(servers)
        fail(&other, servers[1], at: 0)
        for time in [2, 3, 4] { other.checked(servers[1], .passed, at: UInt64(time), chance: 0) }
        #expect(states(other)[1] == .ejected)
    }

    @Test("a draining server drains whatever else is known of it, and what is known stays")
    func draining() {
        let servers = servers(2)
        var pool = pool(servers)
        pool.setDraining(true, servers[0], at: 5)
        #expect(states(pool) == [.draining, .up])
        #expect(told(&pool, at: 5) == ["http://127.0.0.1:1 drains: it gets no new requests"])
        pool.connectFailed(servers[0], at: 6)
        #expect(states(pool) == [.draining, .up])
        pool.setDraining(false, servers[0], at: 7)
        #expect(states(pool) == [.unreachable, .up])
        #expect(pool.entries[0].since == 7)
        pool.setDraining(false, servers[0], at: 8)
        #expect(pool.entries[0].since == 7)
    }

    @Test("a server that comes starts slowly, one that is here already is not added, one that is gone is nobody")
    func membership() {
        let servers = servers(3)
        var pool = pool(Array(servers[0...1]))
        pool.add(servers[2], at: 50)
        pool.add(servers[2], at: 51)
        #expect(states(pool) == [.up, .up, .starting])
        #expect(pool.nextCheck == 50)
        pool.remove(servers[0])
        pool.remove(servers[0])
        #expect(pool.entries.map(\.server.identity) == servers[1...2].map(\.identity))
        pool.connectFailed(servers[0], at: 60)
        fail(&pool, servers[0], at: 60)
        #expect(states(pool) == [.up, .starting])
        pool.setWeight(0, servers[1], at: 70)
        #expect(pool.members(at: 70).eligible == [1])
    }

    @Test("publishes only what a loop would notice")
    func generation() {
        let servers = servers(2)
        let pool = ServerPool(name: "p", servers: servers, at: 0)
        let before = pool.generation
        for server in pool.beginChecks(at: 0) { pool.checked(server, .passed, at: 0) }
        pool.requestFailed(servers[0], "got status 503", at: 1)
        pool.timePassed(2)
        #expect(pool.generation == before)
        pool.connectFailed(servers[0], at: 3)
        #expect(pool.generation == before + 1)
        pool.connectFailed(servers[0], at: 4)
        #expect(pool.generation == before + 1)
        let described = pool.describe()
        #expect(described.map(\.state) == [.unreachable, .up])
        #expect(described[0].failures == 1)
        #expect(described[1].lastCheck == "passed")
        #expect(described[0].since == 3)
    }
}
