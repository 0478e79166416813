// SPDX-License-Identifier: Apache-2.0
// The secondary key: the values of the request fields that Vary names, in a form in which two requests are equal if and
// only if they match by RFC 9111 §4.1.

public import Bytes
public import HTTP

/// Writes secondary keys.
public enum SelectingFields {
    /// Longest secondary key, in bytes: a response whose selecting values are longer is not stored.
    public static let byteLimit = 4_096

    /// Appends the values of a request's fields that `names` (the canonical form of `VaryNames`) lists. False, with the
    /// block as it was, when they are longer than `byteLimit` or than there is room.
    ///
    /// For each name: a byte 0 where the field is absent ("if … a header field is absent from a request, it can only match
    /// another request if it is also absent there"); else 1, or 2 for an Accept-Encoding that was understood, which no
    /// other value can then be taken for; the length in two bytes, and the value.
    ///
    /// `isForwarded`: whether the field at that position of the request is passed on to the origin. What is not counts as absent:
    /// the response was made without it.
    public static func write(
        names: Span<UInt8>, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, to block: Block,
        isForwarded: (Int, borrowing RequestHead, Span<UInt8>) -> Bool = { _, _, _ in true }
    ) -> Bool {
        let base = block.count
        var start = 0
        while start < names.count {
            let end = names.firstIndex(of: 0x2C, from: start) ?? names.count
            guard append(names.extracting(start..<end), head, bytes, base, block, isForwarded) else {
                block.truncate(to: base)
                return false
            }
            start = end &+ 1
        }
        return true
    }

    private static func append(
        _ name: Span<UInt8>, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ base: Int, _ block: Block,
        _ isForwarded: (Int, borrowing RequestHead, Span<UInt8>) -> Bool
    ) -> Bool {
        guard base &+ byteLimit &- block.count >= 3, block.free >= 3 else { return false }
        let known = FieldName.recognise(name)
        let mark = block.end
        block.append(0)
        // All lines of a name go the same way.
        guard let first = position(of: name, known, head, bytes), isForwarded(first, head, bytes) else { return true }
        var isPresent = false
        var form: UInt8 = 1
        let value = ValueWriter(limit: min(base &+ byteLimit, block.count &+ block.free))
        if known == .acceptEncoding, let accepted = AcceptEncoding(head, bytes) {
            // RFC 9111 §4.1: "normalizing both header field values in a way that is known to have identical semantics".
            isPresent = accepted.isPresent
            form = 2
            if isPresent {
                block.append(big: 0, bytes: 2)
                guard accepted.write(bytes, to: block, limit: value.limit) else { return false }
            }
        } else {
            for position in first..<head.fields.count where hasName(position, name, known, head, bytes) {
                let field = head.fields[position]
                if isPresent {
                    // "combining multiple header field lines with the same field name".
                    guard value.separate(block) else { return false }
                } else {
                    isPresent = true
                    block.append(big: 0, bytes: 2)
                }
                let line = bytes.extracting(field.valueRange)
                let fits =
                    known.isSingleton ? value.copy(line, block) : value.copyList(line, block, fold: known.isCaseless)
                guard fits else { return false }
            }
        }
        guard isPresent else { return true }
        let length = block.end &- mark &- 3
        block.overwrite(at: mark, with: form)
        block.overwrite(at: mark &+ 1, with: UInt8(truncatingIfNeeded: length &>> 8))
        block.overwrite(at: mark &+ 2, with: UInt8(truncatingIfNeeded: length))
        return true
    }

    /// Where the first line of that name is.
    private static func position(
        of name: Span<UInt8>, _ known: FieldName, _ head: borrowing RequestHead, _ bytes: Span<UInt8>
    ) -> Int? {
        for position in 0..<head.fields.count where hasName(position, name, known, head, bytes) { return position }
        return nil
    }

    private static func hasName(
        _ position: Int, _ name: Span<UInt8>, _ known: FieldName, _ head: borrowing RequestHead, _ bytes: Span<UInt8>
    ) -> Bool {
        let field = head.fields[position]
        guard field.name == known else { return false }
        return known != .other || bytes.extracting(field.nameRange).equalsIgnoringCase(name)
    }
}

extension FieldName {
    /// Whether commas and the blanks around them are part of the value and not of a list.
    fileprivate var isSingleton: Bool {
        switch self {
        case .userAgent, .cookie, .referer, .authorization, .proxyAuthorization, .origin, .host, .date,
            .ifModifiedSince,
            .ifUnmodifiedSince, .ifRange, .xRequestID, .xRealIP:
            true
        default: false
        }
    }

    /// Whether the whole value means the same in any case: language ranges (RFC 4647 §2).
    fileprivate var isCaseless: Bool { self == .acceptLanguage }
}

/// Appends values in normal form, up to a limit.
private struct ValueWriter {
    /// Most readable bytes of the block.
    let limit: Int

    private func put(_ byte: UInt8, _ block: Block) -> Bool {
        guard block.count < limit else { return false }
        block.append(byte)
        return true
    }

    func separate(_ block: Block) -> Bool { put(0x2C, block) }

    func copy(_ line: Span<UInt8>, _ block: Block) -> Bool {
        guard line.count <= limit &- block.count else { return false }
        block.append(line)
        return true
    }

    /// Copies a list: blanks go around commas, and, where case is folded, around semicolons; what is in quotes stays.
    func copyList(_ line: Span<UInt8>, _ block: Block, fold: Bool) -> Bool {
        var isQuoted = false
        var offset = 0
        var isAfterSeparator = true
        while offset < line.count {
            let byte = line[offset]
            if isQuoted {
                if byte == 0x5C, offset &+ 1 < line.count {
                    guard put(byte, block) else { return false }
                    offset &+= 1
                } else if byte == 0x22 {
                    isQuoted = false
                }
            } else if byte == 0x22 {
                isQuoted = true
            } else if byte.isBlank {
                // Blanks before a separator, or behind one, are of the list.
                var next = offset
                while next < line.count, line[next].isBlank { next &+= 1 }
                if isAfterSeparator || next == line.count || isSeparator(line[next], fold) {
                    offset = next
                    continue
                }
            }
            isAfterSeparator = !isQuoted && isSeparator(byte, fold)
            guard put(fold && !isQuoted ? line[offset].lowercased : line[offset], block) else { return false }
            offset &+= 1
        }
        return true
    }

    private func isSeparator(_ byte: UInt8, _ fold: Bool) -> Bool { byte == 0x2C || (fold && byte == 0x3B) }
}
