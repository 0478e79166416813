// SPDX-License-Identifier: Apache-2.0
public import Bytes
public import Engine
import HTTP
public import TLS

/// What a loop's connections serve: makes exchanges, and holds what all connections of the loop share.
///
/// One for each loop, used only there.
open class Service {
    /// The loop it belongs to.
    public final let loop: Loop
    /// The waits and limits for connections and requests from now on.
    public final var options: ServingOptions
    /// The current time as text.
    public final let clockText: ClockText
    /// Where its clients come in, once it has a listener.
    final var door: Door?
    /// Whether the process is stopping: responses say `Connection: close`.
    public internal(set) final var isDraining = false

    /// A service for `loop`.
    public init(loop: Loop, options: ServingOptions) {
        self.loop = loop
        self.options = options
        clockText = ClockText(loop: loop)
    }

    /// A connection has a request coming.
    open func makeExchange() -> Exchange { Exchange() }

    /// An exchange has ended, no call into it is on the stack, and it may be used again.
    open func recycle(_ exchange: Exchange) {}

    /// A TLS handshake came to nothing, so there will be no request to tell of.
    open func handshakeFailed(_ failure: TLSFailure, peer: SocketAddress) {}

    /// Begins to stop: connections close as soon as nothing is in flight on them.
    ///
    /// Idle ones stay for `grace` milliseconds, so that a request that is already on its way is answered rather than reset.
    public final func drain(grace: Int) {
        isDraining = true
        loop.forEachWatcher { ($0 as? HTTP1Connection)?.drain(grace: grace) }
    }

    /// Ends what is still open.
    public final func cut() {
        loop.forEachWatcher { watcher in
            (watcher as? HTTP1Connection)?.cut()
            (watcher as? Handshake)?.cut()
        }
        door?.cut()
    }
}

/// The loop's clock as the texts that responses and the log need, made anew once a second.
public final class ClockText {
    private let loop: Loop
    private var second: UInt64 = 0
    private let dateBlock = Block(capacity: 64)
    private let logBlock = Block(capacity: 64)

    init(loop: Loop) { self.loop = loop }

    /// The `Date` field's value, 29 bytes.
    public var date: Block {
        refresh()
        return dateBlock
    }

    /// The access log's time, such as `24/Nov/2026:16:22:01 +0000`, always UTC.
    public var log: Block {
        refresh()
        return logBlock
    }

    private func refresh() {
        let now = loop.wallNanoseconds / 1_000_000_000
        guard now != second else { return }
        second = now
        dateBlock.clear()
        HTTPDate.append(Int64(now), to: dateBlock)
        logBlock.clear()
        HTTPDate.appendLogDate(Int64(now), to: logBlock)
    }
}
