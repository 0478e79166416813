// SPDX-License-Identifier: Apache-2.0
// Third step: a server, a connection, the request. What becomes of an attempt that fails is in `+Repeat`, which enters this
// again.

import Bytes
import Engine
import HTTP
import Serving
import Synchronization
import Upstream

extension ProxyExchange {
    private enum Leasing { case leased, allBusy, nobody }

    /// This loop's view of the pool that the route names.
    var pool: PoolView { view.pools[poolIndex] }

    /// Sends the request to the server whose turn it is.
    func forward() {
        let pool = pool
        if upstreamStarted == 0 {
            upstreamStarted = service.loop.nanoseconds
            pool.requestBegan()
        }
        // Others have waited longer.
        if pool.isCrowded, tried.count == 0 {
            waitForRoom()
            return
        }
        switch lease(pool) {
        case .leased: break
        case .allBusy: waitForRoom()
        case .nobody: giveUp()
        }
    }

    private func lease(_ pool: PoolView) -> Leasing {
        var passedOver = tried
        var isBusy = false
        while passedOver.count < TriedServers.capacity {
            let isAnew = needsFresh
            needsFresh = false
            guard let chosen = isAnew ? target : chooseServer(in: pool, passing: passedOver) else { break }
            // What cannot be repeated is worth a system call to find out whether the connection still stands.
            let verify = !head.method.isIdempotent || head.framing != .none
            // Nor is it risked on a connection that the server may be closing at this moment.
            let isFresh = isAnew || (!head.method.isIdempotent && chosen.closesEarly)
            let lease = chosen.lease(for: attempt, fresh: isFresh, verify: verify)
            if case .exhausted = lease {
                isBusy = true
                if isAnew {
                    // It has tried this server and may not come back to it, but by this way.
                    needsFresh = true
                    break
                }
                passedOver.insert(chosen.server)
                continue
            }
            if !isAnew { tried.insert(chosen.server) }
            target = chosen
            switch lease {
            case .reused(let leased):
                connection = leased
                sendRequest(on: leased)
            case .connecting(let new): connection = new
            case .exhausted: break
            }
            return .leased
        }
        return isBusy ? .allBusy : .nobody
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

    private func waitForRoom() {
        guard pool.wait(attempt, isNewcomer: tried.count == 0) else {
            isExhausted = true
            giveUp()
            return
        }
        waitsForRoom = true
        service.counters.waited.add(1, ordering: .relaxed)
    }

    /// There may be a connection now. False when there is none, so that it waits on.
    func roomMade() -> Bool {
        guard waitsForRoom else { return true }
        switch lease(pool) {
        case .allBusy: return false
        case .leased: waitsForRoom = false
        case .nobody:
            waitsForRoom = false
            giveUp()
        }
        stream?.flush()
        return true
    }

    func noRoomInTime() {
        guard waitsForRoom else { return }
        waitsForRoom = false
        isExhausted = true
        giveUp()
        stream?.flush()
    }
}
