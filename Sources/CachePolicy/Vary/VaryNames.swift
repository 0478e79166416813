// SPDX-License-Identifier: Apache-2.0
// The request fields that a response depends on (RFC 9110 §12.5.5), in one canonical form: lower case, sorted, each
// once, with commas between. Written once when a response is stored; the index then reads it for each request.

public import Bytes
public import HTTP

/// The names of all Vary lines of a response.
public struct VaryNames: Sendable {
    /// Most names.
    public static let limit = 16
    /// Longest canonical form, in bytes.
    public static let byteLimit = 1_024

    /// What the lines say.
    public enum Kind: Sendable, Equatable {
        /// There are none, or they name nothing.
        case none
        /// So many different names.
        case names(Int)
        /// `*` is among them, or something that is no field name: no other request matches.
        case any
        /// Too many names, or too long ones.
        case tooWide
    }

    /// What the lines say.
    public private(set) var kind = Kind.none
    /// Sorted, each once.
    private var names = InlineArray<16, Range<Int>>(repeating: 0..<0)
    private var count = 0

    /// Reads them.
    public init(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) {
        var length = 0
        for position in 0..<head.fields.count where head.fields[position].name == .vary {
            let range = head.fields[position].valueRange
            let line = bytes.extracting(range)
            var reader = ListReader()
            while let member = reader.next(line) {
                for offset in member where !line[offset].isToken {
                    kind = .any
                    return
                }
                if member.count == 1, line[member.lowerBound] == 0x2A {
                    kind = .any
                    return
                }
                let name = (member.lowerBound &+ range.lowerBound)..<(member.upperBound &+ range.lowerBound)
                guard let place = place(for: name, bytes) else { continue }
                length &+= name.count &+ 1
                guard count < VaryNames.limit, length <= VaryNames.byteLimit else {
                    kind = .tooWide
                    // A `*` may still come: but neither is stored.
                    return
                }
                insert(name, at: place)
            }
        }
        if count > 0 { kind = .names(count) }
    }

    /// Appends the canonical form; needs room for `byteLimit`. Nothing unless `kind` is `names`.
    public func write(_ bytes: Span<UInt8>, to block: Block) {
        guard case .names = kind else { return }
        for position in 0..<count {
            if position > 0 { block.append(0x2C) }
            for offset in names[position] { block.append(bytes[offset].lowercased) }
        }
    }

    /// Where the name belongs, nil when it is there already.
    private func place(for name: Range<Int>, _ bytes: Span<UInt8>) -> Int? {
        for position in 0..<count {
            let order = compare(bytes.extracting(name), bytes.extracting(names[position]))
            if order == 0 { return nil }
            if order < 0 { return position }
        }
        return count
    }

    private mutating func insert(_ name: Range<Int>, at place: Int) {
        var position = count
        while position > place {
            names[position] = names[position &- 1]
            position &-= 1
        }
        names[place] = name
        count &+= 1
    }

    /// Less than, equal to or more than 0, in lower case.
    private func compare(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
        for offset in 0..<min(left.count, right.count) {
            let difference = Int(left[offset].lowercased) - Int(right[offset].lowercased)
            if difference != 0 { return difference }
        }
        return left.count - right.count
    }
}
