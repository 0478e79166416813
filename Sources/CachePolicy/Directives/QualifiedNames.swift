// SPDX-License-Identifier: Apache-2.0

internal import Bytes
internal import HTTP

/// The lists of field names in `no-cache="…"` and `private="…"` (RFC 9111 §5.2.2.4, §5.2.2.7), as offsets into the
/// head.
struct QualifiedNames: Sendable {
    /// How many lists are kept.
    static let limit = 8

    private struct List: Sendable {
        var flag: ResponseDirectives.Flags = []
        var start: UInt16 = 0
        var end: UInt16 = 0
    }

    private var lists = InlineArray<8, List>(repeating: List())
    private(set) var count = 0

    /// Adds a list; false when there is no room.
    mutating func append(_ flag: ResponseDirectives.Flags, _ names: Range<Int>) -> Bool {
        guard count < QualifiedNames.limit, let start = UInt16(exactly: names.lowerBound),
            let end = UInt16(exactly: names.upperBound)
        else { return false }
        lists[count] = List(flag: flag, start: start, end: end)
        count &+= 1
        return true
    }

    /// Takes the lists of one directive away.
    mutating func remove(_ flag: ResponseDirectives.Flags) {
        var kept = 0
        for position in 0..<count where lists[position].flag != flag {
            lists[kept] = lists[position]
            kept &+= 1
        }
        count = kept
    }

    /// The fields of a head that stand in a list that keeps them out of this cache, as `exclude` says of one.
    ///
    /// - Parameters:
    ///   - fields: Those of the head, and `fieldBytes` theirs: it need not be the head that the lists are from.
    ///   - bytes: Those of the head that the lists are from.
    func excluded(
        _ fields: borrowing FieldTable, _ fieldBytes: Span<UInt8>, _ bytes: Span<UInt8>, isShared: Bool
    ) -> NamedFields {
        var marks = NamedFields()
        guard count > 0 else { return marks }
        let index = FieldIndex(fields, fieldBytes)
        for position in 0..<count where isShared || lists[position].flag == .noCache {
            let list = bytes.extracting(Int(lists[position].start)..<Int(lists[position].end))
            index.mark(list, in: &marks, fields, fieldBytes)
        }
        return marks
    }

    /// Whether `name` is in a list that keeps it out of this cache: those of `no-cache` out of any, those of `private`
    /// out of a shared one. "Field names are case-insensitive."
    func exclude(_ name: Span<UInt8>, _ bytes: Span<UInt8>, isShared: Bool) -> Bool {
        for position in 0..<count where isShared || lists[position].flag == .noCache {
            let list = lists[position]
            if TokenList.contains(bytes.extracting(Int(list.start)..<Int(list.end)), name) { return true }
        }
        return false
    }
}
