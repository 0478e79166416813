// SPDX-License-Identifier: Apache-2.0
// What `RecordStep` writes: one line for the request and its response.
//
// The Combined Log Format first, as every log tool reads it, then what it lacks, as `name=value`:
//
//   192.0.2.1 - - [24/Nov/2026:16:22:01 +0000] "GET /a HTTP/1.1" 200 1024 "-" "curl/8" upstream=127.0.0.1:9001
//   upstream_time=0.001200 time=0.001950 tls=TLSv1.3 cache=hit id=… reason=-
//
// A TLS handshake that came to nothing has a line too: status 000, no request, and the reason.

import Bytes
import Engine
import HTTP
import Serving
import Settings
import Synchronization
import TLS
import Upstream

extension ProxyExchange {
    /// Bytes of each field that the log takes at most, before escaping.
    private static let targetLimit = 8192
    private static let fieldLimit = 2048

    /// Writes the exchange's line.
    func log() {
        guard let log = service.log, let stream else { return }
        let line = log.line
        switch view.snapshot.configuration.logFormat {
        case .common: writeCommon(line, stream)
        case .combined:
            writeCommon(line, stream)
            writeCombinedRest(line)
        case .json: writeJSON(line, stream)
        }
        line.append("\n")
        log.lineEnded()
    }

    /// What the client got: the status, or 499 when it left before there was one (nginx's number, which log tools know).
    private func loggedStatus(_ stream: ServerStream) -> UInt64 { stream.status == 0 ? 499 : UInt64(stream.status) }

    /// Whether the request line was understood; ranges of a refused head may be those of another.
    private var hasRequestLine: Bool {
        !hasBadRequestLine && !head.methodRange.isEmpty && head.targetRange.upperBound <= headBytes.count
    }

    private func writeCommon(_ line: Block, _ stream: ServerStream) {
        let bytes = headBytes
        stream.client.address.appendHost(to: line)
        line.append(" - - [")
        line.append(service.clockText.log.readable)
        line.append("] \"")
        if hasRequestLine {
            line.append(quoted: bytes.extracting(head.methodRange), limit: 32)
            line.append(UInt8(ascii: " "))
            line.append(quoted: bytes.extracting(head.targetRange), limit: Self.targetLimit)
            line.append(head.version == .http11 ? " HTTP/1.1" : " HTTP/1.0")
        } else {
            line.append("-")
        }
        line.append("\" ")
        line.append(decimal: loggedStatus(stream))
        line.append(UInt8(ascii: " "))
        line.append(decimal: stream.bodyBytes)
    }

    private func writeCombinedRest(_ line: Block) {
        line.append(" \"")
        appendField(.referer, to: line, json: false)
        line.append("\" \"")
        appendField(.userAgent, to: line, json: false)
        line.append("\" upstream=")
        if let server = upstreamName { line.append(server.span) } else { line.append("-") }
        line.append(" upstream_time=")
        if let time = upstreamTime { line.append(seconds: time) } else { line.append("-") }
        line.append(" time=")
        line.append(seconds: totalTime)
        line.append(" tls=")
        line.append(tlsVersion)
        line.append(" cache=")
        line.append(use.word)
        line.append(" id=")
        if identifier.isEmpty { line.append("-") } else { line.append(identifierBytes) }
        line.append(" reason=")
        line.append(reason.utf8CodeUnitCount == 0 ? "-" : reason)
    }

    private func writeJSON(_ line: Block, _ stream: ServerStream) {
        let bytes = headBytes
        line.append("{\"time\":\"")
        line.append(service.clockText.log.readable)
        line.append("\",\"client\":\"")
        stream.client.address.appendHost(to: line)
        line.append("\",\"method\":\"")
        if hasRequestLine { line.append(json: bytes.extracting(head.methodRange), limit: 32) }
        line.append("\",\"target\":\"")
        if hasRequestLine { line.append(json: bytes.extracting(head.targetRange), limit: Self.targetLimit) }
        line.append("\",\"version\":\"")
        if hasRequestLine { line.append(head.version == .http11 ? "HTTP/1.1" : "HTTP/1.0") }
        line.append("\",\"status\":")
        line.append(decimal: loggedStatus(stream))
        line.append(",\"bytes\":")
        line.append(decimal: stream.bodyBytes)
        line.append(",\"referer\":\"")
        appendField(.referer, to: line, json: true)
        line.append("\",\"user_agent\":\"")
        appendField(.userAgent, to: line, json: true)
        line.append("\",\"upstream\":\"")
        if let server = upstreamName { line.append(server.span) } else { line.append("-") }
        line.append("\",\"upstream_time\":")
        if let time = upstreamTime { line.append(seconds: time) } else { line.append("null") }
        line.append(",\"duration\":")
        line.append(seconds: totalTime)
        line.append(",\"tls\":\"")
        line.append(tlsVersion)
        line.append("\",\"cache\":\"")
        line.append(use.word)
        line.append("\",\"id\":\"")
        line.append(identifierBytes)
        line.append("\",\"reason\":\"")
        line.append(reason.utf8CodeUnitCount == 0 ? "-" : reason)
        line.append("\"}")
    }

    private func appendField(_ name: FieldName, to line: Block, json: Bool) {
        guard !isRefused, let field = head.fields.first(name), !field.valueRange.isEmpty else {
            line.append("-")
            return
        }
        let value = headBytes.extracting(field.valueRange)
        if json {
            line.append(json: value, limit: Self.fieldLimit)
        } else {
            line.append(quoted: value, limit: Self.fieldLimit)
        }
    }

    private var tlsVersion: StaticString { stream?.client.security?.protocolName ?? "-" }

    private var upstreamName: [UInt8]? { target?.server.authorityBytes }

    private var upstreamTime: UInt64? {
        guard upstreamStarted > 0, upstreamFinished >= upstreamStarted else { return nil }
        return upstreamFinished - upstreamStarted
    }

    private var totalTime: UInt64 { service.loop.nanoseconds &- startedNanoseconds }
}

extension ProxyService {
    /// A line for a connection on which no request could come.
    func recordFailedHandshake(_ failure: TLSFailure, peer: SocketAddress) {
        guard let log else { return }
        let line = log.line
        switch view.snapshot.configuration.logFormat {
        case .common, .combined:
            peer.appendHost(to: line)
            line.append(" - - [")
            line.append(clockText.log.readable)
            line.append("] \"-\" 000 0")
            guard view.snapshot.configuration.logFormat == .combined else { break }
            line.append(" \"-\" \"-\" upstream=- upstream_time=- time=- tls=- cache=- id=- reason=")
            line.append(failure.word)
        case .json:
            line.append("{\"time\":\"")
            line.append(clockText.log.readable)
            line.append("\",\"client\":\"")
            peer.appendHost(to: line)
            line.append("\",\"status\":0,\"reason\":\"")
            line.append(failure.word)
            line.append("\",\"detail\":\"")
            line.append(json: Array(failure.sentence.utf8).span, limit: 512)
            line.append("\"}")
        }
        line.append("\n")
        log.lineEnded()
    }
}
