// SPDX-License-Identifier: Apache-2.0
// A stream that nobody reads: for an exchange that the application makes itself, such as the refreshing of what it has stored.

import Bytes
import Engine
public import HTTP

/// Carries a request that no client made, and drops the response.
public final class DetachedStream: ServerStream {
    private var exchange: Exchange?
    private var isDone = false

    /// Begins an exchange of `service` with a copy of the head of `other`, as if the same client had sent it again. It is told
    /// of the request at the end of this batch of events.
    public init(repeating other: Exchange, of stream: ServerStream) {
        super.init(client: stream.client, service: stream.service)
        abilities = stream.abilities
        let exchange = stream.service.makeExchange()
        exchange.repeatHead(of: other, loop: stream.service.loop)
        exchange.stream = self
        self.exchange = exchange
    }

    /// The exchange, to be prepared before it is started.
    public var pending: Exchange? { exchange }

    /// Has the exchange told of its request.
    public func start() { service.loop.schedule(self) }

    public override func resume() { exchange?.requestReceived() }

    private func finish(_ ending: Ending) {
        guard !isDone, let ended = exchange else { return }
        isDone = true
        exchange = nil
        ended.ended(ending)
        ended.retire(to: service)
    }

    public override var isBlocked: Bool { false }
    public override func readBody() {}
    public override func awaitBody() -> Bool { true }
    public override func pauseBody() {}
    public override func rewindBody() -> Bool { true }
    public override var canRewindBody: Bool { true }
    public override func begin(status: UInt16, reason: Span<UInt8>) { self.status = status }
    public override func field(_ name: Span<UInt8>, _ value: Span<UInt8>) {}
    public override func fieldLines(_ lines: Span<UInt8>) {}
    public override func endInterim() { status = 0 }
    public override func endHead(_ body: ResponseBody) {}
    public override func endSwitching(to protocols: Span<UInt8>) { finish(.aborted) }
    public override func send(_ bytes: Span<UInt8>) { bodyBytes &+= UInt64(bytes.count) }
    public override func finish(trailers: Trailers?) { finish(.complete) }
    public override func flush() {}
    public override func abort() { finish(.aborted) }
    public override func rejectRequest() {}
}
