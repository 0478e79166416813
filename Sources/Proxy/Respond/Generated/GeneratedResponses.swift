// SPDX-License-Identifier: Apache-2.0
// Responses that the gateway makes itself: errors that say what went wrong, redirects, fixed answers.

import Bytes
import Engine
import HTTP
import Serving

extension ProxyExchange {
    private static let plainText: StaticString = "text/plain; charset=utf-8"

    /// Answers with an error, in a sentence, with the id under which the log has it.
    ///
    /// - Parameters:
    ///   - reason: How the log spells it.
    ///   - retryAfter: What `Retry-After` says, in seconds.
    @discardableResult func refuse(
        _ status: UInt16, _ reason: StaticString, _ sentence: StaticString, allow: StaticString? = nil,
        retryAfter: UInt64? = nil
    ) -> StepOutcome {
        self.reason = reason
        deliverError(status, sentence, allow: allow, retryAfter: retryAfter)
        return .answered
    }

    private func deliverError(
        _ status: UInt16, _ sentence: StaticString, allow: StaticString?, retryAfter: UInt64?
    ) {
        if identifier.isEmpty { service.nextIdentifier(into: identifier) }
        let page = service.loop.smallBlocks.take()
        defer { service.loop.smallBlocks.give(page) }
        page.append(decimal: UInt64(status))
        page.append(UInt8(ascii: " "))
        page.append(StandardReason.phrase(status))
        page.append("\n")
        page.append(sentence)
        page.append("\nRequest id: ")
        page.append(identifierBytes)
        page.append("\n")
        guard let stream = beginOwn(status, type: Self.plainText.span) else { return }
        if let allow { stream.field("Allow", allow) }
        if let retryAfter {
            let value = service.fieldScratch
            value.clear()
            value.append(decimal: retryAfter)
            stream.field("Retry-After", value.readable)
        }
        stream.field("Cache-Control", "no-store")
        finishOwn(stream, page.readable)
    }

    func deliverAnswer(_ status: UInt16, _ type: [UInt8], _ body: [UInt8]) {
        guard let stream = beginOwn(status, type: type.span) else { return }
        finishOwn(stream, body.span)
    }

    /// False when `Location` would be too long.
    func deliverRedirect(_ status: UInt16, _ template: [UInt8]) -> Bool {
        let location = service.loop.largeBlocks.take()
        defer { service.loop.largeBlocks.give(location) }
        // RFC 3986 section 4.2: what begins with two slashes names another host, and that would be of the client's choice.
        let path = headBytes.extracting(head.pathRange)
        if starts(template.span, with: "{path}"), starts(path, with: "//") { location.append("/.") }
        guard expand(template.span, into: location) else { return false }
        guard let stream = beginOwn(status, type: Self.plainText.span) else { return true }
        stream.field("Location", location.readable)
        finishOwn(stream, location.readable)
        return true
    }

    /// To the same target at `https://host:port`; 443 is not said. False when `Location` would be too long.
    func deliverRedirectToTLS(_ host: Span<UInt8>, port: UInt16) -> Bool {
        let location = service.loop.largeBlocks.take()
        defer { service.loop.largeBlocks.give(location) }
        guard host.count + head.targetRange.count + 64 < Self.madeTargetLimit else { return false }
        location.append("https://")
        location.append(host)
        if port != 443 {
            location.append(":")
            location.append(decimal: UInt64(port))
        }
        if head.targetForm == .asterisk {
            location.append("/")
        } else if !expand(("{path}{query}" as StaticString).span, into: location) {
            return false
        }
        guard let stream = beginOwn(308, type: Self.plainText.span) else { return true }
        stream.field("Location", location.readable)
        finishOwn(stream, location.readable)
        return true
    }

    /// OPTIONS or TRACE whose `Max-Forwards` ran out here.
    func deliverOwnOptions() {
        guard head.method == .options else {
            refuse(
                501, "max-forwards", "TRACE ends here, and is not reflected by this gateway (RFC 9110 section 9.3.8).")
            return
        }
        guard let stream = beginOwn(200, type: Self.plainText.span) else { return }
        stream.field("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE")
        finishOwn(stream, Span())
    }

    private func beginOwn(_ status: UInt16, type: Span<UInt8>) -> ServerStream? {
        guard let stream, !stream.hasBegun else { return nil }
        stream.begin(status: status)
        stream.dateField()
        stream.field("Server", "gateway")
        stream.field("Content-Type", type)
        addOwnFields(to: stream, via: nil)
        return stream
    }

    private func finishOwn(_ stream: ServerStream, _ body: Span<UInt8>) {
        let status = stream.status
        if status == 204 || status == 304 {
            stream.endHead(.none)
        } else {
            stream.endHead(.length(UInt64(body.count)))
            stream.send(body)
        }
        stream.finish(trailers: nil)
    }

    /// Puts path, query and host in their places. All three hold only bytes that may stand in a target or an authority, so
    /// nothing that was sent can break the field (threat: response splitting).
    private func expand(_ template: Span<UInt8>, into block: Block) -> Bool {
        let bytes = headBytes
        var index = 0
        while index < template.count {
            guard block.count + head.targetRange.count + head.authorityRange.count < Self.madeTargetLimit else {
                return false
            }
            let rest = template.extracting(index...)
            if starts(rest, with: "{path}") {
                if head.pathRange.isEmpty { block.append("/") } else { block.append(bytes.extracting(head.pathRange)) }
                index += 6
            } else if starts(rest, with: "{query}") {
                if let query = head.queryRange {
                    block.append("?")
                    block.append(bytes.extracting(query))
                }
                index += 7
            } else if starts(rest, with: "{host}") {
                block.append(bytes.extracting(head.authorityRange))
                index += 6
            } else {
                block.append(template[index])
                index += 1
            }
        }
        return true
    }

    private func starts(_ bytes: Span<UInt8>, with literal: StaticString) -> Bool {
        bytes.count >= literal.utf8CodeUnitCount && bytes.extracting(..<literal.utf8CodeUnitCount).equals(literal)
    }
}
