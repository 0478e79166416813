// SPDX-License-Identifier: Apache-2.0
// XXH64 (the xxHash specification, version 0.1.1). Chosen because every step is a bijection of each eight bytes it takes
// in: whatever happens to the bytes of one word always changes the sum. It is no defence against somebody who may write to
// the folder; the folder's mode is.

/// A checksum of 64 bits.
enum Checksum {
    private static let p1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let p2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let p3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let p4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let p5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// The sum of `bytes`.
    static func of(_ bytes: Span<UInt8>, seed: UInt64) -> UInt64 {
        unsafe bytes.withUnsafeBytes { unsafe of($0, seed: seed) }
    }

    /// The sum of `bytes`.
    static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        guard let base = bytes.baseAddress else { return unsafe finish(seed &+ p5, nil, 0) }
        var at = unsafe base
        var left = bytes.count
        var sum: UInt64
        if left >= 32 {
            var a = seed &+ p1 &+ p2
            var b = seed &+ p2
            var c = seed
            var d = seed &- p1
            while left >= 32 {
                a = round(a, unsafe word(at, 0))
                b = round(b, unsafe word(at, 8))
                c = round(c, unsafe word(at, 16))
                d = round(d, unsafe word(at, 24))
                unsafe at += 32
                left &-= 32
            }
            sum = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
            sum = merge(merge(merge(merge(sum, a), b), c), d)
        } else {
            sum = seed &+ p5
        }
        return unsafe finish(sum &+ UInt64(bytes.count), at, left)
    }

    private static func finish(_ start: UInt64, _ rest: UnsafeRawPointer?, _ count: Int) -> UInt64 {
        var sum = start
        if var at = unsafe rest {
            var left = count
            while left >= 8 {
                sum = rotate(sum ^ round(0, unsafe word(at, 0)), 27) &* p1 &+ p4
                unsafe at += 8
                left &-= 8
            }
            if left >= 4 {
                let four = UInt32(littleEndian: unsafe at.loadUnaligned(as: UInt32.self))
                sum = rotate(sum ^ (UInt64(four) &* p1), 23) &* p2 &+ p3
                unsafe at += 4
                left &-= 4
            }
            for index in 0..<left {
                sum = rotate(sum ^ (UInt64(unsafe at.load(fromByteOffset: index, as: UInt8.self)) &* p5), 11) &* p1
            }
        }
        sum = (sum ^ (sum >> 33)) &* p2
        sum = (sum ^ (sum >> 29)) &* p3
        return sum ^ (sum >> 32)
    }

    @inline(__always) private static func word(_ at: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe at.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    @inline(__always) private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        value << bits | value >> (64 &- bits)
    }
    @inline(__always) private static func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
        rotate(sum &+ (word &* p2), 31) &* p1
    }
    @inline(__always) private static func merge(_ sum: UInt64, _ lane: UInt64) -> UInt64 {
        (sum ^ round(0, lane)) &* p1 &+ p4
    }
}
