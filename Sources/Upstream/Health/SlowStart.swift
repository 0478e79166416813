// SPDX-License-Identifier: Apache-2.0

/// The growing share of a server that has just come: pure. A tenth at first, a tenth more at each tenth of the time.
public struct SlowStart: Sendable, Equatable {
    private let began: UInt64
    private let step: UInt64

    /// A start at `now` (monotonic milliseconds) that takes `duration` milliseconds. Nil when it takes no time.
    public init?(at now: UInt64, duration: Int) {
        guard duration > 0 else { return nil }
        began = now
        step = max(1, UInt64(duration) / 10)
    }

    /// 1 to 10 tenths of its share; 10 when it is over.
    public func tenths(at now: UInt64) -> Int { Int(min(10, 1 + (now - min(now, began)) / step)) }

    /// When the share grows next, or nil when it is whole.
    public func nextStep(at now: UInt64) -> UInt64? {
        let tenths = tenths(at: now)
        return tenths == 10 ? nil : began + UInt64(tenths) * step
    }
}
