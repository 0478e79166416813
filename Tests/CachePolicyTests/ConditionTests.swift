// SPDX-License-Identifier: Apache-2.0
// RFC 9110 §13, §14, §15.3.7, §15.4.5, §15.5.17 and RFC 9111 §4.3.2: a client's conditions and ranges.

import Bytes
import CachePolicy
import HTTP
import XCTest

final class ConditionTests: XCTestCase {
    private let modified = "Last-Modified: \(date(clock - 1_000))"

    private func served(
        _ request: [String], _ response: [String], status: Int = 200, method: String = "GET", size: UInt64 = 100
    ) -> Served {
        let request = Request(request, method: method)
        let stored = Response(response + ["Date: \(date(clock - 10))"], status: status)
        var policy = ResponsePolicy()
        policy.status = UInt16(status)
        policy.date = clock - 10
        return ClientConditions.evaluate(
            request.cache, request.head, request.bytes.span, policy, stored.head, stored.bytes.span, size: size,
            now: clockMilliseconds)
    }

    func test_9110_13_1_2_ifNoneMatchIsComparedWeakly() {
        for list in ["\"a\"", "W/\"a\"", "\"x\", \"a\"", "\"x\" , W/\"a\"", "*", "\"x\",\"a\",\"y\""] {
            XCTAssertEqual(served(["If-None-Match: \(list)"], [tagged]), .notModified, list)
            XCTAssertEqual(served(["If-None-Match: \(list)"], ["ETag: W/\"a\""]), .notModified, list)
        }
        for list in ["\"b\"", "a", "", "\"a", "w/\"a\"", "\"A\"", "\"a \""] {
            XCTAssertEqual(served(["If-None-Match: \(list)"], [tagged]), .whole, list)
        }
        XCTAssertEqual(served(["If-None-Match: \"x\"", "If-None-Match: \"a\""], [tagged]), .notModified)
        XCTAssertEqual(served(["If-None-Match: *"], []), .notModified)
        XCTAssertEqual(served(["If-None-Match: \"a\""], []), .whole)
        XCTAssertEqual(served(["If-None-Match: \"\""], []), .whole)
        XCTAssertEqual(served(["If-None-Match: \"a\""], [tagged], method: "HEAD"), .notModified)
    }

    func test_9110_13_1_3_ifModifiedSinceIsADateOfGetAndHead() {
        func since(_ value: String, _ fields: [String]) -> Served { served(["If-Modified-Since: \(value)"], fields) }
        XCTAssertEqual(since(date(clock - 1_000), [modified]), .notModified)
        XCTAssertEqual(since(date(clock), [modified]), .notModified)
        XCTAssertEqual(since(date(clock - 1_001), [modified]), .whole)
        for obsolete in ["Friday, 15-Jan-27 07:59:00 GMT", "Fri Jan 15 07:59:00 2027"] {
            XCTAssertEqual(since(obsolete, [modified]), .notModified, obsolete)
        }
        for wrong in ["", "0", "yesterday", "\(date(clock)), \(date(clock))", "Fri, 15 Jan 2027 08:00:00 CET"] {
            XCTAssertEqual(since(wrong, [modified]), .whole, wrong)
        }
        let twice = ["If-Modified-Since: \(date(clock))", "If-Modified-Since: \(date(clock))"]
        XCTAssertEqual(served(twice, [modified]), .whole)
        XCTAssertEqual(served(["If-Modified-Since: \(date(clock))"], [modified], method: "HEAD"), .notModified)
    }

    func test_9111_4_3_2_withoutLastModifiedTheDateIsCompared() {
        XCTAssertEqual(served(["If-Modified-Since: \(date(clock - 10))"], []), .notModified)
        XCTAssertEqual(served(["If-Modified-Since: \(date(clock - 11))"], []), .whole)
    }

    func test_9110_13_2_2_ifNoneMatchComesBeforeIfModifiedSince() {
        let since = "If-Modified-Since: \(date(clock))"
        XCTAssertEqual(served([since, "If-None-Match: \"b\""], [tagged, modified]), .whole)
        XCTAssertEqual(
            served(["If-Modified-Since: \(date(0))", "If-None-Match: \"a\""], [tagged, modified]), .notModified)
        // §14.2: "Range is ignored when a conditional GET would result in a 304 (Not Modified) response".
        XCTAssertEqual(served([since, "Range: bytes=0-1"], [modified]), .notModified)
        XCTAssertEqual(served(["If-None-Match: \"b\"", "Range: bytes=0-1"], [tagged]), .partial(0..<2))
    }

    func test_9111_4_3_2_aClientWithAnotherCopyGetsTheFreshenedOne() {
        // Ours was validated with our tag, not with the client's: "the cache MUST generate a 200 (OK) response".
        XCTAssertEqual(served(["If-None-Match: \"old\""], ["ETag: \"new\""]), .whole)
        XCTAssertEqual(served(["If-None-Match: \"old\", \"new\""], ["ETag: \"new\""]), .notModified)
    }

    func test_9111_4_3_2_onlyStored200And206AreCompared() {
        for status in [203, 301, 404, 410] {
            XCTAssertEqual(served(["If-None-Match: \"a\"", "Range: bytes=0-1"], [tagged], status: status), .whole)
        }
        XCTAssertEqual(served([], [tagged]), .whole)
    }

    func test_9110_14_2_oneRangeIsServed() {
        func range(_ value: String, size: UInt64 = 100) -> Served { served(["Range: \(value)"], [], size: size) }
        XCTAssertEqual(range("bytes=0-9"), .partial(0..<10))
        XCTAssertEqual(range("bytes=90-"), .partial(90..<100))
        XCTAssertEqual(range("bytes=-10"), .partial(90..<100))
        XCTAssertEqual(range("bytes=-1000"), .partial(0..<100))
        XCTAssertEqual(range("bytes=50-1000"), .partial(50..<100))
        XCTAssertEqual(range("BYTES=0-0"), .partial(0..<1))
        XCTAssertEqual(range("bytes=100-"), .unsatisfiable)
        XCTAssertEqual(range("bytes=-0"), .unsatisfiable)
        XCTAssertEqual(range("bytes=0-", size: 0), .unsatisfiable)
    }

    func test_9110_14_2_otherRangesAreIgnored() {
        let many = (0..<1_000).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
        for value in [
            "bytes=0-1,5-6", "bytes=9-0", "bytes=", "bytes=-", "items=0-1", "bytes=a-b", "bytes 0-1", "bytes=\(many)",
        ] {
            XCTAssertEqual(served(["Range: \(value)"], []), .whole, value)
        }
        XCTAssertEqual(served(["Range: bytes=0-1", "Range: bytes=2-3"], []), .whole)
        for method in ["HEAD"] { XCTAssertEqual(served(["Range: bytes=0-1"], [], method: method), .whole) }
    }

    func test_9110_14_1_2_rangesDoNotOverflow() {
        let large = "99999999999999999999999"
        XCTAssertEqual(served(["Range: bytes=0-\(large)"], []), .partial(0..<100))
        XCTAssertEqual(served(["Range: bytes=0-9223372036854775807"], []), .partial(0..<100))
        XCTAssertEqual(served(["Range: bytes=0-18446744073709551615"], []), .partial(0..<100))
        XCTAssertEqual(served(["Range: bytes=-\(large)"], []), .partial(0..<100))
        XCTAssertEqual(served(["Range: bytes=-9223372036854775808"], []), .partial(0..<100))
        XCTAssertEqual(served(["Range: bytes=\(large)-"], []), .unsatisfiable)
        XCTAssertEqual(served(["Range: bytes=18446744073709551614-18446744073709551615"], []), .unsatisfiable)
    }

    func test_9110_13_1_5_ifRangeIsComparedStrongly() {
        func served(_ condition: String, _ fields: [String]) -> Served {
            self.served(["Range: bytes=0-1", "If-Range: \(condition)"], fields)
        }
        XCTAssertEqual(served("\"a\"", [tagged]), .partial(0..<2))
        for wrong in ["\"b\"", "W/\"a\"", "a", "", "*"] {
            XCTAssertEqual(served(wrong, [tagged]), .whole, wrong)
        }
        XCTAssertEqual(served("W/\"a\"", ["ETag: W/\"a\""]), .whole)
        XCTAssertEqual(served("\"a\"", ["ETag: W/\"a\""]), .whole)
        XCTAssertEqual(served("\"a\"", []), .whole)
        XCTAssertEqual(served(date(clock - 1_000), [modified]), .partial(0..<2))
        XCTAssertEqual(served(date(clock - 999), [modified]), .whole)
        XCTAssertEqual(served(date(clock - 10), []), .whole)
        // A date is strong only a second after it (§8.8.2.2).
        XCTAssertEqual(served(date(clock - 10), ["Last-Modified: \(date(clock - 10))"]), .whole)
        XCTAssertEqual(served(date(clock - 11), ["Last-Modified: \(date(clock - 11))"]), .partial(0..<2))
        XCTAssertEqual(self.served(["If-Range: \"b\""], [tagged]), .whole)
        // An unsatisfiable range whose condition fails is the whole.
        XCTAssertEqual(self.served(["Range: bytes=900-", "If-Range: \"b\""], [tagged]), .whole)
    }

    private let all: [FieldName] = [
        .date, .etag, .vary, .cacheControl, .expires, .contentLocation, .lastModified, .contentType, .contentEncoding,
        .contentLanguage, .contentLength, .contentRange, .age, .setCookie, .other,
    ]

    private func sent(_ served: Served, hasTag: Bool = true, isIfRange: Bool = false) -> Set<FieldName> {
        Set(all.filter { ServedFields.send($0, served, hasTag: hasTag, isIfRange: isIfRange) })
    }

    func test_9110_15_4_5_fieldsOf304() {
        XCTAssertEqual(
            sent(.notModified),
            [.date, .etag, .vary, .cacheControl, .expires, .contentLocation, .setCookie, .other])
        XCTAssertTrue(sent(.notModified, hasTag: false).contains(.lastModified))
        XCTAssertEqual(written { ServedFields.writeOwn(.notModified, age: 5, size: 100, to: $0) }, "Age: 5\r\n")
    }

    func test_9110_15_3_7_fieldsOf206() {
        XCTAssertEqual(sent(.partial(0..<1)), Set(all).subtracting([.contentLength, .contentRange, .age]))
        XCTAssertEqual(
            sent(.partial(0..<1), isIfRange: true),
            [.date, .etag, .vary, .cacheControl, .expires, .contentLocation, .setCookie, .other])
        XCTAssertEqual(
            written { ServedFields.writeOwn(.partial(10..<30), age: 5, size: 100, to: $0) },
            "Age: 5\r\nContent-Length: 20\r\nContent-Range: bytes 10-29/100\r\n")
        XCTAssertEqual(
            written { ServedFields.writeOwn(.partial(10..<30), age: 5, size: nil, to: $0) },
            "Age: 5\r\nContent-Length: 20\r\nContent-Range: bytes 10-29/*\r\n")
        let widest = UInt64.max - 1..<UInt64.max
        let text = written(capacity: ServedFields.ownLimit) {
            ServedFields.writeOwn(.partial(widest), age: .max, size: .max, to: $0)
        }
        XCTAssertTrue(text.hasSuffix("\r\n"))
    }

    func test_9110_15_5_17_fieldsOf416() {
        XCTAssertEqual(sent(.unsatisfiable), [.date, .etag])
        XCTAssertEqual(
            written { ServedFields.writeOwn(.unsatisfiable, age: 5, size: 100, to: $0) },
            "Content-Length: 0\r\nContent-Range: bytes */100\r\n")
    }

    func test_9111_4_ageIsWrittenOnEveryReuse() {
        for name: FieldName in [.age, .contentLength, .cacheStatus] {
            XCTAssertFalse(ServedFields.send(name, .whole, hasTag: true, isIfRange: false))
        }
        XCTAssertEqual(
            written { ServedFields.writeOwn(.whole, age: 2_147_483_648, size: 7, to: $0) },
            "Age: 2147483648\r\nContent-Length: 7\r\n")
        XCTAssertFalse(stored(Response(["Age: 5"])).contains("Age: 5"))
    }

    func test_statusOfWhatIsServed() {
        var policy = ResponsePolicy()
        policy.status = 404
        XCTAssertEqual(Served.whole.status(of: policy), 404)
        XCTAssertEqual(Served.notModified.status(of: policy), 304)
        XCTAssertEqual(Served.partial(0..<1).status(of: policy), 206)
        XCTAssertEqual(Served.unsatisfiable.status(of: policy), 416)
    }
}

/// RFC 9111 §3.1: which fields are stored.
final class StoredFieldsTests: XCTestCase {
    private let dated = "Date: \(date(clock))"

    func test_9111_3_1_allFieldsAreStored() {
        let fields = [
            dated, "X-Unknown: 1", "Server: s", "Warning: 110 - x", "Via: 1.1 x", "Cache-Control: a=b, max-age=1",
            "X-Unknown: 2",
        ]
        XCTAssertEqual(stored(Response(fields)), fields)
    }

    func test_9111_3_1_fieldsOfTheHopAreNotStored() {
        let hop = [
            "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: x", "Trailer: X",
            "Upgrade: x",
        ]
        XCTAssertEqual(stored(Response([dated] + hop)), [dated])
        XCTAssertEqual(stored(Response([dated, "Transfer-Encoding: chunked"])), [dated])
    }

    func test_9111_3_1_fieldsOfProxiesAreNotStored() {
        let proxy = ["Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x", "Proxy-Authorization: y"]
        XCTAssertEqual(stored(Response([dated] + proxy)), [dated])
    }

    func test_9110_7_6_1_connectionCannotTakeAwayWhoMayHaveTheContent() {
        let kept = [
            dated, "Cache-Control: max-age=5", "Vary: accept", tagged, "Content-Type: a/b", "Content-Encoding: gzip",
            "Expires: 0", "Last-Modified: \(date(clock))", "CDN-Cache-Control: max-age=5", "Location: /",
        ]
        let names = kept.map { $0.prefix { $0 != ":" } }.joined(separator: ", ")
        XCTAssertEqual(stored(Response(kept + ["Connection: \(names), x-a", "X-A: 1"])), kept)
    }

    func test_storingFieldsWithoutRoomWritesNothing() {
        let response = Response(["X-A: 1", "X-B: 2"])
        let times = ExchangeTimes(request: clockMilliseconds, response: clockMilliseconds)
        let age = ResponseAge(response.head, response.bytes.span, times)
        for capacity in 1..<80 {
            let block = Block(capacity: capacity)
            XCTAssertFalse(StoredFields.write(response.head, response.bytes.span, age: age, CacheRules(), to: block))
            XCTAssertEqual(block.count, 0)
        }
        let enough = Block(capacity: response.head.length + 64)
        XCTAssertTrue(StoredFields.write(response.head, response.bytes.span, age: age, CacheRules(), to: enough))
    }
}
