// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §4.4 and RFC 3986 §5: what a change makes invalid.

import Bytes
import CachePolicy
import HTTP
import TestSupport
import Testing

@Suite("Invalidation by unsafe methods") struct InvalidationTests {
    @Test("unsafe methods invalidate unless they fail (RFC 9111 §4.4)")
    func test_9111_4_4_unsafeMethodsInvalidateUnlessTheyFail() {
        let unsafe: [HTTP.Method] = [.post, .put, .delete, .patch, .other, .connect]
        let safe: [HTTP.Method] = [.get, .head, .options, .trace]
        for status: UInt16 in [200, 201, 204, 301, 303, 399] {
            for method in unsafe { #expect(Invalidation.applies(method, status: status)) }
            for method in safe { #expect(!Invalidation.applies(method, status: status)) }
        }
        for status: UInt16 in [100, 199, 400, 404, 500, 503] {
            for method in unsafe { #expect(!Invalidation.applies(method, status: status)) }
        }
    }

    /// The key that a Location leads to from a request, as scheme-less text, or nil.
    private func target(
        _ value: String, from target: String = "/a/b/c?q", host: String = "h:8080", scheme: URIScheme = .http
    ) -> String? {
        let request = Request(method: "POST", target: target, host: host)
        let scratch = Block(capacity: 4_096)
        scratch.append(0x21)
        let output = Block(capacity: 4_096)
        let bytes = Array(value.utf8)
        let isFound = Invalidation.writeKey(
            bytes.span, scheme, request.head, request.bytes.span, scratch: scratch, to: output)
        #expect(scratch.count == 1)
        guard isFound else {
            #expect(output.count == 0)
            return nil
        }
        let key = output.readable
        let hasQuery = key[10] != 0xFF
        let hostEnd = 14 + Int(key[5])
        let pathEnd = hostEnd + Int(key[8]) << 8 + Int(key[9])
        let path = key.extracting(hostEnd..<pathEnd).string
        return hasQuery ? path + "?" + key.extracting(pathEnd..<key.count).string : path
    }

    @Test("the normal examples resolve as they stand there (RFC 3986 §5.4.1)")
    func test_3986_5_4_1_normalExamples() {
        // The examples of the RFC, as far as they are of this scheme, without their fragments.
        let base = "/b/c/d;p?q"
        let examples = [
            "g": "/b/c/g", "./g": "/b/c/g", "g/": "/b/c/g/", "/g": "/g", "?y": "/b/c/d;p?y", "g?y": "/b/c/g?y",
            "#s": "/b/c/d;p?q", "g#s": "/b/c/g", "g?y#s": "/b/c/g?y", ";x": "/b/c/;x", "g;x": "/b/c/g;x",
            "g;x?y#s": "/b/c/g;x?y", "": "/b/c/d;p?q", ".": "/b/c/", "./": "/b/c/", "..": "/b/", "../": "/b/",
            "../g": "/b/g", "../..": "/", "../../": "/", "../../g": "/g",
        ]
        for (reference, expected) in examples { #expect(target(reference, from: base) == expected, "\(reference)") }
    }

    @Test("the abnormal examples resolve as they stand there (RFC 3986 §5.4.2)")
    func test_3986_5_4_2_abnormalExamples() {
        let base = "/b/c/d;p?q"
        let examples = [
            "../../../g": "/g", "../../../../g": "/g", "/./g": "/g", "/../g": "/g", "g.": "/b/c/g.", ".g": "/b/c/.g",
            "g..": "/b/c/g..", "..g": "/b/c/..g", "./../g": "/b/g", "./g/.": "/b/c/g/", "g/./h": "/b/c/g/h",
            "g/../h": "/b/c/h", "g;x=1/./y": "/b/c/g;x=1/y", "g;x=1/../y": "/b/c/y", "g?y/./x": "/b/c/g?y/./x",
            "g?y/../x": "/b/c/g?y/../x", "g#s/../x": "/b/c/g",
        ]
        for (reference, expected) in examples { #expect(target(reference, from: base) == expected, "\(reference)") }
        #expect(target("/g:h", from: base) == "/g:h")
        #expect(target("1g:h", from: base) == "/b/c/1g:h")
        #expect(target("g/h:i", from: base) == "/b/c/g/h:i")
        #expect(target("http:g", from: base) == nil)
        #expect(target("g:h", from: base) == nil)
    }

    @Test("absolute references of the same origin count (RFC 9111 §4.4)")
    func test_9111_4_4_absoluteReferencesOfTheSameOriginCount() {
        for value in ["http://h:8080/x", "HTTP://H:8080/x", "//h:8080/x", "http://h:8080/y/../x", "http://h:8080/x#f"] {
            #expect(target(value) == "/x", "\(value)")
        }
        #expect(target("http://h:8080") == "/")
        #expect(target("http://h:8080?x") == "/?x")
        #expect(target("http://h/x", host: "h:80") == "/x")
        #expect(target("http://h:80/x", host: "h") == "/x")
        #expect(target("https://h:443/x", host: "h", scheme: .https) == "/x")
    }

    @Test("other origins are not invalidated (RFC 9111 §4.4)")
    func test_9111_4_4_otherOriginsAreNotInvalidated() {
        for value in [
            "http://other:8080/x", "http://h/x", "http://h:8081/x", "https://h:8080/x", "//other/x",
            "http://u@h:8080/x",
            "http://h:8080@evil/x", "http:///x", "http://h:99999/x", "ftp://h:8080/x", "mailto:x", "http:x", "http:/x",
        ] {
            #expect(target(value) == nil, "\(value)")
        }
        #expect(target("http://h:80/x", host: "h", scheme: .https) == nil)
        #expect(Invalidation.fields[0] == .location)
        #expect(Invalidation.fields[1] == .contentLocation)
    }

    @Test("any reference is read without a trap (RFC 3986 §5)")
    func test_3986_5_anyReferenceIsReadWithoutATrap() {
        var random = SeededGenerator(3_986)
        let letters = Array("ab:/?#.;@%[]\\ h8080".utf8)
        let request = Request(method: "POST", target: "/a/b", host: "h:8080")
        for _ in 0..<5_000 {
            let value = (0..<Int.random(in: 0..<14, using: &random)).map { _ in
                letters[Int.random(in: 0..<letters.count, using: &random)]
            }
            let scratch = Block(capacity: 96)
            let output = Block(capacity: 96)
            _ = Invalidation.writeKey(
                value.span, .http, request.head, request.bytes.span, scratch: scratch, to: output)
        }
        let long = [UInt8](repeating: 0x61, count: 500)
        #expect(
            Invalidation.writeKey(
                long.span, .http, request.head, request.bytes.span, scratch: Block(capacity: 64),
                to: Block(capacity: 2_048)) == false)
        #expect(
            Invalidation.writeKey(
                long.span, .http, request.head, request.bytes.span, scratch: Block(capacity: 4_096),
                to: Block(capacity: 64)) == false)
    }
}
