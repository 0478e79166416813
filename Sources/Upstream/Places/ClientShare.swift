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
/// free, two leave a seventh, n leave one in 3n + 1. Nothing needs to be known of the other clients.
public struct ClientShare: Sendable, Equatable {
    /// The most that one client may have while no other has anything, in hundredths of the limit; 100 for all of it.
    public let percent: Int

    /// - Parameter percent: 1 to 100.
    public init(percent: Int) { self.percent = max(1, min(percent, 100)) }

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
        guard percent < 100 else { return .free }
        // No client has more than all of them.
        if used &* (100 &- percent) < percent &* free { return .free }
        return held() &* (100 &- percent) < percent &* free ? .free : .overShare
    }
}
