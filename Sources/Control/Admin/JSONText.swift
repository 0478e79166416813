// SPDX-License-Identifier: Apache-2.0

import Bytes
import Proxy

/// JSON for people and scripts, written in one go. Members stand in the order in which they are added.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    /// Whether the next member or element has one before it.
    private var needsComma = false

    /// Adds a member that is an object; without a name, an element of an array, or the whole text.
    mutating func object(_ name: StaticString = "", _ body: (inout JSONText) -> Void) {
        group(name, "{", "}", body)
    }

    /// Adds a member that is an array, whose elements `body` adds without names.
    mutating func array(_ name: StaticString, _ body: (inout JSONText) -> Void) { group(name, "[", "]", body) }

    /// Adds a number.
    mutating func add(_ name: StaticString, _ number: some FixedWidthInteger) { literal(name, "\(number)") }

    /// Adds true or false.
    mutating func add(_ name: StaticString, _ truth: Bool) { literal(name, truth ? "true" : "false") }

    /// Adds a string.
    mutating func add(_ name: StaticString, _ text: String) { add(name, text.utf8Span.span) }

    /// Adds a string of bytes that others chose.
    mutating func add(_ name: StaticString, _ text: Span<UInt8>) {
        begin(name)
        bytes.append(UInt8(ascii: "\""))
        JSONString.escape(text) { bytes.append($0) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func literal(_ name: StaticString, _ text: String) {
        begin(name)
        bytes += text.utf8
    }

    private mutating func group(
        _ name: StaticString, _ opening: Character, _ closing: Character, _ body: (inout JSONText) -> Void
    ) {
        begin(name)
        bytes += opening.utf8
        needsComma = false
        body(&self)
        bytes += closing.utf8
        needsComma = true
    }

    private mutating func begin(_ name: StaticString) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        guard name.utf8CodeUnitCount > 0 else { return }
        bytes += "\"\(name)\":".utf8
    }
}
