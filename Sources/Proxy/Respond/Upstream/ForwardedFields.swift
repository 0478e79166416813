// SPDX-License-Identifier: Apache-2.0
// Which of a request's fields go on to the upstream server as the client sent them. Asked twice: when the head is written, and when
// a stored response varies on a field. What is taken away on the way is absent in both, so no client can have a response stored
// under a field that the server has not seen.

import Bytes
import HTTP

/// Decides about the fields of one request.
package struct ForwardedFields {
    /// Whether the peer is a trusted proxy, which may say who the client is.
    let isTrusted: Bool
    /// Whether the client has shown a certificate: what it says of others' certificates is not forwarded then.
    let proof: ClientProof
    let route: CompiledRoute?

    package init(isTrusted: Bool, proof: ClientProof, route: CompiledRoute?) {
        self.isTrusted = isTrusted
        self.proof = proof
        self.route = route
    }

    /// Whether the field is forwarded as it came. The fields that the gateway writes itself are not.
    ///
    /// - Parameter position: Where it stands among the head's fields.
    func pass(_ position: Int, _ name: Span<UInt8>, _ head: borrowing RequestHead) -> Bool {
        let field = head.fields[position]
        if field.name.isHopByHop { return false }
        switch field.name {
        case .host, .contentLength: return false  // Written from what was understood.
        // Written by `writeProvenance`.
        case .via, .cdnLoop, .xForwardedFor, .xForwardedProto, .xForwardedHost, .forwarded, .xRequestID: return false
        case .xRealIP, .xForwardedPort:
            guard isTrusted else { return false }
        case .proxy: return false  // Becomes HTTP_PROXY in CGI programs (CVE-2016-5386).
        case .expect:
            guard head.expectsContinue, head.version == .http11 else { return false }
        // No Connection option removes these.
        case .cookie, .authorization, .cacheControl, .contentType: break
        default:
            if field.name == .other, isClaim(field, name, head.method) { return false }
            if head.namedByConnection.contains(position) { return false }
        }
        if let edits = route?.requestEdits, !edits.removed.isEmpty, edits.drops(name) { return false }
        return true
    }

    /// Whether a field of an unlisted name claims something of the client or the request that is not the client's to say.
    private func isClaim(_ field: Field, _ name: Span<UInt8>, _ method: HTTP.Method) -> Bool {
        // A name with an underscore reads as one with a dash once it is an environment variable: `X_Forwarded_For`.
        if field.nameHasUnderscore { return true }
        if !isTrusted || proof == .certificate, Self.speaksForClient(name) { return true }
        if !isTrusted, Self.namesTarget(name) || Self.namesAddress(name) { return true }
        return method.isSafe && Self.namesMethod(name)
    }

    /// Whether a trailer may be forwarded, of those that may stand in a trailer section at all: some servers take trailers for fields
    /// of the head, so none goes along that would not have in the head.
    func passTrailer(_ field: Field, _ name: Span<UInt8>, _ method: HTTP.Method) -> Bool {
        if field.name == .other, isClaim(field, name, method) { return false }
        // The request has one of ours.
        if field.name == .xRequestID { return false }
        return route.map { !$0.requestEdits.drops(name) } ?? true
    }

    /// Whether a response can vary on the field at that position: the upstream server gets what the client says in it. Those that
    /// the gateway writes in its place are the same for all requests of one key, or never selected by (`variesOnClient`).
    func selects(_ position: Int, _ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> Bool {
        let field = head.fields[position]
        switch field.name {
        // What is stored is whole, and no answer to a condition.
        case .ifMatch, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .ifRange, .range: return false
        // A trusted peer's are passed on, the others' never.
        case .xForwardedProto, .xForwardedHost: return isTrusted && !field.valueRange.isEmpty
        // Ours is added to them.
        case .via, .cdnLoop: return true
        default: return pass(position, bytes.extracting(field.nameRange), head)
        }
    }

    /// Whether these credentials prove who sends all that comes on the connection, and not this request alone (RFC 4559 section 4;
    /// NTLM the same): against RFC 9110 section 3.3, but servers do it. Such a connection is for nobody else.
    static func provesConnection(_ credentials: Span<UInt8>) -> Bool {
        var end = 0
        while end < credentials.count, credentials[end].isToken { end += 1 }
        let scheme = credentials.extracting(..<end)
        return scheme.equalsIgnoringCase("ntlm") || scheme.equalsIgnoringCase("negotiate")
    }

    /// Other spellings of who the client is, which only a trusted proxy may tell; `Client-Cert` is RFC 9440's.
    private static func speaksForClient(_ name: Span<UInt8>) -> Bool {
        guard name.count >= 11 else { return false }
        return name.extracting(first: 11).equalsIgnoringCase("client-cert")
            || name.count > 12 && name.extracting(first: 12).equalsIgnoringCase("x-forwarded-")
            || name.count >= 13 && name.extracting(first: 13).equalsIgnoringCase("x-client-cert")
    }

    /// Whether some servers take what a field of this name says for the request's target, which no route and no cache key then
    /// knows. Only trusted proxies may say so.
    private static func namesTarget(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 13: name.equalsIgnoringCase("x-rewrite-url")
        case 14: name.equalsIgnoringCase("x-original-url")
        default: false
        }
    }

    /// Whether a field of this name is another spelling of the client's address, or of TLS in front, by which CDNs and older
    /// balancers tell it. Only trusted proxies may say so.
    private static func namesAddress(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 9: name.equalsIgnoringCase("client-ip")
        case 11: name.equalsIgnoringCase("x-client-ip")
        case 14: name.equalsIgnoringCase("true-client-ip")
        case 15: name.equalsIgnoringCase("front-end-https")
        case 16: name.equalsIgnoringCase("cf-connecting-ip") || name.equalsIgnoringCase("fastly-client-ip")
        case 19: name.equalsIgnoringCase("x-cluster-client-ip")
        case 24: name.equalsIgnoringCase("x-original-forwarded-for")
        default: false
        }
    }

    /// Whether some servers take what a field of this name says for the request's method. Forms need that to send a PUT as a POST;
    /// nobody needs it to make something else of a GET, whose answer others get from the cache.
    private static func namesMethod(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 13: name.equalsIgnoringCase("x-http-method")
        case 17: name.equalsIgnoringCase("x-method-override")
        case 22: name.equalsIgnoringCase("x-http-method-override")
        default: false
        }
    }

    /// Whether a field of this name tells servers which person asks: a client certificate's, or a user's name or token. From a trusted
    /// proxy only.
    static func namesPerson(_ name: Span<UInt8>) -> Bool {
        guard speaksForClient(name) else { return false }
        guard name.extracting(first: min(name.count, 12)).equalsIgnoringCase("x-forwarded-") else { return true }
        let rest = name.extracting(12...)
        return begins(rest, "client-cert") || begins(rest, "tls-client-cert") || begins(rest, "user")
            || begins(rest, "email") || begins(rest, "preferred-username") || begins(rest, "groups")
            || begins(rest, "access-token")
    }

    private static func begins(_ name: Span<UInt8>, _ start: StaticString) -> Bool {
        let count = start.utf8CodeUnitCount
        return name.count >= count && name.extracting(first: count).equalsIgnoringCase(start)
    }
}
