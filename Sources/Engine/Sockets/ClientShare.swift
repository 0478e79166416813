// SPDX-License-Identifier: Apache-2.0

/// Whether a limited thing has room for one more use by a client.
public enum Room: Equatable, Sendable {
    /// It has.
    case free
    /// Nobody could have one more.
    case full
    /// Others could, but this client has its share.
    case overShare
}

/// How much of a limited number one client may have: pure.
///
/// A client may have one more as long as what it has is less than a fixed multiple of what is free (Choudhury and Hahne:
/// "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998). So the more is taken, the less one client may
/// have of it, and there is always room for one who has nothing: with a share of 75 %, one greedy client leaves a quarter
/// free, two leave a seventh, n leave one in 3n + 1. Nothing needs to be known of the other clients, and nothing is taken away
/// from anybody.
public struct ClientShare: Sendable, Equatable {
    /// The most that one client may have while no other has anything: so many parts of the limit.
    @usableFromInline let most: Int
    /// So many parts the limit has.
    @usableFromInline let parts: Int

    /// At most `most` of so many `parts` (both at least 1, and below 2^16) for one client.
    public init(_ most: Int, of parts: Int) {
        self.most = most
        self.parts = parts
    }

    /// - Parameter percent: 1 to 100.
    public init(percent: Int) { self.init(max(1, min(percent, 100)), of: 100) }

    /// Whether a client that has `held` may have one more, while `free` are free.
    @inlinable public func allows(held: Int, free: Int) -> Bool { held &* (parts &- most) < most &* free }

    /// Whether there is room for one more.
    ///
    /// - Parameters:
    ///   - used: What all clients have.
    ///   - limit: What all may have together; at most 2^32.
    ///   - held: What this client has. Not asked while no client can have as much as its share.
    @inlinable
    public func room(used: Int, limit: Int, held: @autoclosure () -> Int) -> Room {
        let free = limit - used
        guard free > 0 else { return .full }
        guard most < parts else { return .free }
        // No client has more than all of them.
        if allows(held: used, free: free) { return .free }
        return allows(held: held(), free: free) ? .free : .overShare
    }
}
