// SPDX-License-Identifier: Apache-2.0

/// How many messages that carry no data a peer may send on an established connection: pure, with the time passed in.
///
/// New keys (RFC 8446 section 4.6.3), session tickets, warnings and requests to renegotiate cost this side more than they cost the
/// peer. A key serves for 16 million records (section 5.5), so nobody needs a new one every second.
struct EmptyMessages: Sendable {
    /// Messages that may come at once,
    static let burst = 64
    /// and one more every so many milliseconds.
    static let pace: UInt64 = 1_000

    private var left = burst
    private var since: UInt64 = 0

    /// Counts a message at `now` (milliseconds). False when it is one too many.
    mutating func take(at now: UInt64) -> Bool {
        if since == 0 || left == Self.burst { since = now }
        let earned = (max(now, since) - since) / Self.pace
        left = min(Self.burst, left + Int(clamping: min(earned, UInt64(Self.burst))))
        since += earned * Self.pace
        guard left > 0 else { return false }
        left -= 1
        return true
    }
}
