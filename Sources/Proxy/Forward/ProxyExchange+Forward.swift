// SPDX-License-Identifier: Apache-2.0
// Third step: a server, a connection, the request. Entered again for another attempt when `RetryPolicy` allows.

import Bytes
import CacheStore
import Engine
import HTTP
import Serving
import Synchronization
import Upstream

extension ProxyExchange {
    /// Sends the request to the server whose turn it is.
    func forward() {
        let loop = service.loop
        if upstreamStarted == 0 { upstreamStarted = loop.nanoseconds }
        while true {
            guard let chosen = needsFresh ? target : chooseServer() else {
                giveUp()
                return
            }
            if !needsFresh {
                tried.insert(chosen.server)
                target = chosen
            }
            attempts += 1
            // What cannot be repeated is worth a system call to find out whether the connection still stands.
            let verify = !head.method.isIdempotent || head.framing != .none
            switch chosen.lease(for: attempt, fresh: needsFresh, verify: verify) {
            case .reused(let leased):
                connection = leased
                sendRequest(on: leased)
                return
            case .connecting(let new):
                connection = new
                return
            case .exhausted:
                isExhausted = true
                needsFresh = false
                guard attempts < RetryPolicy.attempts else {
                    giveUp()
                    return
                }
            }
        }
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

    /// The present attempt came to nothing. The connection is no longer ours.
    func attemptFailed(_ failure: UpstreamFailure) {
        guard let stream, let failed = connection else { return }
        connection = nil
        isStreamingBody = false
        self.failure = failure
        upstreamFinished = service.loop.nanoseconds
        reason = failure.word
        service.counters.upstreamFailures.add(1, ordering: .relaxed)
        if stream.hasBegun {
            // Part of the response is out: the client must not take it for the whole.
            stream.abort()
            return
        }
        let wasConnected: Bool
        switch failure {
        case .connect, .connectTimeout, .secure: wasConnected = false
        default: wasConnected = true
        }
        let isRetryable: Bool
        switch failure {
        case .connect, .connectTimeout, .secure, .broken: isRetryable = true
        // A server that is silent, or talks nonsense, has had the request.
        default: isRetryable = false
        }
        let question = RetryPolicy.Attempt(
            method: head.method, wasConnected: wasConnected, requestBytesSent: failed.hasSent,
            responseBytesReceived: failed.hasReceived, bodyIsReplayable: head.framing == .none || stream.canRewindBody,
            wasReused: failed.isReused, count: attempts, earlierSends: freshSends)
        guard isRetryable, RetryPolicy.mayRetry(question), head.framing == .none || stream.rewindBody() else {
            giveUp()
            return
        }
        if failed.hasSent, !failed.isReused { freshSends += 1 }
        // An idle connection that died says nothing about its server: the same one is asked again, on a new connection.
        needsFresh = failed.isReused && wasConnected
        service.counters.retries.add(1, ordering: .relaxed)
        reason = ""
        forward()
    }

    /// Nobody answered.
    private func giveUp() {
        let status = failure?.status ?? 503
        if let candidate = use.candidate, serveInsteadOfError(candidate, status: status) { return }
        use.leading?.fail()
        use.leading = nil
        if let failure {
            reason = failure.word
            deliverError(failure.status, failure.sentence)
        } else if isExhausted {
            reason = "upstream-connections"
            deliverError(503, "Every upstream server has as many connections as it may have.", retryAfter: true)
        } else {
            reason = "no-upstream"
            deliverError(503, "No upstream server can be reached now.", retryAfter: true)
        }
    }
}
