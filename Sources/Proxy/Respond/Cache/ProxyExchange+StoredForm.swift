// SPDX-License-Identifier: Apache-2.0
// The two forms of a stored response: which one a client gets, and the fields of it.

import Bytes
import CachePolicy
import CacheStore
import ContentCoding
import HTTP
import Serving
import Upstream

extension ProxyExchange {
    // MARK: Storing

    /// The encoder for a response that is stored compressed; nil for one that is stored as it came.
    func encoderForStoring(_ connection: UpstreamConnection, _ policy: ResponsePolicy) -> GzipEncoder? {
        guard compresses, !policy.flags.contains(.noTransform), policy.status == 200,
            Compressible.decide(connection.head, connection.headBytes)
        else { return nil }
        return service.codings.takeEncoder(worthwhileFor: connection.firstContent)
    }

    /// Whether this response is to be stored, is large, and would be compressed by its type: then its first bytes tell whether
    /// the type is right. A small one costs little either way.
    func wantsSample(of connection: UpstreamConnection) -> Bool {
        guard use.leading != nil, compresses, connection.head.contentLength ?? 0 >= 64 << 10 else { return false }
        return Compressible.decide(connection.head, connection.headBytes)
    }

    /// The encoding of the download that begins.
    func encoding(
        with encoder: GzipEncoder?, _ record: StoredRecord, into fill: Fill,
        _ connection: UpstreamConnection,
        _ leader: CacheReader
    ) -> DownloadEncoding? {
        guard let encoder else { return nil }
        return DownloadEncoding(encoder, record, into: fill, from: connection, leader: leader, service)
    }

    // MARK: Serving

    /// Whether the client gets stored gzip as it is. A refresh has no client for whom it would have to be inflated.
    var takesStoredGzip: Bool { use.isRefresh || prefersGzip }

    /// Which form of a stored response is sent: parts are always of the identity form.
    func storedForm(_ coding: StoredCoding, _ served: Served) -> ContentForm {
        guard coding.isGzip else { return .asItCame }
        switch served {
        case .whole, .notModified: return takesStoredGzip ? .gzip : .identity
        case .partial, .unsatisfiable: return .identity
        }
    }

    /// Whether the client may want a range of gzip that it has the beginning of: Last-Modified, which If-Range then has, is the
    /// same for both forms. It gets the whole.
    func mayRepairGzip(_ coding: StoredCoding) -> Bool {
        guard coding.isGzip, let field = head.fields.first(.ifRange), prefersGzip else { return false }
        let bytes = headBytes
        return bytes.extracting(field.valueRange).firstIndex(of: 0x22) == nil
    }

    /// Sends the stored field lines, with the entity tag of the form.
    func sendStoredLines(
        _ metadata: Span<UInt8>, from start: Int, _ coding: StoredCoding, _ form: ContentForm, to stream: ServerStream
    ) {
        let end = metadata.count - 2
        let line = coding.tagLine
        // `ETag: ` is before its value.
        guard form == .gzip, line.count >= 8, start <= line.lowerBound, line.upperBound <= end else {
            stream.fieldLines(metadata.extracting(start..<end))
            return
        }
        stream.fieldLines(metadata.extracting(start..<line.lowerBound))
        writeWeakened(metadata.extracting(line.lowerBound + 6..<line.upperBound - 2), to: stream)
        stream.fieldLines(metadata.extracting(line.upperBound..<end))
    }

    /// Adds what the form has besides. A 304 says nothing of the content, but what it depends on (RFC 9110 §15.4.5).
    func writeStoredCoding(_ coding: StoredCoding, _ form: ContentForm, _ served: Served, to stream: ServerStream) {
        let said = served == .notModified && form == .gzip ? .identity : form
        writeCoding(said, hasVary: coding.hasVary, to: stream)
    }
}
