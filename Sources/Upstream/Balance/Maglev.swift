// SPDX-License-Identifier: Apache-2.0
// Consistent hashing by a table (Eisenbud and others: "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
// 2016, section 3.4): a key's server is one look into it. A ring would move no key but those of the server that left, and
// share the keys out less evenly; here a few per cent of the others move too.

import Bytes

/// Which server a key belongs to: pure. The same servers and weights give the same table in every process, so gateways beside
/// each other agree, and a server that comes back gets its keys back.
public struct Maglev: Sendable {
    /// Slots of a table: prime, and more than a hundred for each server of a large pool.
    public static let size = 65_537
    /// How many of the slots after a key's own are looked at for one whose server may take it, before the least loaded is
    /// taken.
    static let probes = 32

    /// The server of every slot, as an index. Empty when no server takes part.
    public let slots: [UInt16]

    /// A table over the servers whose weight is above 0.
    ///
    /// - Parameters:
    ///   - names: What a server is known by, wherever it stands in the list, such as its address.
    ///   - weights: As many; each server's share of the keys.
    public init(names: [[UInt8]], weights: [Int]) {
        let members = names.indices.filter { $0 < weights.count && weights[$0] > 0 && $0 <= Int(UInt16.max) }
        guard let heaviest = members.map({ weights[$0] }).max() else {
            slots = []
            return
        }
        var seekers = members.map { Seeker(index: UInt16($0), name: names[$0], weight: weights[$0]) }
        let free = UInt16.max
        var slots = [UInt16](repeating: free, count: Self.size)
        var filled = 0
        // In every round each server takes the next free slot of its own permutation of all slots, those of less weight
        // in fewer of the rounds.
        while filled < Self.size {
            for position in seekers.indices where filled < Self.size {
                seekers[position].credit += seekers[position].weight
                guard seekers[position].credit >= heaviest else { continue }
                seekers[position].credit -= heaviest
                var slot = seekers[position].advance()
                while slots[slot] != free { slot = seekers[position].advance() }
                slots[slot] = seekers[position].index
                filled += 1
            }
        }
        self.slots = slots
    }

    /// A server and its permutation of the slots: `offset + n * skip`, modulo their number.
    private struct Seeker {
        let index: UInt16
        let weight: Int
        var credit = 0
        private var slot: Int
        private let skip: Int

        init(index: UInt16, name: [UInt8], weight: Int) {
            self.index = index
            self.weight = weight
            let hash = Maglev.hash(name.span)
            slot = Int(hash % UInt64(Maglev.size))
            skip = Int((hash >> 32) % UInt64(Maglev.size - 1)) + 1
        }

        mutating func advance() -> Int {
            defer { slot = (slot + skip) % Maglev.size }
            return slot
        }
    }

    /// The hash that keys and names go by: the same everywhere, so not secret. Whoever can choose keys can make them meet on
    /// one server; the bound of its load is what helps against that.
    public static func hash(_ bytes: Span<UInt8>) -> UInt64 { HashKey(0, 0).hash(bytes).low }

    /// The same of a number.
    public static func hash(word: UInt64) -> UInt64 { HashKey(0, 0).hash(word: word).low }

    /// The server that a key with this hash belongs to, or, when it may take no more, the next one that may.
    ///
    /// - Parameters:
    ///   - hash: The key's.
    ///   - mayTake: Whether a server, by its index, has room. Not asked twice in a row for the same server.
    /// - Returns: Nil when the table is empty, or no server that was asked may take it.
    @inline(__always)
    func pick(_ hash: UInt64, mayTake: (Int) -> Bool) -> Int? {
        guard !slots.isEmpty else { return nil }
        var slot = Int(hash % UInt64(Self.size))
        var refused = -1
        for _ in 0..<Self.probes {
            let index = Int(slots[slot])
            if index != refused {
                if mayTake(index) { return index }
                refused = index
            }
            // A stride of its own for each key, so that the keys of a full server spread over all the others.
            slot = (slot + 1 + Int((hash >> 32) % UInt64(Self.size - 1))) % Self.size
        }
        return nil
    }
}
