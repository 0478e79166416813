// SPDX-License-Identifier: Apache-2.0

public import Bytes
public import HTTP

/// What the cache did with a request, as the member of Cache-Status that it adds (RFC 9211).
public struct CacheStatus: Sendable {
    /// "'hit' and 'fwd' are exclusive".
    public enum Outcome: Sendable, Equatable {
        /// "the request was satisfied by the cache; that is, it was not forwarded": also 304, 206 and stale ones.
        case hit
        /// It went forward.
        case forward(ForwardReason)
    }

    /// Hit, or why not.
    public var outcome: Outcome
    /// Seconds that the response stays fresh, negative when it is stale; nil when nothing was decided about it.
    public var ttl: Int64?
    /// The status of the origin's response, where it is not the one that the client gets.
    public var forwardStatus: UInt16?
    /// Whether the response was stored.
    public var isStored = false
    /// true: another request's answer was used; false: it was waited for and could not be used; nil: nothing of both.
    public var isCollapsed: Bool?
    /// Why, in a word: a token that begins with a letter.
    public var detail: StaticString?

    /// A status.
    public init(_ outcome: Outcome) { self.outcome = outcome }

    /// Most bytes that `append` writes without a key.
    public static let limit = 224
    /// Longest key that is shown, in bytes.
    public static let keyLimit = 512

    /// Appends `gateway; hit; ttl=376`: needs room for `limit`, and twice the key's length when one is shown. A key
    /// longer than `keyLimit`, or with bytes that a String cannot hold, is left out. It is for whoever asks for it:
    /// "exposing the cache key can help an attacker" (§6).
    public func append(to block: Block, key: Span<UInt8> = ("" as StaticString).span) {
        block.append("gateway")
        switch outcome {
        case .hit: block.append("; hit")
        case .forward(let reason):
            block.append("; fwd=")
            block.append(reason.word)
            if let forwardStatus {
                block.append("; fwd-status=")
                block.append(decimal: UInt64(forwardStatus))
            }
        }
        if let ttl {
            block.append(ttl < 0 ? "; ttl=-" : "; ttl=")
            // Integers have at most 15 digits (RFC 8941 §3.3.1).
            block.append(decimal: min(ttl.magnitude, 999_999_999_999_999))
        }
        if case .forward = outcome {
            // "The stored parameter is only meaningful when fwd is present", and so is collapsed.
            if isStored { block.append("; stored") }
            if let isCollapsed { block.append(isCollapsed ? "; collapsed" : "; collapsed=?0") }
        }
        if let detail {
            block.append("; detail=")
            block.append(detail)
        }
        appendKey(key, block)
    }

    private func appendKey(_ key: Span<UInt8>, _ block: Block) {
        guard !key.isEmpty, key.count <= CacheStatus.keyLimit else { return }
        for offset in key.indices where key[offset] < 0x20 || key[offset] > 0x7E { return }
        block.append("; key=\"")
        for offset in key.indices {
            if key[offset] == 0x22 || key[offset] == 0x5C { block.append(0x5C) }
            block.append(key[offset])
        }
        block.append(0x22)
    }

    /// Appends the whole line: the members that caches nearer to the origin have written, then ours ("caches SHOULD
    /// preserve the existing field value"; "the last member represents the cache closest to the user"). The stored or
    /// received lines are not sent besides. False, and nothing appended, when there is no room.
    public func appendField(
        after head: borrowing ResponseHead, _ bytes: Span<UInt8>, to block: Block
    ) -> Bool {
        var length = CacheStatus.limit &+ 16
        for position in 0..<head.fields.count where head.fields[position].name == .cacheStatus {
            length &+= head.fields[position].valueRange.count &+ 2
        }
        guard block.free >= length else { return false }
        block.append("Cache-Status: ")
        for position in 0..<head.fields.count where head.fields[position].name == .cacheStatus {
            guard !head.fields[position].valueRange.isEmpty else { continue }
            block.append(bytes.extracting(head.fields[position].valueRange))
            block.append(", ")
        }
        append(to: block)
        block.appendLineEnd()
        return true
    }
}
