// SPDX-License-Identifier: Apache-2.0
// A block is one piece of memory of a fixed size with bytes appended at its end and consumed at its start.
//
// Blocks are made by a `BlockPool` and go back to it: a loop keeps a handful in use, the one used last is handed out
// first (its lines are still in the processor's cache), and a connection that idles holds none. All of the project's
// writing into raw memory is in this file; everything else reads spans and appends.

#if canImport(Glibc)
import Glibc
#endif

/// A fixed piece of memory with `end - start` readable bytes in it.
///
/// Not thread-safe: a block belongs to one loop (or one thread) at a time.
///
/// `@safe` because it owns the memory, and checks every range against `capacity`.
@safe public final class Block {
    /// Safe because it is set once, from an allocation of `capacity` bytes that only `deinit` frees, and every access
    /// below checks its range against `capacity` first.
    @usableFromInline let base: UnsafeMutablePointer<UInt8>
    /// How many bytes the block can hold. Fixed for its life.
    public let capacity: Int
    /// Offset of the first readable byte.
    public private(set) var start = 0
    /// Offset behind the last readable byte.
    public private(set) var end = 0

    /// Allocates a block of `capacity` bytes.
    public init(capacity: Int) {
        precondition(capacity > 0, "a block holds at least one byte")
        self.capacity = capacity
        unsafe base = .allocate(capacity: capacity)
        // Zeroed once, so that no byte of the process is ever read uninitialised.
        unsafe base.initialize(repeating: 0, count: capacity)
    }

    deinit { unsafe base.deallocate() }

    /// Number of readable bytes.
    @inlinable public var count: Int { end &- start }
    /// Number of bytes that can still be appended without `compact`.
    @inlinable public var free: Int { capacity &- end }
    /// Whether nothing is readable.
    @inlinable public var isEmpty: Bool { end == start }

    /// The readable bytes, lent for as long as the block is not changed.
    @inlinable public var readable: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let span = unsafe Span(_unsafeStart: UnsafePointer(base + start), count: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The bytes at absolute offsets `range` of the block (not relative to `start`).
    @_lifetime(borrow self)
    @inlinable public func bytes(_ range: Range<Int>) -> Span<UInt8> {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "a range outside the block")
        let span = unsafe Span(_unsafeStart: UnsafePointer(base + range.lowerBound), count: range.count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Takes `count` bytes off the start.
    public func consume(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "consumes no more than is readable")
        start &+= count
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Forgets everything that is readable.
    public func clear() {
        start = 0
        end = 0
    }

    /// Cuts the readable bytes to the first `count`.
    public func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "cuts, never grows")
        end = start &+ count
    }

    /// Moves the readable bytes to the front, so that `free` is as large as it can be. Offsets into the block change.
    public func compact() {
        guard start > 0 else { return }
        unsafe memmove(base, base + start, count)
        end = count
        start = 0
    }

    /// Appends as much of `bytes` as fits and returns how much that was.
    @discardableResult
    public func appendPrefix(_ bytes: Span<UInt8>) -> Int {
        let fits = min(bytes.count, free)
        guard fits > 0 else { return 0 }
        unsafe bytes.withUnsafeBufferPointer { source in
            if let from = source.baseAddress { unsafe memcpy(base + end, from, fits) }
        }
        end &+= fits
        return fits
    }

    /// Appends `bytes`, all of which must fit.
    public func append(_ bytes: Span<UInt8>) {
        precondition(bytes.count <= free, "the block is too small for what is appended")
        appendPrefix(bytes)
    }

    /// Appends the ASCII or UTF-8 bytes of a literal, all of which must fit.
    public func append(_ text: StaticString) {
        precondition(text.utf8CodeUnitCount <= free, "the block is too small for what is appended")
        unsafe memcpy(base + end, text.utf8Start, text.utf8CodeUnitCount)
        end &+= text.utf8CodeUnitCount
    }

    /// Appends the UTF-8 bytes of `text`, all of which must fit. Fast when the string is native UTF-8, which those made
    /// in Swift are.
    public func append(text: String) {
        append(text.utf8Span.span)
    }

    /// Appends `name`, a colon, a space, `value` and CRLF, all of which must fit. Field lines are what is written most, so their room
    /// is checked once.
    public func append(line name: Span<UInt8>, _ value: Span<UInt8>) {
        unsafe name.withUnsafeBufferPointer { unsafe append(line: $0, value) }
    }

    /// Appends `name`, a colon, a space, `value` and CRLF, all of which must fit.
    public func append(line name: StaticString, _ value: Span<UInt8>) {
        let name = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        unsafe append(line: name, value)
    }

    private func append(line name: UnsafeBufferPointer<UInt8>, _ value: Span<UInt8>) {
        let count = name.count &+ value.count &+ 4
        precondition(count <= free, "the block is too small for what is appended")
        var to = unsafe base + end
        if let from = name.baseAddress { unsafe memcpy(to, from, name.count) }
        unsafe to += name.count
        unsafe to[0] = 0x3A
        unsafe to[1] = 0x20
        unsafe to += 2
        unsafe value.withUnsafeBufferPointer { source in
            if let from = source.baseAddress { unsafe memcpy(to, from, source.count) }
        }
        unsafe to += value.count
        unsafe to[0] = 0x0D
        unsafe to[1] = 0x0A
        end &+= count
    }

    /// Appends one byte.
    @inlinable public func append(_ byte: UInt8) {
        precondition(end < capacity, "the block is too small for what is appended")
        unsafe base[end] = byte
        advance(1)
    }

    /// Appends `value` in decimal (at most 20 bytes).
    public func append(decimal value: UInt64) {
        append(decimal: value, digits: 1)
    }

    /// Appends `value` in decimal, with zeros in front up to `digits` digits.
    public func append(decimal value: UInt64, digits: Int) {
        precondition(free >= 20, "the block is too small for what is appended")
        var rest = value
        var length = 1
        var bound: UInt64 = 10
        while length < 20, rest >= bound {
            length &+= 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        length = max(length, min(digits, 20))
        var position = end &+ length
        while position > end {
            position &-= 1
            unsafe base[position] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
            rest /= 10
        }
        end &+= length
    }

    /// Appends `value` in lower-case hexadecimal, with no zeros in front.
    public func append(hexadecimal value: UInt64) {
        append(hexadecimal: value, digits: max(1, (67 - value.leadingZeroBitCount) / 4))
    }

    /// Appends the lowest `digits` hexadecimal digits of `value`, lower-case.
    public func append(hexadecimal value: UInt64, digits: Int) {
        precondition(digits <= 16 && free >= digits, "the block is too small for what is appended")
        if digits == 16 {
            // Every request has an identifier of 32 digits: eight at a time.
            let room = unsafe UnsafeMutableRawPointer(base + end)
            let upper = Self.hexadecimal(UInt32(truncatingIfNeeded: value &>> 32))
            unsafe room.storeBytes(of: upper.bigEndian, as: UInt64.self)
            let lower = Self.hexadecimal(UInt32(truncatingIfNeeded: value))
            unsafe room.storeBytes(of: lower.bigEndian, toByteOffset: 8, as: UInt64.self)
        } else {
            for digit in 0..<digits {
                let nibble = UInt8(truncatingIfNeeded: value >> UInt64(4 &* (digits &- 1 &- digit))) & 15
                unsafe base[end &+ digit] = UInt8(hexadecimalDigit: nibble)
            }
        }
        end &+= digits
    }

    /// Eight digits, the first in the highest byte.
    private static func hexadecimal(_ value: UInt32) -> UInt64 {
        // Each nibble into a byte of its own.
        var nibbles = UInt64(value)
        nibbles = (nibbles | nibbles &<< 16) & 0x0000_FFFF_0000_FFFF
        nibbles = (nibbles | nibbles &<< 8) & 0x00FF_00FF_00FF_00FF
        nibbles = (nibbles | nibbles &<< 4) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in the bytes of those from 10 on, which are letters.
        let letters = (nibbles &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }

    /// Overwrites one byte at absolute offset `offset`.
    public func overwrite(at offset: Int, with byte: UInt8) {
        precondition(offset >= 0 && offset < capacity, "a range outside the block")
        unsafe base[offset] = byte
    }

    /// Copies the bytes at absolute offsets `range` to those from `offset` on; both may overlap.
    public func move(_ range: Range<Int>, to offset: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "a range outside the block")
        precondition(offset >= 0 && offset <= capacity &- range.count, "a range outside the block")
        unsafe memmove(base + offset, base + range.lowerBound, range.count)
    }

    /// Lets `fill` write into the free space and return how many bytes it wrote; they become readable.
    ///
    /// The pointer must not leave the closure. Used to receive into the block.
    @inlinable @inline(__always)
    public func fill<Outcome>(_ fill: (UnsafeMutableRawBufferPointer) -> (written: Int, outcome: Outcome)) -> Outcome {
        let result = unsafe fill(UnsafeMutableRawBufferPointer(start: base + end, count: free))
        advance(result.written)
        return result.outcome
    }

    /// Marks `count` bytes behind `end` as readable.
    @usableFromInline func advance(_ count: Int) {
        precondition(count >= 0 && count <= free, "more was written than there was room for")
        end &+= count
    }
}
