// SPDX-License-Identifier: Apache-2.0
// What is asked of bytes as text: equal without regard to ASCII case, where is the first of a byte, the number in it.
// The loops stand here, with `@inlinable` where they are called per byte from other modules (a call across a module that
// cannot be inlined costs four times the loop's body).

#if canImport(Glibc)
import Glibc
#endif

extension UInt8 {
    /// The byte with ASCII upper-case letters made lower-case.
    @inlinable public var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
    /// Whether the byte is an ASCII digit.
    @inlinable public var isDigit: Bool { self &- 0x30 < 10 }
}

extension Span where Element == UInt8 {
    /// Offset of the first `byte` at or after `from`, or nil. The corresponding C function is `memchr`.
    public func firstIndex(of byte: UInt8, from: Int = 0) -> Int? {
        guard from < count else { return nil }
        return unsafe withUnsafeBufferPointer { buffer -> Int? in
            guard let base = buffer.baseAddress,
                let found = unsafe memchr(base + from, Int32(byte), buffer.count - from)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    /// Whether the bytes are those of `literal`, exactly.
    public func equals(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        return unsafe withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return true }
            return unsafe memcmp(base, literal.utf8Start, count) == 0
        }
    }

    /// Whether the bytes are those of `other`, exactly.
    public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }

    /// Whether the bytes are those of `lowercase` when ASCII letters are compared without regard to case. `lowercase`
    /// must be in lower case.
    public func equalsIgnoringCase(_ lowercase: StaticString) -> Bool {
        guard count == lowercase.utf8CodeUnitCount else { return false }
        let expected = unsafe lowercase.utf8Start
        for index in indices where self[index].lowercased != (unsafe expected[index]) { return false }
        return true
    }

    /// Whether the two are equal when ASCII letters are compared without regard to case.
    public func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index].lowercased != other[index].lowercased { return false }
        return true
    }

    /// The bytes as a string; what is not UTF-8 becomes U+FFFD. Allocates: not for the data plane.
    public var string: String { unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) } }
}

extension StaticString {
    /// The literal's bytes.
    public var span: Span<UInt8> {
        @_lifetime(immortal)
        get {
            let span = unsafe Span(_unsafeStart: utf8Start, count: utf8CodeUnitCount)
            return unsafe _overrideLifetime(span, copying: ())
        }
    }
}
