// SPDX-License-Identifier: Apache-2.0

/// How a pool chooses among its servers.
public enum BalanceMethod: Sendable, Equatable {
    /// In turn, as often as their weights say, spread evenly.
    case roundRobin
    /// The one with the fewest requests in flight for its weight.
    case leastConnections
    /// The less loaded of two that chance picks.
    case powerOfTwo
    /// The one that this part of the request belongs to.
    case hash(HashInput)

    /// What part of a request decides.
    public enum HashInput: Sendable, Equatable {
        /// The client's address, IPv6 by its /64.
        case address
        /// The target's path, without its query.
        case path
        /// A field, by its name in lower case.
        case field([UInt8])
        /// A cookie, by its name.
        case cookie([UInt8])
    }

    /// The part of the request that decides, if any.
    public var hashInput: HashInput? {
        if case .hash(let input) = self { input } else { nil }
    }
}

/// The table of a pool that hashes, for the members that it was asked for last.
struct HashTable: Sendable {
    private var names: [[UInt8]] = []
    private var weights: [Int] = []
    private var table = Maglev(names: [], weights: [])

    /// A table in which every eligible member has its share, by its index in the list. A server that has just come has all of
    /// its keys at once: to move them a few at a time would send each client to several servers.
    mutating func table(for members: Members) -> Maglev {
        var weights = [Int](repeating: 0, count: members.list.count)
        for index in members.eligible { weights[index] = members.list[index].weight }
        let names = members.list.map(\.server.hashName)
        if names != self.names || weights != self.weights {
            self.names = names
            self.weights = weights
            table = Maglev(names: names, weights: weights)
        }
        return table
    }
}
