// SPDX-License-Identifier: Apache-2.0

/// A token bucket whose whole state is one number: the time at which it will be full again (the generic cell rate algorithm
/// of ITU-T I.371, annex A). Pure: the clock is passed in.
///
/// A request takes one token; `burst` tokens fit in, and one comes back every `interval`.
package struct TokenBucket: Sendable, Equatable {
    /// Nanoseconds after which one token comes back.
    let interval: UInt64
    /// Nanoseconds in which an empty bucket fills.
    private let capacity: UInt64

    /// - Parameters:
    ///   - perMinute: Tokens that come back in a minute; at least 1.
    ///   - burst: Tokens that fit in; at least 1.
    init(perMinute: Int, burst: Int) {
        interval = 60_000_000_000 / UInt64(max(1, perMinute))
        let (product, overflow) = interval.multipliedReportingOverflow(by: UInt64(max(1, burst)))
        capacity = overflow ? .max >> 1 : min(product, .max >> 1)
    }

    /// What became of a request.
    enum Verdict: Equatable, Sendable {
        /// It may pass; the bucket is full again at this time.
        case pass(full: UInt64)
        /// It may not; the next token is there after so many nanoseconds.
        case wait(UInt64)
    }

    /// Takes a token at `now`, from a bucket that is full again at `full` (any time that has passed, if it is full).
    func take(full: UInt64, at now: UInt64) -> Verdict {
        let start = max(full, now)
        let (next, overflow) = start.addingReportingOverflow(interval)
        if overflow { return .pass(full: start) }
        let missing = next - now
        // The tokens in it and the one that is taken must not be more than fit.
        return missing <= capacity ? .pass(full: next) : .wait(missing - capacity)
    }
}
