// SPDX-License-Identifier: Apache-2.0

/// How many repetitions one loop may make: a part of the requests of the last ten seconds, and a few in any case. Pure, with the
/// time passed in.
///
/// Without it, servers that fail under load get every request several times, and fail for good.
public struct RetryBudget: Sendable {
    /// Seconds that are remembered.
    private static let span = 10

    private let percent: Int
    private let least: Int
    private var requests = InlineArray<10, Int>(repeating: 0)
    private var repetitions = InlineArray<10, Int>(repeating: 0)
    private var requestsInAll = 0
    private var repetitionsInAll = 0
    /// The second that is counted now.
    private var second: UInt64 = 0

    /// A budget of `percent` repetitions in a hundred requests, and of `least` per second over all of `loops` loops.
    public init(percent: Int, least: Int, loops: Int = 1) {
        self.percent = percent
        self.least = (least * Self.span + loops - 1) / max(1, loops)
    }

    /// Counts a request.
    ///
    /// - Parameter now: monotonic milliseconds.
    public mutating func requestBegan(at now: UInt64) {
        let now = now / 1_000
        if now != second { advance(to: now) }
        requests[Int(now % 10)] += 1
        requestsInAll += 1
    }

    /// Whether one more repetition may be made, which is counted if so.
    public mutating func mayRepeat(at now: UInt64) -> Bool {
        let now = now / 1_000
        if now != second { advance(to: now) }
        guard repetitionsInAll * 100 < percent * requestsInAll || repetitionsInAll < least else { return false }
        repetitions[Int(now % 10)] += 1
        repetitionsInAll += 1
        return true
    }

    private mutating func advance(to now: UInt64) {
        // A clock that stood still, or a loop that was behind.
        guard now > second else { return }
        for passed in 0..<min(10, now - second) {
            let slot = Int((second + 1 + passed) % 10)
            requestsInAll -= requests[slot]
            repetitionsInAll -= repetitions[slot]
            requests[slot] = 0
            repetitions[slot] = 0
        }
        second = now
    }
}
