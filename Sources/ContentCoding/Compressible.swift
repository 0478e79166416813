// SPDX-License-Identifier: Apache-2.0
// Which responses are worth compressing, and may be: an intermediary may transform content unless somebody forbids it
// (RFC 9110 §7.7), and then has to say so in the fields that describe it.

internal import Bytes
public import HTTP

/// Decides whether a response is compressed.
public enum Compressible {
    /// Bytes below which content is not: with its head it fits a packet as it is.
    public static let smallestContent: UInt64 = 1_100

    /// Whether the content of a final response may be compressed and gains by it. The client's wishes are another matter.
    public static func decide(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) -> Bool {
        // Of an error or a redirect there is little; a 206 is a part of content that is coded already, or of none.
        guard head.status == 200, head.contentLength ?? .max >= smallestContent,
            head.fields.count(of: .contentType) == 1, let type = head.fields.first(.contentType),
            isWorthwhile(mediaType: bytes.extracting(type.valueRange))
        else { return false }
        for position in 0..<head.fields.count {
            let field = head.fields[position]
            switch field.name {
            case .contentEncoding, .contentRange: return false
            case .cacheControl, .cdnCacheControl, .gatewayCacheControl, .surrogateControl:
                // RFC 9111 §5.2.2.6.
                if TokenList.contains(bytes.extracting(field.valueRange), "no-transform") { return false }
            case .other:
                if isDigest(bytes.extracting(field.nameRange)) { return false }
            default: break
            }
        }
        // Two tags are none that could be made a weak one.
        return head.fields.count(of: .etag) <= 1
    }

    /// Whether content of this type (the value of Content-Type) becomes smaller. Images, sound and films, archives and woff fonts
    /// are compressed already; `text/event-stream` must arrive event by event through whatever buffers there are.
    public static func isWorthwhile(mediaType value: Span<UInt8>) -> Bool {
        var end = value.firstIndex(of: 0x3B) ?? value.count
        while end > 0, value[end &- 1] == 0x20 || value[end &- 1] == 0x09 { end &-= 1 }
        let type = value.extracting(0..<end)
        guard let slash = type.firstIndex(of: 0x2F), slash > 0 else { return false }
        let subtype = type.extracting((slash &+ 1)...)
        if ends(subtype, with: "+json") || ends(subtype, with: "+xml") { return true }
        let top = type.extracting(0..<slash)
        if top.equalsIgnoringCase("text") { return !subtype.equalsIgnoringCase("event-stream") }
        if top.equalsIgnoringCase("application") { return isWorthwhile(application: subtype) }
        if top.equalsIgnoringCase("font") {
            return subtype.equalsIgnoringCase("ttf") || subtype.equalsIgnoringCase("otf")
                || subtype.equalsIgnoringCase("sfnt") || subtype.equalsIgnoringCase("collection")
        }
        return false
    }

    private static func isWorthwhile(application subtype: Span<UInt8>) -> Bool {
        // Fonts under their old names, and whatever calls itself one.
        if subtype.count > 7, subtype.extracting(0..<7).equalsIgnoringCase("x-font-") {
            return !subtype.extracting(7...).equalsIgnoringCase("woff")
        }
        switch subtype.count {
        case 3:
            return subtype.equalsIgnoringCase("xml") || subtype.equalsIgnoringCase("rtf")
                || subtype.equalsIgnoringCase("sql")
        case 4:
            return subtype.equalsIgnoringCase("json") || subtype.equalsIgnoringCase("wasm")
                || subtype.equalsIgnoringCase("yaml") || subtype.equalsIgnoringCase("toml")
        case 5: return subtype.equalsIgnoringCase("jsonl")
        case 6: return subtype.equalsIgnoringCase("x-yaml") || subtype.equalsIgnoringCase("ndjson")
        case 8: return subtype.equalsIgnoringCase("x-ndjson") || subtype.equalsIgnoringCase("json-seq")
        case 10: return subtype.equalsIgnoringCase("javascript") || subtype.equalsIgnoringCase("ecmascript")
        case 12: return subtype.equalsIgnoringCase("x-javascript")
        case 17: return subtype.equalsIgnoringCase("vnd.ms-fontobject")
        default: return false
        }
    }

    /// A digest of the content as it came, or of the representation (RFC 9530), would be wrong for another coding.
    private static func isDigest(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 6: name.equalsIgnoringCase("digest")
        case 11: name.equalsIgnoringCase("repr-digest") || name.equalsIgnoringCase("content-md5")
        case 14: name.equalsIgnoringCase("content-digest")
        default: false
        }
    }

    private static func ends(_ bytes: Span<UInt8>, with suffix: StaticString) -> Bool {
        let count = suffix.utf8CodeUnitCount
        return bytes.count > count && bytes.extracting((bytes.count &- count)...).equalsIgnoringCase(suffix)
    }
}
