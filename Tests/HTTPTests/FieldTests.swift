// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP
import Testing

@Suite("Fields") struct Fields {
    private func spelling(_ name: FieldName) -> String {
        switch name {
        case .te: return "te"
        case .etag: return "etag"
        case .xRequestID: return "x-request-id"
        case .xRealIP: return "x-real-ip"
        default: return "\(name)".map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
        }
    }

    @Test("Every name is recognised without regard to case, and nothing near it is")
    func names() {
        for name in FieldName.allCases where name != .other {
            let lower = spelling(name)
            #expect(FieldName.recognise(latin1(lower).span) == name)
            #expect(FieldName.recognise(latin1(lower.uppercased()).span) == name)
            #expect(FieldName.recognise(latin1(lower + "x").span) == .other)
            // Each byte changed in each bit.
            var bytes = latin1(lower)
            for position in bytes.indices {
                for bit in 0..<8 {
                    let original = bytes[position]
                    bytes[position] ^= 1 << bit
                    let isCase = bit == 5 && (0x61...0x7A).contains(original)
                    let found = FieldName.recognise(bytes.span)
                    #expect(isCase ? found == name : found != name)
                    bytes[position] = original
                }
            }
        }
        #expect(FieldName.recognise(latin1("").span) == .other)
        #expect(FieldName.recognise(latin1("x-other").span) == .other)
    }

    @Test("Hop by hop, by RFC 9110 §7.6.1")
    func hopByHop() {
        let names: Set<FieldName> = [
            .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .proxyAuthenticate,
            .proxyAuthorization, .proxyAuthenticationInfo,
        ]
        for name in FieldName.allCases { #expect(name.isHopByHop == names.contains(name)) }
    }

    @Test("The table")
    func table() {
        var table = FieldTable()
        for position in 0..<FieldTable.capacity {
            let name: FieldName = position == 7 || position == 9 ? .host : .other
            let fits = table.append(Field(nameRange: position..<(position + 1), valueRange: 5..<9, name: name))
            #expect(fits)
        }
        let fits = table.append(Field(nameRange: 0..<1, valueRange: 1..<1, name: .other))
        #expect(!fits)
        #expect(table.count == 100)
        #expect(table[99].nameRange == 99..<100)
        #expect(table.first(.host)?.nameRange == 7..<8)
        #expect(table.count(of: .host) == 2)
        #expect(table.first(.te) == nil)
        table.removeAll()
        #expect(table.count == 0)
        #expect(table.first(.host) == nil)
    }

    @Test("A table tells names apart whose bits are the same, and takes another's lines with nothing of its own left")
    func sharedBits() {
        for name in FieldName.allCases {
            var table = FieldTable()
            let fits = table.append(Field(nameRange: 0..<1, valueRange: 2..<3, name: name))
            #expect(fits)
            for other in FieldName.allCases {
                #expect(table.has(other) == (other == name))
                #expect((table.first(other) != nil) == (other == name))
                #expect(table.count(of: other) == (other == name ? 1 : 0))
            }
            var copy = FieldTable()
            let first = copy.append(Field(nameRange: 5..<6, valueRange: 7..<8, name: name == .te ? .age : .te))
            let second = copy.append(Field(nameRange: 5..<6, valueRange: 7..<8, name: name))
            #expect(first && second)
            copy.copy(table)
            #expect(copy.count == 1)
            #expect(copy.has(name) && !copy.has(name == .te ? .age : .te))
        }
    }

    @Test("Underscores are noted")
    func underscores() {
        let head = head(of: "GET / HTTP/1.1\r\nHost: a_b\r\nX_Forwarded_For: a\r\nX-A: a_b\r\n\r\n")
        #expect((0..<3).map { head.fields[$0].nameHasUnderscore } == [false, true, false])
    }

    @Test("What is written can be read again")
    func serializer() {
        let text = written { block in
            block.appendStatusLine(status: 404)
            block.appendField(name: latin1("A").span, value: latin1("b").span)
            block.appendField("C", latin1("d").span)
            block.appendField("E", "f")
            block.appendField("Content-Length", decimal: .max)
            block.appendLineEnd()
            block.appendChunkSize(255)
            block.appendLastChunk()
        }
        #expect(
            text == "HTTP/1.1 404 Not Found\r\nA: b\r\nC: d\r\nE: f\r\nContent-Length: 18446744073709551615\r\n\r\n"
                + "ff\r\n0\r\n\r\n")
        #expect(written { $0.appendStatusLine(status: 200, reason: latin1("Fine").span) } == "HTTP/1.1 200 Fine\r\n")
        #expect(written(capacity: 15) { $0.appendStatusLine(status: 599) } == "HTTP/1.1 599 \r\n")
    }

    @Test("No standard reason is longer than 31 bytes or would end the line")
    func reasons() {
        for status in UInt16(100)...999 {
            let phrase = StandardReason.phrase(status)
            #expect(phrase.utf8CodeUnitCount <= 31)
            #expect("\(phrase)".allSatisfy { $0.isLetter || " -".contains($0) })
        }
    }

    @Test("Authorities")
    func authorities() {
        func parse(_ text: String) -> (Range<Int>, UInt16?)? {
            Authority.parse(latin1(text).span).map { ($0.hostRange, $0.port) }
        }
        #expect(parse("a.b:80").map { $0 == (0..<3, 80) } == true)
        #expect(parse("a.b:").map { $0 == (0..<3, nil) } == true)
        #expect(parse("[::1]:65535").map { $0 == (0..<5, 65_535) } == true)
        #expect(parse("[::1]").map { $0 == (0..<5, nil) } == true)
        #expect(parse("") == nil)
        #expect(parse("a@b") == nil)
    }
}
