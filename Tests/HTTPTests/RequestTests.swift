// SPDX-License-Identifier: Apache-2.0
// Requests that are refused, each with the sentence that says why, and requests that are not.

import HTTP
import Testing

struct RefusedSample: CustomTestStringConvertible, Sendable {
    let sentence: String
    let reason: ParseFailure.Reason
    let bytes: String
    init(_ sentence: String, _ reason: ParseFailure.Reason, _ bytes: String) {
        self.sentence = sentence
        self.reason = reason
        self.bytes = bytes
    }
    var testDescription: String { sentence }
}

private func get(_ line: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n" }
private func target(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }
private func host(_ host: String) -> String { "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n" }

private let framingSamples: [RefusedSample] = [
    .init("length, then coding", .bothLengths, get("Content-Length: 6\r\nTransfer-Encoding: chunked")),
    .init("coding, then length", .bothLengths, get("Transfer-Encoding: chunked\r\nContent-Length: 6")),
    .init("two equal lengths", .twoLengths, get("Content-Length: 5\r\nContent-Length: 5")),
    .init("two different lengths", .twoLengths, get("Content-Length: 5\r\nContent-Length: 6")),
    .init("a list of equal lengths", .twoLengths, get("Content-Length: 5, 5")),
    .init("a list of different lengths", .twoLengths, get("Content-Length: 5, 6")),
    .init("a length and a comma", .twoLengths, get("Content-Length: 5,")),
    .init("a length with a plus", .badContentLength, get("Content-Length: +5")),
    .init("a negative length", .badContentLength, get("Content-Length: -1")),
    .init("a hexadecimal length", .badContentLength, get("Content-Length: 0x5")),
    .init("a length with an underscore", .badContentLength, get("Content-Length: 5_0")),
    .init("a length of two words", .badContentLength, get("Content-Length: 5 0")),
    .init("an empty length", .badContentLength, get("Content-Length: ")),
    .init("a length with NUL", .badFieldValue, get("Content-Length: 5\0")),
    .init("a length of 2^63", .badContentLength, get("Content-Length: 9223372036854775808")),
    .init("a length of 2^64", .badContentLength, get("Content-Length: 18446744073709551616")),
    .init("a length of 10^30", .badContentLength, get("Content-Length: 1000000000000000000000000000000")),
    .init("twenty zeros", .badContentLength, get("Content-Length: 00000000000000000000")),
    .init("xchunked", .badTransferEncoding, get("Transfer-Encoding: xchunked")),
    .init("chunked with a vertical tab", .badFieldValue, get("Transfer-Encoding: chunked\u{0B}")),
    .init("chunked behind a vertical tab", .badFieldValue, get("Transfer-Encoding: \u{0B}chunked")),
    .init("chunked with a form feed", .badFieldValue, get("Transfer-Encoding: chunked\u{0C}")),
    .init("a comma and chunked", .badTransferEncoding, get("Transfer-Encoding: ,chunked")),
    .init("chunked and a comma", .badTransferEncoding, get("Transfer-Encoding: chunked,")),
    .init("chunked with a parameter", .badTransferEncoding, get("Transfer-Encoding: chunked;x")),
    .init("chunked in quotes", .badTransferEncoding, get("Transfer-Encoding: \"chunked\"")),
    .init("chunked twice in a line", .badTransferEncoding, get("Transfer-Encoding: chunked, chunked")),
    .init(
        "chunked in two lines", .badTransferEncoding, get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    .init(
        "two lines, identity", .badTransferEncoding, get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    .init("chunked first", .badTransferEncoding, get("Transfer-Encoding: chunked, identity")),
    .init("identity", .badTransferEncoding, get("Transfer-Encoding: identity")),
    .init("an empty coding", .badTransferEncoding, get("Transfer-Encoding:")),
    .init("gzip alone", .badTransferEncoding, get("Transfer-Encoding: gzip")),
    .init("chunked and a word", .badTransferEncoding, get("Transfer-Encoding: chunked x")),
    .init("a long s for an s", .badTransferEncoding, get("Transfer-Encoding: chun\u{C5}\u{BF}ked")),
    .init("gzip, chunked", .unsupportedTransferCoding, get("Transfer-Encoding: gzip, chunked")),
    .init("identity, chunked", .unsupportedTransferCoding, get("Transfer-Encoding: identity , Chunked")),
    .init(
        "a coding in HTTP/1.0", .transferEncodingInHTTP10,
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
    .init(
        "HTTP/1.0 with both", .transferEncodingInHTTP10,
        "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
]

private let lineSamples: [RefusedSample] = [
    .init("space before the colon", .spaceBeforeColon, get("Content-Length : 5")),
    .init("tab before the colon", .spaceBeforeColon, get("Transfer-Encoding\t: chunked")),
    .init("a folded line", .foldedLine, get("A: b\r\n c")),
    .init("a folded coding: its first line is empty", .badTransferEncoding, get("Transfer-Encoding:\r\n chunked")),
    .init("whitespace before the first line", .foldedLine, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    .init("a tab before the first line", .foldedLine, "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n"),
    .init("LF alone behind a field", .bareLF, get("A: b\nContent-Length: 5")),
    .init("LF alone behind the request line", .bareLF, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    .init("LF alone as the empty line", .bareLF, "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    .init("CR inside a value", .bareCR, get("A: b\rX: y")),
    .init("CR CR LF", .bareCR, get("A: b\r")),
    .init("CR and a letter where the head ends", .bareCR, "GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"),
    .init("CR in a name", .bareCR, get("A\rB: c")),
    .init("CR in the target", .bareCR, "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("CR behind the version", .bareCR, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    .init("an empty name", .emptyFieldName, get(": x")),
    .init("a line without a colon", .missingColon, get("garbage")),
    .init("words without a colon", .missingColon, get("some garbage")),
    .init("a name of two words", .badFieldName, get("A B: c")),
    .init("a name in parentheses", .badFieldName, get("A(B): c")),
    .init("NUL in a value", .badFieldValue, get("A: b\0c")),
    .init("Connection with a bad member", .badConnection, get("Connection: close keep-alive")),
    .init("Connection with a quoted member", .badConnection, get("Connection: \"close\"")),
    .init("an unknown expectation", .unknownExpectation, get("Expect: 200-ok")),
    .init("an expectation with a prefix", .unknownExpectation, get("Expect: y 100-continue")),
    .init("an empty expectation", .unknownExpectation, get("Expect:")),
    .init("two expectations", .unknownExpectation, get("Expect: 100-continue\r\nExpect: 100-continue")),
]

private let startSamples: [RefusedSample] = [
    .init("HTTP/0.9", .badVersion, "GET /\r\n\r\n"),
    .init("HTTP/0.9 with a space", .badVersion, "GET / \r\n\r\n"),
    .init("version 0.9", .badVersion, "GET / HTTP/0.9\r\n\r\n"),
    .init("lower-case version", .badVersion, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    .init("version 1.2", .unsupportedVersion, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    .init("version 1.9", .unsupportedVersion, "GET / HTTP/1.9\r\nHost: a\r\n\r\n"),
    .init("the HTTP/2 preface", .unsupportedVersion, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    .init("version 2.0", .unsupportedVersion, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    .init("version 1.10", .badVersion, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    .init("version 1", .badVersion, "GET / HTTP/1\r\nHost: a\r\n\r\n"),
    .init("another protocol", .badVersion, "GET / ICY/1.1\r\nHost: a\r\n\r\n"),
    .init("words behind the version", .badVersion, "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n"),
    .init("two spaces before the target", .badRequestLine, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("two spaces before the version", .badVersion, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("space behind the version", .badVersion, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    .init("a tab for a space", .badMethod, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("only a method", .badRequestLine, "GET\r\n\r\n"),
    .init("a space first", .badMethod, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("two empty lines first", .badRequestLine, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("LF first", .bareLF, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("CR first", .bareCR, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("a method of 33 bytes", .badMethod, "\(String(repeating: "M", count: 33)) / HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("a method with a colon", .badMethod, "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("a TLS ClientHello", .badMethod, "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}"),
    .init("PROXY protocol, version 1", .badVersion, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
    .init("PROXY protocol, version 2", .badRequestLine, "\r\n\r\n\0\r\nQUIT\n"),
    .init("* for GET", .badTarget, target("*")),
    .init("a target with a fragment", .badTarget, target("/a#b")),
    .init("a fragment in the query", .badTarget, target("/?a#b")),
    .init("a backslash in the path", .badTarget, target("/a\\b")),
    .init("a backslash first", .badTarget, target("\\a")),
    .init("a byte above ASCII", .badTarget, target("/\u{80}")),
    .init("a tab in the target", .badTarget, target("/a\tb")),
    .init("DEL in the target", .badTarget, target("/a\u{7F}")),
    .init("a space in the target", .badVersion, target("/a b")),
    .init("a relative target", .badTarget, target("a/b")),
    .init("one slash behind http:", .badTarget, target("http:/x")),
    .init("no authority", .badTarget, target("http:///x")),
    .init("no authority, a query", .badTarget, target("http://?x")),
    .init("only the scheme", .badTarget, target("http://")),
    .init("another scheme", .badTarget, target("ftp://a/")),
    .init("authority form for GET", .badTarget, target("a:80")),
    .init("userinfo", .userinfoInTarget, target("http://u@a/")),
    .init("userinfo with a password", .userinfoInTarget, target("http://u:p@a/")),
    .init("CONNECT without a port", .badTarget, "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("CONNECT with an empty port", .badTarget, "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n"),
    .init("CONNECT with a path", .badTarget, "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n"),
]

private let hostSamples: [RefusedSample] = [
    .init("no Host", .noHost, "GET / HTTP/1.1\r\n\r\n"),
    .init("no Host but an absolute target", .noHost, "GET http://a/ HTTP/1.1\r\n\r\n"),
    .init("two Hosts", .twoHosts, get("Host: a")),
    .init("an empty Host", .badHost, host("")),
    .init("a bad Host beside an absolute target", .badHost, "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
    .init("a list", .badHost, host("a,b")),
    .init("a space", .badHost, host("a b")),
    .init("userinfo", .badHost, host("u@a")),
    .init("a path", .badHost, host("a/b")),
    .init("a fragment", .badHost, host("a#b")),
    .init("a query", .badHost, host("a?b")),
    .init("a backslash", .badHost, host("a\\b")),
    .init("a percent", .badHost, host("%61")),
    .init("a byte above ASCII", .badHost, host("\u{E4}")),
    .init("only a port", .badHost, host(":80")),
    .init("port 65536", .badHost, host("a:65536")),
    .init("a port with a sign", .badHost, host("a:+80")),
    .init("a port of six digits", .badHost, host("a:000080")),
    .init("two ports", .badHost, host("a:1:2")),
    .init("IPv6 without brackets", .badHost, host("::1")),
    .init("IPv6 that is not closed", .badHost, host("[::1")),
    .init("IPv6 with a zone", .badHost, host("[fe80::1%25eth0]")),
    .init("IPv6 of nine groups", .badHost, host("[1:2:3:4:5:6:7:8:9]")),
    .init("IPv6 of seven groups", .badHost, host("[1:2:3:4:5:6:7]")),
    .init("IPv6 with two gaps", .badHost, host("[1::2::3]")),
    .init("IPv6 of three colons", .badHost, host("[:::]")),
    .init("IPv6 with a long group", .badHost, host("[12345::]")),
    .init("IPv6 and words", .badHost, host("[::1]x")),
    .init("IPv6 with a bad IPv4", .badHost, host("[::1.2.3]")),
    .init("IPv6 with IPv4 of nine groups", .badHost, host("[1:2:3:4:5:6:7:1.2.3.4]")),
    .init("empty brackets", .badHost, host("[]")),
]

@Suite("Requests that are refused") struct RefusedRequests {
    @Test(arguments: framingSamples) func framing(_ sample: RefusedSample) {
        #expect(reason(request(sample.bytes)) == sample.reason)
    }
    @Test(arguments: lineSamples) func lines(_ sample: RefusedSample) {
        #expect(reason(request(sample.bytes)) == sample.reason)
    }
    @Test(arguments: startSamples) func requestLine(_ sample: RefusedSample) {
        #expect(reason(request(sample.bytes)) == sample.reason)
    }
    @Test(arguments: hostSamples) func host(_ sample: RefusedSample) {
        #expect(reason(request(sample.bytes)) == sample.reason)
    }

    @Test("Each byte in a name is either part of it or refused")
    func bytesInNames() {
        let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max {
            let name = "A\(Character(Unicode.Scalar(byte)))B"
            let refused = reason(request(get("\(name): x")))
            // A colon ends the name: `A:` with the value `B: x`.
            if token.contains(byte) || byte == 0x3A {
                #expect(refused == nil, "byte \(byte)")
            } else {
                #expect(refused != nil, "byte \(byte)")
            }
        }
    }

    @Test("Each byte in a value is either part of it or refused")
    func bytesInValues() {
        for byte in UInt8.min...UInt8.max {
            // At each place of a word of eight bytes.
            for length in 0..<9 {
                let before = String(repeating: "v", count: length)
                let refused = reason(request(get("A: \(before)\(Character(Unicode.Scalar(byte)))vvvvvvvvv")))
                let isContent = byte == 9 || (byte >= 0x20 && byte != 0x7F)
                #expect((refused == nil) == isContent, "byte \(byte)")
            }
        }
    }

    @Test("Each byte in a path and in a query is either part of it or refused")
    func bytesInTargets() {
        for byte in UInt8.min...UInt8.max {
            let character = Character(Unicode.Scalar(byte))
            let isVisible = byte > 0x20 && byte < 0x7F && byte != 0x23
            #expect((reason(request(target("/a\(character)b"))) == nil) == (isVisible && byte != 0x5C), "byte \(byte)")
            #expect((reason(request(target("/?a\(character)b"))) == nil) == isVisible, "byte \(byte)")
        }
    }

    @Test("Each byte as the first one of a request is either a token's or refused at once")
    func firstBytes() {
        for byte in UInt8.min...UInt8.max {
            var head = RequestHead()
            let outcome = parseRequest([byte], head: &head)
            let isToken = byte == 0x0D || reason(request(get("A\(Character(Unicode.Scalar(byte)))B: x"))) == nil
            #expect((outcome == .more) == (isToken && byte != 0x3A), "byte \(byte)")
        }
    }

    @Test("Every reason has a status, a word of its own and a sentence with its clause")
    func reasons() {
        var words: Set<String> = []
        for reason in ParseFailure.Reason.allCases {
            let failure = ParseFailure(reason, at: 0)
            #expect([400, 414, 417, 431, 501, 505].contains(failure.status))
            #expect(words.insert("\(failure.word)").inserted)
            #expect("\(failure.sentence)".contains("(RFC "))
        }
    }
}
