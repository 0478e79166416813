// SPDX-License-Identifier: Apache-2.0
// Where a redirect leads and when an attempt is repeated. Pure.

import HTTP

/// How a redirect changes a request (RFC 9110 section 15.4).
enum RedirectRule {
    /// Redirects that are followed whatever `--max-redirs` says: a server could go on for ever.
    static let absoluteLimit = 1_000

    /// Whether a status with a Location is a redirect that can be followed by itself.
    static func applies(_ status: UInt16) -> Bool {
        switch status {
        case 301, 302, 303, 307, 308: true
        default: false
        }
    }

    /// The method after it, and whether the content goes along.
    static func method(
        _ status: UInt16, _ method: String, isForced: Bool, keepsPostAfter: Set<UInt16>
    ) -> (method: String, keepsContent: Bool) {
        switch status {
        case 301, 302:
            // "For historical reasons, a user agent MAY change the request method from POST to GET".
            guard method == "POST", !keepsPostAfter.contains(status) else { return (method, true) }
        case 303:
            if method == "POST", keepsPostAfter.contains(303) { return (method, true) }
            if method == "GET" || method == "HEAD" { return (method, false) }
        default: return (method, true)
        }
        // `-X` is a wish about every request, as in curl; but what it sends is not repeated.
        return (isForced ? method : "GET", false)
    }

    /// Where it leads.
    static func target(_ url: HTTPURL, _ location: String) throws(ClientFailure) -> HTTPURL {
        do throws(HTTPURL.Failure) {
            return try url.resolving(location)
        } catch {
            switch error {
            case .unsupportedScheme(let scheme):
                throw ClientFailure(1, "the server redirects to \(scheme):, which is not followed")
            case .malformed(let why):
                throw ClientFailure(3, "the server redirects to what is not a URL: \(why)")
            }
        }
    }
}

/// When an attempt that failed is repeated.
public struct RetryRule: Equatable, Sendable {
    /// Most further attempts.
    public var attempts = 0
    /// Milliseconds between two; nil for one second, then twice as long each time.
    public var delay: UInt64?
    /// Milliseconds from the first attempt after which there is no other; nil for no limit.
    public var maxTime: UInt64?
    /// Also when the connection is refused.
    public var onRefused = false
    /// Also after any other failure.
    public var onAnyError = false
    /// The longest pause, in milliseconds, also when the server asks for a longer one.
    public static let longestPause: UInt64 = 600_000

    /// No further attempts.
    public init() {}

    /// Statuses that say "later", as curl has them.
    static func isTransient(_ status: UInt16) -> Bool {
        switch status {
        case 408, 429, 500, 502, 503, 504: true
        default: false
        }
    }

    /// Milliseconds to wait before attempt `done` + 1, or nil when there is none. `done`: further attempts so far.
    /// `elapsed`: milliseconds since the first. `asked`: what Retry-After says, in milliseconds.
    func pause(done: Int, elapsed: UInt64, asked: UInt64?) -> UInt64? {
        guard done < attempts else { return nil }
        var pause = delay ?? (UInt64(1_000) << UInt64(min(done, 20)))
        if let asked { pause = max(pause, asked) }
        pause = min(pause, Self.longestPause)
        if let maxTime, elapsed &+ pause > maxTime { return nil }
        return pause
    }

    /// Whether a failure is of the kind that is repeated.
    func applies(to failure: ClientFailure) -> Bool {
        if onAnyError { return failure.exitStatus != 23 && failure.exitStatus != 2 && failure.exitStatus != 3 }
        return failure.isTransient || (onRefused && failure.exitStatus == 7)
    }
}

/// Retry-After (RFC 9110 section 10.2.3).
enum RetryAfter {
    /// Milliseconds to wait: seconds, or a date. `now`: wall-clock milliseconds.
    static func milliseconds(_ value: String?, now: Int64) -> UInt64? {
        guard let value else { return nil }
        if let seconds = UInt64(value) { return min(seconds, 86_400) * 1_000 }
        guard let date = HTTPDate.parse(Array(value.utf8).span, now: now / 1_000) else { return nil }
        return UInt64(max(0, min(date, now / 1_000 + 86_400) * 1_000 - now))
    }
}
