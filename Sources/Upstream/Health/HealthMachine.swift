// SPDX-License-Identifier: Apache-2.0
// What health checks, and requests that could not connect, say of one server: pure, with the time and the chance passed in.
//
//   healthy ── fall checks failed, or a request could not connect ──▶ failing or unreachable
//   failing, unreachable ── rise checks passed ──▶ healthy
//
// A server counts as healthy until something is known of it; then its very first check decides. Without checks it counts as
// healthy again after a second, and a request tries.

/// What came of one check.
public enum CheckOutcome: Sendable, Equatable {
    /// What was expected came.
    case passed
    /// It did not: in words that follow "the last check: ".
    case failed(String)
    /// There was no connection: in such words too.
    case unreachable(String)
    /// This machine could not ask, which says nothing of the server: in such words too.
    case unknown(String)
}

/// The active side of a server's health.
public struct HealthMachine: Sendable, Equatable {
    /// When and how often to ask, from the configuration. Milliseconds.
    public struct Rules: Sendable, Equatable {
        /// There are checks.
        public var isOn: Bool
        /// Between two of them.
        public var interval: Int
        /// Passed in a row: back in.
        public var rise: Int
        /// Failed in a row: out.
        public var fall: Int
        /// Rules.
        public init(isOn: Bool = true, interval: Int = 5_000, rise: Int = 2, fall: Int = 3) {
            self.isOn = isOn
            self.interval = interval
            self.rise = rise
            self.fall = fall
        }
    }

    /// Where it stands.
    public enum Condition: Sendable, Equatable {
        case healthy
        /// It can be connected to, but does not pass.
        case failing
        /// It cannot be connected to.
        case unreachable
    }

    /// Between the beginnings of checks of a server of which the last one failed, in milliseconds, unless the interval is shorter: the sooner it
    /// is known, the fewer requests meet it.
    static let hurry: UInt64 = 1_000
    /// Between a first sign that it is back and the next check.
    static let confirmation: UInt64 = 250

    private let rules: Rules
    /// Where it stands.
    public private(set) var condition = Condition.healthy
    /// When it is to be asked next (monotonic milliseconds), or `UInt64.max` while an answer is awaited or nobody asks.
    public private(set) var nextCheck: UInt64
    /// When it counts as healthy again by mere time, or `UInt64.max`.
    public private(set) var trialAt = UInt64.max
    /// Checks in a row with the same outcome.
    public private(set) var inARow = 0
    private var lastPassed = true
    private var isProven = false
    private var isAsked = false
    private var askedAt: UInt64 = 0

    /// A server that is to be asked at once.
    public init(_ rules: Rules, at now: UInt64) {
        self.rules = rules
        nextCheck = rules.isOn ? now : .max
    }

    /// Whether it is to be asked now; if so, its answer is awaited until `checked`.
    public mutating func beginCheck(at now: UInt64) -> Bool {
        guard rules.isOn, !isAsked, now >= nextCheck else { return false }
        isAsked = true
        askedAt = now
        nextCheck = .max
        return true
    }

    /// The answer, or its absence. Returns whether the condition changed.
    ///
    /// - Parameter chance: 0 to 65535, at random: checks of many servers, and of many gateways, shall not come all at once.
    public mutating func checked(_ outcome: CheckOutcome, at now: UInt64, chance: UInt16) -> Bool {
        isAsked = false
        if case .unknown = outcome {
            nextCheck = now + min(UInt64(rules.interval), Self.hurry)
            return false
        }
        let hasPassed = outcome == .passed
        inARow = hasPassed == lastPassed ? min(inARow + 1, 1 << 20) : 1
        lastPassed = hasPassed
        let former = condition
        if hasPassed {
            if condition != .healthy, inARow >= rules.rise { condition = .healthy }
        } else if condition != .healthy || !isProven || inARow >= rules.fall {
            if case .unreachable = outcome { condition = .unreachable } else { condition = .failing }
        }
        isProven = isProven || hasPassed || condition != .healthy
        nextCheck = next(hasPassed, at: now, chance)
        return condition != former
    }

    private func next(_ hasPassed: Bool, at now: UInt64, _ chance: UInt16) -> UInt64 {
        let interval = UInt64(rules.interval)
        if hasPassed, condition != .healthy { return now + min(interval, Self.confirmation) }
        let usual = interval - interval / 10 + interval / 5 * UInt64(chance) / 65_536
        // One that was waited for in vain has taken long enough.
        return hasPassed ? now + usual : max(now, askedAt + min(usual, Self.hurry))
    }

    /// A request could not connect: nothing more needs to be known. Returns whether the condition changed.
    public mutating func connectFailed(at now: UInt64) -> Bool {
        isProven = true
        guard condition != .unreachable else { return false }
        condition = .unreachable
        lastPassed = false
        inARow = 1
        if rules.isOn {
            // An answer that is still awaited is older news.
            if !isAsked { nextCheck = min(nextCheck, now + Self.confirmation) }
        } else {
            trialAt = now + Self.hurry
        }
        return true
    }

    /// Lets a server that is not checked be tried again, when it is time. Returns whether the condition changed.
    public mutating func timePassed(_ now: UInt64) -> Bool {
        guard now >= trialAt else { return false }
        trialAt = .max
        condition = .healthy
        return true
    }
}
