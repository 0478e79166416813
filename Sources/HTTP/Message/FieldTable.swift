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

/// The field lines of one head, in the order they came. The table is allocated once and used again for each head.
///
/// It cannot be copied, so a head is never copied by chance: what reads it borrows it where it is. The lines are beside the
/// table and not inside it, since the compiler moves a borrowed struct to the stack at each call, and this would be a kilobyte.
@safe public struct FieldTable: ~Copyable, @unchecked Sendable {
    // Sendable: the table alone owns the memory of its lines, and the language sees to it that nobody reads while somebody writes.
    // Safe: `lines` points to `capacity` initialized fields until `deinit`, and every position is compared with `used` first.

    /// How many lines it can hold.
    public static let capacity = 100
    /// How many it holds.
    @usableFromInline var used = 0
    /// A bit for each name that is here, by the name's number modulo 64. Most names that are asked for are in no line,
    /// and this says so without a look at the lines. Names that share a bit cost a look and nothing else.
    @usableFromInline var names: UInt64 = 0
    @usableFromInline let lines: UnsafeMutablePointer<Field>

    /// How many lines it holds.
    @inlinable public var count: Int { used }

    /// An empty table.
    public init() {
        unsafe lines = UnsafeMutablePointer.allocate(capacity: FieldTable.capacity)
        unsafe lines.initialize(repeating: Field(), count: FieldTable.capacity)
    }

    deinit { unsafe lines.deallocate() }

    /// The line at position `position`, from 0 until `count`.
    @inlinable public subscript(_ position: Int) -> Field {
        precondition(position >= 0 && position < used, "a field that is not in the table")
        return unsafe lines[position]
    }

    /// The first line of that name. With `.other`: the first line of an unlisted name.
    @inlinable public func first(_ name: FieldName) -> Field? {
        mayHave(name) ? find(name) : nil
    }

    /// Whether a line of that name is here.
    @inlinable public func has(_ name: FieldName) -> Bool {
        mayHave(name) && find(name) != nil
    }

    /// How many lines of that name there are.
    @inlinable public func count(of name: FieldName) -> Int {
        mayHave(name) ? countLines(name) : 0
    }

    /// Forgets every line.
    public mutating func removeAll() {
        used = 0
        names = 0
    }

    /// Takes the lines of `other` in place of its own.
    public mutating func copy(_ other: borrowing FieldTable) {
        unsafe lines.update(from: other.lines, count: other.used)
        used = other.used
        names = other.names
    }

    /// Adds a line; false when the table is full.
    public mutating func append(_ field: Field) -> Bool {
        guard used < FieldTable.capacity else { return false }
        unsafe lines[used] = field
        used &+= 1
        names |= Self.bit(field.name)
        return true
    }

    @inlinable static func bit(_ name: FieldName) -> UInt64 { 1 &<< UInt64(name.rawValue & 63) }

    @inlinable func mayHave(_ name: FieldName) -> Bool { names & Self.bit(name) != 0 }

    @usableFromInline func find(_ name: FieldName) -> Field? {
        for position in 0..<used where unsafe lines[position].name == name { return unsafe lines[position] }
        return nil
    }

    @usableFromInline func countLines(_ name: FieldName) -> Int {
        var found = 0
        for position in 0..<used where unsafe lines[position].name == name { found &+= 1 }
        return found
    }
}
