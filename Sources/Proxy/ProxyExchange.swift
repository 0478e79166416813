// SPDX-License-Identifier: Apache-2.0
// A request that is proxied. The exchange holds what is known of it; `Steps/StepTable.swift` says in which order the steps use that.

import Bytes
import CacheStore
import Engine
import HTTP
import Serving
import Synchronization
import Upstream

/// One request that is proxied, and its response.
final class ProxyExchange: Exchange {
    /// Holds spare exchanges in turn, until it is told to keep none (`ProxyService.stop`).
    let service: ProxyService
    private(set) var view: LoopView
    /// Where it is on its way.
    var step = Step.receive
    /// How the client has proved who it is.
    var proof = ClientProof.none
    var route: CompiledRoute?
    /// Who answers. The route says it first, the cache may know better.
    var responder = Responder.upstream

    // MARK: Forward

    /// What the upstream connection talks to; told apart from the exchange so that neither needs the other's base class.
    let attempt = ProxyAttempt()
    var connection: UpstreamConnection?
    var poolIndex = 0
    /// This loop's connections to the server that was asked last.
    var target: ConnectionPool?
    var tried = TriedServers()
    /// Attempts in which bytes were sent on a new connection that then broke.
    var breaks = 0
    /// What it waits with for a place, because no server has room for it.
    var waiting: WaitingTicket?
    /// Whether the next attempt must not use an idle connection.
    var needsFresh = false
    var failure: UpstreamFailure?
    var isExhausted = false

    /// What it has to do with the cache.
    var use = CacheUse()
    /// The compressing of a response that is not stored.
    var compression: Compression?

    // MARK: Record

    /// Why the response is not the upstream server's, or not whole; empty when there is nothing to say.
    var reason: StaticString = ""
    var upstreamStarted: UInt64 = 0
    var upstreamFinished: UInt64 = 0
    var isRefused = false
    var hasBadRequestLine = false
    /// The request's id: created, or the client's.
    let identifier = Block(capacity: 128)

    /// The bytes of `identifier`.
    var identifierBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let block = identifier
            let bytes = block.readable
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }

    init(service: ProxyService) {
        self.service = service
        view = service.view
        super.init()
    }

    /// Ready for use again. What called it or was called by it has returned.
    func retired() { attempt.exchange = nil }

    /// Makes it ready for a new request.
    func begin(_ view: LoopView) {
        self.view = view
        attempt.exchange = self
        step = .receive
        proof = .none
        route = nil
        responder = .upstream
        connection = nil
        poolIndex = 0
        target = nil
        tried = TriedServers()
        breaks = 0
        waiting = nil
        needsFresh = false
        failure = nil
        isExhausted = false
        reason = ""
        upstreamStarted = 0
        upstreamFinished = 0
        isRefused = false
        hasBadRequestLine = false
        identifier.clear()
    }

    // MARK: Told by the stream

    override func requestReceived() { advance() }

    override func requestBodyArrived() { advance() }

    override func requestBody(_ bytes: Span<UInt8>) {
        guard let connection else { return }
        connection.send(bytes)
    }

    override func requestBatchEnded() {
        guard let connection, isStreamingBody else { return }
        // Flushed first: only if the server still takes no more there will be a `requestDrained` to go on with.
        connection.flush()
        if connection.isBlocked { stream?.pauseBody() }
    }

    override func requestEnded(trailers: Trailers?) {
        guard let connection else { return }
        var trailers = trailers
        if trailers != nil {
            let forwarded = forwardedFields
            trailers?.keep { forwarded.passTrailer($0, $1, head.method) }
        }
        connection.finishRequest(trailers: trailers)
        if isStreamingBody { connection.flush() }
    }

    override func requestRefused(_ refusal: Refusal) {
        isRefused = true
        if case .malformed(let failure) = refusal {
            // What was read of a request line that is at fault itself is not worth a place in the log.
            let end = headBytes.firstIndex(of: 0x0A, from: head.methodRange.lowerBound) ?? .max
            hasBadRequestLine = failure.offset <= end
        }
        dropConnection()
        service.counters.refused.add(1, ordering: .relaxed)
        refuse(refusal.status, refusal.word, refusal.sentence)
    }

    /// All that came together from the upstream server has been delivered.
    func upstreamBatchEnded() {
        flushCompressed()
        stream?.flush()
    }

    override func responseDrained() {
        if use.serving != nil {
            pumpStored()
            stream?.flush()
        } else if use.reading != nil {
            resume(pumpFill())
        } else {
            connection?.resumeReading()
        }
    }

    override func ended(_ ending: Ending) {
        dropConnection()
        switch ending {
        case .complete, .aborted: break
        case .clientGone: reason = "client-gone"
        case .writeTimeout: reason = "write-timeout"
        case .badBody: reason = "bad-body"
        }
        step = .record
        advance()
        endCompression()
        leaveCache()
        route = nil
        responder = .upstream
    }

    // MARK: Told by the cache

    /// A disk thread has opened what is stored.
    func objectOpened(_ opening: Opening) { resume(LookUpStep.opened(self, opening)) }

    /// The fill that it reads has more.
    func fillProgressed() { resume(pumpFill()) }

    /// Whether the request's head has been sent and its body follows in pieces.
    var isStreamingBody = false

    func dropConnection() {
        if let ticket = waiting {
            waiting = nil
            view.pools[poolIndex].stopWaiting(ticket)
        }
        guard let dropped = connection else { return }
        connection = nil
        upstreamFinished = service.loop.nanoseconds
        dropped.cancel()
    }
}

/// The attempt that is an exchange's present one.
final class ProxyAttempt: Attempt {
    /// From the exchange's beginning until it is given back. It holds this too: the cycle ends there.
    var exchange: ProxyExchange?

    override func connected(_ connection: UpstreamConnection) { exchange?.sendRequest(on: connection) }
    override func interimResponse(_ connection: UpstreamConnection) { exchange?.deliverInterim(connection) }
    override func wantsContentWithHead(_ connection: UpstreamConnection) -> Bool {
        exchange?.wantsSample(of: connection) ?? false
    }
    override func responseHead(_ connection: UpstreamConnection) { exchange?.deliverHead(connection) }
    override func responseBody(_ bytes: Span<UInt8>) { exchange?.deliverBody(bytes) }
    override func batchEnded() { exchange?.upstreamBatchEnded() }
    override func responseEnded(trailers: Trailers?) { exchange?.deliverEnd(trailers) }
    override func requestDrained() { exchange?.stream?.readBody() }
    override func failed(_ failure: UpstreamFailure) { exchange?.attemptFailed(failure) }
    override func mayMove(from connection: UpstreamConnection) -> Bool { exchange?.mayMove(from: connection) ?? false }
    override func roomMade() -> PlaceOffer { exchange?.roomMade() ?? .served }
    override func noRoomInTime() { exchange?.noRoomInTime() }
}
