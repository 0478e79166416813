// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §2, RFC 9110 §4.2.3, RFC 3986 §6.2: what is stored under one key; the hash of keys.

import Bytes
import CachePolicy
import HTTP
import Testing

@testable import CachePolicy

@Suite("The key of a response") struct KeyTests {
    private func key(
        _ target: String, host: String = "h", method: String = "GET", scheme: URIScheme = .http, fields: [String] = []
    ) -> [UInt8]? {
        let request = Request(fields, method: method, target: target, host: host)
        let block = Block(capacity: 4_096)
        guard CacheKey.write(scheme, request.head, request.bytes.span, to: block) else { return nil }
        let span = block.readable
        return span.indices.map { span[$0] }
    }

    @Test("spellings of one URI have one key (RFC 9110 §4.2.3)")
    func test_9110_4_2_3_spellingsThatAreOneURI() {
        let plain = key("/a?b")
        #expect(plain != nil)
        #expect(key("/a?b", host: "H") == plain)
        #expect(key("/a?b", host: "h:80") == plain)
        #expect(key("/a?b", host: "h:") == plain)
        #expect(key("http://H:80/a?b", host: "other") == plain)
        #expect(key("http://h", host: "h") == key("/"))
        #expect(key("http://h?x", host: "h") == key("/?x"))
        #expect(key("/", host: "h:443", scheme: .https) == key("/", scheme: .https))
        #expect(key("/", host: "[::A]") == key("/", host: "[::a]:80"))
    }

    @Test("spellings that an origin could tell apart are kept apart (RFC 3986 §6.2)")
    func test_3986_6_2_spellingsThatAnOriginCouldTellApartAreKeptApart() {
        let keys = [
            "/~a", "/%7Ea", "/%7ea", "/a/../~a", "//~a", "/./~a", "/~A", "/~a?", "/~a?b", "/~a%3Fb", "/~a/", "/~a;b",
            "/~a?B",
            "/~a?b&", "/%2F~a", "/%2f~a", "/~a?%62",
        ].map { key($0) }
        #expect(Set(keys).count == keys.count)
        let hosts = ["h", "h.", "h:8080", "g", "h:443"].map { key("/", host: $0) }
        #expect(Set(hosts).count == hosts.count)
        #expect(key("/") != key("/", scheme: .https))
        #expect(key("/", host: "h:80") != key("/", host: "h:80", scheme: .https))
    }

    @Test("keys cannot be composed of other parts")
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
        #expect(!keys.contains(nil))
        #expect(Set(keys).count == keys.count)
        #expect(parts("", "/", nil) == nil)
        #expect(parts("u@h", "/", nil) == nil)
    }

    @Test("GET and HEAD share a key (RFC 9111 §2)")
    func test_9111_2_getAndHeadShareAKey() {
        #expect(key("/a", method: "HEAD") == key("/a"))
        #expect(key("*", method: "OPTIONS") == nil)
    }

    @Test("fields that are not in the key change nothing")
    func test_poisoning_fieldsThatAreNotInTheKeyChangeNothing() {
        let fields = [
            "X-Forwarded-Host: evil", "X-Original-URL: /evil", "X-HTTP-Method-Override: POST", "Forwarded: host=evil",
        ]
        #expect(key("/a", fields: fields) == key("/a"))
    }

    @Test("without room or a host there is no key")
    func test_aKeyWithoutRoomOrHostIsNone() throws {
        let request = Request(target: "/abc?def")
        let long = Request(target: "/abc?def", host: "a.host.of.a.longer.name")
        for capacity in 1..<22 {
            let block = Block(capacity: capacity)
            #expect(CacheKey.write(.http, request.head, request.bytes.span, to: block) == false)
            #expect(CacheKey.write(.http, long.head, long.bytes.span, to: block) == false)
            #expect(block.count == 0)
        }
        for request in [request, long, Request(target: "http://h")] {
            let whole = Block(capacity: 256)
            #expect(CacheKey.write(.http, request.head, request.bytes.span, to: whole) == true)
            let exact = Block(capacity: whole.count)
            #expect(CacheKey.write(.http, request.head, request.bytes.span, to: exact) == true)
            let short = Block(capacity: whole.count - 1)
            #expect(CacheKey.write(.http, request.head, request.bytes.span, to: short) == false)
        }
        var head = RequestHead()
        var parser = RequestParser()
        let bytes = Array("GET / HTTP/1.0\r\n\r\n".utf8)
        let isComplete = try parser.parse(bytes.span, limits: HeadLimits(), into: &head)
        #expect(isComplete)
        #expect(CacheKey.write(.http, head, bytes.span, to: Block(capacity: 64)) == false)
    }

    @Test("SipHash has the published values")
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
            #expect(hash == KeyHash(low: value.0, high: value.1), "\(count)")
        }
    }

    @Test("the hash depends on the key and on every byte")
    func test_poisoning_theHashDependsOnKeyAndEveryByte() {
        let key = HashKey(1, 2)
        var seen = Set<KeyHash>()
        for count in 0..<40 {
            var input = [UInt8](repeating: 0, count: count)
            #expect(seen.insert(key.hash(input.span)).inserted)
            for position in 0..<count {
                input[position] = 1
                #expect(seen.insert(key.hash(input.span)).inserted)
                input[position] = 0
            }
        }
        let input: [UInt8] = [1, 2, 3]
        #expect(key.hash(input.span) != HashKey(1, 3).hash(input.span))
        #expect(key.hash(input.span) != HashKey(2, 2).hash(input.span))
        #expect(key.hash(input.span) == key.hash(input.span))
    }
}
