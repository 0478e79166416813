// SPDX-License-Identifier: Apache-2.0
// Cache-Control, directive by directive: `cache-directive = token [ "=" ( token / quoted-string ) ]` (RFC 9111 §5.2).

internal import Bytes
internal import HTTP

/// One directive. Ranges are offsets in the line that was read.
struct Directive {
    /// What stands behind the name.
    enum Argument: Equatable {
        case none
        /// A token, or what is between the quotes of a string without escapes: "recipients ought to accept both forms".
        case value(Range<Int>)
        /// Anything else: no value behind `=`, blanks around it, garbage, escapes, an unfinished string.
        case malformed
    }

    var name: Range<Int>
    var argument: Argument
}

/// Walks over the directives of one line.
struct DirectiveReader {
    private var position = 0

    /// The next directive, or nil at the end. `line` is the same in every call.
    mutating func next(_ line: Span<UInt8>) -> Directive? {
        while position < line.count {
            while position < line.count, line[position].isBlank || line[position] == 0x2C { position &+= 1 }
            let start = position
            while position < line.count, line[position].isToken { position &+= 1 }
            let name = start..<position
            guard position < line.count else { return name.isEmpty ? nil : Directive(name: name, argument: .none) }
            let argument = argument(line)
            // Without a name it is no directive, whatever it is.
            if !name.isEmpty { return Directive(name: name, argument: argument) }
        }
        return nil
    }

    /// Reads what stands behind a name, and moves behind the comma that ends it.
    private mutating func argument(_ line: Span<UInt8>) -> Directive.Argument {
        var offset = position
        while offset < line.count, line[offset].isBlank { offset &+= 1 }
        if offset == line.count || line[offset] == 0x2C {
            position = offset &+ 1
            return .none
        }
        // "max-age = 5" has blanks where the grammar has none: malformed, and so stale (§4.2.1).
        guard line[position] == 0x3D else { return malformed(line) }
        offset = position &+ 1
        let isQuoted = offset < line.count && line[offset] == 0x22
        if isQuoted { offset &+= 1 }
        let start = offset
        if isQuoted {
            while offset < line.count, line[offset] != 0x22, line[offset] != 0x5C { offset &+= 1 }
        } else {
            while offset < line.count, line[offset].isToken { offset &+= 1 }
        }
        let value = start..<offset
        if isQuoted {
            guard offset < line.count, line[offset] == 0x22 else { return malformed(line) }
            offset &+= 1
        } else if value.isEmpty {
            return malformed(line)
        }
        while offset < line.count, line[offset].isBlank { offset &+= 1 }
        guard offset == line.count || line[offset] == 0x2C else { return malformed(line) }
        position = offset &+ 1
        return .value(value)
    }

    /// Moves behind the next comma that is not in a string. A string that does not end hides nothing: a `no-store`
    /// behind it is still seen.
    private mutating func malformed(_ line: Span<UInt8>) -> Directive.Argument {
        var offset = position
        var isQuoted = false
        while offset < line.count {
            let byte = line[offset]
            if byte == 0x22 { isQuoted.toggle() }
            if isQuoted, byte == 0x5C { offset &+= 1 }
            if !isQuoted, byte == 0x2C { break }
            offset &+= 1
        }
        if isQuoted { offset = line.firstIndex(of: 0x2C, from: position) ?? line.count }
        position = offset &+ 1
        return .malformed
    }
}
