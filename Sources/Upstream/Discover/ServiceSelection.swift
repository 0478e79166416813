// SPDX-License-Identifier: Apache-2.0

/// What the SRV records of a name mean for a pool (RFC 2782): pure. The lowest priority number takes the requests, in
/// proportion to the weights; all others are its backup.
enum ServiceSelection {
    struct Target: Sendable, Equatable, Hashable {
        var host: String
        var port: UInt16
        /// 1 to 256.
        var weight: Int
        var isBackup: Bool
    }

    /// The targets, in an order that depends only on the records, not on how they were sent.
    ///
    /// - Returns: Empty when there are none, or the only one is the root: the service is not offered.
    static func targets(_ records: [ServiceRecord]) -> [Target] {
        let offered = Set(records).filter { !$0.target.isRoot && $0.port != 0 }
            .sorted {
                ($0.priority, $0.target.text, $0.port, $0.weight) < ($1.priority, $1.target.text, $1.port, $1.weight)
            }
        guard let best = offered.first?.priority else { return [] }
        var targets: [Target] = []
        for record in offered {
            // The same server under two priorities or weights counts as its better one.
            guard !targets.contains(where: { $0.host == record.target.text && $0.port == record.port }) else {
                continue
            }
            let group = offered.filter { $0.priority == record.priority }
            targets.append(
                Target(
                    host: record.target.text, port: record.port,
                    weight: weight(Int(record.weight), heaviest: Int(group.map(\.weight).max() ?? 0)),
                    isBackup: record.priority != best))
        }
        return targets
    }

    /// SRV weights go up to 65 535, a pool's to 256: large ones are scaled down. 0 is "hardly ever", which is 1 here; where
    /// all have 0, all are equal.
    private static func weight(_ weight: Int, heaviest: Int) -> Int {
        guard heaviest > 256 else { return max(1, weight) }
        return max(1, (weight * 256 + heaviest / 2) / heaviest)
    }
}

/// When a name is asked for again: pure.
enum RefreshTime {
    /// Milliseconds between two questions at least, whatever the record says.
    static let floor = 1_000

    /// After an answer, in milliseconds.
    ///
    /// - Parameters:
    ///   - lifetime: The record's, in seconds; nil when the resolver does not tell.
    ///   - ceiling: The longest that an answer is used.
    static func afterAnswer(lifetime: UInt32?, ceiling: Int) -> Int {
        guard let lifetime else { return max(floor, ceiling) }
        return max(floor, min(Int(lifetime) * 1_000, ceiling))
    }

    /// After so many failures in a row: soon, then less and less often.
    static func afterFailures(_ count: Int, ceiling: Int) -> Int {
        let doubled = floor << min(max(count, 1) - 1, 16)
        return max(floor, min(doubled, ceiling))
    }
}
