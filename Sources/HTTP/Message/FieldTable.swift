// SPDX-License-Identifier: Apache-2.0

/// One field line: where its name and its value are, as offsets from the first byte of the head.
public struct Field: Sendable, Equatable {
    @usableFromInline var nameStart: UInt16
    @usableFromInline var nameEnd: UInt16
    @usableFromInline var valueStart: UInt16
    @usableFromInline var valueEnd: UInt16
    /// Which of the known names it is.
    public let name: FieldName

    /// Offsets must lie below 65 536, which the limit of a head ensures.
    @inlinable init(name: FieldName, nameRange: Range<Int>, valueRange: Range<Int>) {
        nameStart = UInt16(truncatingIfNeeded: nameRange.lowerBound)
        nameEnd = UInt16(truncatingIfNeeded: nameRange.upperBound)
        valueStart = UInt16(truncatingIfNeeded: valueRange.lowerBound)
        valueEnd = UInt16(truncatingIfNeeded: valueRange.upperBound)
        self.name = name
    }

    /// Where its name is.
    @inlinable public var nameRange: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    /// Where its value is, without the white space around it.
    @inlinable public var valueRange: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}

/// The field lines of a head in their order. Of fixed capacity, so that reading a head allocates nothing.
public struct FieldTable: Sendable {
    /// Lines at most.
    public static let capacity = 100
    @usableFromInline var lines = InlineArray<100, Field>(repeating: Field(name: .other, nameRange: 0..<0, valueRange: 0..<0))
    /// Lines there are.
    public private(set) var count = 0

    init() {}

    /// The line at `index`, which must be below `count`.
    @inlinable public subscript(_ index: Int) -> Field {
        precondition(index < count, "a line of the table")
        return lines[index]
    }

    /// The first line of this name.
    public func first(_ name: FieldName) -> Field? {
        for index in 0..<count where lines[index].name == name { return lines[index] }
        return nil
    }

    mutating func removeAll() { count = 0 }

    /// False when the table is full.
    mutating func append(_ field: Field) -> Bool {
        guard count < Self.capacity else { return false }
        lines[count] = field
        count += 1
        return true
    }
}
