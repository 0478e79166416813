// SPDX-License-Identifier: Apache-2.0
public import Bytes

/// A `Range` field read against a representation's size (RFC 9110 section 14).
public enum ByteRange: Equatable, Sendable {
    /// Exactly one range, cut to the representation. Offsets from 0.
    case one(Range<UInt64>)
    /// None of it exists: 416.
    case unsatisfiable
    /// Not understood, or several ranges: the whole is sent (section 14.2 allows a server to ignore the field, and many
    /// ranges are an attack more often than a wish).
    case ignored

    /// Reads a `Range` field's value.
    public static func parse(_ value: Span<UInt8>, size: UInt64) -> ByteRange {
        guard value.count > 6, value.extracting(0..<6).equalsIgnoringCase("bytes=") else { return .ignored }
        let set = value.extracting(6...)
        guard set.firstIndex(of: UInt8(ascii: ",")) == nil, let dash = set.firstIndex(of: UInt8(ascii: "-")) else { return .ignored }
        let first = set.extracting(0..<dash)
        let last = set.extracting((dash + 1)...)
        if first.count == 0 {
            guard let suffix = Grammar.decimal(last) else { return .ignored }
            if suffix == 0 || size == 0 { return .unsatisfiable }
            return .one(size - min(suffix, size)..<size)
        }
        guard let start = Grammar.decimal(first) else { return .ignored }
        var end = size
        if last.count > 0 {
            guard let given = Grammar.decimal(last), given >= start else { return .ignored }
            end = min(size, given + 1)
        }
        return start < size ? .one(start..<end) : .unsatisfiable
    }
}

/// Lists of entity tags (RFC 9110 section 8.8.3 and 13.1).
public enum EntityTagList {
    /// Whether `list` is `*` or has a tag that equals `tag` (with its quotes, perhaps `W/`).
    ///
    /// - Parameter weak: whether weak tags match too (`If-None-Match`), or only strong ones (`If-Match`, `If-Range`).
    public static func matches(_ list: Span<UInt8>, _ tag: Span<UInt8>, weak: Bool) -> Bool {
        var position = 0
        while let range = TokenList.next(list, from: &position) {
            let member = list.extracting(range)
            if member.equals("*") { return true }
            let isWeak = member.count > 2 && member.extracting(0..<2).equals("W/")
            let tagIsWeak = tag.count > 2 && tag.extracting(0..<2).equals("W/")
            if !weak, isWeak || tagIsWeak { continue }
            if member.extracting((isWeak ? 2 : 0)...).equals(tag.extracting((tagIsWeak ? 2 : 0)...)) { return true }
        }
        return false
    }
}
