// SPDX-License-Identifier: Apache-2.0
// Who owes what, and by when: the server a head, more of its response or room for the request; the client more of its request, or
// room for the response. A client that owes something has deadlines of its own; here it only loses the place at the server,
// and only if it has its share of places.

import Engine
import HTTP

extension UpstreamConnection {
    /// What is waited for now.
    enum Wait: Equatable {
        /// Nothing that has a deadline here.
        case nothing
        /// Bytes of the response's head.
        case head(HeadPatience.Owed)
        /// More of the response.
        case response
        /// That the server takes more of the request.
        case sending
        /// That the client sends more of its request, or takes more of the response.
        case client
        /// Anything from either side.
        case tunnel
    }

    var wait: Wait {
        if reading == .done { return .nothing }
        // What the client does not take of a tunnel, its own deadline ends.
        if isTunnel { return outbox.isBlocked ? .sending : isPaused ? .nothing : .tunnel }
        if isPaused { return outbox.isBlocked ? .sending : .client }
        if reading == .body { return .response }
        switch patience.owed(firstByte: pool.options.firstByteTimeout, head: pool.options.headTimeout) {
        // A server that takes no more may have answered before.
        case .nothing: return sendFailure != nil ? .response : outbox.isBlocked ? .sending : .client
        case let owed: return .head(owed)
        }
    }

    /// Sets the deadline for what is waited for.
    func awaitResponse() {
        if requestDone, outbox.isEmpty { patience.requestSent(at: loop.milliseconds) }
        let options = pool.options
        switch wait {
        case .nothing: loop.clearDeadline(self)
        case .head(.nothing): loop.clearDeadline(self)
        case .head(.firstByte(let time)): loop.setDeadline(self, at: time)
        case .head(.rest(let time)):
            // Silence is silence in a head, too.
            loop.setDeadline(self, at: min(time, loop.milliseconds + UInt64(options.readTimeout)))
        case .response, .sending: loop.setDeadline(self, in: options.readTimeout)
        case .client: loop.setDeadline(self, in: options.stallTimeout)
        case .tunnel: loop.setDeadline(self, in: options.tunnelTimeout)
        }
    }

    /// The deadline for what is waited for has passed.
    func waitedTooLong() {
        switch wait {
        case .nothing, .head(.nothing): break
        case .tunnel: finishTunnel()
        case .sending: if isTunnel { finishTunnel() } else { fail(.readTimeout) }
        case .client: clientStalled()
        case .response:
            if hasUnread {
                awaitResponse()
                isReadable = true
                receive()
            } else {
                fail(.readTimeout)
            }
        case .head(let owed): headIsLate(owed)
        }
    }

    private func headIsLate(_ owed: HeadPatience.Owed) {
        let isUnread = hasUnread
        if isUnread {
            isReadable = true
            receive()
        }
        // What came may have been all that was missing.
        guard phase == .active, wait == .head(owed) else { return }
        switch owed {
        case .nothing: break
        case .firstByte: fail(.firstByteTimeout)
        case .rest(let time):
            if loop.milliseconds >= time {
                // Whatever has just come: a server that sends a byte for every look is too slow.
                fail(.headTimeout)
            } else if !isUnread {
                fail(.readTimeout)
            }
        }
    }

    /// Whether the kernel has what the loop, late itself, has not heard of yet.
    private var hasUnread: Bool { transport.layer == nil && !transport.isQuiet() }

    /// The client has neither sent nor taken anything for a while: it loses its place if others may want it more.
    private func clientStalled() {
        guard pool.isForRequests,
            PlaceClaim(claimant, wantsTunnel: false, pool.options).losesStalledPlace(at: server)
        else {
            awaitResponse()
            return
        }
        fail(.clientStalled)
    }
}
