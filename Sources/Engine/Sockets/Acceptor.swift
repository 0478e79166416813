// SPDX-License-Identifier: Apache-2.0
// A listening socket on a loop. Each loop has its own (`SO_REUSEPORT`), so the kernel spreads connections over the loops
// and nobody wakes for another's.
//
//   watching ─▶ held ─▶ watching         there is no place for a connection; who has one to give says when there is
//      └──────▶ resting ─▶ watching      the system has no room for one; after a rest it is asked again
//
// Held or resting, the socket is out of the poller's sight, because a level-triggered listener with connections waiting would
// otherwise wake the loop without end.

import CLinux
import Glibc

/// Accepts connections and hands each to `accepted`.
open class Acceptor: Watcher {
    private enum State { case watching, held, resting, closed }

    /// The loop it belongs to.
    public final let loop: Loop
    private final var listener: Descriptor?
    private final var state = State.watching
    /// Where it listens; with the port that the kernel chose when 0 was asked for.
    public final let address: SocketAddress
    /// How long accepting rests when the system has no room for another connection, in milliseconds.
    public static let rest = 100

    /// Takes ownership of a listening socket. `start` it on the loop.
    public init(_ listener: consuming Descriptor, on loop: Loop) {
        self.loop = loop
        address = Sockets.localAddress(listener.number) ?? SocketAddress(ipv4: 0, port: 0)
        self.listener = consume listener
        super.init()
    }

    private final var fd: Int32 { listener?.number ?? -1 }

    /// Begins to accept. On the loop.
    open func start() throws(SystemFailure) { try loop.registerLevel(self, fd: fd) }

    /// Stops accepting for good and closes the socket; connections that wait in the kernel's queue are accepted first. On the
    /// loop.
    open func stop() {
        guard state != .closed else { return }
        drain: while true {
            switch Sockets.accept(fd) {
            case .connection(let number, let peer): accepted(Descriptor(adopting: number), from: peer)
            case .lost: continue
            case .none, .exhausted, .broken: break drain
            }
        }
        state = .closed
        loop.unregister(self, closing: listener.take())
        listener = nil
    }

    /// Whether another connection may be had. When not, the one who says so has called `hold`.
    open func mayAccept() -> Bool { true }

    /// A connection came. Owns the descriptor.
    open func accepted(_ descriptor: consuming Descriptor, from peer: SocketAddress) {}

    /// The system has no room for another connection, because of this `errno` (EMFILE, ENFILE, ENOBUFS, ENOMEM): accepting
    /// rests.
    open func exhausted(_ code: Int32) {}

    /// One connection for each report: the registration is level-triggered, so a second call only to see EAGAIN is saved,
    /// and established connections have their turn in between.
    public final override func ready(_ readiness: Readiness) {
        guard state == .watching, mayAccept() else { return }
        acceptNext()
    }

    /// Leaves connections in the kernel's queue until `acceptHeld`.
    public final func hold() {
        guard state == .watching else { return }
        state = .held
        loop.setWatching(self, fd: fd, false)
    }

    /// Whether it was told to `hold`.
    public final var isHeld: Bool { state == .held }

    /// Accepts one of those that wait; false when none does, and from then on they are reported again.
    public final func acceptHeld() -> Bool {
        guard state == .held else { return false }
        if acceptNext() { return true }
        guard state == .held else { return false }
        state = .watching
        loop.setWatching(self, fd: fd, true)
        return false
    }

    /// Takes one connection out of the queue, past those that have failed there. False when there is none, or no room for it.
    @discardableResult private final func acceptNext() -> Bool {
        for _ in 0..<Self.lostInARow {
            switch Sockets.accept(fd) {
            case .connection(let number, let peer):
                accepted(Descriptor(adopting: number), from: peer)
                return true
            case .lost: continue
            case .none: return false
            case .exhausted(let code), .broken(let code):
                takeRest()
                exhausted(code)
                return false
            }
        }
        return false
    }

    /// Failed connections that are skipped before others have their turn.
    private static let lostInARow = 64

    private final func takeRest() {
        guard state != .closed else { return }
        state = .resting
        loop.setWatching(self, fd: fd, false)
        loop.setDeadline(self, in: Self.rest)
    }

    open override func deadlineReached() {
        guard state == .resting else { return }
        state = .watching
        loop.setWatching(self, fd: fd, true)
    }
}
