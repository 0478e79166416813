// SPDX-License-Identifier: Apache-2.0
// A download that is not stored goes at the pace of its fastest reader, but a reader that is late for a moment, or has less in its
// socket's buffer, is no reason to cut it: the download waits for the slowest, for so long in sum and no longer.

/// How long a download has waited for the slowest of its readers. Pure.
struct FillPace {
    /// Bytes that come, at most, before the readers are looked at again.
    static let step = 256 << 10
    /// Milliseconds after which that is done when nothing comes.
    static let tick: UInt64 = 20

    /// Milliseconds that it has waited, but for the present wait.
    private var waited: UInt64 = 0
    /// Since when it waits; nil when it does not.
    private var since: UInt64?
    /// Bytes that had come when the readers were looked at last.
    private var lookedAt = 0

    var isWaiting: Bool { since != nil }

    /// Whether the readers, who may be `limit` bytes behind, are to be looked at, since so many bytes have come.
    mutating func isDue(_ received: Int, limit: Int) -> Bool {
        guard received >= lookedAt + min(Self.step, limit / 8) || isWaiting else { return false }
        lookedAt = received
        return true
    }

    /// Whether it waits for a reader that is `lag` bytes behind.
    ///
    /// - Parameters:
    ///   - limit: Bytes that readers may be behind.
    ///   - patience: Milliseconds that it waits in sum.
    ///   - now: Monotonic milliseconds.
    mutating func waits(lag: Int, limit: Int, patience: UInt64, now: UInt64) -> Bool {
        if let since {
            let total = waited + (now - min(now, since))
            if lag <= limit / 4 || total >= patience { (waited, self.since) = (total, nil) }
        } else if lag >= limit / 2, waited < patience {
            since = now
        }
        return isWaiting
    }
}
