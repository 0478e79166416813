// SPDX-License-Identifier: Apache-2.0
// A listening socket on a loop. Each loop has its own (`SO_REUSEPORT`), so the kernel spreads connections over the loops
// and nobody wakes for another's.
//
// When the process has no descriptor left, accepting pauses for 100 ms: the socket is taken out of the poller, because a
// level-triggered listener with connections waiting would otherwise wake the loop without end.

import CLinux
import Glibc

/// Accepts connections and hands each to `accepted`.
open class Acceptor: Watcher {
    /// The loop it belongs to.
    public final let loop: Loop
    private final let listener: Descriptor
    private final var isPaused = false
    /// Where it listens; with the port that the kernel chose when 0 was asked for.
    public final let address: SocketAddress
    /// How long accepting pauses when descriptors have run out, in milliseconds.
    private static let pause = 100

    /// Takes ownership of a listening socket. `start` it on the loop.
    public init(_ listener: consuming Descriptor, on loop: Loop) {
        self.loop = loop
        address = Sockets.localAddress(listener.number) ?? SocketAddress(ipv4: 0, port: 0)
        self.listener = listener
        super.init()
    }

    /// Begins to accept. On the loop.
    public final func start() throws(SystemFailure) { try loop.registerLevel(self, fd: listener.number) }

    /// Stops accepting for good; connections that wait in the kernel's queue are accepted first. On the loop.
    public final func stop() {
        guard slot >= 0 else { return }
        while let (fd, peer) = Sockets.accept(listener.number) { accepted(Descriptor(adopting: fd), from: peer) }
        loop.setWatching(self, fd: listener.number, false)
        loop.unregister(self)
        _ = shutdown(listener.number, Int32(SHUT_RDWR))
    }

    /// Whether another connection may be had. When not, accepting pauses, and who wants to connect waits in the kernel's
    /// queue.
    open func mayAccept() -> Bool { true }

    /// A connection came. Owns the descriptor.
    open func accepted(_ descriptor: consuming Descriptor, from peer: SocketAddress) {}

    /// Accepting paused because of this `errno` (EMFILE, ENFILE, ENOBUFS, ENOMEM).
    open func pausedAccepting(_ code: Int32) {}

    /// One connection for each report: the registration is level-triggered, so a second call only to see EAGAIN is saved,
    /// and established connections have their turn in between.
    public final override func ready(_ readiness: Readiness) {
        guard !isPaused else { return }
        guard mayAccept() else {
            pauseAccepting()
            return
        }
        if let (fd, peer) = Sockets.accept(listener.number) {
            accepted(Descriptor(adopting: fd), from: peer)
            return
        }
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            let code = errno
            pauseAccepting()
            pausedAccepting(code)
        default:
            // EAGAIN, EINTR, or a connection that died in the queue (ECONNABORTED, EPROTO, and on Linux any of its
            // network errors): the poller says when there is another.
            break
        }
    }

    /// Leaves connections in the kernel's queue for `pause` milliseconds.
    public final func pauseAccepting() {
        guard !isPaused, slot >= 0 else { return }
        isPaused = true
        loop.setWatching(self, fd: listener.number, false)
        loop.setDeadline(self, in: Self.pause)
    }

    public final override func deadlineReached() {
        isPaused = false
        loop.setWatching(self, fd: listener.number, true)
    }
}
