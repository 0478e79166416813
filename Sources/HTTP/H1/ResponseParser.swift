// SPDX-License-Identifier: Apache-2.0
// Reads a response's head (RFC 9112 sections 4 to 6), by the same rules for lines and fields as a request's.

import Bytes

/// A response's head, read as its bytes come in. Interim heads are read like any other; the caller goes on after them.
public struct ResponseParser: Sendable {
    private enum Stage: Sendable { case start, fields }
    private var stage = Stage.start
    private var lines = LineReader()
    private var framing = FramingFields()

    public init() {}

    /// Makes it ready for another head.
    public mutating func reset() { self = ResponseParser() }

    /// Reads on.
    ///
    /// - Parameters:
    ///   - bytes: All that has come of this head; starts at the same byte in every call.
    ///   - requestMethod: What was asked with: HEAD is answered without content.
    ///   - head: Filled in; valid once true is returned.
    /// - Returns: Whether the head is complete.
    public mutating func parse(
        _ bytes: Span<UInt8>, limits: HeadLimits, requestMethod: Method, into head: inout ResponseHead
    ) throws(ParseFailure) -> Bool {
        if stage == .start, lines.lineStart == 0 { head.reset() }
        while true {
            if stage == .start, bytes.count > 0, bytes[0] != UInt8(ascii: "H") { throw ParseFailure(.badStatusLine, at: 0) }
            guard let line = try lines.next(bytes, limits: limits, tooLong: .fieldLineTooLong) else { return false }
            if stage == .start {
                try readStatusLine(bytes, line, &head)
                stage = .fields
            } else if line.isEmpty {
                head.length = line.upperBound + 2
                try judge(bytes, requestMethod, &head)
                return true
            } else {
                let field = try FieldLine.parse(bytes, line)
                guard head.fields.count < limits.fields, head.fields.append(field) else {
                    throw ParseFailure(.tooManyFields, at: line.lowerBound)
                }
                try framing.note(field, bytes)
                if field.name == .keepAlive { head.keepAliveTimeout = Self.timeout(bytes.extracting(field.valueRange)) }
            }
        }
    }

    private func readStatusLine(_ bytes: Span<UInt8>, _ line: Range<Int>, _ head: inout ResponseHead) throws(ParseFailure) {
        let text = bytes.extracting(line)
        // RFC 9112 section 4: `HTTP/1.1 200 reason`; the space in front of an empty reason is often left out.
        guard text.count >= 12, text.extracting(0..<7).equals("HTTP/1."), text[8] == 0x20 else {
            throw ParseFailure(.badStatusLine, at: line.lowerBound)
        }
        switch text[7] {
        case UInt8(ascii: "1"): head.version = .http11
        case UInt8(ascii: "0"): head.version = .http10
        default: throw ParseFailure(.badStatusLine, at: line.lowerBound + 7)
        }
        guard text[9].isDigit, text[10].isDigit, text[11].isDigit, text.count == 12 || text[12] == 0x20 else {
            throw ParseFailure(.badStatus, at: line.lowerBound + 9)
        }
        head.status = UInt16(text[9] & 15) * 100 + UInt16(text[10] & 15) * 10 + UInt16(text[11] & 15)
        // RFC 9110 section 15: codes outside 100 to 599 are invalid.
        guard head.status >= 100, head.status <= 599 else { throw ParseFailure(.badStatus, at: line.lowerBound + 9) }
        head.reasonRange = min(line.lowerBound + 13, line.upperBound)..<line.upperBound
        for index in head.reasonRange where !bytes[index].isFieldValue {
            throw ParseFailure(bytes[index] == 0x0D ? .bareCR : .badStatusLine, at: index)
        }
    }

    private func judge(_ bytes: Span<UInt8>, _ method: Method, _ head: inout ResponseHead) throws(ParseFailure) {
        head.connection = framing.connection
        head.isPersistent = framing.isPersistent(version: head.version)
        head.hasUpgrade = framing.hasUpgrade && framing.connection.contains(.upgrade)
        let said = try framing.framing(version: head.version, at: head.length)
        // RFC 9112 section 6.3 item 1: these never have content, whatever the fields say.
        if method == .head || head.status < 200 || head.status == 204 || head.status == 304 {
            head.framing = .none
            // A length on 204, or chunked on anything here but an answer to HEAD, hints at a body that may follow all the
            // same; such a connection is not used again.
            let isOdd = head.status == 204 && said != nil && said != .length(0) || said == .chunked && method != .head
            if isOdd { head.isPersistent = false }
            return
        }
        head.framing = said ?? .untilClose
        if head.framing == .untilClose { head.isPersistent = false }
    }

    /// The number of `timeout=N` in a `Keep-Alive` field.
    private static func timeout(_ value: Span<UInt8>) -> UInt32? {
        var position = 0
        while let range = TokenList.next(value, from: &position) {
            let item = value.extracting(range)
            if item.count > 8, item.extracting(0..<8).equalsIgnoringCase("timeout="),
                let number = Grammar.decimal(item.extracting(8...))
            {
                return UInt32(clamping: number)
            }
        }
        return nil
    }
}
