// SPDX-License-Identifier: Apache-2.0

import HTTP
import Testing

private let samples: [RefusedSample] = [
    .init("2^64 - 1", .chunkSizeOverflow, "ffffffffffffffff\r\n"),
    .init("2^63", .chunkSizeOverflow, "8000000000000000\r\n"),
    .init("17 digits", .chunkSizeOverflow, "10000000000000001\r\n"),
    .init("17 digits, zeros first", .chunkSizeOverflow, "00000000000000005\r\n"),
    .init("a negative size", .badChunkSize, "-1\r\n"),
    .init("a size with a plus", .badChunkSize, "+5\r\n"),
    .init("a space first", .badChunkSize, " 5\r\nhello"),
    .init("a space behind", .badChunkSize, "5 \r\nhello"),
    .init("a tab behind", .badChunkSize, "5\t\r\nhello"),
    .init("a space before the extension", .badChunkSize, "5 ;a\r\nhello"),
    .init("0x", .badChunkSize, "0x5\r\nhello"),
    .init("no size", .badChunkSize, "\r\nhello"),
    .init("no size but an extension", .badChunkSize, ";a\r\nhello"),
    .init("a letter behind f", .badChunkSize, "g\r\n"),
    .init("an underscore", .badChunkSize, "1_0\r\n"),
    .init("LF alone behind the size", .bareLF, "5\nhello\r\n0\r\n\r\n"),
    .init("LF alone behind an extension", .bareLF, "5;a\nhello\r\n0\r\n\r\n"),
    .init("CR CR LF behind the size", .bareCR, "5\r\r\nhello"),
    .init("CR and an extension", .bareCR, "5\r;a\r\nhello"),
    .init("CR in an extension", .bareCR, "5;a\rb\r\nhello"),
    .init("NUL in an extension", .badChunkExtension, "5;a\0\r\nhello"),
    .init("DEL in an extension", .badChunkExtension, "5;a\u{7F}\r\nhello"),
    .init("LF alone behind the data", .badChunkEnd, "5\r\nhello\n0\r\n\r\n"),
    .init("data longer than said", .badChunkEnd, "5\r\nhelloXX"),
    .init("CR and no LF behind the data", .badChunkEnd, "5\r\nhello\rX"),
    .init("LF alone behind the last chunk", .bareLF, "0\n\r\n"),
    .init("LF alone as the empty line", .badTrailer, "0\r\n\n"),
    .init("CR and a letter as the empty line", .bareCR, "0\r\n\rX"),
    .init("a trailer without a colon", .badTrailer, "0\r\ngarbage\r\n\r\n"),
    .init("a trailer with LF alone", .badTrailer, "0\r\nA: b\n\r\n"),
    .init("a folded trailer", .badTrailer, "0\r\nA: b\r\n c\r\n\r\n"),
    .init("CR in a trailer", .badTrailer, "0\r\nA: b\rc\r\n\r\n"),
    .init("a trailer with an empty name", .badTrailer, "0\r\n: b\r\n\r\n"),
]

@Suite("Bodies") struct Bodies {
    @Test("Chunked bodies that are refused", arguments: samples) func refused(_ sample: RefusedSample) {
        #expect(reason(body(sample.bytes)) == sample.reason)
    }

    @Test("Chunked bodies that are understood")
    func chunked() {
        #expect(body("5\r\nhello\r\n0\r\n\r\n") == .complete("hello|15"))
        #expect(body("0\r\n\r\nGET / HTTP/1.1\r\n") == .complete("|5"))
        #expect(body("0000\r\n\r\n") == .complete("|8"))
        #expect(body("0000000000000005\r\nhello\r\n0\r\n\r\n") == .complete("hello|30"))
        #expect(body("2\r\nhe\r\nA\r\n1234567890\r\n0\r\n\r\n") == .complete("he1234567890|27"))
        #expect(body("a\r\n1234567890\r\n0\r\n\r\n") == .complete("1234567890|20"))
        #expect(body("5;a=\"b;c\";d\t\u{E4}\r\nhello\r\n0;x\r\n\r\n").isComplete)
        #expect(body("3\r\n\r\n\n\r\n0\r\n\r\n") == .complete("\r\n\n|13"))
        #expect(body("7fffffffffffffff\r\nhello") == .more)
        #expect(body("5\r\nhel") == .more)
        #expect(body("5\r\nhello\r\n0\r\n") == .more)
        #expect(body("") == .more)
    }

    @Test("Other framings")
    func others() {
        #expect(body("GET", .none) == .complete("|0"))
        #expect(body("GET", .length(0)) == .complete("|0"))
        #expect(body("helloGET", .length(5)) == .complete("hello|5"))
        #expect(body("hell", .length(5)) == .more)
        #expect(body("hello", .length(UInt64(Int64.max))) == .more)
        #expect(body("hello", .untilClose) == .complete("hello|close"))
        #expect(body("", .untilClose) == .complete("|close"))
        #expect(BodyDecoder(.none).isEnded && BodyDecoder(.length(0)).isEnded && !BodyDecoder(.chunked).isEnded)
        #expect(BodyDecoder(.length(7)).remainingLength == 7)
        #expect(BodyDecoder(.chunked).remainingLength == nil)
    }

    @Test("Each byte behind a chunk's size is refused unless it is one of three kinds")
    func bytesInSizes() {
        let digits = Set("0123456789abcdefABCDEF".utf8)
        for byte in UInt8.min...UInt8.max {
            let refused = reason(body("1\(Character(Unicode.Scalar(byte)))")) != nil
            #expect(refused == !(digits.contains(byte) || byte == 0x0D || byte == 0x3B), "byte \(byte)")
        }
    }

    @Test("Extensions, at the limit and one byte above, over all chunks together")
    func extensions() {
        let chunk = "1;\(String(repeating: "e", count: 4_095))\r\nx\r\n"
        let four = latin1(chunk + chunk + chunk + chunk + "0;\r\n\r\n")
        #expect(decode(four, .chunked).outcome.isComplete)
        let limit = BodyDecoder.extensionLimit - 4 * 4_095
        for (extra, isFine) in [(limit, true), (limit + 1, false)] {
            let sample = chunk + chunk + chunk + chunk + "0;\(String(repeating: "e", count: extra))\r\n\r\n"
            let outcome = decode(latin1(sample), .chunked).outcome
            #expect(isFine ? outcome.isComplete : reason(outcome) == .chunkExtensionsTooLarge)
        }
    }

    @Test("Trailers are kept apart, and those that frame, route or authenticate are dropped")
    func trailers() throws {
        let lines =
            "ETag: \"x\"\r\nContent-Length: 0\r\nHost: b\r\nx-checksum:  1 \r\nX-Forwarded-For: 1.2.3.4\r\n"
            + "Authorization: x\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n"
        let sample = "0\r\n\(lines)\r\nrest"
        _ = body(sample)
        let trailers = try #require(decode(latin1(sample), .chunked).trailers)
        let found = trailers.fields.map { field in
            "\(text(trailers.bytes, field.nameRange))=\(text(trailers.bytes, field.valueRange))"
        }
        #expect(found == ["ETag=\"x\"", "x-checksum=1"])
        #expect(decode(latin1("0\r\n\r\n"), .chunked).trailers == nil)
    }

    @Test("No name that frames, routes, authenticates or controls is allowed in a trailer")
    func trailerNames() {
        let allowed: Set<FieldName> = [.other, .etag, .xRequestID, .userAgent, .server, .referer]
        for name in FieldName.allCases { #expect(name.isAllowedInTrailer == allowed.contains(name)) }
    }

    @Test("Trailers, at the limits and one above")
    func trailerLimits() {
        func lines(_ count: Int) -> String { "0\r\n" + String(repeating: "A: b\r\n", count: count) + "\r\n" }
        #expect(decode(latin1(lines(32)), .chunked).outcome.isComplete)
        #expect(reason(decode(latin1(lines(33)), .chunked).outcome) == .trailersTooLarge)
        func long(_ size: Int) -> String { "0\r\nA: \(String(repeating: "b", count: size - 7))\r\n\r\n" }
        #expect(decode(latin1(long(Trailers.byteLimit)), .chunked).outcome.isComplete)
        #expect(reason(decode(latin1(long(Trailers.byteLimit + 1)), .chunked).outcome) == .trailersTooLarge)
    }
}

extension Outcome {
    var isComplete: Bool {
        if case .complete = self { return true }
        return false
    }
}
