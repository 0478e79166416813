// SPDX-License-Identifier: Apache-2.0
// Which fields of a head a list of names names: `Connection`, `no-cache="…"`, `private="…"`. Whoever sends the head chooses both, so
// the work is proportional to the bytes of the two, whatever they say: each name of the list is looked up in a table of the
// head's names, and each group of lines of one name is marked once.

internal import Bytes

/// Positions of fields in a `FieldTable`.
public struct NamedFields: Sendable, Equatable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    /// None.
    public init() {}

    /// Whether there is none.
    public var isEmpty: Bool { low | high == 0 }

    /// Whether the field at this position is among them.
    public func contains(_ position: Int) -> Bool {
        position < 64 ? low &>> UInt64(position) & 1 == 1 : high &>> UInt64(position &- 64) & 1 == 1
    }

    mutating func insert(_ position: Int) {
        if position < 64 { low |= 1 &<< UInt64(position) } else { high |= 1 &<< UInt64(position &- 64) }
    }
}

/// The names of a head's fields, to be looked up.
public struct FieldIndex: Sendable {
    private static let none = UInt8.max
    /// The first name of each bucket, as the position of the first field that has it.
    private var buckets = InlineArray<256, UInt8>(repeating: FieldIndex.none)
    /// The next name of the same bucket, for the first field of a name; else unused.
    private var nextName = InlineArray<100, UInt8>(repeating: FieldIndex.none)
    /// The next field of the same name.
    private var nextField = InlineArray<100, UInt8>(repeating: FieldIndex.none)
    /// The last field of a name, for its first.
    private var lastField = InlineArray<100, UInt8>(repeating: FieldIndex.none)
    /// Lengths of names, a bit each: most names of a list that no field has are as long as none.
    private var lengths: UInt64 = 0

    /// The names of `fields`, whose bytes are in `bytes`.
    public init(_ fields: borrowing FieldTable, _ bytes: Span<UInt8>) {
        for position in 0..<fields.count {
            let name = bytes.extracting(fields[position].nameRange)
            let bucket = Self.bucket(name)
            lengths |= Self.bit(name)
            var other = buckets[bucket]
            while other != Self.none {
                if bytes.extracting(fields[Int(other)].nameRange).equalsIgnoringCase(name) { break }
                other = nextName[Int(other)]
            }
            if other == Self.none {
                nextName[position] = buckets[bucket]
                lastField[position] = UInt8(position)
                buckets[bucket] = UInt8(position)
            } else {
                nextField[Int(lastField[Int(other)])] = UInt8(position)
                lastField[Int(other)] = UInt8(position)
            }
        }
    }

    /// Marks the fields that `list`, a list of names, has in it.
    ///
    /// - Parameters:
    ///   - marks: Made for the same fields.
    ///   - fields: Those that this was made of, and `bytes` theirs.
    public func mark(
        _ list: Span<UInt8>, in marks: inout NamedFields, _ fields: borrowing FieldTable, _ bytes: Span<UInt8>
    ) {
        var reader = ListReader()
        while let member = reader.next(list) {
            let name = list.extracting(member)
            guard lengths & Self.bit(name) != 0 else { continue }
            var first = buckets[Self.bucket(name)]
            while first != Self.none, !bytes.extracting(fields[Int(first)].nameRange).equalsIgnoringCase(name) {
                first = nextName[Int(first)]
            }
            // All fields of a name are marked together.
            guard first != Self.none, !marks.contains(Int(first)) else { continue }
            var position = first
            while position != Self.none {
                marks.insert(Int(position))
                position = nextField[Int(position)]
            }
        }
    }

    private static func bit(_ name: Span<UInt8>) -> UInt64 { 1 &<< UInt64(min(name.count, 63)) }

    /// The bucket of a name, without regard to case.
    private static func bucket(_ name: Span<UInt8>) -> Int {
        var hash = seed
        for index in name.indices { hash = (hash ^ UInt64(name[index].lowercased)) &* multiplier }
        return Int(hash &>> 56)
    }

    /// Secret, so that nobody can choose names of one bucket.
    private static let seed = UInt64.random(in: 0 ... .max)
    private static let multiplier = UInt64.random(in: 0 ... .max) | 1
}

extension FieldTable {
    /// The fields that the `Connection` lines name, so that they end here (RFC 9110 §7.6.1).
    func namedByConnection(_ bytes: Span<UInt8>) -> NamedFields {
        let index = FieldIndex(self, bytes)
        var marks = NamedFields()
        for position in 0..<count where self[position].name == .connection {
            index.mark(bytes.extracting(self[position].valueRange), in: &marks, self, bytes)
        }
        return marks
    }
}
