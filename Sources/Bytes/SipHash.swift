// SPDX-License-Identifier: Apache-2.0
// SipHash with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012, and its reference
// code).
//
// For hashes of what peers choose (URLs, addresses): they are keyed, and without the key nobody can make bytes that collide.

/// 128 bits of a hash.
public struct KeyHash: Sendable, Hashable {
    /// Bytes 0–7 of the output, little-endian.
    public var low: UInt64
    /// Bytes 8–15.
    public var high: UInt64

    /// A hash of these bits, as read back from a file.
    @inlinable public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }
}

/// The secret that hashes depend on.
public struct HashKey: Sendable {
    /// The first eight bytes, little-endian.
    public var first: UInt64
    /// The other eight.
    public var second: UInt64

    /// A key of these 16 bytes.
    @inlinable public init(_ first: UInt64, _ second: UInt64) {
        self.first = first
        self.second = second
    }

    /// SipHash-1-3 of `bytes`: one round for each eight bytes, three at the end, as in the hash tables of Swift and
    /// Rust.
    public func hash(_ bytes: Span<UInt8>) -> KeyHash { hash(bytes, rounds: 1, finalRounds: 3) }

    /// SipHash-1-3 of the eight bytes of `word`, little-endian.
    public func hash(word: UInt64) -> KeyHash {
        var state = SipState(first, second)
        state.absorb(word, 1)
        state.absorb(8 &<< 56, 1)
        return state.finish(3)
    }

    /// SipHash of any number of rounds: 2 and 4 for what shall not give the key away, as its authors advise.
    public func hash(_ bytes: Span<UInt8>, rounds: Int, finalRounds: Int) -> KeyHash {
        var state = SipState(first, second)
        let whole = bytes.count & ~7
        var offset = 0
        while offset < whole {
            // Within the span: `whole` is at most its count.
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            state.absorb(UInt64(littleEndian: word), rounds)
            offset &+= 8
        }
        var last = UInt64(truncatingIfNeeded: bytes.count) &<< 56
        var shift: UInt64 = 0
        while offset < bytes.count {
            last |= UInt64(bytes[offset]) &<< shift
            shift &+= 8
            offset &+= 1
        }
        state.absorb(last, rounds)
        return state.finish(finalRounds)
    }
}

private struct SipState {
    var v0: UInt64
    var v1: UInt64
    var v2: UInt64
    var v3: UInt64

    init(_ first: UInt64, _ second: UInt64) {
        v0 = first ^ 0x736f_6d65_7073_6575
        // 0xEE: what makes it the variant with 128 bits.
        v1 = second ^ 0x646f_7261_6e64_6f6d ^ 0xEE
        v2 = first ^ 0x6c79_6765_6e65_7261
        v3 = second ^ 0x7465_6462_7974_6573
    }

    @inline(__always) mutating func absorb(_ word: UInt64, _ rounds: Int) {
        v3 ^= word
        permute(rounds)
        v0 ^= word
    }

    mutating func finish(_ rounds: Int) -> KeyHash {
        v2 ^= 0xEE
        permute(rounds)
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xDD
        permute(rounds)
        return KeyHash(low: low, high: v0 ^ v1 ^ v2 ^ v3)
    }

    @inline(__always) mutating func permute(_ rounds: Int) {
        for _ in 0..<rounds {
            v0 = v0 &+ v1
            v1 = v1 &<< 13 | v1 &>> 51
            v1 ^= v0
            v0 = v0 &<< 32 | v0 &>> 32
            v2 = v2 &+ v3
            v3 = v3 &<< 16 | v3 &>> 48
            v3 ^= v2
            v0 = v0 &+ v3
            v3 = v3 &<< 21 | v3 &>> 43
            v3 ^= v0
            v2 = v2 &+ v1
            v1 = v1 &<< 17 | v1 &>> 47
            v1 ^= v2
            v2 = v2 &<< 32 | v2 &>> 32
        }
    }
}
