// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP
import Testing

@Suite("Dates") struct Dates {
    @Test("Formatting and parsing are each other's inverse, over ten thousand years")
    func inverse() {
        var seconds: Int64 = -62_135_596_800
        while seconds <= 253_402_300_799 {
            let text = written { HTTPDate.append(seconds, to: $0) }
            #expect(text.utf8.count == 29)
            #expect(HTTPDate.parse(latin1(text).span) == seconds)
            // 1,111 days and a bit.
            seconds += 95_999_973
        }
    }

    @Test("Known dates")
    func known() {
        #expect(written { HTTPDate.append(784_111_777, to: $0) } == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(written { HTTPDate.append(0, to: $0) } == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(written { HTTPDate.append(951_782_400, to: $0) } == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(written { HTTPDate.append(-1, to: $0) } == "Wed, 31 Dec 1969 23:59:59 GMT")
        #expect(written { HTTPDate.append(.max, to: $0) } == "Fri, 31 Dec 9999 23:59:59 GMT")
        #expect(written { HTTPDate.append(.min, to: $0) } == "Mon, 01 Jan 0001 00:00:00 GMT")
        #expect(written { HTTPDate.appendLogDate(1_795_537_321, to: $0) } == "24/Nov/2026:16:22:01 +0000")
    }

    private func parse(_ text: String, now: Int64? = 1_795_537_321) -> Int64? {
        HTTPDate.parse(latin1(text).span, now: now)
    }

    @Test("The three forms of RFC 9110 §5.6.7")
    func forms() {
        #expect(parse("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(parse("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
        #expect(parse("Sun Nov  6 08:49:37 1994") == 784_111_777)
        #expect(parse("Wed Nov 16 08:49:37 1994") == 784_975_777)
        // 2076 is 50 years ahead, 2077 is 51.
        #expect(parse("Wednesday, 01-Jan-76 00:00:00 GMT") == 3_345_062_400)
        #expect(parse("Saturday, 01-Jan-77 00:00:00 GMT") == 220_924_800)
        #expect(parse("Friday, 31-Dec-99 00:00:00 GMT", now: 946_684_800) == 946_598_400)
        #expect(parse("Wednesday, 01-Jan-76 00:00:00 GMT", now: nil) == 189_302_400)
        #expect(parse("Sunday, 01-Jan-68 00:00:00 GMT", now: nil) == 3_092_601_600)
        #expect(parse("Sat, 31 Dec 2016 23:59:60 GMT") == 1_483_228_800)
    }

    @Test(
        "What is no date",
        arguments: [
            "", "0", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT", "Tue, 29 Feb 2100 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun Nov 06 08:49:37 1994 ",
            "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994  8:49:37 GMT",
        ])
    func malformed(_ text: String) { #expect(parse(text) == nil) }
}

@Suite("Lists") struct Lists {
    private func members(_ list: String) -> [String] {
        let bytes = latin1(list)
        var reader = ListReader()
        var found: [String] = []
        while let member = reader.next(bytes.span) { found.append(text(bytes, member)) }
        return found
    }

    @Test("Members")
    func members() {
        #expect(members("") == [])
        #expect(members(" , ,\t,") == [])
        #expect(members("a") == ["a"])
        #expect(members(" a ,b\t,, c d ,") == ["a", "b", "c d"])
        #expect(members("a=\"b,c\", d") == ["a=\"b,c\"", "d"])
        #expect(members("\"a\\\",b\",c") == ["\"a\\\",b\"", "c"])
        #expect(members("a,\"b,c") == ["a", "\"b,c"])
        #expect(members("a,\"b\\") == ["a", "\"b\\"])
    }

    private func contains(_ list: String, _ token: String) -> Bool {
        TokenList.contains(latin1(list).span, latin1(token).span)
    }

    @Test("Tokens")
    func tokens() {
        #expect(contains("a, Close ,b", "close"))
        #expect(!contains("a, closed, \"close\"", "close"))
        #expect(contains("X-A, b", "x-a"))
        #expect(!contains("", "x"))
        let isLiteral = TokenList.contains(latin1("a, Close ,b").span, "close")
        let isOther = TokenList.contains(latin1("a, closed, \"close\"").span, "close")
        #expect(isLiteral && !isOther)
    }
}

@Suite("Paths") struct Paths {
    private func normal(_ path: String) -> String? {
        let block = Block(capacity: path.utf8.count + 3)
        block.append("##")
        let bytes = latin1(path)
        guard PathNormaliser.normalise(bytes.span, into: block) else {
            #expect(block.readable.string == "##")
            return nil
        }
        let result = String(block.readable.string.dropFirst(2))
        if PathNormaliser.isNormal(bytes.span) { #expect(result == path) }
        // Once normal, always normal, unless a decoded byte now looks like an encoding.
        if !result.contains("%"), !result.contains(where: { ";\\".contains($0) }) {
            let again = Block(capacity: result.utf8.count + 1)
            let isNormal = PathNormaliser.normalise(latin1(result).span, into: again)
            #expect(isNormal)
            #expect(again.readable.string == result)
        }
        return result
    }

    @Test(
        "Twenty and more spellings of one path",
        arguments: [
            "/admin", "//admin", "/./admin", "/a/../admin", "/%61dmin", "/%2fadmin", "/%2Fadmin", "/%5cadmin",
            "/\\admin",
            "/.%2fadmin", "/%2e/admin", "/a/%2e%2e/admin", "/a/.%2E/admin", "/a/..;/admin", "/a/..;x=y/admin",
            "/admin;x",
            "/;/admin", "/;x=y/admin", "/admin%3bx", "/a//../admin", "/a/b/../../admin", "/.;/admin", "///.//./admin",
            "/%61%64%6d%69%6e",
        ])
    func spellings(_ path: String) { #expect(normal(path) == "/admin") }

    @Test("Other normal forms")
    func forms() {
        #expect(normal("") == "/")
        #expect(normal("/") == "/")
        #expect(normal("/a/") == "/a/")
        #expect(normal("/a/.") == "/a/")
        #expect(normal("/a/..") == "/")
        #expect(normal("/a/b/..") == "/a/")
        #expect(normal("/a//b///") == "/a/b/")
        #expect(normal("/...") == "/...")
        #expect(normal("/.a/..b") == "/.a/..b")
        #expect(normal("/%2561") == "/%61")
        #expect(normal("/a%20b") == "/a b")
        #expect(normal("/a;b/c;d") == "/a/c")
        #expect(normal("/a;b%2fc") == "/a/c")
    }

    @Test(
        "What has no normal form",
        arguments: [
            "/..", "/../a", "/a/../..", "/%2e%2e", "/a/..;/..", "/%00", "/a%", "/a%2", "/%zz", "/%2", "/%+1", "a", "*",
            "%2fa", "/%c0%00",
        ])
    func refused(_ path: String) { #expect(normal(path) == nil) }

    @Test("The fast check")
    func fast() {
        func isNormal(_ path: String) -> Bool { PathNormaliser.isNormal(latin1(path).span) }
        for path in ["/", "/a", "/a/b.c", "/a-b_c~d/e"] { #expect(isNormal(path)) }
        for path in ["", "a", "//", "/a//b", "/.", "/a/.b", "/a;", "/%41", "/a\\b"] {
            #expect(!isNormal(path))
        }
    }
}

@Suite("Ranges and entity tags") struct Conditions {
    private func range(_ value: String, _ size: UInt64 = 100) -> ByteRange {
        ByteRange.parse(latin1(value).span, size: size)
    }

    @Test("Ranges")
    func ranges() {
        #expect(range("bytes=0-0") == .single(0..<1))
        #expect(range("Bytes=10-19") == .single(10..<20))
        #expect(range("bytes= 10-19 ") == .single(10..<20))
        #expect(range("bytes=10-") == .single(10..<100))
        #expect(range("bytes=99-500") == .single(99..<100))
        #expect(range("bytes=-10") == .single(90..<100))
        #expect(range("bytes=-500") == .single(0..<100))
        #expect(range("bytes=0-9223372036854775807") == .single(0..<100))
        #expect(range("bytes=0-99999999999999999999999999") == .single(0..<100))
        #expect(range("bytes=-9223372036854775808") == .single(0..<100))
        #expect(range("bytes=-99999999999999999999999999") == .single(0..<100))
        #expect(range("bytes=0-", .max) == .single(0..<UInt64.max))
    }

    @Test("Ranges of which no byte exists")
    func unsatisfiable() {
        for value in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            #expect(range(value) == .unsatisfiable)
        }
        for value in ["bytes=0-", "bytes=0-0", "bytes=-1"] { #expect(range(value, 0) == .unsatisfiable) }
    }

    @Test(
        "Ranges that are ignored",
        arguments: [
            "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=2-1", "bytes=0-1,3-4", "bytes=0-1,",
            "bytes=,0-1", "items=0-1", "bytes =0-1", "bytes=0 - 1", "bytes=0--1", "bytes=+0-1", "bytes=0x0-1",
        ])
    func ignored(_ value: String) { #expect(range(value) == .ignore) }

    private func matches(_ list: String, _ tag: String, _ comparison: ETagList.Comparison) -> Bool {
        ETagList.matches(latin1(list).span, latin1(tag).span, comparison)
    }

    @Test("Entity tags, by the table of RFC 9110 §8.8.3.2")
    func tags() {
        for (first, second, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true), ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true), ("\"1\"", "\"1\"", true, true), ("\"1\"", "W/\"1\"", false, true),
        ] {
            #expect(matches(first, second, .strong) == strong)
            #expect(matches(first, second, .weak) == weak)
        }
        #expect(matches("\"a\", \"b,c\" ,W/\"d\"", "\"b,c\"", .strong))
        #expect(matches(",, \"a\\\", \"b\"", "\"b\"", .strong))
        #expect(matches(" * ", "\"x\"", .strong))
        #expect(!matches("*, \"x\"", "\"x\"", .strong))
        #expect(!matches("\"x", "\"x", .strong))
        #expect(!matches("x", "x", .strong))
        #expect(!matches("\"y\" \"x\"", "\"x\"", .strong))
        #expect(!matches("", "\"x\"", .weak))
        #expect(!matches("w/\"x\"", "\"x\"", .weak))
    }
}
