// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §4.1 and RFC 9110 §12.5.3, §12.5.5: which stored response belongs to a request.

import Bytes
import CachePolicy
import HTTP
import Testing

@Suite("Variants") struct VaryTests {
    private func names(_ lines: String...) -> (kind: VaryNames.Kind, text: String) {
        let response = Response(lines.map { "Vary: \($0)" })
        let names = VaryNames(response.head, response.bytes.span)
        return (names.kind, written { names.write(response.bytes.span, to: $0) })
    }

    /// The secondary key of a request, nil when it is too long.
    private func key(_ names: String, _ fields: [String], capacity: Int = 65_536) -> [UInt8]? {
        let request = Request(fields)
        let list = Array(names.utf8)
        let block = Block(capacity: capacity)
        block.append(0x21)
        guard SelectingFields.write(names: list.span, request.head, request.bytes.span, to: block) else {
            #expect(block.count == 1)
            return nil
        }
        return block.readable.extracting(1..<block.count).indices.map { block.readable[$0 + 1] }
    }

    private func match(_ names: String, _ first: [String], _ second: [String]) -> Bool {
        guard let one = key(names, first), let other = key(names, second) else {
            Issue.record("too long")
            return false
        }
        return one == other
    }

    @Test("names are one set in one form (RFC 9110 §12.5.5)")
    func test_9110_12_5_5_namesAreOneSetInOneForm() {
        #expect(names("Accept, accept-encoding").text == "accept,accept-encoding")
        #expect(names("B", "a,C ,  b").text == "a,b,c")
        #expect(names("B", "a,C ,  b").kind == .names(3))
        #expect(names(" ,, Accept\t,").text == "accept")
        #expect(names("").kind == .none)
        #expect(names().kind == .none)
        #expect(names("ab, a, abc").text == "a,ab,abc")
    }

    @Test("what is taken away on the way is absent (RFC 9111 §4.1)")
    func test_9111_4_1_whatIsTakenAwayOnTheWayIsAbsent() {
        func key(_ fields: [String], without name: FieldName?) -> [UInt8] {
            let request = Request(fields)
            let block = Block(capacity: 65_536)
            let list = Array("accept-encoding,origin,x-a".utf8)
            #expect(
                SelectingFields.write(names: list.span, request.head, request.bytes.span, to: block) { index, head, _ in
                    head.fields[index].name != name
                })
            return block.readable.indices.map { block.readable[$0] }
        }
        let fields = ["Accept-Encoding: gzip", "Origin: https://a", "X-A: 1", "X-A: 2"]
        #expect(key(fields, without: .acceptEncoding) == key(Array(fields[1...]), without: nil))
        #expect(key(fields, without: .origin) == key([fields[0]] + fields[2...], without: nil))
        #expect(key(fields, without: .other) == key(Array(fields[..<2]), without: nil))
        #expect(key(fields, without: nil) != key(Array(fields[..<3]), without: nil))
    }

    @Test("Vary: * never matches (RFC 9111 §4.1)")
    func test_9111_4_1_starNeverMatches() {
        #expect(names("*").kind == .any)
        #expect(names("a", "b, *").kind == .any)
        #expect(names("*").text == "")
        #expect(names("a\"b").kind == .any)
    }

    @Test("names and values are bounded")
    func test_bounds_namesAndValuesAreBounded() {
        let sixteen = (0..<16).map { "x\($0)" }.joined(separator: ",")
        #expect(names(sixteen).kind == .names(16))
        #expect(names(sixteen, "X3").kind == .names(16))
        #expect(names(sixteen, "y").kind == .tooWide)
        #expect(names(String(repeating: "a", count: 1_024)).kind == .tooWide)
        #expect(key("x", ["X: \(String(repeating: "a", count: 4_093))"]) != nil)
        #expect(key("x", ["X: \(String(repeating: "a", count: 4_094))"]) == nil)
        #expect(key("a,x", ["A: 1", "X: \(String(repeating: "a", count: 4_093))"]) == nil)
        #expect(key("user-agent", ["User-Agent: \(String(repeating: "a", count: 4_094))"]) == nil)
        let members = (0..<16).map { "\(String(repeating: "c", count: 300))\($0)" }.joined(separator: ",")
        #expect(key("accept-encoding", ["Accept-Encoding: \(members)"]) == nil)
        // No room in the block, at every size.
        for capacity in 1..<12 { #expect(key("x", ["X: abcdefgh"], capacity: capacity) == nil) }
        #expect(key("x", ["X: abcdefgh"], capacity: 12) != nil)
    }

    @Test("equal values match (RFC 9111 §4.1)")
    func test_9111_4_1_equalValuesMatch() {
        #expect(match("foo", ["Foo: 1"], ["foo: 1"]))
        #expect(!match("foo", ["Foo: 1"], ["Foo: 2"]))
        #expect(match("foo", ["Foo: 1", "Bar: 1"], ["Foo: 1", "Bar: 2"]))
        #expect(!match("bar,foo", ["Foo: 1", "Bar: 1"], ["Foo: 1", "Bar: 2"]))
        #expect(!match("foo", ["Foo: a"], ["Foo: A"]))
        #expect(!match("foo", ["Foo: a,b"], ["Foo: b,a"]))
    }

    @Test("absent matches only absent (RFC 9111 §4.1)")
    func test_9111_4_1_absentMatchesOnlyAbsent() {
        #expect(match("foo", [], ["Bar: 1"]))
        #expect(!match("foo", [], ["Foo: 1"]))
        #expect(!match("foo", [], ["Foo:"]))
        #expect(!match("accept-encoding", [], ["Accept-Encoding:"]))
        #expect(match("accept-encoding", [], []))
    }

    @Test("whitespace and lines do not count (RFC 9111 §4.1)")
    func test_9111_4_1_whitespaceAndLinesDoNotCount() {
        #expect(match("foo", ["Foo: 1, 2"], ["Foo: 1,2"]))
        #expect(match("foo", ["Foo: 1 ,\t2 "], ["Foo: 1,2"]))
        #expect(match("foo", ["Foo: 1", "Foo: 2"], ["Foo: 1, 2"]))
        #expect(match("accept", ["Accept: a/b", "Accept: c/d"], ["Accept: a/b,c/d"]))
        #expect(match("accept-language", ["Accept-Language: de ; q=0.5, EN"], ["Accept-Language: de;q=0.5,en"]))
        // Inside of values it does.
        #expect(!match("foo", ["Foo: 1 2"], ["Foo: 12"]))
        #expect(!match("foo", ["Foo: 1 2"], ["Foo: 1  2"]))
        #expect(!match("foo", ["Foo: \"a, b\""], ["Foo: \"a,b\""]))
        #expect(!match("foo", ["Foo: \"\\\"a, b\""], ["Foo: \"\\\"a,b\""]))
        for single in ["User-Agent", "Cookie", "Referer"] {
            #expect(!match(single.lowercased(), ["\(single): a, b"], ["\(single): a,b"]))
        }
    }

    @Test("values cannot pass for others (RFC 9111 §4.1)")
    func test_9111_4_1_valuesCannotPassForOthers() {
        #expect(!match("a,b", ["A: 1", "B: 2"], ["A: 12"]))
        #expect(!match("a,b", ["A: x"], ["B: x"]))
    }

    @Test("Accept-Encoding is compared by its meaning (RFC 9111 §4.1)")
    func test_9111_4_1_acceptEncodingIsComparedByMeaning() {
        func same(_ first: String, _ second: String) -> Bool {
            match("accept-encoding", ["Accept-Encoding: \(first)"], ["Accept-Encoding: \(second)"])
        }
        #expect(same("gzip, br", "br,gzip"))
        #expect(same("GZIP", "gzip"))
        #expect(same("deflate, dzz, dab, de, dea", "dea, dab, de, dzz, deflate"))
        #expect(same("x-gzip, br", "gzip, br"))
        #expect(same("x-gzip, zstd, br", "br, zstd, gzip"))
        #expect(same("gzip;q=1", "gzip; Q=1.000"))
        #expect(same("gzip;q=0.5", "gzip ; q=0.500"))
        #expect(!same("gzip;q=0", "gzip"))
        #expect(!same("gzip;q=0.5, br", "gzip, br"))
        #expect(!same("gzip, *;q=0", "gzip"))
        #expect(!same("gzip", "br"))
        // What cannot be read is compared as it is; so are more members than are read, in linear time and without harm.
        #expect(!same("gzip;q=x", "gzip"))
        #expect(!same("gzip;q=2", "gzip;q=1"))
        #expect(!same("gzip;500", "gzip;q=0.5"))
        let many = String(repeating: ",", count: 20) + (0..<17).map { "c\($0)" }.joined(separator: ",")
        #expect(same(many, many))
        #expect(same(String(repeating: ",", count: 400) + "gzip", "gzip"))
    }

    @Test("the quality of each coding is read (RFC 9110 §12.5.3)")
    func test_9110_12_5_3_qualitiesOfCodings() {
        func quality(_ field: String?, _ coding: StaticString) -> UInt16? {
            let request = Request(field.map { ["Accept-Encoding: \($0)"] } ?? [])
            return AcceptEncoding(request.head, request.bytes.span)?.quality(of: coding, request.bytes.span)
        }
        #expect(quality("gzip", "gzip") == 1_000)
        #expect(quality("gzip;q=0.25", "gzip") == 250)
        #expect(quality("gzip;q=0.001", "gzip") == 1)
        #expect(quality("gzip;q=0", "gzip") == 0)
        #expect(quality("gzip;q=0.0, *", "gzip") == 0)
        #expect(quality("*", "gzip") == 1_000)
        #expect(quality("*;q=0.5", "gzip") == 500)
        #expect(quality("br", "gzip") == 0)
        #expect(quality("x-gzip", "gzip") == 1_000)
        #expect(quality("", "gzip") == 0)
        #expect(quality(nil, "gzip") == 0)
        #expect(quality("gzip", "identity") == 1)
        #expect(quality("*", "identity") == 1_000)
        #expect(quality("gzip, *;q=0.5", "identity") == 500)
        #expect(quality("gzip, identity;q=0", "identity") == 0)
        #expect(quality("gzip, *;q=0", "identity") == 0)
        #expect(quality("identity;q=0.5, *;q=0", "identity") == 500)
        for wrong in [
            "gzip;q=1.001", "gzip;q=0.0001", "gzip;q=", "gzip;x=1", "gzip q=1", ";q=1", "gzip;q=1;q=1", "gzip;q=-1",
        ] {
            #expect(quality(wrong, "gzip") == nil, "\(wrong)")
        }
    }

    @Test("gzip is sent to those who prefer it (RFC 9110 §12.5.3)")
    func test_9110_12_5_3_gzipIsSentToWhoPrefersIt() {
        func prefers(_ field: String) -> Bool {
            let request = Request(["Accept-Encoding: \(field)"])
            return AcceptEncoding(request.head, request.bytes.span)?.prefers("gzip", request.bytes.span) ?? false
        }
        for field in ["gzip", "gzip;q=0.1", "*", "gzip, identity", "br;q=1, gzip;q=0.8"] {
            #expect(prefers(field), "\(field)")
        }
        for field in ["", "br", "gzip;q=0", "*;q=0", "identity, gzip;q=0.5", "*, gzip;q=0", "nonsense;"] {
            #expect(!prefers(field), "\(field)")
        }
    }

    @Test("the most recent matching response is chosen (RFC 9111 §4)")
    func test_9111_4_theMostRecentMatchingResponseIsChosen() {
        func made(_ seconds: Int64, vary: Bool = true, received: Int64 = 0) -> ResponsePolicy {
            var policy = ResponsePolicy()
            policy.date = seconds
            policy.responseTime = received
            if vary { policy.flags.insert(.hasVary) }
            return policy
        }
        var choice = VariantChoice()
        #expect(choice.miss == .uriMiss)
        choice.offer(made(9), at: 0, matches: false)
        #expect(choice.position == nil)
        #expect(choice.miss == .varyMiss)
        choice.offer(made(5), at: 1, matches: true)
        #expect(choice.position == 1)
        choice.offer(made(7), at: 2, matches: true)
        choice.offer(made(6), at: 3, matches: true)
        #expect(choice.position == 2)
        choice.offer(made(7, received: 1), at: 4, matches: true)
        #expect(choice.position == 4)
        // "the cache SHOULD choose the most recent … stored response with a valid Vary field value".
        choice.offer(made(99, vary: false), at: 5, matches: true)
        #expect(choice.position == 4)
        var other = VariantChoice()
        other.offer(made(99, vary: false), at: 0, matches: true)
        other.offer(made(1), at: 1, matches: true)
        #expect(other.position == 1)
    }
}
