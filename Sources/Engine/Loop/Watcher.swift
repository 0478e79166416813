// SPDX-License-Identifier: Apache-2.0
import CLinux

/// What the poller reported of a descriptor.
public struct Readiness: OptionSet, Sendable {
    /// As epoll has them.
    public let rawValue: UInt32
    /// From what epoll reported.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes, or an end, can be received.
    public static let readable = Readiness(rawValue: UInt32(gw_epollin))
    /// Bytes can be sent.
    public static let writable = Readiness(rawValue: UInt32(gw_epollout))
    /// The peer has ended its sending side; what it sent before may still be unread.
    public static let peerClosed = Readiness(rawValue: UInt32(gw_epollrdhup))
    /// Both sides are closed: reset, or refused.
    public static let hungUp = Readiness(rawValue: UInt32(gw_epollhup))
    /// The socket has a pending error.
    public static let failed = Readiness(rawValue: UInt32(gw_epollerr))
}

/// Something that a loop tells of readiness and of deadlines. One class deep on purpose: each kind of connection is a
/// final subclass, and an overridden method costs less than a closure and holds nothing.
///
/// Every method is called on the loop's queue.
open class Watcher {
    /// Its place in the loop's table, or -1 while it is in none.
    public internal(set) final var slot: Int32 = -1
    /// Whether it already waits in the loop's list of things to do at the end of the batch.
    public internal(set) final var isScheduled = false

    /// In no loop yet.
    public init() {}

    /// The descriptor is ready. Registrations are edge-triggered: this is said once, until the state changes again.
    open func ready(_ readiness: Readiness) {}

    /// The deadline set last has passed; none is set now.
    open func deadlineReached() {}

    /// The batch of events in which `Loop.schedule` was called has been handled.
    open func resume() {}
}
