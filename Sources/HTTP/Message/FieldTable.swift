// SPDX-License-Identifier: Apache-2.0
// Where the fields of a head are. The table holds offsets, not bytes: the bytes stay where they were received.

/// One field line: where its name and its value are, as offsets from the first byte given to the parser.
public struct Field: Sendable, Equatable {
    @usableFromInline var nameStart: UInt16 = 0
    @usableFromInline var nameEnd: UInt16 = 0
    @usableFromInline var valueStart: UInt16 = 0
    @usableFromInline var valueEnd: UInt16 = 0
    /// Which known name it is.
    public var name: FieldName = .other
    /// Whether the name has an underscore, which some software behind cannot tell from a hyphen.
    public var nameHasUnderscore = false

    @usableFromInline init() {}

    /// A field at these offsets, each at most 65,535 (`HeadLimits` sees to that).
    @inlinable public init(nameRange: Range<Int>, valueRange: Range<Int>, name: FieldName) {
        nameStart = UInt16(truncatingIfNeeded: nameRange.lowerBound)
        nameEnd = UInt16(truncatingIfNeeded: nameRange.upperBound)
        valueStart = UInt16(truncatingIfNeeded: valueRange.lowerBound)
        valueEnd = UInt16(truncatingIfNeeded: valueRange.upperBound)
        self.name = name
    }

    /// Offsets of the name, without the colon.
    @inlinable public var nameRange: Range<Int> {
        get { Int(nameStart)..<Int(nameEnd) }
        set {
            nameStart = UInt16(truncatingIfNeeded: newValue.lowerBound)
            nameEnd = UInt16(truncatingIfNeeded: newValue.upperBound)
        }
    }

    /// Offsets of the value, without the whitespace around it. May be empty.
    @inlinable public var valueRange: Range<Int> {
        get { Int(valueStart)..<Int(valueEnd) }
        set {
            valueStart = UInt16(truncatingIfNeeded: newValue.lowerBound)
            valueEnd = UInt16(truncatingIfNeeded: newValue.upperBound)
        }
    }
}

/// The field lines of one head, in the order they came, in place: nothing is allocated.
public struct FieldTable: Sendable {
    /// How many lines it can hold.
    public static let capacity = 100
    /// How many it holds.
    public private(set) var count = 0
    @usableFromInline var storage = InlineArray<100, Field>(repeating: Field())

    /// An empty table.
    public init() {}

    /// The line at position `position`, from 0 until `count`.
    @inlinable public subscript(_ position: Int) -> Field {
        precondition(position >= 0 && position < count, "a field that is not in the table")
        return storage[position]
    }

    /// The first line of that name. With `.other`: the first line of an unlisted name.
    @inlinable public func first(_ name: FieldName) -> Field? {
        var position = 0
        while position < count {
            if storage[position].name == name { return storage[position] }
            position &+= 1
        }
        return nil
    }

    /// How many lines of that name there are.
    @inlinable public func count(of name: FieldName) -> Int {
        var found = 0
        var position = 0
        while position < count {
            if storage[position].name == name { found &+= 1 }
            position &+= 1
        }
        return found
    }

    /// Forgets every line.
    public mutating func removeAll() { count = 0 }

    /// Adds a line; false when the table is full.
    public mutating func append(_ field: Field) -> Bool {
        guard count < FieldTable.capacity else { return false }
        storage[count] = field
        count &+= 1
        return true
    }
}
