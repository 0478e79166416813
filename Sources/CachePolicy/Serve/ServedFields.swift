// SPDX-License-Identifier: Apache-2.0
// The fields of a response that is made from a stored one.

public import Bytes
public import HTTP

/// Which stored fields are sent, and those that are written new.
public enum ServedFields {
    /// Room that `writeOwn` needs, in bytes.
    public static let ownLimit = 192

    /// Whether a stored field is sent. `hasTag`: the stored response has an ETag. `isIfRange`: the request has
    /// If-Range.
    public static func send(_ name: FieldName, _ served: Served, hasTag: Bool, isIfRange: Bool) -> Bool {
        // Written new: those that `writeOwn` and `CacheStatus.appendField` write.
        if name == .age || name == .contentLength || name == .cacheStatus { return false }
        switch served {
        case .whole: return true
        case .notModified:
            // RFC 9110 §15.4.5: Content-Location, Date, ETag, Vary, Cache-Control and Expires MUST be sent; "a sender
            // SHOULD NOT generate representation metadata other than the above listed fields unless said metadata
            // exists for the purpose of guiding cache updates (e.g., Last-Modified might be useful if the response does
            // not have an ETag field)". What is no such metadata stays.
            if name == .lastModified { return !hasTag }
            return !isRepresentation(name)
        case .partial:
            // §15.3.7: "A sender that generates a 206 response to a request with an If-Range header field SHOULD NOT
            // generate other representation header fields beyond those required … Otherwise, a sender MUST generate
            // all".
            if name == .contentRange { return false }
            return !isIfRange || !(isRepresentation(name) || name == .lastModified)
        case .unsatisfiable: return name == .date || name == .etag || name == .acceptRanges
        }
    }

    private static func isRepresentation(_ name: FieldName) -> Bool {
        switch name {
        case .contentType, .contentEncoding, .contentLanguage, .contentRange: true
        default: false
        }
    }

    /// Appends Age ("a cache MUST generate an Age header field, replacing any present in the response", RFC 9111 §4),
    /// Content-Length and Content-Range, as the answer needs them. `size`: bytes of the whole content; nil when it is
    /// not known, and then nothing of it is announced.
    public static func writeOwn(_ served: Served, age: UInt32, size: UInt64?, to block: Block) {
        if served != .unsatisfiable { block.appendField("Age", decimal: UInt64(age)) }
        switch served {
        case .notModified: break
        case .whole:
            if let size { block.appendField("Content-Length", decimal: size) }
        case .partial(let range):
            block.appendField("Content-Length", decimal: range.upperBound &- range.lowerBound)
            writeRange(ContentRange(range: range, total: size), block)
        case .unsatisfiable:
            block.appendField("Content-Length", decimal: 0)
            if let size { writeRange(ContentRange(range: nil, total: size), block) }
        }
    }

    private static func writeRange(_ range: ContentRange, _ block: Block) {
        block.append("Content-Range: ")
        range.append(to: block)
        block.appendLineEnd()
    }
}
