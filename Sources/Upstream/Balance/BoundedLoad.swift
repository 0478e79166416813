// SPDX-License-Identifier: Apache-2.0

/// How much of the load one server may have under consistent hashing (Mirrokni, Thorup, Zadimoghaddam: "Consistent Hashing
/// with Bounded Loads", 2018): pure.
public enum BoundedLoad {
    /// A server has at most this part of its fair share, in hundredths. The paper's 1.25: one key in a few moves while the
    /// load is high, and no server has a quarter more than the others.
    public static let percent = 125

    /// What a server may always have, whatever its share: while there is little to do, nothing is gained by sending a key
    /// elsewhere.
    public static let least = 4

    /// Requests in flight that a server may have, at least `least`.
    ///
    /// - Parameters:
    ///   - total: In flight in the pool, the one that is placed now included.
    ///   - weight: The server's.
    ///   - weights: Of all servers that take part, together.
    public static func limit(total: Int, weight: Int, weights: Int) -> Int {
        guard weights > 0 else { return max(least, total) }
        let (product, overflow) = max(1, total).multipliedReportingOverflow(by: percent * weight)
        guard !overflow else { return .max }
        let divisor = 100 * weights
        return max(least, product / divisor + (product % divisor > 0 ? 1 : 0))
    }
}

/// Comparing two servers by the requests that they have in flight: pure.
public enum LeastLoad {
    /// Whether a server with `load` requests in flight and this weight has less of a load for its weight than another.
    @inlinable
    public static func isLess(_ load: Int, weight: Int, than other: Int, weight otherWeight: Int) -> Bool {
        // Loads are counts of connections and weights at most 2560, so neither product overflows.
        load &* otherWeight < other &* weight
    }
}

/// Random numbers for choosing among servers (xorshift64*, seeded by the kernel): fast, not secret. Each loop has its own.
public struct LoopRandom: Sendable {
    private var state: UInt64

    /// A sequence from this seed.
    public init(seed: UInt64) { state = seed | 1 }

    /// A sequence of its own.
    public init() { self.init(seed: SystemRandomNumberGenerator.seed()) }

    /// The next number.
    public mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    /// Two different numbers below `count`, which is at least 2.
    public mutating func pair(below count: Int) -> (Int, Int) {
        let bits = next()
        // The high half of a product with a 32-bit number: even enough, without a division.
        let first = Int(((bits >> 32) &* UInt64(count)) >> 32)
        let second = Int(((bits & 0xFFFF_FFFF) &* UInt64(count - 1)) >> 32)
        return (first, second >= first ? second + 1 : second)
    }
}

extension SystemRandomNumberGenerator {
    fileprivate static func seed() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
