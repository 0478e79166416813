// SPDX-License-Identifier: Apache-2.0
public import Bytes

/// Field names that something in this project treats in a way of its own; found once, while a head is parsed.
public enum FieldName: UInt8, Sendable {
    case other
    case te, via, host, date, etag, expect, cookie, server, range, upgrade, trailer, referer, location, forwarded, proxy
    case connection, keepAlive, userAgent, contentType, ifRange, ifNoneMatch, ifMatch, ifModifiedSince, ifUnmodifiedSince
    case contentLength, cacheControl, maxForwards, authorization, xRequestID, proxyConnection, proxyAuthenticate
    case proxyAuthorization, transferEncoding, xForwardedFor, xForwardedProto, xForwardedHost

    /// The name that these bytes spell, without regard to case.
    public static func recognise(_ name: Span<UInt8>) -> FieldName {
        func pick(_ literal: StaticString, _ found: FieldName) -> FieldName? {
            name.equalsIgnoringCase(literal) ? found : nil
        }
        switch name.count {
        case 2: return pick("te", .te) ?? .other
        case 3: return pick("via", .via) ?? .other
        case 4: return pick("host", .host) ?? pick("date", .date) ?? pick("etag", .etag) ?? .other
        case 5: return pick("range", .range) ?? pick("proxy", .proxy) ?? .other
        case 6: return pick("cookie", .cookie) ?? pick("server", .server) ?? pick("expect", .expect) ?? .other
        case 7: return pick("referer", .referer) ?? pick("upgrade", .upgrade) ?? pick("trailer", .trailer) ?? .other
        case 8: return pick("location", .location) ?? pick("if-range", .ifRange) ?? pick("if-match", .ifMatch) ?? .other
        case 9: return pick("forwarded", .forwarded) ?? .other
        case 10: return pick("connection", .connection) ?? pick("user-agent", .userAgent) ?? pick("keep-alive", .keepAlive) ?? .other
        case 12: return pick("content-type", .contentType) ?? pick("x-request-id", .xRequestID) ?? pick("max-forwards", .maxForwards) ?? .other
        case 13: return pick("cache-control", .cacheControl) ?? pick("authorization", .authorization) ?? pick("if-none-match", .ifNoneMatch) ?? .other
        case 14: return pick("content-length", .contentLength) ?? .other
        case 15: return pick("x-forwarded-for", .xForwardedFor) ?? .other
        case 16: return pick("x-forwarded-host", .xForwardedHost) ?? pick("proxy-connection", .proxyConnection) ?? .other
        case 17: return pick("transfer-encoding", .transferEncoding) ?? pick("x-forwarded-proto", .xForwardedProto) ?? pick("if-modified-since", .ifModifiedSince) ?? .other
        case 18: return pick("proxy-authenticate", .proxyAuthenticate) ?? .other
        case 19: return pick("proxy-authorization", .proxyAuthorization) ?? pick("if-unmodified-since", .ifUnmodifiedSince) ?? .other
        default: return .other
        }
    }

    /// Whether it is about one connection only and so never forwarded (RFC 9110 section 7.6.1). The two proxy
    /// authentication fields are among them: they are for the next proxy, which a gateway is to nobody (section 11.7).
    public var isHopByHop: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .proxyAuthenticate,
            .proxyAuthorization:
            true
        default: false
        }
    }
}
