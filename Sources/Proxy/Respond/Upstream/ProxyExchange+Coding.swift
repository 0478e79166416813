// SPDX-License-Identifier: Apache-2.0
// In which form a client gets a response, and what its head says of that. The two forms of one response are two
// representations: they vary on Accept-Encoding, and share no strong validator (RFC 9110 §8.8.3.3).

import Bytes
import CachePolicy
import Engine
import HTTP
import Serving
import Settings
import Upstream

extension ProxyExchange {
    /// What is done to the content of a response that is passed on.
    enum ContentForm {
        /// Nothing.
        case asItCame
        /// Nothing for this client; another would get gzip.
        case identity
        /// It is compressed.
        case gzip
    }

    /// Whether responses are compressed at all.
    var compresses: Bool { view.snapshot.configuration.cache.compresses }

    /// Whether the client would rather have gzip than no coding, and does not forbid to transform (RFC 9111 §5.2.1.6).
    var prefersGzip: Bool {
        let bytes = headBytes
        guard head.fields.first(.acceptEncoding) != nil, let accepted = AcceptEncoding(head, bytes),
            accepted.prefers("gzip", bytes)
        else { return false }
        for position in 0..<head.fields.count where head.fields[position].name == .cacheControl {
            if TokenList.contains(bytes.extracting(head.fields[position].valueRange), "no-transform") { return false }
        }
        return true
    }

    /// Adds the fields that tell of the form. `hasVary`: Vary says already what the form depends on.
    func writeCoding(_ form: ContentForm, hasVary: Bool, to stream: ServerStream) {
        if form == .gzip { stream.field("Content-Encoding", "gzip") }
        if form != .asItCame, !hasVary { stream.field("Vary", "Accept-Encoding") }
    }

    /// Adds the strong entity tag `tag` as the weak one that the gzip form has: its bytes differ, what they mean does not.
    func writeWeakened(_ tag: Span<UInt8>, to stream: ServerStream) {
        let value = service.pathScratch
        value.clear()
        value.append("W/")
        value.appendPrefix(tag)
        stream.field("ETag", value.readable)
    }

    /// Whether an upstream server's 304 answers a client that asked with the weak form of its strong tag, which is what it was
    /// sent with gzip: then the client knows the tag in that form only.
    func answersWeakened(_ connection: UpstreamConnection) -> Bool {
        guard compresses, connection.head.status == 304, let field = connection.head.fields.first(.etag) else {
            return false
        }
        let tag = connection.headBytes.extracting(field.valueRange)
        guard !StoredCoding.isWeak(tag) else { return false }
        var asksWeakly = false
        let bytes = headBytes
        for position in 0..<head.fields.count where head.fields[position].name == .ifNoneMatch {
            let list = bytes.extracting(head.fields[position].valueRange)
            if ETagList.matches(list, tag, .strong) { return false }
            if ETagList.matches(list, tag, .weak) { asksWeakly = true }
        }
        return asksWeakly
    }
}

/// What coding may use up before the loop's other connections have their turn.
enum CodingTurn {
    /// Bytes of content that are compressed: one to two milliseconds.
    static let compressedBytes = 64 << 10
    /// Bytes of content that are inflated: a millisecond.
    static let inflatedBytes = 256 << 10
}
