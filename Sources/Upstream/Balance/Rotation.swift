// SPDX-License-Identifier: Apache-2.0

/// One cycle of smooth weighted round robin: pure.
///
/// In a cycle each server comes as often as its weight says, spread as evenly as can be: 5:1:1 gives A A B A C A A, never
/// A A A A A B C. The cycle is worked out once, so a pick is one look into a table, and loops that share a counter share
/// the order too.
public struct Rotation: Sendable, Equatable {
    /// Indices of servers in the order of their turns. Empty when no server takes part.
    public let order: [UInt16]

    /// A cycle over the servers whose weight is above 0.
    public init(weights: [Int]) {
        let divisor = weights.filter { $0 > 0 }.reduce(0, Self.greatestCommonDivisor)
        guard divisor > 0 else {
            order = []
            return
        }
        let shares = weights.map { max(0, $0 / divisor) }
        let total = shares.reduce(0, +)
        var credit = [Int](repeating: 0, count: shares.count)
        var order: [UInt16] = []
        order.reserveCapacity(total)
        for _ in 0..<total {
            var best = -1
            for index in shares.indices where shares[index] > 0 {
                credit[index] += shares[index]
                if best < 0 || credit[index] > credit[best] { best = index }
            }
            credit[best] -= total
            order.append(UInt16(best))
        }
        self.order = order
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
