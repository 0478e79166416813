// SPDX-License-Identifier: Apache-2.0
// How the bytes of a connection travel: straight through its socket, or through a layer in between, which is TLS. HTTP/1
// and the outbox speak to the transport and need not know which it is. A plain one costs a test for nil.

public import Bytes
import Glibc

/// What became of receiving through a transport.
@frozen
public enum Received: Equatable, Sendable {
    /// So many bytes (at least one) were received. Whether there may be more to receive now; when not, the poller tells when
    /// there is.
    case bytes(Int, mayHaveMore: Bool)
    /// Nothing can be received now; the poller will tell when.
    case wouldBlock
    /// The peer ended its sending side in order.
    case closed
    /// The peer ended the connection without the layer's own farewell (TLS `close_notify`): perhaps somebody cut it, so it
    /// does not stand for the end of anything (RFC 8446 section 6.1).
    case cut
    /// The connection is broken: the `errno`.
    case failed(Int32)
}

/// Something between a connection and its socket that turns bytes into others. Subclassed by TLS; one class deep, like
/// `Watcher`, and for the same reason.
///
/// Belongs to one loop (or thread).
open class TransportLayer {
    /// Bytes that the kernel has taken so far, in the form in which they travel.
    public final var sentBytes: UInt64 = 0
    /// The protocol's name and version, such as `TLSv1.3`; empty before it is settled.
    public final var protocolName: StaticString = ""
    /// Whom the peer has proved to be, as text for a field; empty when it has not.
    public final var peerName: [UInt8] = []

    /// Not connected to anything yet.
    public init() {}

    /// Receives into the free space of `block`, at most `limit` bytes.
    open func receive(into block: Block, limit: Int) -> Received { .wouldBlock }

    /// Takes bytes to be sent: turns them into what travels, and sends that whenever there is a good deal of it. Returns how
    /// many were taken; fewer than all when the kernel takes no more now.
    open func take(_ bytes: Span<UInt8>) -> Taken { .bytes(0) }

    /// Sends what was taken and is still here.
    open func flush() -> Outbox.Outcome { .sent }

    /// Puts the farewell behind what was taken; nothing more may be taken then. The next `flush` sends it.
    open func takeFarewell() {}

    /// Says that nothing more will be sent; it may still receive.
    open func finishSending() {}

    /// What was sent is not complete: the connection is about to be closed without a farewell that could be taken for one.
    open func abandon() {}

    /// Says farewell, if it may, and gives back what it holds. The descriptor is still open.
    open func close() {}

    /// Whether nothing waits to be read and the peer has not ended the connection.
    open func isQuiet() -> Bool { true }

    /// What became of `take`.
    public enum Taken: Equatable, Sendable {
        /// So many bytes from the start were taken.
        case bytes(Int)
        /// The connection is broken: the `errno`.
        case failed(Int32)
    }
}

/// A socket, and what may stand between it and its user.
public struct Transport {
    /// The socket's descriptor, owned by the connection.
    public let fd: Int32
    /// Nil for plain TCP.
    public let layer: TransportLayer?

    /// A transport over an open socket.
    public init(fd: Int32, layer: TransportLayer? = nil) {
        self.fd = fd
        self.layer = layer
    }

    /// Receives into the free space of `block`, at most `limit` bytes.
    ///
    /// When the kernel gave fewer bytes than there was room for it held no more at that moment, and an edge-triggered
    /// registration will report what comes after: no second call is needed to find that out.
    public func receive(into block: Block, limit: Int = .max) -> Received {
        if let layer { return layer.receive(into: block, limit: limit) }
        let room = min(block.free, limit)
        return switch Sockets.receive(fd, into: block, limit: room) {
        case .bytes(let count): .bytes(count, mayHaveMore: count == room)
        case .wouldBlock: .wouldBlock
        case .closed: .closed
        case .failed(let code): .failed(code)
        }
    }

    /// Ends the sending side, so that the peer reads to the end. The corresponding C function is `shutdown(SHUT_WR)`.
    public func finishSending() {
        layer?.finishSending()
        Sockets.finishSending(fd)
    }

    /// Makes the coming close abort the connection (RST, and no `close_notify`), so that the peer cannot take what it got for
    /// complete.
    public func abortOnClose() {
        layer?.abandon()
        Sockets.abortOnClose(fd)
    }

    /// Whether an idle connection is still open and has nothing to read: bytes that nobody asked for, or an end, make it
    /// unfit for another request.
    public func isQuiet() -> Bool { layer?.isQuiet() ?? Sockets.isQuiet(fd) }
}
