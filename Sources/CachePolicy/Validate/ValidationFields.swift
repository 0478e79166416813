// SPDX-License-Identifier: Apache-2.0
// The conditions under which a stored response is asked about (RFC 9111 §4.3.1), and what becomes of the client's own.

public import Bytes
public import HTTP

/// Writes the conditions of a validation.
///
/// For one stored response: `write`. For several variants, none of which could be chosen: `add` each, then `end`.
public struct ValidationFields: Sendable {
    /// Most entity tags in one request.
    public static let tagLimit = 16
    /// Longest list of them, in bytes; also what each write needs of room at most.
    public static let byteLimit = 4_096

    private var tags = 0
    private var length = 0

    /// No condition yet.
    public init() {}

    /// Adds the entity tag of a stored response to If-None-Match: a cache "MUST send the relevant entity tags … if the
    /// entity tags were provided in the stored response(s) being validated". False when it has none, or when there is
    /// no more room: then that response is not validated now.
    public mutating func add(_ stored: borrowing ResponseHead, _ bytes: Span<UInt8>, to block: Block) -> Bool {
        guard let tag = Validators(stored, bytes).tag, tags < ValidationFields.tagLimit,
            length &+ tag.count &+ 2 <= ValidationFields.byteLimit, block.free >= tag.count &+ 32
        else { return false }
        if tags == 0 { block.append("If-None-Match: ") } else { block.append(", ") }
        block.append(bytes.extracting(tag))
        tags &+= 1
        length &+= tag.count &+ 2
        return true
    }

    /// Ends the line, when one was begun; returns whether it was. Needs room for 2 bytes.
    public func end(to block: Block) -> Bool {
        guard tags > 0 else { return false }
        block.appendLineEnd()
        return true
    }

    /// Appends the conditions for one stored response: its tag, and its date too, "to allow old intermediaries that do
    /// not understand entity tag preconditions to respond appropriately". False when it has no validator, and nothing
    /// is appended.
    public static func write(_ stored: borrowing ResponseHead, _ bytes: Span<UInt8>, to block: Block) -> Bool {
        var fields = ValidationFields()
        _ = fields.add(stored, bytes, to: block)
        let hasTag = fields.end(to: block)
        // "SHOULD send the Last-Modified value (using If-Modified-Since) if the request is not for a subrange, a single
        // stored response is being validated, and that response contains a Last-Modified value": as it came, origins
        // compare it as text.
        guard Validators(stored, bytes).lastModified != nil, let field = stored.fields.first(.lastModified),
            block.free >= field.valueRange.count &+ 32
        else { return hasTag }
        block.appendField("If-Modified-Since", bytes.extracting(field.valueRange))
        return true
    }
}

/// What becomes of the conditions and ranges of a client's request when it is forwarded.
public enum ForwardedConditions: UInt8, Sendable {
    /// Everything goes as it came: past the cache, or nothing will be stored.
    case asTheyCame
    /// Nothing usable is stored and the answer is to be: without If-None-Match and If-Modified-Since, so that one
    /// answer serves everybody who waits; the client's are then evaluated against it. A Range stays: fetching the whole
    /// of what a part was asked for would let small requests cause large transfers.
    case fill
    /// A stored response is validated: ours stand in their place, and the whole is asked for. Clients' ranges and
    /// conditions are evaluated against what is then stored (§4.3.2).
    case validate
    /// A missing part is fetched (`PartialFields`): ours stand in their place.
    case complete

    /// Whether a field of the client is left out.
    public func drop(_ name: FieldName) -> Bool {
        switch (self, name) {
        case (.asTheyCame, _): false
        case (_, .ifNoneMatch), (_, .ifModifiedSince): true
        case (.validate, .range), (.validate, .ifRange), (.complete, .range), (.complete, .ifRange): true
        default: false
        }
    }

    /// For a request that was looked up and found nothing it may use.
    public static func onMiss(_ request: CacheRequest) -> ForwardedConditions {
        request.contribution == .everybody ? .fill : .asTheyCame
    }
}
