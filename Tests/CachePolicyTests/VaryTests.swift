// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §4.1 and RFC 9110 §12.5.3, §12.5.5: which stored response belongs to a request.

import Bytes
import CachePolicy
import HTTP
import XCTest

final class VaryTests: XCTestCase {
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
            XCTAssertEqual(block.count, 1)
            return nil
        }
        return block.readable.extracting(1..<block.count).indices.map { block.readable[$0 + 1] }
    }

    private func match(_ names: String, _ first: [String], _ second: [String]) -> Bool {
        guard let one = key(names, first), let other = key(names, second) else {
            XCTFail("too long")
            return false
        }
        return one == other
    }

    func test_9110_12_5_5_namesAreOneSetInOneForm() {
        XCTAssertEqual(names("Accept, accept-encoding").text, "accept,accept-encoding")
        XCTAssertEqual(names("B", "a,C ,  b").text, "a,b,c")
        XCTAssertEqual(names("B", "a,C ,  b").kind, .names(3))
        XCTAssertEqual(names(" ,, Accept\t,").text, "accept")
        XCTAssertEqual(names("").kind, .none)
        XCTAssertEqual(names().kind, .none)
        XCTAssertEqual(names("ab, a, abc").text, "a,ab,abc")
    }

    func test_9111_4_1_whatIsTakenAwayOnTheWayIsAbsent() {
        func key(_ fields: [String], without name: FieldName?) -> [UInt8] {
            let request = Request(fields)
            let block = Block(capacity: 65_536)
            let list = Array("accept-encoding,origin,x-a".utf8)
            XCTAssertTrue(
                SelectingFields.write(names: list.span, request.head, request.bytes.span, to: block) { index, head, _ in
                    head.fields[index].name != name
                })
            return block.readable.indices.map { block.readable[$0] }
        }
        let fields = ["Accept-Encoding: gzip", "Origin: https://a", "X-A: 1", "X-A: 2"]
        XCTAssertEqual(key(fields, without: .acceptEncoding), key(Array(fields[1...]), without: nil))
        XCTAssertEqual(key(fields, without: .origin), key([fields[0]] + fields[2...], without: nil))
        XCTAssertEqual(key(fields, without: .other), key(Array(fields[..<2]), without: nil))
        XCTAssertNotEqual(key(fields, without: nil), key(Array(fields[..<3]), without: nil))
    }

    func test_9111_4_1_starNeverMatches() {
        XCTAssertEqual(names("*").kind, .any)
        XCTAssertEqual(names("a", "b, *").kind, .any)
        XCTAssertEqual(names("*").text, "")
        XCTAssertEqual(names("a\"b").kind, .any)
    }

    func test_bounds_namesAndValuesAreBounded() {
        let sixteen = (0..<16).map { "x\($0)" }.joined(separator: ",")
        XCTAssertEqual(names(sixteen).kind, .names(16))
        XCTAssertEqual(names(sixteen, "X3").kind, .names(16))
        XCTAssertEqual(names(sixteen, "y").kind, .tooWide)
        XCTAssertEqual(names(String(repeating: "a", count: 1_024)).kind, .tooWide)
        XCTAssertNotNil(key("x", ["X: \(String(repeating: "a", count: 4_093))"]))
        XCTAssertNil(key("x", ["X: \(String(repeating: "a", count: 4_094))"]))
        XCTAssertNil(key("a,x", ["A: 1", "X: \(String(repeating: "a", count: 4_093))"]))
        XCTAssertNil(key("user-agent", ["User-Agent: \(String(repeating: "a", count: 4_094))"]))
        let members = (0..<16).map { "\(String(repeating: "c", count: 300))\($0)" }.joined(separator: ",")
        XCTAssertNil(key("accept-encoding", ["Accept-Encoding: \(members)"]))
        // No room in the block, at every size.
        for capacity in 1..<12 { XCTAssertNil(key("x", ["X: abcdefgh"], capacity: capacity)) }
        XCTAssertNotNil(key("x", ["X: abcdefgh"], capacity: 12))
    }

    func test_9111_4_1_equalValuesMatch() {
        XCTAssertTrue(match("foo", ["Foo: 1"], ["foo: 1"]))
        XCTAssertFalse(match("foo", ["Foo: 1"], ["Foo: 2"]))
        XCTAssertTrue(match("foo", ["Foo: 1", "Bar: 1"], ["Foo: 1", "Bar: 2"]))
        XCTAssertFalse(match("bar,foo", ["Foo: 1", "Bar: 1"], ["Foo: 1", "Bar: 2"]))
        XCTAssertFalse(match("foo", ["Foo: a"], ["Foo: A"]))
        XCTAssertFalse(match("foo", ["Foo: a,b"], ["Foo: b,a"]))
    }

    func test_9111_4_1_absentMatchesOnlyAbsent() {
        XCTAssertTrue(match("foo", [], ["Bar: 1"]))
        XCTAssertFalse(match("foo", [], ["Foo: 1"]))
        XCTAssertFalse(match("foo", [], ["Foo:"]))
        XCTAssertFalse(match("accept-encoding", [], ["Accept-Encoding:"]))
        XCTAssertTrue(match("accept-encoding", [], []))
    }

    func test_9111_4_1_whitespaceAndLinesDoNotCount() {
        XCTAssertTrue(match("foo", ["Foo: 1, 2"], ["Foo: 1,2"]))
        XCTAssertTrue(match("foo", ["Foo: 1 ,\t2 "], ["Foo: 1,2"]))
        XCTAssertTrue(match("foo", ["Foo: 1", "Foo: 2"], ["Foo: 1, 2"]))
        XCTAssertTrue(match("accept", ["Accept: a/b", "Accept: c/d"], ["Accept: a/b,c/d"]))
        XCTAssertTrue(match("accept-language", ["Accept-Language: de ; q=0.5, EN"], ["Accept-Language: de;q=0.5,en"]))
        // Inside of values it does.
        XCTAssertFalse(match("foo", ["Foo: 1 2"], ["Foo: 12"]))
        XCTAssertFalse(match("foo", ["Foo: 1 2"], ["Foo: 1  2"]))
        XCTAssertFalse(match("foo", ["Foo: \"a, b\""], ["Foo: \"a,b\""]))
        XCTAssertFalse(match("foo", ["Foo: \"\\\"a, b\""], ["Foo: \"\\\"a,b\""]))
        for single in ["User-Agent", "Cookie", "Referer"] {
            XCTAssertFalse(match(single.lowercased(), ["\(single): a, b"], ["\(single): a,b"]))
        }
    }

    func test_9111_4_1_valuesCannotPassForOthers() {
        XCTAssertFalse(match("a,b", ["A: 1", "B: 2"], ["A: 12"]))
        XCTAssertFalse(match("a,b", ["A: x"], ["B: x"]))
    }

    func test_9111_4_1_acceptEncodingIsComparedByMeaning() {
        func same(_ first: String, _ second: String) -> Bool {
            match("accept-encoding", ["Accept-Encoding: \(first)"], ["Accept-Encoding: \(second)"])
        }
        XCTAssertTrue(same("gzip, br", "br,gzip"))
        XCTAssertTrue(same("GZIP", "gzip"))
        XCTAssertTrue(same("deflate, dzz, dab, de, dea", "dea, dab, de, dzz, deflate"))
        XCTAssertTrue(same("x-gzip, br", "gzip, br"))
        XCTAssertTrue(same("x-gzip, zstd, br", "br, zstd, gzip"))
        XCTAssertTrue(same("gzip;q=1", "gzip; Q=1.000"))
        XCTAssertTrue(same("gzip;q=0.5", "gzip ; q=0.500"))
        XCTAssertFalse(same("gzip;q=0", "gzip"))
        XCTAssertFalse(same("gzip;q=0.5, br", "gzip, br"))
        XCTAssertFalse(same("gzip, *;q=0", "gzip"))
        XCTAssertFalse(same("gzip", "br"))
        // What cannot be read is compared as it is; so are more members than are read, in linear time and without harm.
        XCTAssertFalse(same("gzip;q=x", "gzip"))
        XCTAssertFalse(same("gzip;q=2", "gzip;q=1"))
        XCTAssertFalse(same("gzip;500", "gzip;q=0.5"))
        let many = String(repeating: ",", count: 20) + (0..<17).map { "c\($0)" }.joined(separator: ",")
        XCTAssertTrue(same(many, many))
        XCTAssertTrue(same(String(repeating: ",", count: 400) + "gzip", "gzip"))
    }

    func test_9110_12_5_3_qualitiesOfCodings() {
        func quality(_ field: String?, _ coding: StaticString) -> UInt16? {
            let request = Request(field.map { ["Accept-Encoding: \($0)"] } ?? [])
            return AcceptEncoding(request.head, request.bytes.span)?.quality(of: coding, request.bytes.span)
        }
        XCTAssertEqual(quality("gzip", "gzip"), 1_000)
        XCTAssertEqual(quality("gzip;q=0.25", "gzip"), 250)
        XCTAssertEqual(quality("gzip;q=0.001", "gzip"), 1)
        XCTAssertEqual(quality("gzip;q=0", "gzip"), 0)
        XCTAssertEqual(quality("gzip;q=0.0, *", "gzip"), 0)
        XCTAssertEqual(quality("*", "gzip"), 1_000)
        XCTAssertEqual(quality("*;q=0.5", "gzip"), 500)
        XCTAssertEqual(quality("br", "gzip"), 0)
        XCTAssertEqual(quality("x-gzip", "gzip"), 1_000)
        XCTAssertEqual(quality("", "gzip"), 0)
        XCTAssertEqual(quality(nil, "gzip"), 0)
        XCTAssertEqual(quality("gzip", "identity"), 1)
        XCTAssertEqual(quality("*", "identity"), 1_000)
        XCTAssertEqual(quality("gzip, *;q=0.5", "identity"), 500)
        XCTAssertEqual(quality("gzip, identity;q=0", "identity"), 0)
        XCTAssertEqual(quality("gzip, *;q=0", "identity"), 0)
        XCTAssertEqual(quality("identity;q=0.5, *;q=0", "identity"), 500)
        for wrong in [
            "gzip;q=1.001", "gzip;q=0.0001", "gzip;q=", "gzip;x=1", "gzip q=1", ";q=1", "gzip;q=1;q=1", "gzip;q=-1",
        ] {
            XCTAssertNil(quality(wrong, "gzip"), wrong)
        }
    }

    func test_9110_12_5_3_gzipIsSentToWhoPrefersIt() {
        func prefers(_ field: String) -> Bool {
            let request = Request(["Accept-Encoding: \(field)"])
            return AcceptEncoding(request.head, request.bytes.span)?.prefers("gzip", request.bytes.span) ?? false
        }
        for field in ["gzip", "gzip;q=0.1", "*", "gzip, identity", "br;q=1, gzip;q=0.8"] {
            XCTAssertTrue(prefers(field), field)
        }
        for field in ["", "br", "gzip;q=0", "*;q=0", "identity, gzip;q=0.5", "*, gzip;q=0", "nonsense;"] {
            XCTAssertFalse(prefers(field), field)
        }
    }

    func test_9111_4_theMostRecentMatchingResponseIsChosen() {
        func made(_ seconds: Int64, vary: Bool = true, received: Int64 = 0) -> ResponsePolicy {
            var policy = ResponsePolicy()
            policy.date = seconds
            policy.responseTime = received
            if vary { policy.flags.insert(.hasVary) }
            return policy
        }
        var choice = VariantChoice()
        XCTAssertEqual(choice.miss, .uriMiss)
        choice.offer(made(9), at: 0, matches: false)
        XCTAssertNil(choice.position)
        XCTAssertEqual(choice.miss, .varyMiss)
        choice.offer(made(5), at: 1, matches: true)
        XCTAssertEqual(choice.position, 1)
        choice.offer(made(7), at: 2, matches: true)
        choice.offer(made(6), at: 3, matches: true)
        XCTAssertEqual(choice.position, 2)
        choice.offer(made(7, received: 1), at: 4, matches: true)
        XCTAssertEqual(choice.position, 4)
        // "the cache SHOULD choose the most recent … stored response with a valid Vary field value".
        choice.offer(made(99, vary: false), at: 5, matches: true)
        XCTAssertEqual(choice.position, 4)
        var other = VariantChoice()
        other.offer(made(99, vary: false), at: 0, matches: true)
        other.offer(made(1), at: 1, matches: true)
        XCTAssertEqual(other.position, 1)
    }
}
