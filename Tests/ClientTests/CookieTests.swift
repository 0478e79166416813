// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Client

@Suite("Cookies") struct CookieTests {
    private let now: Int64 = 1_764_001_321

    private func sent(_ set: [String], from: String, to: String) throws -> String? {
        let jar = CookieJar()
        jar.take(set, from: try HTTPURL(from), now: now)
        return jar.field(for: try HTTPURL(to), withholdsLiteral: false, now: now)
    }

    @Test(
        "go where RFC 6265 lets them, and nowhere else",
        arguments: [
            ("a=1", "http://x.example.com/", "http://x.example.com/", "a=1"),
            ("a=1", "http://x.example.com/", "http://y.example.com/", nil),
            ("a=1", "http://example.com/", "http://x.example.com/", nil),
            ("a=1; Domain=example.com", "http://x.example.com/", "http://y.example.com/", "a=1"),
            ("a=1; Domain=.example.com", "http://x.example.com/", "http://example.com/", "a=1"),
            ("a=1; Domain=example.com", "http://x.example.com/", "http://badexample.com/", nil),
            ("a=1; Domain=other.com", "http://x.example.com/", "http://other.com/", nil),
            ("a=1; Domain=x.example.com", "http://example.com/", "http://x.example.com/", nil),
            ("a=1; Domain=com", "http://example.com/", "http://other.com/", nil),
            ("a=1; Domain=co.uk", "http://a.co.uk/", "http://b.co.uk/", nil),
            ("a=1; Domain=.", "http://example.com/", "http://other.com/", nil),
            ("a=1; Domain=0.0.1", "http://127.0.0.1/", "http://10.0.0.1/", nil),
            ("a=1; Domain=example.com.", "http://example.com./", "http://x.example.com/", nil),
            ("a=1", "http://example.com./", "http://example.com/", "a=1"),
            ("a=1; Path=/p", "http://e.com/p/q", "http://e.com/p/r", "a=1"),
            ("a=1; Path=/p", "http://e.com/p/q", "http://e.com/pq", nil),
            ("a=1", "http://e.com/p/q", "http://e.com/p/r", "a=1"),
            ("a=1", "http://e.com/p/q", "http://e.com/", nil),
            ("a=1; Secure", "https://e.com/", "https://e.com/", "a=1"),
            ("a=1; Secure", "https://e.com/", "http://e.com/", nil),
            ("a=1; Secure", "http://e.com/", "https://e.com/", nil),
            ("a=1; Secure", "http://localhost/", "http://localhost/", "a=1"),
            ("__Secure-a=1", "https://e.com/", "https://e.com/", nil),
            ("__Host-a=1; Secure; Path=/", "https://e.com/", "https://e.com/", "__Host-a=1"),
            ("__Host-a=1; Secure; Path=/; Domain=e.com", "https://e.com/", "https://e.com/", nil),
            ("=__Host-a=1; Secure; Path=/", "https://e.com/", "https://e.com/", nil),
            ("a=1; Max-Age=0", "http://e.com/", "http://e.com/", nil),
            ("a=1; Max-Age=5", "http://e.com/", "http://e.com/", "a=1"),
            ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://e.com/", "http://e.com/", nil),
            ("a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=5", "http://e.com/", "http://e.com/", "a=1"),
            ("a=1\u{1B}[2J", "http://e.com/", "http://e.com/", nil),
            ("a=1\u{7F}", "http://e.com/", "http://e.com/", nil),
            ("", "http://e.com/", "http://e.com/", nil), ("; a=1", "http://e.com/", "http://e.com/", nil),
        ] as [(String, String, String, String?)])
    func matching(_ set: String, _ from: String, _ to: String, _ expected: String?) throws {
        #expect(try sent([set], from: from, to: to) == expected)
    }

    @Test("in the clear do not overlay those of TLS")
    func overlay() throws {
        let jar = CookieJar()
        jar.take(["a=safe; Secure; Domain=example.com"], from: try HTTPURL("https://example.com/"), now: now)
        jar.take(["a=evil; Domain=example.com", "a=evil"], from: try HTTPURL("http://x.example.com/"), now: now)
        #expect(jar.field(for: try HTTPURL("https://x.example.com/"), withholdsLiteral: false, now: now) == "a=safe")
    }

    @Test("are bounded in number and length")
    func limits() throws {
        let many = (0..<1_000).map { "n\($0)=\(String(repeating: "v", count: 100))" }
        let field = try #require(try sent(many, from: "http://e.com/", to: "http://e.com/"))
        #expect(field.utf8.count <= CookieJar.fieldLimit)
        #expect(field.split(separator: ";").count <= CookieJar.setLimit)
        #expect(
            try sent(["a=" + String(repeating: "v", count: 5_000)], from: "http://e.com/", to: "http://e.com/") == nil)
        let jar = CookieJar(limit: 60)
        for number in 0..<200 {
            jar.take(["n\(number)=1"], from: try HTTPURL("http://h\(number % 5).example/"), now: now)
        }
        #expect(jar.text(now: now).split(separator: "\n").count <= 60 + 2)
    }

    @Test(
        "understand the dates that servers write",
        arguments: [
            ("Wed, 21 Oct 2015 07:28:00 GMT", 1_445_412_480), ("Wed, 21-Oct-15 07:28:00 GMT", 1_445_412_480),
            ("Wed Oct 21 07:28:00 2015", 1_445_412_480), ("21 oct 2015 7:28:00", 1_445_412_480),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("1 Jan 2100 00:00:00", 4_102_444_800), ("nonsense", nil),
            ("32 Jan 2000 00:00:00", nil), ("1 Jan 2000 24:00:00", nil), ("", nil),
        ] as [(String, Int64?)])
    func dates(_ text: String, _ expected: Int64?) { #expect(CookieDate.parse(text) == expected) }

    @Test("know the rules of public suffixes")
    func suffixes() {
        let rules: Set<String> = ["uk", "co.uk", "*.ck", "!www.ck", "github.io"]
        for (domain, expected) in [
            ("co.uk", true), ("a.co.uk", false), ("x.ck", true), ("www.ck", false), ("github.io", true),
            ("a.io", false),
        ] {
            #expect(PublicSuffixes.contains(domain, rules) == expected)
        }
        #expect(PublicSuffixes.contains("co.jp", []) && !PublicSuffixes.contains("example.jp", []))
    }

    @Test("survive the file, for their owner only, and control bytes in it are not read")
    func file() throws {
        let folder = TemporaryFolder()
        let path = folder.file("jar")
        let jar = CookieJar()
        let url = try HTTPURL("https://x.example.com/p/")
        jar.take(
            ["a=1; Max-Age=100; Domain=example.com; HttpOnly; Secure", "b=2; Path=/", "c=3"], from: url, now: now)
        try jar.write(path, now: now)
        let again = CookieJar()
        try again.read(path, now: now)
        #expect(again.text(now: now) == jar.text(now: now))
        #expect(again.field(for: url, withholdsLiteral: false, now: now) == "a=1; c=3; b=2")
        let sessionless = CookieJar(ignoresSessionCookies: true)
        try sessionless.read(path, now: now)
        #expect(sessionless.field(for: url, withholdsLiteral: false, now: now) == "a=1")
        let evil = folder.write("e.com\tFALSE\t/\tFALSE\t0\ta\t\u{1B}]0;x\u{07}\nshort\n", to: "evil")
        let careful = CookieJar()
        try careful.read(evil, now: now)
        #expect(careful.field(for: try HTTPURL("http://e.com/"), withholdsLiteral: false, now: now) == nil)
        try careful.read(folder.file("missing"), now: now)
    }

    @Test("go into what is no regular file, and through a link, without taking its place")
    func specialFiles() throws {
        let folder = TemporaryFolder()
        let jar = CookieJar()
        jar.take(["a=1; Max-Age=100"], from: try HTTPURL("http://e.com/"), now: now)
        let real = folder.write("old", to: "real")
        makeLink(folder.file("link"), to: "real")
        makeLink(folder.file("new"), to: "made")
        for name in ["link", "new"] {
            try jar.write(folder.file(name), now: now)
            #expect(isLink(folder.file(name)))
        }
        #expect(contents(of: real) == jar.text(now: now) && contents(of: folder.file("made")) == jar.text(now: now))
        let pipe = Pipe(folder.file("pipe"))
        try jar.write(folder.file("pipe"), now: now)
        #expect(pipe.text() == jar.text(now: now))
        #expect(listing(of: folder.path) == ["link", "made", "new", "pipe", "real"])
    }
}
