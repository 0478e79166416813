// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §2, RFC 9110 §4.2.3, RFC 3986 §6.2: what is stored under one key; the hash of keys.

import Bytes
import CachePolicy
import HTTP
import XCTest

@testable import CachePolicy

final class KeyTests: XCTestCase {
    private func key(
        _ target: String, host: String = "h", method: String = "GET", scheme: URIScheme = .http, fields: [String] = []
    ) -> [UInt8]? {
        let request = Request(fields, method: method, target: target, host: host)
        let block = Block(capacity: 4_096)
        guard CacheKey.write(scheme, request.head, request.bytes.span, to: block) else { return nil }
        let span = block.readable
        return span.indices.map { span[$0] }
    }

    func test_9110_4_2_3_spellingsThatAreOneURI() {
        let plain = key("/a?b")
        XCTAssertNotNil(plain)
        XCTAssertEqual(key("/a?b", host: "H"), plain)
        XCTAssertEqual(key("/a?b", host: "h:80"), plain)
        XCTAssertEqual(key("/a?b", host: "h:"), plain)
        XCTAssertEqual(key("http://H:80/a?b", host: "other"), plain)
        XCTAssertEqual(key("http://h", host: "h"), key("/"))
        XCTAssertEqual(key("http://h?x", host: "h"), key("/?x"))
        XCTAssertEqual(key("/", host: "h:443", scheme: .https), key("/", scheme: .https))
        XCTAssertEqual(key("/", host: "[::A]"), key("/", host: "[::a]:80"))
    }

    func test_3986_6_2_spellingsThatAnOriginCouldTellApartAreKeptApart() {
        let keys = [
            "/~a", "/%7Ea", "/%7ea", "/a/../~a", "//~a", "/./~a", "/~A", "/~a?", "/~a?b", "/~a%3Fb", "/~a/", "/~a;b",
            "/~a?B",
            "/~a?b&", "/%2F~a", "/%2f~a", "/~a?%62",
        ].map { key($0) }
        XCTAssertEqual(Set(keys).count, keys.count)
        let hosts = ["h", "h.", "h:8080", "g", "h:443"].map { key("/", host: $0) }
        XCTAssertEqual(Set(hosts).count, hosts.count)
        XCTAssertNotEqual(key("/"), key("/", scheme: .https))
        XCTAssertNotEqual(key("/", host: "h:80"), key("/", host: "h:80", scheme: .https))
    }

    func test_poisoning_keysCannotBeComposedOfOtherParts() {
        func parts(_ host: String, _ path: String, _ query: String?) -> [UInt8]? {
            let block = Block(capacity: 256)
            let host = Array(host.utf8)
            let path = Array(path.utf8)
            let text = Array((query ?? "").utf8)
            guard
                CacheKey.write(
                    .http, authority: host.span, path: path.span, query: text.span, hasQuery: query != nil, to: block)
            else { return nil }
            let span = block.readable
            return span.indices.map { span[$0] }
        }
        let keys = [
            parts("a", "/bc", nil), parts("ab", "/c", nil), parts("a", "/b", "c"), parts("a", "/", "bc"),
            parts("a", "/bc", ""),
            parts("a", "/b?c", nil), parts("a", "/b?", "c"),
        ]
        XCTAssertFalse(keys.contains(nil))
        XCTAssertEqual(Set(keys).count, keys.count)
        XCTAssertNil(parts("", "/", nil))
        XCTAssertNil(parts("u@h", "/", nil))
    }

    func test_9111_2_getAndHeadShareAKey() {
        XCTAssertEqual(key("/a", method: "HEAD"), key("/a"))
        XCTAssertNil(key("*", method: "OPTIONS"))
    }

    func test_poisoning_fieldsThatAreNotInTheKeyChangeNothing() {
        let fields = [
            "X-Forwarded-Host: evil", "X-Original-URL: /evil", "X-HTTP-Method-Override: POST", "Forwarded: host=evil",
        ]
        XCTAssertEqual(key("/a", fields: fields), key("/a"))
    }

    func test_aKeyWithoutRoomOrHostIsNone() {
        let request = Request(target: "/abc?def")
        let long = Request(target: "/abc?def", host: "a.host.of.a.longer.name")
        for capacity in 1..<22 {
            let block = Block(capacity: capacity)
            XCTAssertFalse(CacheKey.write(.http, request.head, request.bytes.span, to: block))
            XCTAssertFalse(CacheKey.write(.http, long.head, long.bytes.span, to: block))
            XCTAssertEqual(block.count, 0)
        }
        for request in [request, long, Request(target: "http://h")] {
            let whole = Block(capacity: 256)
            XCTAssertTrue(CacheKey.write(.http, request.head, request.bytes.span, to: whole))
            let exact = Block(capacity: whole.count)
            XCTAssertTrue(CacheKey.write(.http, request.head, request.bytes.span, to: exact))
            let short = Block(capacity: whole.count - 1)
            XCTAssertFalse(CacheKey.write(.http, request.head, request.bytes.span, to: short))
        }
        var head = RequestHead()
        var parser = RequestParser()
        let bytes = Array("GET / HTTP/1.0\r\n\r\n".utf8)
        XCTAssertEqual(try parser.parse(bytes.span, limits: HeadLimits(), into: &head), true)
        XCTAssertFalse(CacheKey.write(.http, head, bytes.span, to: Block(capacity: 64)))
    }

    func test_sipHashHasThePublishedValues() {
        // The first vectors of the reference implementation's SipHash-2-4 with 128 bits: key 00…0f, input 00, 01, 02, …
        let expected: [(UInt64, UInt64)] = [
            (0xE6A8_25BA_047F_81A3, 0x9302_55C7_1472_F66D), (0x44AF_996B_D8C1_87DA, 0x45FC_229B_1159_7634),
            (0xC75D_A4A4_8D22_7781, 0xE4FF_0AF6_DE8B_A3FC),
        ]
        let key = HashKey(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        for (count, value) in expected.enumerated() {
            let input = (0..<count).map { UInt8($0) }
            let hash = key.hash(input.span, rounds: 2, finalRounds: 4)
            XCTAssertEqual(hash, KeyHash(low: value.0, high: value.1), "\(count)")
        }
    }

    func test_poisoning_theHashDependsOnKeyAndEveryByte() {
        let key = HashKey(1, 2)
        var seen = Set<KeyHash>()
        for count in 0..<40 {
            var input = [UInt8](repeating: 0, count: count)
            XCTAssertTrue(seen.insert(key.hash(input.span)).inserted)
            for position in 0..<count {
                input[position] = 1
                XCTAssertTrue(seen.insert(key.hash(input.span)).inserted)
                input[position] = 0
            }
        }
        let input: [UInt8] = [1, 2, 3]
        XCTAssertNotEqual(key.hash(input.span), HashKey(1, 3).hash(input.span))
        XCTAssertNotEqual(key.hash(input.span), HashKey(2, 2).hash(input.span))
        XCTAssertEqual(key.hash(input.span), key.hash(input.span))
    }
}
