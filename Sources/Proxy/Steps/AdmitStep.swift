// SPDX-License-Identifier: Apache-2.0
// Third step: requests that no route is asked about. It refuses what a gateway does not serve, sends plain HTTP to HTTPS where that
// is set, and answers what `Max-Forwards` addresses to the gateway itself.

import Bytes
import HTTP
import Serving
import Settings

/// Refuses what no route serves.
enum AdmitStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        let isRooted = exchange.resolveDotSegments()
        let method = exchange.head.method
        if method == .connect {
            // RFC 9110 §9.3.6 leaves CONNECT to us: a gateway is no forward proxy. The connection is closed, since the client may go
            // on as if it had a tunnel.
            exchange.stream?.rejectRequest()
            return exchange.refuse(
                405, "connect-refused", "CONNECT is not served here (RFC 9110 section 9.3.6).",
                allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE")
        }
        if exchange.view.snapshot.configuration.tls.redirectsPlain, !exchange.isSecureForClient {
            // Before every other refusal: nothing is answered in the clear.
            return redirectToTLS(exchange)
        }
        guard isRooted else { return exchange.refuseBadPath() }
        if method == .trace, exchange.head.framing != .none {
            exchange.stream?.rejectRequest()
            return exchange.refuse(
                400, "trace-with-content", "TRACE must have no content (RFC 9110 section 9.3.8).")
        }
        if let hops = exchange.maxForwards, hops == 0 {
            // RFC 9110 §7.6.2: the recipient that reads 0 answers for itself.
            exchange.reason = "max-forwards"
            exchange.deliverOwnOptions()
            return .answered
        }
        return .next
    }

    /// Sends the client to the same target through TLS. 308 rather than 301, so that a POST stays a POST (RFC 9110 §15.4.9).
    private static func redirectToTLS(_ exchange: ProxyExchange) -> StepOutcome {
        let host = exchange.headBytes.extracting(exchange.head.authorityRange)
        guard !host.isEmpty else {
            exchange.stream?.rejectRequest()
            return exchange.refuse(
                400, "to-https",
                "This is served through HTTPS only, and the request does not say at which host.")
        }
        exchange.reason = "to-https"
        guard exchange.deliverRedirectToTLS(host.withoutPort, port: exchange.view.snapshot.redirectPort) else {
            return exchange.refuseTooLong()
        }
        return .answered
    }
}

extension ProxyExchange {
    /// Whether the client's request came through TLS: to this gateway, or to a trusted proxy before it, as that proxy says.
    var isSecureForClient: Bool {
        if isSecure { return true }
        guard let peer = stream?.client.address, isTrusted(peer), let field = head.fields.first(.xForwardedProto) else {
            return false
        }
        return headBytes.extracting(field.valueRange).equalsIgnoringCase("https")
    }

    /// The value of `Max-Forwards`, for the methods that it applies to (RFC 9110 §7.6.2).
    var maxForwards: UInt64? {
        guard head.method == .options || head.method == .trace, let field = head.fields.first(.maxForwards) else {
            return nil
        }
        let bytes = headBytes.extracting(field.valueRange)
        guard bytes.count > 0, bytes.count <= 18 else { return nil }
        var value: UInt64 = 0
        for index in bytes.indices {
            guard bytes[index].isDigit else { return nil }
            value = value * 10 + UInt64(bytes[index] & 15)
        }
        return value
    }
}
