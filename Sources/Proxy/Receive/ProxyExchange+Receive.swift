// SPDX-License-Identifier: Apache-2.0
// First step: the head is valid HTTP; is it something this gateway serves?

import Bytes
import HTTP
import Serving
import Settings
import Synchronization

extension ProxyExchange {
    func receive() {
        takeIdentifier()
        let isRooted = resolveDotSegments()
        if isLooping {
            // RFC 5842 section 7.2. Before anything is looked up, so that it neither waits for itself nor leads anybody.
            reason = "loop"
            service.counters.loops.add(1, ordering: .relaxed)
            deliverError(508, "The request has been here before: what is behind this gateway leads back to it.")
            return
        }
        if isOverLimit() { return }
        if head.method == .connect {
            // A gateway is no forward proxy: RFC 9110 section 9.3.6 leaves it to us, and a tunnel to anywhere is not for
            // offer. The connection is closed, since the client may go on as if it had one.
            reason = "connect-refused"
            stream?.closeAfterResponse()
            deliverError(
                405, "CONNECT is not served here (RFC 9110 section 9.3.6).",
                allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE")
            return
        }
        if view.snapshot.configuration.tls.redirectsPlain, !isSecureForClient {
            // Also whatever would be refused below: nothing is answered in the clear.
            redirectToTLS()
            return
        }
        guard isRooted else {
            refuseBadPath()
            return
        }
        if head.method == .trace, head.framing != .none {
            // RFC 9110 section 9.3.8: a client must not send content in a TRACE request.
            reason = "trace-with-content"
            stream?.closeAfterResponse()
            deliverError(400, "TRACE must have no content (RFC 9110 section 9.3.8).")
            return
        }
        if let hops = maxForwards, hops == 0 {
            // RFC 9110 section 7.6.2: the recipient that finds 0 answers for itself.
            reason = "max-forwards"
            deliverOwnOptions()
            return
        }
        chooseRoute()
    }

    /// Whether the client's request came through TLS, to us or to a trusted proxy before us, as that says.
    var isSecureForClient: Bool {
        if isSecure { return true }
        guard let peer = stream?.peer, isTrusted(peer), let field = head.fields.first(.xForwardedProto) else {
            return false
        }
        return headBytes.extracting(field.valueRange).equalsIgnoringCase("https")
    }

    /// The same again, through TLS. 308 rather than 301, so that a POST stays one (RFC 9110 section 15.4.9).
    private func redirectToTLS() {
        reason = "to-https"
        let host = headBytes.extracting(head.authorityRange)
        guard !host.isEmpty else {
            stream?.closeAfterResponse()
            deliverError(400, "This is served through HTTPS only, and the request does not say at which host.")
            return
        }
        if !deliverRedirectToTLS(host.withoutPort, port: view.snapshot.redirectPort) { refuseTooLong() }
    }

    /// Whether it has been here as often as it may.
    private var isLooping: Bool {
        view.snapshot.mark.visits(head, headBytes) >= view.snapshot.configuration.limits.visits
    }

    /// The value of `Max-Forwards`, for the methods that it matters to (RFC 9110 section 7.6.2).
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

    /// Takes the client's request id when it is a plain word, or makes one.
    private func takeIdentifier() {
        if let field = head.fields.first(.xRequestID) {
            let bytes = headBytes.extracting(field.valueRange)
            if Self.isPlain(bytes) {
                identifier.append(bytes)
                return
            }
        }
        service.nextIdentifier(into: identifier)
    }

    /// Up to 128 letters, digits and `-_.:+/=@`.
    private static func isPlain(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0, bytes.count <= 128 else { return false }
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "@")...UInt8(ascii: "Z"),
                UInt8(ascii: "-")...UInt8(ascii: ":"),
                UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "="):
                continue
            default: return false
            }
        }
        return true
    }
}
