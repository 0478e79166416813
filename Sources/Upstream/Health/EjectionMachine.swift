// SPDX-License-Identifier: Apache-2.0
// What failed requests say of one server: pure, with the time passed in, and the number of requests that succeeded, which the
// loops count.
//
//   in ── failures in a row, or too many in a hundred ──▶ out, for a time that grows with every repetition
//   out ── the time is over ──▶ on trial ── the first failure ──▶ out ── …
//                                  └── the first success ──▶ in
//
// Whether it may be taken out is for the pool to say, of which never more than half is.

/// The passive side of a server's health.
public struct EjectionMachine: Sendable {
    /// From the configuration. Milliseconds.
    public struct Rules: Sendable, Equatable {
        /// Failures in a row; 0 for never.
        public var failures: Int
        /// Failures in a hundred requests; 0 for never.
        public var rate: Int
        /// How long it is out the first time; also the window of the rate.
        public var time: UInt64
        /// How long it is out at most.
        public var longest: UInt64
        /// Rules.
        public init(failures: Int = 5, rate: Int = 50, time: UInt64 = 10_000, longest: UInt64 = 300_000) {
            self.failures = failures
            self.rate = rate
            self.time = time
            self.longest = longest
        }
    }

    /// Requests without which a rate says nothing.
    static let leastRequests = 20

    private let rules: Rules
    /// Until when it is out (monotonic milliseconds), or nil when it is in.
    public private(set) var until: UInt64?
    /// How often it has been taken out, in all.
    public private(set) var count = 0
    /// Failures in a row.
    public private(set) var inARow = 0
    /// Times in a row that it was taken out; one is forgiven for each `time` that it has been in.
    private var repetitions: UInt64 = 0
    private var successesAtFailure = 0
    private var windowStart: UInt64 = 0
    private var windowFailures = 0
    private var successesAtStart = 0
    /// Since when it has been in again, and how many requests had succeeded then; nil when it was never out.
    private var returned: (at: UInt64, successes: Int)?

    /// A server that is in.
    public init(_ rules: Rules) { self.rules = rules }

    /// Why it should be out.
    public enum Reason: Sendable, Equatable {
        /// So many failures in a row.
        case inARow(Int)
        /// So many failures of so many requests.
        case rate(failures: Int, requests: Int)
        /// The first request after its return failed.
        case trial
    }

    /// A request failed. Returns why the server should be taken out, if it should; then `eject` is to be called, unless too
    /// many others are out.
    ///
    /// - Parameter successes: how many requests have succeeded on it in all.
    public mutating func failed(at now: UInt64, successes: Int) -> Reason? {
        // What comes in late from before says nothing new.
        guard until == nil else { return nil }
        inARow = successes == successesAtFailure ? inARow + 1 : 1
        successesAtFailure = successes
        if windowFailures == 0 || now >= windowStart + rules.time {
            windowStart = now
            windowFailures = 0
            successesAtStart = successes
        }
        windowFailures += 1
        guard rules.failures > 0 || rules.rate > 0 else { return nil }
        if let returned, returned.successes == successes { return .trial }
        if rules.failures > 0, inARow >= rules.failures { return .inARow(inARow) }
        let requests = windowFailures + successes - successesAtStart
        if rules.rate > 0, requests >= Self.leastRequests, windowFailures * 100 >= rules.rate * requests {
            return .rate(failures: windowFailures, requests: requests)
        }
        return nil
    }

    /// Takes it out. Returns for how long, in milliseconds.
    ///
    /// - Parameter atLeast: what the server itself asked for (`Retry-After`), in milliseconds; no more than the longest time
    ///   is given.
    public mutating func eject(at now: UInt64, atLeast: UInt64 = 0) -> UInt64 {
        if let returned { repetitions -= min(repetitions, (now - min(now, returned.at)) / max(1, rules.time)) }
        repetitions += 1
        count += 1
        let (grown, overflow) = rules.time.multipliedReportingOverflow(by: repetitions)
        let span = min(rules.longest, max(overflow ? .max : grown, atLeast))
        until = now + span
        return span
    }

    /// Lets it in again when its time is over. Returns whether it does so now.
    public mutating func timePassed(_ now: UInt64, successes: Int) -> Bool {
        guard let until, now >= until else { return false }
        letIn(at: now, successes: successes)
        return true
    }

    /// It is another one now, such as a process that was started anew: what the former did is forgotten.
    public mutating func forgive() {
        until = nil
        inARow = 0
        windowFailures = 0
        repetitions = 0
        returned = nil
    }

    private mutating func letIn(at now: UInt64, successes: Int) {
        until = nil
        inARow = 0
        windowFailures = 0
        returned = (now, successes)
    }
}
