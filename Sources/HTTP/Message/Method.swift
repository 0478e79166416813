// SPDX-License-Identifier: Apache-2.0
public import Bytes

/// A request's method, as far as this project treats it in a way of its own. Methods are case-sensitive (RFC 9110 section
/// 9.1).
public enum Method: UInt8, Sendable {
    case get, head, post, put, delete, connect, options, trace, patch
    /// Any other token.
    case other

    /// The method of this name.
    public init(_ name: Span<UInt8>) {
        switch name.count {
        case 3: self = name.equals("GET") ? .get : name.equals("PUT") ? .put : .other
        case 4: self = name.equals("HEAD") ? .head : name.equals("POST") ? .post : .other
        case 5: self = name.equals("PATCH") ? .patch : name.equals("TRACE") ? .trace : .other
        case 6: self = name.equals("DELETE") ? .delete : .other
        case 7: self = name.equals("OPTIONS") ? .options : name.equals("CONNECT") ? .connect : .other
        default: self = .other
        }
    }

    /// Whether it asks for nothing to be changed (RFC 9110 section 9.2.1).
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        case .post, .put, .delete, .connect, .patch, .other: false
        }
    }

    /// Whether asking twice means no more than asking once (RFC 9110 section 9.2.2).
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .options, .trace, .put, .delete: true
        case .post, .connect, .patch, .other: false
        }
    }
}

/// The versions of HTTP/1 that are spoken here.
public enum Version: UInt8, Sendable {
    case http10, http11
}
