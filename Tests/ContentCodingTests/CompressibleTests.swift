// SPDX-License-Identifier: Apache-2.0

import ContentCoding
import Testing

@Suite("What is worth compressing") struct CompressibleTests {
    private func isWorthwhile(_ type: String) -> Bool {
        let bytes = Array(type.utf8)
        return Compressible.isWorthwhile(mediaType: bytes.span)
    }

    @Test("text and its relatives are worth compressing")
    func textAndItsRelativesAreWorthwhile() {
        for type in [
            "text/html", "TEXT/HTML; charset=utf-8", "text/plain ;x=y", "text/css", "text/csv", "application/json",
            "application/javascript", "application/x-javascript", "text/javascript", "application/xml",
            "application/xhtml+xml", "application/rss+xml", "application/problem+json", "application/manifest+json",
            "application/x-ndjson", "application/yaml", "application/sql", "application/toml", "application/wasm",
            "image/svg+xml", "font/ttf", "font/otf", "application/x-font-ttf", "application/vnd.ms-fontobject",
        ] { #expect(isWorthwhile(type), "\(type)") }
    }

    @Test("what is compressed already, or must not wait, is not worth it")
    func whatIsCompressedAlreadyOrMustNotWaitIsNot() {
        for type in [
            "", "text", "image/png", "image/jpeg", "image/webp", "image/avif", "video/mp4", "audio/ogg", "font/woff",
            "font/woff2", "application/x-font-woff", "application/zip", "application/gzip", "application/pdf",
            "application/octet-stream", "text/event-stream", "Text/Event-Stream; charset=utf-8",
            "multipart/byteranges; boundary=x",
            "application/", "/json", "application/grpc", "+json", "application/+json",
        ] { #expect(!isWorthwhile(type), "\(type)") }
    }

    @Test("a whole uncoded response of some length is compressed")
    func aWholeUncodedResponseOfSomeLengthIsCompressed() {
        #expect(isCompressible("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 1100"))
        #expect(isCompressible("HTTP/1.1 200 OK\nContent-Type: text/html\nTransfer-Encoding: chunked"))
        #expect(
            isCompressible("HTTP/1.1 200 OK\nContent-Type: text/html\nETag: \"a\"\nCache-Control: max-age=1, public"))
    }

    @Test("what is small, a part, coded or forbidden is left alone")
    func whatIsSmallOrPartOrCodedOrForbiddenIsLeftAlone() {
        for head in [
            "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 1099",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 0",
            "HTTP/1.1 404 Not Found\nContent-Type: text/html\nContent-Length: 5000",
            "HTTP/1.1 206 Partial Content\nContent-Type: text/html\nContent-Length: 5000\nContent-Range: bytes 0-4999/9000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 5000\nContent-Range: bytes 0-4999/9000",
            "HTTP/1.1 200 OK\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Type: text/plain\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: br\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nCache-Control: max-age=1, No-Transform\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nCDN-Cache-Control: no-transform\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nETag: \"a\"\nETag: \"b\"\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Digest: sha-256=:YQ==:\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nRepr-Digest: sha-256=:YQ==:\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-MD5: YQ==\nContent-Length: 5000",
            "HTTP/1.1 200 OK\nContent-Type: text/html\nDigest: md5=YQ==\nContent-Length: 5000",
        ] { #expect(!isCompressible(head), "\(head)") }
    }
}
