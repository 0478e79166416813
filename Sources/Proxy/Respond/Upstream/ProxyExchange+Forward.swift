// SPDX-License-Identifier: Apache-2.0
// The responder `upstream`: a server, a connection, the request. `+Retry` decides what follows a failed attempt, and may have
// `RespondStep` taken again.

import Bytes
import Engine
import HTTP
import Serving
import Synchronization
import Upstream

extension ProxyExchange {
    private enum Leasing { case leased, busy(Room), nobody }

    /// This loop's view of the pool that the route names.
    var pool: PoolView { view.pools[poolIndex] }

    /// Sends the request to the server whose turn it is.
    func forward() -> StepOutcome {
        // No server waits for a client. One that wants to be asked first is only by the server (RFC 9110 section 10.1.1).
        if head.framing != .none, !(head.expectsContinue && head.version == .http11), stream?.awaitBody() == false {
            return .wait
        }
        let pool = pool
        if upstreamStarted == 0 {
            upstreamStarted = service.loop.nanoseconds
            pool.requestBegan()
        }
        // Others have waited longer.
        if pool.isCrowded, tried.count == 0 {
            waitForRoom(isHeldBack: false)
            return .wait
        }
        switch lease(pool) {
        case .leased: break
        case .busy(let room): waitForRoom(isHeldBack: room == .overShare)
        case .nobody: giveUp()
        }
        return .wait
    }

    private func lease(_ pool: PoolView) -> Leasing {
        let claim = claim
        // Other loops may take a place between the look for it and the taking.
        for _ in 0..<Self.leaseAttempts {
            let isAnew = needsFresh
            needsFresh = false
            let chosen: ConnectionPool
            if isAnew, let target {
                chosen = target
            } else {
                switch chooseServer(in: pool, claim) {
                case .server(let server): chosen = server
                case .busy where pool.isOutOfTunnels(for: claim):
                    // Tunnels last, so nobody waits for the end of one.
                    failure = .tunnelsFull
                    return .nobody
                case .busy(let room): return .busy(room)
                case .nobody: return .nobody
                }
            }
            // What cannot be repeated is worth a system call to find out whether the connection still stands.
            let verify = !head.method.isIdempotent || head.framing != .none
            // Nor is it risked on a connection that the server may be closing at this moment.
            let isFresh = isAnew || (!head.method.isIdempotent && chosen.closesEarly)
            switch chosen.lease(for: attempt, fresh: isFresh, verify: verify, claimant: claim.claimant) {
            case .exhausted:
                if isAnew {
                    // It has tried this server and may not come back to it, but by this way.
                    needsFresh = true
                    return .busy(.full)
                }
            case .reused(let leased):
                asked(chosen, isAnew)
                connection = leased
                sendRequest(on: leased)
                return .leased
            case .connecting(let new):
                asked(chosen, isAnew)
                connection = new
                return .leased
            }
        }
        return .busy(.full)
    }

    /// How often a place that another loop was quicker to take is looked for again.
    private static let leaseAttempts = 8

    private func asked(_ chosen: ConnectionPool, _ isAnew: Bool) {
        if !isAnew { tried.insert(chosen.server) }
        target = chosen
    }

    /// The connection stands: writes the head, and the body or what there is of it, in one go.
    func sendRequest(on connection: UpstreamConnection) {
        guard let stream else { return }
        self.connection = connection
        use.requestTime = wallMilliseconds
        service.counters.forwarded.add(1, ordering: .relaxed)
        writeHead(to: connection, for: stream)
        isStreamingBody = true
        if head.framing == .none {
            connection.finishRequest(trailers: nil)
        } else {
            stream.readBody()
        }
        // The body may have been refused, or the server gone, in the meantime.
        guard let current = self.connection, current === connection else { return }
        connection.flush()
        if connection.isBlocked {
            stream.pauseBody()
        } else if head.framing != .none {
            // Sending may have been blocked in between.
            stream.readBody()
        }
    }

    // MARK: Waiting for a connection

    private func waitForRoom(isHeldBack: Bool) {
        let ticket = pool.wait(
            attempt, clientAddress.map { Claimant($0) }, isNewcomer: tried.count == 0, isHeldBack: isHeldBack)
        guard let ticket else {
            isExhausted = true
            giveUp()
            return
        }
        waiting = ticket
        service.counters.waited.add(1, ordering: .relaxed)
    }

    /// There may be a connection now.
    func roomMade() -> PlaceOffer {
        guard let ticket = waiting else { return .served }
        waiting = nil
        switch lease(pool) {
        case .busy(let room):
            waiting = ticket
            return room == .overShare ? .overShare : .full
        case .leased: break
        case .nobody: giveUp()
        }
        stream?.flush()
        return .served
    }

    func noRoomInTime() {
        guard waiting != nil else { return }
        waiting = nil
        isExhausted = true
        giveUp()
        stream?.flush()
    }
}
