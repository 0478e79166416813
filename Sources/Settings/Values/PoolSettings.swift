// SPDX-License-Identifier: Apache-2.0
// What may be set for each pool by itself. The values of `Configuration.upstream` are those of every pool that says nothing
// else; they come from flags, variables and the file's part `upstream`.

extension Configuration {
    /// How the servers of a pool are looked after. Durations are milliseconds.
    public struct PoolSettings: Sendable, Equatable {
        /// How its servers are chosen.
        public var balance = Balance()
        /// Questions that the gateway asks the servers by itself.
        public var check = HealthCheck()
        /// What failed requests tell of a server.
        public var ejection = Ejection()
        /// Requests that are sent to another server.
        public var retries = Retries()
        /// How long a server that comes, or comes back, takes a growing part of its share; 0 for none.
        public var slowStart = 10_000
        /// Requests that may wait for a connection when every server has as many as it may have; 0 for none.
        public var queue = 1_024
        /// How long they wait: 503.
        public var queueTimeout = 5_000
        /// The name that certificates of its servers must have and that is sent to them (SNI); nil for that of each server's
        /// URL (`Configuration.Server.verifiedName`).
        public var tlsName: String?
        /// The defaults.
        public init() {}
    }

    /// An active health check: a connection or, with a path, a request.
    public struct HealthCheck: Sendable, Equatable {
        /// Servers are asked at all.
        public var isOn = true
        /// The target of the request; nil to connect only.
        public var path: String?
        /// The request's `Host`; nil for the server's own.
        public var host: String?
        /// The request's method.
        public var method = CheckMethod.get
        /// Statuses of a server that is well.
        public var statuses = StatusRanges([200...399])
        /// What must stand in the first `HealthCheck.bodyLimit` bytes of the content; nil for nothing.
        public var body: String?
        /// Between two checks of one server, less or more up to a tenth.
        public var interval = 5_000
        /// For one check as a whole.
        public var timeout = 2_000
        /// Checks in a row that a server must pass to be taken back.
        public var rise = 2
        /// Checks in a row that it must fail to be taken out.
        public var fall = 3
        /// The defaults.
        public init() {}

        /// Bytes of a check's content that are looked at.
        public static let bodyLimit = 65_536
    }

    /// Methods of a health check.
    public enum CheckMethod: String, Sendable, CaseIterable { case get = "GET", head = "HEAD", options = "OPTIONS" }

    /// When failed requests take a server out.
    public struct Ejection: Sendable, Equatable {
        /// Failures in a row; 0 for never.
        public var failures = 5
        /// Failures in a hundred requests within `time`, of which there must be 20; 0 for never.
        public var rate = 50
        /// How long it is out the first time; the nth time in a row is n times as long.
        public var time = 10_000
        /// How long it is out at most.
        public var longest = 300_000
        /// The defaults.
        public init() {}
    }

    /// When a request is sent to another server.
    public struct Retries: Sendable, Equatable {
        /// Other servers that one request is sent to at most; 0 to 7.
        public var count = 3
        /// Statuses for which a request with a safe method is sent to another server.
        public var statuses = StatusRanges([502...504])
        /// Repetitions in a hundred requests.
        public var budget = 20
        /// Repetitions per second that are always allowed.
        public var least = 3
        /// The defaults.
        public init() {}
    }

    /// A set of statuses, as ranges.
    public struct StatusRanges: Sendable, Equatable {
        /// In the order in which they were written.
        public var ranges: [ClosedRange<UInt16>]
        /// Ranges of statuses from 100 to 599.
        public init(_ ranges: [ClosedRange<UInt16>]) { self.ranges = ranges }
        /// Whether a status is among them.
        public func contains(_ status: UInt16) -> Bool { ranges.contains { $0.contains(status) } }

        /// As settings have them: `200-299,304`, or `none`.
        public var text: String {
            if ranges.isEmpty { return "none" }
            return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
                .joined(separator: ",")
        }

        /// Reads what `text` writes.
        init(_ text: String) throws(Refusal) {
            if text == "none" {
                self.init([])
                return
            }
            var ranges: [ClosedRange<UInt16>] = []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
                    .map { Quantities.digits($0) }
                guard let low = ends.first ?? nil, let high = ends.last ?? nil, low >= 100, high >= low, high <= 599
                else {
                    throw Refusal(
                        "expected statuses from 100 to 599, such as 200-399 or 502,503,504, or the word none; "
                            + "found \(quoted(text))")
                }
                ranges.append(UInt16(low)...UInt16(high))
            }
            self.init(ranges)
        }
    }
}
