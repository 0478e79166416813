// SPDX-License-Identifier: Apache-2.0
// Immutable bytes, shared by whoever has a reference. What is read from a file is one piece of memory; the body in it is a
// part of that piece, not a copy.

import Glibc

/// Bytes that do not change any more.
///
/// `@unchecked Sendable` is safe because the memory is written only by the initialiser, before anybody else can have a
/// reference, and is freed by the last one.
///
/// `@safe` because it owns the memory, and lends spans of it no longer than it lives.
@safe public final class CachedBody: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    /// How many bytes there are.
    public let count: Int
    /// Whose memory it is, when these bytes are a part of others.
    private let whole: CachedBody?

    /// Lets `fill` write `count` bytes, zero before that.
    package init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        unsafe base = .allocate(byteCount: max(1, count), alignment: 16)
        self.count = count
        whole = nil
        let memory = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe fill(memory)
    }

    /// A copy of `bytes`.
    public convenience init(_ bytes: Span<UInt8>) {
        unsafe self.init(count: bytes.count) { memory in
            unsafe bytes.withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
        }
    }

    /// A part of `whole`, which lives as long as this does.
    init(_ range: Range<Int>, of whole: CachedBody) {
        precondition(range.lowerBound >= 0 && range.upperBound <= whole.count, "a range outside the bytes")
        unsafe base = unsafe whole.base + range.lowerBound
        count = range.count
        self.whole = whole
    }

    deinit { if whole == nil { unsafe base.deallocate() } }

    /// The bytes.
    public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let start = unsafe UnsafePointer(base.assumingMemoryBound(to: UInt8.self))
            let span = unsafe Span(_unsafeStart: start, count: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The number at `offset`, least significant byte first; 0 beyond the end.
    package func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
        guard offset >= 0, offset <= count - MemoryLayout<Number>.size else { return 0 }
        return unsafe Number(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Writes `number` at `offset`, least significant byte first.
    package func put<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        unsafe storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
    }

    /// Writes `bytes` at `offset`.
    package func put(_ bytes: Span<UInt8>, at offset: Int) {
        precondition(offset >= 0 && bytes.count <= count - offset, "more bytes than there is room for")
        unsafe bytes.withUnsafeBytes {
            unsafe UnsafeMutableRawBufferPointer(rebasing: self[offset...]).copyMemory(from: $0)
        }
    }
}
