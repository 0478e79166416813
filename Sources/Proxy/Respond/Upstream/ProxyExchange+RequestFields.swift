// SPDX-License-Identifier: Apache-2.0
// The request as the upstream server gets it: written anew from what was understood, never copied through.
//
// What belongs to the client's connection stays behind (RFC 9110 section 7.6.1); what says who the client is, is written by
// us, after everything else has been removed, so that no field that a client sends, nor a `Connection` option, can stand in
// its place.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving
import Settings
import Upstream

extension ProxyExchange {
    func writeHead(to connection: UpstreamConnection, for stream: ServerStream) {
        let bytes = headBytes
        writeRequestLine(to: connection, bytes)
        let isTrusted = isTrusted(stream.client.address)
        // RFC 9110 section 9.3.8: the answer to TRACE may show everything, and what a route sets may be its own credentials.
        let edits = route?.requestEdits
        let sets = head.method != .trace
        let replaced = sets ? edits?.own ?? [] : []
        if let host = edits?.host {
            connection.field("Host", host.span)
        } else if head.authorityRange.isEmpty {
            let authority = connection.server.authorityBytes
            connection.field("Host", authority.span)
        } else {
            // The target's authority where it has one: it wins over the field (RFC 9112 section 3.2.2).
            // In the form that is in the cache's key, so that no spelling has an answer of its own stored for all.
            connection.field("Host", forwardedAuthority)
        }
        let forwarded = forwardedFields
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            let name = bytes.extracting(field.nameRange)
            let value = bytes.extracting(field.valueRange)
            guard !use.conditions.drop(field.name), forwarded.pass(index, name, head) else { continue }
            if field.name == .maxForwards, let hops = maxForwards {
                let block = connection.fieldBlock(room: 64)
                block.appendField("Max-Forwards", decimal: hops - 1)
            } else {
                if field.name == .authorization, ForwardedFields.provesConnection(value) {
                    connection.endAfterResponse()
                }
                connection.field(name, value)
            }
        }
        if use.conditions == .validate, let stored = use.candidate?.head, service.parseStoredHead(stored.metadata) {
            let block = connection.fieldBlock(room: 2 * ValidationFields.byteLimit)
            _ = ValidationFields.write(service.storedHead, stored.metadata, to: block)
        }
        if let edits, sets {
            for edit in edits.set { edit.write { connection.field($0, $1) } }
        }
        writeProvenance(to: connection, stream.client.address, isTrusted: isTrusted, replaced, bytes)
        if !replaced.contains(.certificateSubject), let subject = stream.client.security?.certificateSubject,
            !subject.isEmpty
        {
            connection.field("X-Client-Cert-Subject", subject.span)
        }
        if !replaced.contains(.requestID) { connection.field("X-Request-ID", identifierBytes) }
        if head.hasForwardableUpgrade, head.framing == .none, let range = head.upgradeRange {
            connection.endHead(head.framing, upgrade: bytes.extracting(range), wantsTrailers: false)
        } else {
            connection.endHead(head.framing, upgrade: nil, wantsTrailers: wantsTrailers(bytes))
        }
    }

    private func writeRequestLine(to connection: UpstreamConnection, _ bytes: Span<UInt8>) {
        let method = bytes.extracting(head.methodRange)
        if let route, let rewrite = route.rewritePrefix, head.targetForm != .asterisk {
            writeRewritten(to: connection, bytes, route, rewrite)
            return
        }
        // Origin-form from here on (RFC 9112 section 3.2.1); the path and query byte for byte as they came.
        switch head.targetForm {
        case .origin, .asterisk, .authority:
            connection.beginRequest(
                head.method, name: method, target: bytes.extracting(head.targetRange), prefix: Span())
        case .absolute:
            let end = head.queryRange?.upperBound ?? head.pathRange.upperBound
            let rest = bytes.extracting(head.pathRange.lowerBound..<end)
            if head.pathRange.isEmpty, head.method == .options, head.queryRange == nil {
                // RFC 9112 section 3.2.4: OPTIONS of an absolute target without a path is about the server itself.
                connection.beginRequest(head.method, name: method, target: ("*" as StaticString).span, prefix: Span())
            } else {
                connection.beginRequest(
                    head.method, name: method, target: rest,
                    prefix: head.pathRange.isEmpty ? ("/" as StaticString).span : Span())
            }
        }
    }

    /// The route's prefix is replaced; what follows it goes along as it came when the path was in normal form, else in
    /// normal form, encoded where it must be.
    private func writeRewritten(
        to connection: UpstreamConnection, _ bytes: Span<UInt8>, _ route: CompiledRoute, _ rewrite: [UInt8]
    ) {
        let scratch = service.pathScratch
        let path = bytes.extracting(head.pathRange)
        let target = service.loop.largeBlocks.take()
        defer { service.loop.largeBlocks.give(target) }
        target.append(rewrite.span)
        if PathNormaliser.isNormal(path) {
            Self.append(suffix: path, from: route.path.count, to: target)
        } else {
            // Matching may have left another exchange's path there.
            scratch.clear()
            _ = PathNormaliser.normalise(path, into: scratch)
            Self.append(suffix: scratch.readable, from: route.path.count, to: target)
        }
        if target.isEmpty { target.append(UInt8(ascii: "/")) }
        if let query = head.queryRange {
            target.append(UInt8(ascii: "?"))
            target.append(bytes.extracting(query))
        }
        connection.beginRequest(
            head.method, name: bytes.extracting(head.methodRange), target: target.readable, prefix: Span())
    }

    private static func append(suffix path: Span<UInt8>, from start: Int, to target: Block) {
        var index = min(start, path.count)
        if index < path.count, path[index] == UInt8(ascii: "/"),
            let last = target.count > 0 ? target.readable[target.count - 1] : nil,
            last == UInt8(ascii: "/")
        {
            index += 1
        }
        while index < path.count {
            let byte = path[index]
            if mayStandInPath(byte) {
                target.append(byte)
            } else {
                target.append(UInt8(ascii: "%"))
                target.append(hexadecimal: UInt64(byte), digits: 2)
            }
            index += 1
        }
    }

    /// Whether a byte of a decoded path may stand in a target as it is: `pchar` and `/` (RFC 3986 section 3.3).
    private static func mayStandInPath(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: true
        case 0x2D, 0x2E, 0x5F, 0x7E, 0x2F: true  // -._~/
        case 0x21, 0x24, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x3B, 0x3D, 0x3A, 0x40: true  // !$&'()*+,;=:@
        default: false
        }
    }

    // MARK: Which fields pass

    /// Decides about the client's fields.
    var forwardedFields: ForwardedFields {
        ForwardedFields(
            isTrusted: stream.map { isTrusted($0.client.address) } ?? false, proof: proof, route: route)
    }

    /// The authority in the form in which it is forwarded (RFC 9110 section 4.2.3): `h.example` for `H.EXAMPLE:80`. Valid until it is
    /// asked for again.
    private var forwardedAuthority: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let scratch = service.hostScratch
            let raw = headBytes.extracting(head.authorityRange)
            if Authority.isCanonical(raw) { return unsafe _overrideLifetime(raw, borrowing: self) }
            scratch.clear()
            let scheme: URIScheme = isSecureForClient ? .https : .http
            Authority.appendCanonical(raw, defaultPort: scheme.defaultPort, to: scratch)
            return unsafe _overrideLifetime(scratch.readable, borrowing: self)
        }
    }

    /// Whether the client takes trailers (RFC 9110 section 10.1.4).
    func wantsTrailers(_ bytes: Span<UInt8>) -> Bool {
        guard head.connection.contains(.te), stream?.abilities.contains(.trailers) == true else { return false }
        for index in 0..<head.fields.count where head.fields[index].name == .te {
            if TokenList.contains(bytes.extracting(head.fields[index].valueRange), "trailers") { return true }
        }
        return false
    }

    // MARK: Who asks

    /// Whether the request came through TLS, and how its scheme is spelt.
    var isSecure: Bool { stream?.client.isSecure == true }
    private var scheme: StaticString { isSecure ? "https" : "http" }

    func isTrusted(_ peer: SocketAddress) -> Bool {
        for range in view.snapshot.configuration.trustedProxies where peer.isIn(range.bytes, prefix: range.prefix) {
            return true
        }
        return false
    }

    private func writeProvenance(
        to connection: UpstreamConnection, _ peer: SocketAddress, isTrusted: Bool, _ replaced: FieldEdits.Own,
        _ bytes: Span<UInt8>
    ) {
        // X-Forwarded-For: those whom a trusted peer names, then the peer itself.
        var block = openList("X-Forwarded-For", .xForwardedFor, keeps: isTrusted, room: 64, connection, bytes)
        peer.appendHost(to: block)
        block.append("\r\n")

        if !replaced.contains(.forwardedProto),
            !(isTrusted && copy(.xForwardedProto, "X-Forwarded-Proto", connection, bytes))
        {
            connection.field("X-Forwarded-Proto", scheme.span)
        }
        let host = forwardedAuthority
        // A trusted peer's that means the same is written as everybody's: only what means another host is past the cache.
        let isOther = isAskedForAnotherHost
        if !replaced.contains(.forwardedHost),
            !(isOther && copy(.xForwardedHost, "X-Forwarded-Host", connection, bytes)), host.count > 0
        {
            connection.field("X-Forwarded-Host", host)
        }

        // RFC 7239 section 4: one element for each hop, IPv6 and ports in quotes.
        block = openList("Forwarded", .forwarded, keeps: isTrusted, room: 128 + host.count, connection, bytes)
        block.append(peer.isIPv4 ? "for=" : "for=\"[")
        peer.appendHost(to: block)
        if !peer.isIPv4 { block.append("]\"") }
        if host.count > 0 {
            block.append(";host=\"")
            block.append(host)
            block.append("\"")
        }
        block.append(isSecure ? ";proto=https\r\n" : ";proto=http\r\n")

        // RFC 9110 section 7.6.3, RFC 8586 section 2. Written here, behind all that clients and routes say, so that nobody removes
        // what ends loops.
        let mark = view.snapshot.mark
        block = openList("Via", .via, keeps: true, room: 8 + VisitMark.length, connection, bytes)
        block.append(head.version == .http11 ? "1.1 " : "1.0 ")
        mark.append(to: block)
        block.appendLineEnd()
        block = openList("CDN-Loop", .cdnLoop, keeps: true, room: 8 + VisitMark.length, connection, bytes)
        mark.append(to: block)
        block.appendLineEnd()
    }

    /// Writes the name and, where `keeps`, what came under it with a comma behind; returns where to go on writing.
    private func openList(
        _ name: StaticString, _ known: FieldName, keeps: Bool, room: Int, _ connection: UpstreamConnection,
        _ bytes: Span<UInt8>
    ) -> Block {
        var size = room + name.utf8CodeUnitCount + 4
        if keeps {
            for index in 0..<head.fields.count where head.fields[index].name == known {
                size += head.fields[index].valueRange.count + 2
            }
        }
        let block = connection.fieldBlock(room: size)
        block.append(name)
        block.append(": ")
        guard keeps else { return block }
        for index in 0..<head.fields.count where head.fields[index].name == known {
            let value = bytes.extracting(head.fields[index].valueRange)
            guard value.count > 0 else { continue }
            block.append(value)
            block.append(", ")
        }
        return block
    }

    private func copy(
        _ known: FieldName, _ name: StaticString, _ connection: UpstreamConnection, _ bytes: Span<UInt8>
    ) -> Bool {
        guard let field = head.fields.first(known), !field.valueRange.isEmpty else { return false }
        connection.field(name, bytes.extracting(field.valueRange))
        return true
    }
}
