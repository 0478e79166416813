// SPDX-License-Identifier: Apache-2.0
// An attempt came to nothing, or to an answer that says that another server may do better: is the request repeated, and what is
// its server told to have done? `RetryPolicy` decides the first, the pool's health the rest.

import Bytes
import CacheStore
import Engine
import HTTP
import Serving
import Settings
import Synchronization
import Upstream

extension ProxyExchange {
    /// The present attempt came to nothing. The connection is no longer ours.
    func attemptFailed(_ failure: UpstreamFailure) {
        guard let stream, let failed = connection else { return }
        connection = nil
        isStreamingBody = false
        self.failure = failure
        upstreamFinished = service.loop.nanoseconds
        reason = failure.word
        service.counters.upstreamFailures.add(1, ordering: .relaxed)
        // An idle connection that died says nothing about its server; one on which no answer came does.
        let hasDied = failure.retryCause == .broken && failed.isReused && !failed.hasReceived
        if failure.countsAgainstServer, !hasDied { target?.requestFailed(failure.words) }
        if stream.hasBegun {
            // Part of the response is out: the client must not take it for the whole.
            stream.abort()
            return
        }
        let cause = failure.retryCause
        switch decide(cause, failed) {
        case .no:
            giveUp()
            return
        case .anotherWithinBudget:
            guard pool.mayRepeat() else {
                giveUp()
                return
            }
        case .another: break
        case .sameAnew: needsFresh = true
        }
        guard head.framing == .none || stream.rewindBody() else {
            giveUp()
            return
        }
        if cause == .silent || cause == .broken && failed.hasSent && !failed.isReused { breaks += 1 }
        if cause == .takenOut { service.counters.moved.add(1, ordering: .relaxed) }
        service.counters.retries.add(1, ordering: .relaxed)
        reason = ""
        resume(.next)
    }

    /// The server was taken out while the request waits on it: whether it may go elsewhere, and has where to go.
    func mayMove(from connection: UpstreamConnection) -> Bool {
        guard let stream, !stream.hasBegun, self.connection === connection else { return false }
        return decide(.takenOut, connection) != .no && pool.hasAnother(than: tried)
    }

    /// The head of a response has come: counts it for or against its server. True when another server is asked instead.
    func isAskedElsewhere(_ connection: UpstreamConnection) -> Bool {
        guard let target else { return false }
        let status = connection.head.status
        if (502...504).contains(status) {
            target.requestFailed("expected a response, got status \(status)", atLeast: retryAfter(connection))
        } else {
            target.requestSucceeded()
        }
        guard pool.repeats(status), let stream, !stream.hasBegun, !use.isRefresh,
            decide(.status, connection) == .anotherWithinBudget, pool.hasRoom(for: claim, besides: tried),
            pool.mayRepeat(),
            head.framing == .none || stream.rewindBody()
        else { return false }
        connection.discardRest()
        self.connection = nil
        isStreamingBody = false
        service.counters.retries.add(1, ordering: .relaxed)
        resume(.next)
        return true
    }

    private func decide(_ cause: RetryPolicy.Cause, _ connection: UpstreamConnection) -> RetryPolicy.Decision {
        let isReplayable = head.framing == .none || stream?.canRewindBody == true
        return RetryPolicy.decide(
            .init(
                cause: cause, method: head.method, requestBytesSent: connection.hasSent,
                responseBytesReceived: connection.hasReceived, bodyIsReplayable: isReplayable,
                wasReused: connection.isReused, servers: tried.count, earlierBreaks: breaks),
            pool.retries)
    }

    /// What the server asks for by `Retry-After` (RFC 9110 section 10.2.3), in milliseconds; 0 for nothing.
    private func retryAfter(_ connection: UpstreamConnection) -> UInt64 {
        guard let field = connection.head.fields.first(.retryAfter) else { return 0 }
        let value = connection.headBytes.extracting(field.valueRange)
        if let date = HTTPDate.parse(value) {
            return UInt64(max(0, min(date - wallMilliseconds / 1_000, 86_400))) * 1_000
        }
        var seconds: UInt64 = 0
        for index in value.indices {
            guard value[index].isDigit else { return 0 }
            seconds = min(86_400, seconds * 10 + UInt64(value[index] & 15))
        }
        return seconds * 1_000
    }

    /// Nobody answered.
    func giveUp() {
        let status = failure?.status ?? 503
        if let candidate = use.candidate, serveInsteadOfError(candidate, status: status) { return }
        use.leading?.fail()
        use.leading = nil
        if isExhausted {
            refuse(
                503, "upstream-connections", "Every upstream server has as many connections as it may have.",
                retryAfter: 1)
        } else if let failure {
            refuse(failure.status, failure.word, failure.sentence, retryAfter: failure.status == 503 ? 1 : nil)
        } else {
            refuse(503, "no-upstream", "No upstream server can be reached now.", retryAfter: 1)
        }
    }
}

extension UpstreamFailure {
    /// What it means for another attempt.
    fileprivate var retryCause: RetryPolicy.Cause {
        switch self {
        case .connect, .connectTimeout, .secure: .notConnected
        case .broken: .broken
        case .takenOut: .takenOut
        case .firstByteTimeout: .silent
        case .headTimeout, .readTimeout, .malformed, .headTooLarge, .tooManyInterim, .unexpectedSwitch, .clientStalled,
            .tunnelsFull:
            .other
        }
    }
}
