// SPDX-License-Identifier: Apache-2.0

/// The same numbers for the same seed, in every run (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// Begins the numbers of `seed`.
    public init(_ seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// So many letters that gzip does not make much smaller.
    public static func letters(_ count: Int) -> String {
        var numbers = SeededGenerator(1)
        return String((0..<count).map { _ in Character(UnicodeScalar(UInt8(65 + numbers.below(26)))) })
    }

    /// A number below `bound`, or 0.
    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}
