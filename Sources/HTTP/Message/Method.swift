// SPDX-License-Identifier: Apache-2.0
// The two closed vocabularies of a start line: the version and the method.

/// The protocol versions that are spoken (RFC 9112 §2.3). Every other one is refused while parsing.
public enum Version: UInt8, Sendable {
    /// `HTTP/1.0`.
    case http10
    /// `HTTP/1.1`.
    case http11
}

/// A request method (RFC 9110 §9.3; PATCH: RFC 5789).
public enum Method: UInt8, Sendable {
    case get, head, post, put, delete, connect, options, trace, patch
    /// Any other valid method; its bytes are in `RequestHead.methodRange`.
    case other

    /// Whether the client asks for no change of state (RFC 9110 §9.2.1).
    @inlinable public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        case .post, .put, .delete, .connect, .patch, .other: false
        }
    }

    /// Whether several identical requests mean the same as one (RFC 9110 §9.2.2). Nothing is known of `.other`.
    @inlinable public var isIdempotent: Bool {
        switch self {
        case .get, .head, .options, .trace, .put, .delete: true
        case .post, .connect, .patch, .other: false
        }
    }

    /// The method that `bytes` spell. Methods are case-sensitive (RFC 9110 §9.1).
    public static func recognise(_ bytes: Span<UInt8>) -> Method {
        let raw = unsafe bytes.bytes
        switch bytes.count {
        case 3: return raw.isExactly("GET") ? .get : raw.isExactly("PUT") ? .put : .other
        case 4: return raw.isExactly("HEAD") ? .head : raw.isExactly("POST") ? .post : .other
        case 5: return raw.isExactly("PATCH") ? .patch : raw.isExactly("TRACE") ? .trace : .other
        case 6: return raw.isExactly("DELETE") ? .delete : .other
        case 7: return raw.isExactly("OPTIONS") ? .options : raw.isExactly("CONNECT") ? .connect : .other
        default: return .other
        }
    }
}
