// SPDX-License-Identifier: Apache-2.0
// The upstream server's response, as it is written for the client.

import Bytes
import CachePolicy
import Engine
import HTTP
import Serving
import Upstream

extension ProxyExchange {
    /// 100 and 103 go on to a client that can know of them (RFC 9110 section 15.2).
    func deliverInterim(_ connection: UpstreamConnection) {
        guard let stream, stream.abilities.contains(.interim), !stream.hasBegun else { return }
        // 100 is the answer to an expectation; without one the client has nothing to do with it.
        if connection.head.status == 100, !head.expectsContinue { return }
        let bytes = connection.headBytes
        stream.begin(status: connection.head.status, reason: bytes.extracting(connection.head.reasonRange))
        copyFields(of: connection, to: stream)
        stream.endInterim()
    }

    func deliverHead(_ connection: UpstreamConnection) {
        if isAskedElsewhere(connection) { return }
        if cacheTakes(connection) { return }
        guard let stream else { return }
        if use.isRefresh {
            // Nobody reads it.
            stream.abort()
            return
        }
        let status = connection.head.status
        if status == 101 {
            let bytes = connection.headBytes
            stream.begin(status: status, reason: bytes.extracting(connection.head.reasonRange))
            copyFields(of: connection, to: stream)
            let upgrade = connection.head.fields.first(.upgrade)
            stream.endSwitching(to: bytes.extracting(upgrade?.valueRange ?? 0..<0))
            stream.flush()
            self.stream?.readBody()
            return
        }
        writeHead(of: connection, to: stream, chooseForm(for: connection))
    }

    /// The head of the upstream server's response, for the client who gets the content in that form.
    func writeHead(of connection: UpstreamConnection, to stream: ServerStream, _ form: ContentForm) {
        // Not copied: a head is a kilobyte.
        let bytes = connection.headBytes
        let status = connection.head.status
        stream.begin(status: status, reason: bytes.extracting(connection.head.reasonRange))
        let hasContent = status != 204 && status != 304 && head.method != .head
        copyFields(of: connection, to: stream, weakens: form == .gzip || answersWeakened(connection))
        writeCoding(form, hasVary: StoredCoding.variesOnCoding(connection.head, bytes), to: stream)
        if connection.head.fields.first(.date) == nil { stream.dateField() }
        // A length without content: what a GET would have had (RFC 9110 section 8.6).
        if !hasContent, status != 204, form != .gzip, let length = connection.head.fields.first(.contentLength) {
            stream.field("Content-Length", bytes.extracting(length.valueRange))
        }
        addOwnFields(to: stream, via: connection.head.version)
        writeStickyCookie(to: stream)
        // A server that answers before it has the whole request, and keeps its connection, goes on reading it; one that
        // closes wants no more of it (RFC 9112 section 9.3).
        stream.readsWhileResponding = connection.head.isPersistent
        switch connection.head.framing {
        case _ where !hasContent: stream.endHead(.none)
        case _ where form == .gzip: stream.endHead(.unknown)
        case .none: stream.endHead(.length(0))
        case .length(let length): stream.endHead(.length(length))
        case .chunked, .untilClose: stream.endHead(.unknown)
        }
    }

    func deliverBody(_ bytes: Span<UInt8>) {
        guard let stream else { return }
        if compression != nil {
            deliverCompressed(bytes)
            return
        }
        stream.send(bytes)
        if let connection, self.stream != nil, stream.isBlocked { connection.pauseReading() }
    }

    func deliverEnd(_ trailers: Trailers?) {
        connection = nil
        isStreamingBody = false
        upstreamFinished = service.loop.nanoseconds
        finishCompressed()
        guard let stream else { return }
        stream.finish(trailers: wantsTrailers(headBytes) ? trailers : nil)
    }

    /// Fields of the response that are not about the upstream connection.
    private func copyFields(
        of connection: UpstreamConnection, to stream: ServerStream, weakens: Bool = false
    ) {
        let bytes = connection.headBytes
        let edits = route?.responseEdits
        let ending = connection.head.namedByConnection
        for index in 0..<connection.head.fields.count {
            let field = connection.head.fields[index]
            if field.name.isHopByHop || field.name == .contentLength { continue }
            let name = bytes.extracting(field.nameRange)
            if !ending.isEmpty, ending.contains(index), !Self.isKept(field.name) { continue }
            if isReplaced(field, name, edits) { continue }
            let value = bytes.extracting(field.valueRange)
            if weakens, field.name == .etag, !StoredCoding.isWeak(value) {
                writeWeakened(value, to: stream)
            } else {
                stream.field(name, value)
            }
        }
    }

    /// Fields that no `Connection` option of a server can remove: they say what the content is, and who may keep it.
    private static func isKept(_ name: FieldName) -> Bool {
        switch name {
        case .contentType, .contentEncoding, .contentRange, .setCookie, .cacheControl, .vary, .date, .etag, .location:
            true
        default: false
        }
    }

    /// Whether a field that an upstream server sent is left out because one of ours takes its place, or the route says so.
    func isReplaced(_ field: Field, _ name: Span<UInt8>, _ edits: FieldEdits?) -> Bool {
        if field.name == .xRequestID, !identifier.isEmpty { return true }
        // One at most (RFC 6797 section 7.1).
        if sendsHSTS, field.name == .other, name.equalsIgnoringCase("strict-transport-security") { return true }
        if let edits, !edits.removed.isEmpty, edits.drops(name) { return true }
        return false
    }

    /// Only through TLS: in the clear anybody could have written it (RFC 6797 section 7.2).
    var sendsHSTS: Bool { !view.snapshot.hsts.isEmpty && isSecure }

    /// What this gateway adds to every final response.
    func addOwnFields(to stream: ServerStream, via version: Version?) {
        if let version { stream.field("Via", version == .http11 ? "1.1 gateway" : "1.0 gateway") }
        let edits = route?.responseEdits
        let replaced = edits?.own ?? []
        if !identifier.isEmpty, !replaced.contains(.requestID) { stream.field("X-Request-ID", identifierBytes) }
        if let status = use.status, service.cache?.writesStatus == true {
            let value = service.fieldScratch
            value.clear()
            status.append(to: value)
            stream.field("Cache-Status", value.readable)
        }
        if sendsHSTS, !replaced.contains(.transportSecurity) {
            let value = view.snapshot.hsts
            stream.field("Strict-Transport-Security", value.span)
        }
        if let edits {
            for edit in edits.set { edit.write { stream.field($0, $1) } }
        }
    }
}
