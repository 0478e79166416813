// SPDX-License-Identifier: Apache-2.0

public import HTTP
internal import Bytes

/// The validators of a response (RFC 9110 §8.8).
public struct Validators: Sendable, Equatable {
    /// The entity tag with its quotes, as offsets into the head; nil when there is none, several, or one that is
    /// malformed.
    public var tag: Range<Int>?
    /// Whether the tag begins with `W/`.
    public var tagIsWeak = false
    /// Last-Modified in seconds of Unix time.
    public var lastModified: Int64?
    /// Whether Last-Modified is strong: the response has a Date at least one second later, so that nothing can have
    /// changed unseen within the second (RFC 9110 §8.8.2.2).
    public var lastModifiedIsStrong = false

    /// Reads ETag, Last-Modified and Date.
    public init(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) {
        if head.fields.count(of: .etag) == 1, let range = head.fields.first(.etag)?.valueRange {
            let value = bytes.extracting(range)
            tagIsWeak = value.count > 2 && value[0] == 0x57 && value[1] == 0x2F
            let quote = tagIsWeak ? 2 : 0
            if value.count >= quote + 2, value[quote] == 0x22,
                value.firstIndex(of: 0x22, from: quote + 1) == value.count - 1
            {
                tag = range
            } else {
                tagIsWeak = false
            }
        }
        if let field = head.fields.first(.lastModified) {
            lastModified = HTTPDate.parse(bytes.extracting(field.valueRange), ignoringCase: true)
        }
        if let lastModified, let field = head.fields.first(.date),
            let date = HTTPDate.parse(bytes.extracting(field.valueRange), ignoringCase: true)
        {
            lastModifiedIsStrong = date > lastModified
        }
    }

    /// Whether the tag is strong.
    public var hasStrongTag: Bool { tag != nil && !tagIsWeak }
    /// Whether one of them is strong.
    public var hasStrong: Bool { hasStrongTag || lastModifiedIsStrong }
    /// Whether there is any.
    public var isEmpty: Bool { tag == nil && lastModified == nil }

    /// Whether both have one strong validator in common, and no tags that differ: what parts are combined by (RFC 9111
    /// §3.4).
    public func sharesStrong(_ bytes: Span<UInt8>, _ other: Validators, _ otherBytes: Span<UInt8>) -> Bool {
        if let tag, let otherTag = other.tag {
            guard ETagList.matches(bytes.extracting(tag), otherBytes.extracting(otherTag), .weak) else { return false }
            if !tagIsWeak, !other.tagIsWeak { return true }
        }
        return lastModifiedIsStrong && other.lastModifiedIsStrong && lastModified == other.lastModified
    }

    /// Whether the two correspond by weak comparison (RFC 9110 §8.8.3.2), or by Last-Modified where one has no tag.
    public func corresponds(_ bytes: Span<UInt8>, _ other: Validators, _ otherBytes: Span<UInt8>) -> Bool {
        if let tag, let otherTag = other.tag {
            return ETagList.matches(bytes.extracting(tag), otherBytes.extracting(otherTag), .weak)
        }
        return lastModified != nil && lastModified == other.lastModified
    }
}
