// SPDX-License-Identifier: Apache-2.0
// The field names the gateway does something with, each found once, while its line is parsed: first by its length, then
// by comparing at most a few candidates eight bytes at a time.

/// A field name that means something here. Names are compared without regard to ASCII case (RFC 9110 §5.1).
public enum FieldName: UInt8, Sendable, CaseIterable {
    /// Any name that is not listed; its bytes are in `Field.nameRange`.
    case other
    case cdnLoop, host, connection, contentLength, transferEncoding, keepAlive, proxyConnection, te, trailer, upgrade
    case expect, via, forwarded, xForwardedFor, xForwardedProto, xForwardedHost, xRequestID, date, server, location
    case referer, userAgent, contentType, proxy, cacheControl, age, etag, vary, range, allow, cookie, accept
    case pragma, origin, expires, ifMatch, ifRange, xRealIP, setCookie, retryAfter, maxForwards, authorization
    case contentRange, ifNoneMatch, lastModified, acceptRanges, acceptEncoding, xForwardedPort, contentEncoding
    case wwwAuthenticate, ifModifiedSince, proxyAuthenticate, proxyAuthorization, ifUnmodifiedSince
    case contentLocation, authenticationInfo, surrogateControl, cdnCacheControl, gatewayCacheControl, cacheStatus
    case cacheTag, surrogateKey, proxyAuthenticationInfo
    // The names from here on share a bit of `FieldTable` with the first: rarely asked for.
    case contentLanguage, acceptLanguage

    /// The name that `bytes` spell, or `.other`.
    public static func recognise(_ bytes: Span<UInt8>) -> FieldName {
        let raw = unsafe bytes.bytes
        switch bytes.count {
        case 2:
            if raw.isCaseless("te") { return .te }
        case 3:
            if raw.isCaseless("via") { return .via }
            if raw.isCaseless("age") { return .age }
        case 4:
            if raw.isCaseless("host") { return .host }
            if raw.isCaseless("date") { return .date }
            if raw.isCaseless("etag") { return .etag }
            if raw.isCaseless("vary") { return .vary }
        case 5:
            if raw.isCaseless("proxy") { return .proxy }
            if raw.isCaseless("range") { return .range }
            if raw.isCaseless("allow") { return .allow }
        case 6:
            if raw.isCaseless("expect") { return .expect }
            if raw.isCaseless("server") { return .server }
            if raw.isCaseless("cookie") { return .cookie }
            if raw.isCaseless("accept") { return .accept }
            if raw.isCaseless("pragma") { return .pragma }
            if raw.isCaseless("origin") { return .origin }
        case 7:
            if raw.isCaseless("trailer") { return .trailer }
            if raw.isCaseless("upgrade") { return .upgrade }
            if raw.isCaseless("referer") { return .referer }
            if raw.isCaseless("expires") { return .expires }
        case 8:
            if raw.isCaseless("location") { return .location }
            if raw.isCaseless("if-match") { return .ifMatch }
            if raw.isCaseless("if-range") { return .ifRange }
            if raw.isCaseless("cdn-loop") { return .cdnLoop }
        case 9:
            if raw.isCaseless("forwarded") { return .forwarded }
            if raw.isCaseless("cache-tag") { return .cacheTag }
            if raw.isCaseless("x-real-ip") { return .xRealIP }
        case 10:
            if raw.isCaseless("connection") { return .connection }
            if raw.isCaseless("keep-alive") { return .keepAlive }
            if raw.isCaseless("user-agent") { return .userAgent }
            if raw.isCaseless("set-cookie") { return .setCookie }
        case 11:
            if raw.isCaseless("retry-after") { return .retryAfter }
        case 12:
            if raw.isCaseless("x-request-id") { return .xRequestID }
            if raw.isCaseless("content-type") { return .contentType }
            if raw.isCaseless("max-forwards") { return .maxForwards }
            if raw.isCaseless("cache-status") { return .cacheStatus }
        case 13:
            if raw.isCaseless("cache-control") { return .cacheControl }
            if raw.isCaseless("authorization") { return .authorization }
            if raw.isCaseless("content-range") { return .contentRange }
            if raw.isCaseless("if-none-match") { return .ifNoneMatch }
            if raw.isCaseless("last-modified") { return .lastModified }
            if raw.isCaseless("accept-ranges") { return .acceptRanges }
            if raw.isCaseless("surrogate-key") { return .surrogateKey }
        case 14:
            if raw.isCaseless("content-length") { return .contentLength }
        case 15:
            if raw.isCaseless("x-forwarded-for") { return .xForwardedFor }
            if raw.isCaseless("accept-encoding") { return .acceptEncoding }
            if raw.isCaseless("accept-language") { return .acceptLanguage }
        case 16:
            if raw.isCaseless("proxy-connection") { return .proxyConnection }
            if raw.isCaseless("x-forwarded-host") { return .xForwardedHost }
            if raw.isCaseless("x-forwarded-port") { return .xForwardedPort }
            if raw.isCaseless("content-encoding") { return .contentEncoding }
            if raw.isCaseless("www-authenticate") { return .wwwAuthenticate }
            if raw.isCaseless("content-location") { return .contentLocation }
            if raw.isCaseless("content-language") { return .contentLanguage }
        case 17:
            if raw.isCaseless("transfer-encoding") { return .transferEncoding }
            if raw.isCaseless("x-forwarded-proto") { return .xForwardedProto }
            if raw.isCaseless("if-modified-since") { return .ifModifiedSince }
            if raw.isCaseless("surrogate-control") { return .surrogateControl }
            if raw.isCaseless("cdn-cache-control") { return .cdnCacheControl }
        case 18:
            if raw.isCaseless("proxy-authenticate") { return .proxyAuthenticate }
        case 19:
            if raw.isCaseless("proxy-authorization") { return .proxyAuthorization }
            if raw.isCaseless("if-unmodified-since") { return .ifUnmodifiedSince }
            if raw.isCaseless("authentication-info") { return .authenticationInfo }
        case 21:
            if raw.isCaseless("gateway-cache-control") { return .gatewayCacheControl }
        case 25:
            if raw.isCaseless("proxy-authentication-info") { return .proxyAuthenticationInfo }
        default: break
        }
        return .other
    }

    /// Whether the field ends at this hop and is never passed on as it came (RFC 9110 §7.6.1).
    ///
    /// `Proxy-Authenticate`, `Proxy-Authorization` and `Proxy-Authentication-Info` count as such: they are for the next
    /// proxy on the way (RFC 9110 §11.7), a gateway is not one that authenticates, and credentials meant for a proxy
    /// must not reach an origin. `Expect` does not: it is end-to-end, though the gateway may answer it.
    @inlinable public var isHopByHop: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .proxyAuthenticate,
            .proxyAuthorization, .proxyAuthenticationInfo:
            true
        default: false
        }
    }

    /// Whether the field may be passed on when it comes in a trailer section (RFC 9110 §6.5.1): not when it frames,
    /// routes, authenticates, controls caches, modifies the request or says how the content is to be read.
    @inlinable public var isAllowedInTrailer: Bool {
        // Only what nothing is done with, and validators of the content just sent.
        switch self {
        case .other, .etag, .xRequestID, .userAgent, .server, .referer: true
        default: false
        }
    }
}
