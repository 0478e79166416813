// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Client

@Suite("A URL") struct URLTests {
    @Test(
        "is taken apart",
        arguments: [
            ("http://a", "a", 80, "/", "a"), ("a", "a", 80, "/", "a"), ("HTTP://A:81/x?y#z", "A", 81, "/x?y", "A:81"),
            ("http://[::1]:8080/", "::1", 8080, "/", "[::1]:8080"), ("http://a?b", "a", 80, "/?b", "a"),
            ("http://a:/", "a", 80, "/", "a"), ("http://a/ä", "a", 80, "/%C3%A4", "a"),
            ("a:9001/b:c", "a", 9001, "/b:c", "a:9001"),
        ])
    func parts(_ text: String, _ host: String, _ port: UInt16, _ target: String, _ authority: String) throws {
        let url = try HTTPURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.target == target)
        #expect(url.authority == authority)
    }

    @Test(
        "that cannot be used is refused",
        arguments: [
            "http://", "http://a:b/", "http://a:65536/", "http://a<b/", "http://a b/", "http://ä/", "http://[::1",
            "http://[::1]x/", "http://a/\n",
        ])
    func malformed(_ text: String) {
        #expect(throws: HTTPURL.Failure.self) { try HTTPURL(text) }
    }

    @Test("of another scheme is named")
    func scheme() {
        #expect(throws: HTTPURL.Failure.unsupportedScheme("ftp")) { try HTTPURL("ftp://a/") }
    }
}

@Suite("The client's log") struct RequestLogTests {
    @Test("has one line for each request, whatever the URL")
    func line() {
        let entry = RequestLog.Entry(
            seconds: 1_764_001_321, method: "GET", url: "http://a/\n\u{1B}[31m", status: 200, bytes: 5,
            milliseconds: 12,
            peer: "127.0.0.1:80", exitStatus: 0)
        #expect(entry.line == "2025-11-24 16:22:01 GET http://a/\\x0a\\x1b[31m 200 5 12ms - - 127.0.0.1:80 exit=0")
    }
}
