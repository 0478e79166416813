// SPDX-License-Identifier: Apache-2.0

import Engine

/// What is known of one name: its addresses, kept while nobody can tell better. Pure.
struct NameRecord: Sendable, Equatable {
    private var v4: [SocketAddress] = []
    private var v6: [SocketAddress] = []
    /// Lookups in a row that told of no address, or failed for a family.
    private(set) var failures = 0

    /// All addresses that are known; port 0.
    var addresses: [SocketAddress] { v4 + v6 }

    /// What comes of a lookup.
    struct Step: Sendable, Equatable {
        /// Milliseconds until the next.
        var wait: Int
        /// What is wrong, in words that follow the name; nil when all is well.
        var trouble: String?
    }

    /// Takes in what a lookup found. A family that could not be asked for keeps its addresses; so does a name that has none
    /// left at all, since a mistake is likelier than a service that is gone, and health checks tell the difference.
    ///
    /// - Parameter ceiling: The longest that an answer is used, in milliseconds.
    mutating func take(v4 new4: LookupResult, v6 new6: LookupResult, ceiling: Int) -> Step {
        var lifetimes: [UInt32?] = []
        var trouble: String?
        var isEmpty = true
        func merge(_ result: LookupResult, _ old: [SocketAddress]) -> [SocketAddress] {
            switch result {
            case .found(let addresses, let lifetime):
                lifetimes.append(lifetime)
                isEmpty = false
                return addresses
            case .none: return []
            case .failed(let reason):
                trouble = "does not resolve: \(reason)"
                return old
            }
        }
        let (merged4, merged6) = (merge(new4, v4), merge(new6, v6))
        if isEmpty {
            trouble = trouble ?? "does not resolve: it has no address"
        } else {
            (v4, v6) = (merged4, merged6)
        }
        guard trouble == nil else {
            failures += 1
            return Step(wait: RefreshTime.afterFailures(failures, ceiling: ceiling), trouble: trouble)
        }
        failures = 0
        let known = lifetimes.compactMap(\.self)
        let wait = RefreshTime.afterAnswer(lifetime: known.min(), ceiling: ceiling)
        return Step(wait: wait, trouble: nil)
    }
}

/// One server as discovery sees it: what must be equal for it to be the same one.
struct DiscoveredServer: Sendable, Hashable {
    var host: String
    var port: UInt16
    var weight: Int
    var isBackup: Bool
    /// With the port; sorted, since name servers send them in any order.
    var addresses: [SocketAddress]

    init(host: String, port: UInt16, weight: Int, isBackup: Bool, addresses: [SocketAddress]) {
        self.host = host
        self.port = port
        self.weight = weight
        self.isBackup = isBackup
        self.addresses = addresses.map { $0.with(port: port) }.sorted { $0.description < $1.description }
    }
}

/// Which servers go and which come when what is known of a name changes. Pure.
enum DiscoveredChange {
    /// Those of `former` that are not in `wanted`, and those of `wanted` that are not in `former`, in their order.
    static func between(
        _ former: [DiscoveredServer], _ wanted: [DiscoveredServer]
    ) -> (leaving: [DiscoveredServer], coming: [DiscoveredServer]) {
        let (before, after) = (Set(former), Set(wanted))
        var seen = before
        return (former.filter { !after.contains($0) }, wanted.filter { seen.insert($0).inserted })
    }
}
