// SPDX-License-Identifier: Apache-2.0

import HTTP
import Testing

private func ok(_ lines: String) -> String { "HTTP/1.1 200 OK\r\n\(lines)\r\n\r\n" }

private let samples: [RefusedSample] = [
    .init("an empty line first", .badStatus, "\r\nHTTP/1.1 200 OK\r\n\r\n"),
    .init("LF first", .bareLF, "\nHTTP/1.1 200 OK\r\n\r\n"),
    .init("no HTTP at all", .badStatus, "garbage"),
    .init("a banner that begins like it", .badStatus, "HELO\r\n"),
    .init("HTTP/2.0", .unsupportedVersion, "HTTP/2.0 200 OK\r\n\r\n"),
    .init("HTTP/1.2", .unsupportedVersion, "HTTP/1.2 200 OK\r\n\r\n"),
    .init("HTTP/0.9", .badVersion, "HTTP/0.9 200 OK\r\n\r\n"),
    .init("two digits", .badStatus, "HTTP/1.1 20\r\n\r\n"),
    .init("two digits and a phrase", .badStatus, "HTTP/1.1 20 OK\r\n\r\n"),
    .init("four digits", .badStatus, "HTTP/1.1 2000 OK\r\n\r\n"),
    .init("status 099", .badStatus, "HTTP/1.1 099 No\r\n\r\n"),
    .init("status 000", .badStatus, "HTTP/1.1 000 No\r\n\r\n"),
    .init("a negative status", .badStatus, "HTTP/1.1 -20 No\r\n\r\n"),
    .init("letters for a status", .badStatus, "HTTP/1.1 abc No\r\n\r\n"),
    .init("two spaces", .badStatus, "HTTP/1.1  200 OK\r\n\r\n"),
    .init("no status", .badStatus, "HTTP/1.1\r\n\r\n"),
    .init("NUL in the phrase", .badStatus, "HTTP/1.1 200 O\0K\r\n\r\n"),
    .init("CR in the phrase", .bareCR, "HTTP/1.1 200 O\rK\r\n\r\n"),
    .init("CR behind the status", .bareCR, "HTTP/1.1 200\r\r\n\r\n"),
    .init("LF alone behind the status line", .bareLF, "HTTP/1.1 200 OK\n\r\n"),
    .init("LF alone behind a field", .bareLF, ok("A: b\nC: d")),
    .init("both lengths", .bothLengths, ok("Content-Length: 5\r\nTransfer-Encoding: chunked")),
    .init("two lengths", .twoLengths, ok("Content-Length: 5\r\nContent-Length: 5")),
    .init("a list of lengths", .twoLengths, ok("Content-Length: 5, 6")),
    .init("a negative length", .badContentLength, ok("Content-Length: -1")),
    .init("an empty length", .badContentLength, ok("Content-Length:")),
    .init("a length of 2^63", .badContentLength, ok("Content-Length: 9223372036854775808")),
    .init("gzip without chunked", .badTransferEncoding, ok("Transfer-Encoding: gzip")),
    .init("gzip, chunked", .unsupportedTransferCoding, ok("Transfer-Encoding: gzip, chunked")),
    .init("a coding in HTTP/1.0", .transferEncodingInHTTP10, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    .init("a folded line", .foldedLine, ok("A: b\r\n c")),
    .init("space before the colon", .spaceBeforeColon, ok("A : b")),
    .init("an empty name", .emptyFieldName, ok(": b")),
    .init("no colon", .missingColon, ok("garbage")),
    .init("NUL in a value", .badFieldValue, ok("A: \0")),
    .init("NUL in a name", .badFieldName, ok("A\0: b")),
]

@Suite("Responses") struct Responses {
    @Test("Responses that are refused", arguments: samples) func refused(_ sample: RefusedSample) {
        #expect(reason(response(sample.bytes)) == sample.reason)
    }

    @Test("The reason phrase may be missing, with its space or without")
    func reasons() {
        for line in ["HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.1 200 \u{E4}\tb c"] {
            let sample = "\(line)\r\n\r\n"
            #expect(reason(response(sample)) == nil)
            let head = responseHead(sample)
            #expect(text(latin1(sample), head.reasonRange) == line.dropFirst(13).description)
            #expect(head.status == 200)
        }
    }

    private func framing(
        _ status: Int, _ lines: String, _ method: HTTP.Method = .get, _ version: String = "1.1"
    )
        -> (Framing, Bool)
    {
        let sample = "HTTP/\(version) \(status) X\r\n\(lines)\r\n"
        _ = response(sample, method: method)
        let head = responseHead(sample, method: method)
        return (head.framing, head.isPersistent)
    }

    @Test("Framing, by RFC 9112 §6.3")
    func framings() {
        let length = "Content-Length: 5\r\n"
        let chunked = "Transfer-Encoding: chunked\r\n"
        #expect(framing(200, length) == (.length(5), true))
        #expect(framing(200, "Content-Length: 0\r\n") == (.length(0), true))
        #expect(framing(200, chunked) == (.chunked, true))
        #expect(framing(200, "") == (.untilClose, false))
        #expect(framing(404, "") == (.untilClose, false))
        for (status, persistent) in [(100, false), (103, false), (204, false), (304, true)] {
            #expect(framing(status, "") == (Framing.none, true))
            #expect(framing(status, length) == (Framing.none, persistent))
            #expect(framing(status, chunked) == (Framing.none, persistent))
        }
        #expect(framing(204, "Content-Length: 0\r\n") == (Framing.none, true))
        #expect(framing(200, length, .head) == (Framing.none, true))
        #expect(framing(200, chunked, .head) == (Framing.none, true))
        #expect(framing(200, "", .head) == (Framing.none, true))
        #expect(framing(200, "", .connect) == (Framing.none, false))
        #expect(framing(400, length, .connect) == (.length(5), true))
        #expect(framing(200, length, .get, "1.0") == (.length(5), false))
        #expect(framing(200, length + "Connection: keep-alive\r\n", .get, "1.0") == (.length(5), true))
        #expect(framing(200, length + "Connection: close\r\n") == (.length(5), false))
    }

    @Test("Keep-Alive")
    func keepAlive() {
        func timeout(_ value: String) -> UInt32? {
            responseHead(ok("Keep-Alive: \(value)\r\nContent-Length: 0")).keepAliveTimeout
        }
        #expect(timeout("timeout=5") == 5)
        #expect(timeout("max=100, Timeout=15") == 15)
        #expect(timeout("timeout=") == nil)
        #expect(timeout("timeout=x") == nil)
        #expect(timeout("timeout=-1") == nil)
        #expect(timeout("timeout=99999999999999999999") == 31_536_000)
        #expect(timeout("300") == nil)
    }

    @Test("Upgrade and interim responses")
    func interim() {
        let switching = responseHead("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(switching.hasUpgrade && !switching.isInterim)
        #expect(responseHead("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n").hasUpgrade == false)
        #expect(responseHead("HTTP/1.1 103 X\r\n\r\n").isInterim == true)
        #expect(responseHead("HTTP/1.1 200 X\r\n\r\n").isInterim == false)
    }

    @Test("A head that is used again holds nothing of the one before")
    func reuse() {
        var head = ResponseHead()
        _ = parseResponse(
            latin1(ok("Keep-Alive: timeout=5\r\nContent-Length: 5\r\nConnection: upgrade\r\nUpgrade: x")), head: &head)
        let second = latin1("HTTP/1.1 204\r\n\r\n")
        var fresh = ResponseHead()
        #expect(parseResponse(second, head: &head) == parseResponse(second, head: &fresh))
        #expect(head.contentLength == nil)
    }

    @Test("Limits, at the limit and one above")
    func limits() {
        let limits = HeadLimits(headBytes: 100, lineBytes: 50, fields: 2)
        func sample(_ length: Int) -> String { "HTTP/1.1 200 \(String(repeating: "a", count: length - 15))\r\n\r\n" }
        #expect(reason(response(sample(50), limits: limits)) == nil)
        #expect(reason(response(sample(51), limits: limits)) == .fieldLineTooLong)
        let field = "A: \(String(repeating: "a", count: 30))\r\n"
        #expect(reason(response("HTTP/1.1 200\r\n" + field + field + "\r\n", limits: limits)) == nil)
        #expect(reason(response("HTTP/1.1 200\r\n" + field + field + "A:\r\n\r\n", limits: limits)) == .tooManyFields)
        let long = "A: \(String(repeating: "a", count: 43))\r\n"
        #expect(reason(response("HTTP/1.1 200\r\n" + long + long + "\r\n", limits: limits)) == .headTooLarge)
    }
}
