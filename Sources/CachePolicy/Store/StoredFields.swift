// SPDX-License-Identifier: Apache-2.0
// Which fields of a response are stored (RFC 9111 §3.1): "Caches MUST include all received response header fields —
// including unrecognized ones — when storing a response", with the exceptions below. Trailers are discarded ("Caches
// MAY either store trailer fields separate from header fields or discard them").

public import Bytes
public import HTTP

/// The fields of a response that a cache keeps.
public struct StoredFields: Sendable {
    private let directives: ResponseDirectives
    private let rules: CacheRules
    private let namesOthers: Bool

    /// Ready to ask about the fields of this response.
    public init(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ rules: CacheRules) {
        directives = ResponseDirectives(head, bytes, rules)
        self.rules = rules
        namesOthers = head.connection.contains(.namesOthers)
    }

    /// Whether the line at `position` is stored.
    public func keep(_ position: Int, _ head: borrowing ResponseHead, _ bytes: Span<UInt8>) -> Bool {
        let field = head.fields[position]
        // Those of this hop; "header fields that are specific to the proxy that a cache uses … MUST NOT be stored".
        if field.name.isHopByHop { return false }
        switch field.name {
        // Written new on every reuse, from numbers that are kept: with the policy, and with the content.
        case .age, .contentLength: return false
        // One user's cookie goes to the others only where the operator says so.
        case .setCookie where rules.isShared && rules.setCookie != .keep: return false
        default: break
        }
        let name = bytes.extracting(field.nameRange)
        if directives.qualified.exclude(name, bytes, isShared: rules.isShared) { return false }
        // "The Connection header field and fields whose names are listed in it", but none that says what the content is
        // or who may have it.
        if namesOthers, !field.name.isKeptByCaches, isNamedByConnection(name, head.fields, bytes) { return false }
        return true
    }

    /// Whether the line at `position`, which is not stored, is for the client whose request brought it all the same.
    func isForClientAlone(_ position: Int, _ head: borrowing ResponseHead, _ bytes: Span<UInt8>) -> Bool {
        let field = head.fields[position]
        switch field.name {
        // Said anew of every response.
        case .age, .contentLength, .date: return false
        default: break
        }
        if field.name.isHopByHop { return false }
        guard namesOthers, !field.name.isKeptByCaches else { return true }
        return !isNamedByConnection(bytes.extracting(field.nameRange), head.fields, bytes)
    }

    /// Whether the name stands in a `no-cache="…"` or `private="…"` that keeps it out of this cache.
    func excludes(_ name: Span<UInt8>, _ bytes: Span<UInt8>) -> Bool {
        directives.qualified.exclude(name, bytes, isShared: rules.isShared)
    }

    /// Appends the lines to store. False, with the block as it was, when there is no room; `head.length`, the
    /// number of its fields and 64 are enough.
    ///
    /// A missing or unreadable Date becomes the time of reception: "A recipient with a clock that receives a response
    /// message without a Date header field MUST record the time it was received and append a corresponding Date header
    /// field …if it is cached" (RFC 9110 §6.6.1). `age`: of the same response.
    public static func write(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, age: ResponseAge, _ rules: CacheRules, to block: Block
    ) -> Bool {
        let fields = StoredFields(head, bytes, rules)
        let start = block.count
        for position in 0..<head.fields.count where fields.keep(position, head, bytes) {
            let field = head.fields[position]
            if field.name == .date, !age.hasDate { continue }
            guard block.appendFieldIfFits(bytes.extracting(field.nameRange), bytes.extracting(field.valueRange)) else {
                block.truncate(to: start)
                return false
            }
        }
        guard age.hasDate || block.appendDateIfFits(age.date) else {
            block.truncate(to: start)
            return false
        }
        return true
    }
}

extension FieldName {
    /// Whether no `Connection` option removes it from what is stored: it says what the content is, and who may keep it.
    var isKeptByCaches: Bool {
        switch self {
        case .contentType, .contentEncoding, .contentRange, .contentLength, .setCookie, .cacheControl, .vary, .date,
            .etag,
            .location, .expires, .lastModified, .cdnCacheControl, .gatewayCacheControl:
            true
        default: false
        }
    }
}

extension Block {
    /// Appends a field line if there is room for it.
    func appendFieldIfFits(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        guard free >= name.count + value.count + 4 else { return false }
        appendField(name: name, value: value)
        return true
    }

    /// Appends a Date line if there is room for it.
    func appendDateIfFits(_ seconds: Int64) -> Bool {
        guard free >= 64 else { return false }
        append("Date: ")
        HTTPDate.append(seconds, to: self)
        appendLineEnd()
        return true
    }
}
