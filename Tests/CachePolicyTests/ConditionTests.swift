// SPDX-License-Identifier: Apache-2.0
// RFC 9110 §13, §14, §15.3.7, §15.4.5, §15.5.17 and RFC 9111 §4.3.2: a client's conditions and ranges.

import Bytes
import CachePolicy
import HTTP
import Testing

@Suite("What a stored response answers") struct ConditionTests {
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

    @Test("If-None-Match is compared weakly (RFC 9110 §13.1.2)")
    func test_9110_13_1_2_ifNoneMatchIsComparedWeakly() {
        for list in ["\"a\"", "W/\"a\"", "\"x\", \"a\"", "\"x\" , W/\"a\"", "*", "\"x\",\"a\",\"y\""] {
            #expect(served(["If-None-Match: \(list)"], [tagged]) == .notModified, "\(list)")
            #expect(served(["If-None-Match: \(list)"], ["ETag: W/\"a\""]) == .notModified, "\(list)")
        }
        for list in ["\"b\"", "a", "", "\"a", "w/\"a\"", "\"A\"", "\"a \""] {
            #expect(served(["If-None-Match: \(list)"], [tagged]) == .whole, "\(list)")
        }
        #expect(served(["If-None-Match: \"x\"", "If-None-Match: \"a\""], [tagged]) == .notModified)
        #expect(served(["If-None-Match: *"], []) == .notModified)
        #expect(served(["If-None-Match: \"a\""], []) == .whole)
        #expect(served(["If-None-Match: \"\""], []) == .whole)
        #expect(served(["If-None-Match: \"a\""], [tagged], method: "HEAD") == .notModified)
    }

    @Test("If-Modified-Since counts when it is a date, for GET and HEAD (RFC 9110 §13.1.3)")
    func test_9110_13_1_3_ifModifiedSinceIsADateOfGetAndHead() {
        func since(_ value: String, _ fields: [String]) -> Served { served(["If-Modified-Since: \(value)"], fields) }
        #expect(since(date(clock - 1_000), [modified]) == .notModified)
        #expect(since(date(clock), [modified]) == .notModified)
        #expect(since(date(clock - 1_001), [modified]) == .whole)
        for obsolete in ["Friday, 15-Jan-27 07:59:00 GMT", "Fri Jan 15 07:59:00 2027"] {
            #expect(since(obsolete, [modified]) == .notModified, "\(obsolete)")
        }
        for wrong in ["", "0", "yesterday", "\(date(clock)), \(date(clock))", "Fri, 15 Jan 2027 08:00:00 CET"] {
            #expect(since(wrong, [modified]) == .whole, "\(wrong)")
        }
        let twice = ["If-Modified-Since: \(date(clock))", "If-Modified-Since: \(date(clock))"]
        #expect(served(twice, [modified]) == .whole)
        #expect(served(["If-Modified-Since: \(date(clock))"], [modified], method: "HEAD") == .notModified)
    }

    @Test("without Last-Modified the Date is compared (RFC 9111 §4.3.2)")
    func test_9111_4_3_2_withoutLastModifiedTheDateIsCompared() {
        #expect(served(["If-Modified-Since: \(date(clock - 10))"], []) == .notModified)
        #expect(served(["If-Modified-Since: \(date(clock - 11))"], []) == .whole)
    }

    @Test("If-None-Match comes before If-Modified-Since (RFC 9110 §13.2.2)")
    func test_9110_13_2_2_ifNoneMatchComesBeforeIfModifiedSince() {
        let since = "If-Modified-Since: \(date(clock))"
        #expect(served([since, "If-None-Match: \"b\""], [tagged, modified]) == .whole)
        #expect(served(["If-Modified-Since: \(date(0))", "If-None-Match: \"a\""], [tagged, modified]) == .notModified)
        // §14.2: "Range is ignored when a conditional GET would result in a 304 (Not Modified) response".
        #expect(served([since, "Range: bytes=0-1"], [modified]) == .notModified)
        #expect(served(["If-None-Match: \"b\"", "Range: bytes=0-1"], [tagged]) == .partial(0..<2))
    }

    @Test("a client with another copy gets the freshened one (RFC 9111 §4.3.2)")
    func test_9111_4_3_2_aClientWithAnotherCopyGetsTheFreshenedOne() {
        // Ours was validated with our tag, not with the client's: "the cache MUST generate a 200 (OK) response".
        #expect(served(["If-None-Match: \"old\""], ["ETag: \"new\""]) == .whole)
        #expect(served(["If-None-Match: \"old\", \"new\""], ["ETag: \"new\""]) == .notModified)
    }

    @Test("conditions are compared with a stored 200 or 206 only (RFC 9111 §4.3.2)")
    func test_9111_4_3_2_onlyStored200And206AreCompared() {
        for status in [203, 301, 404, 410] {
            #expect(served(["If-None-Match: \"a\"", "Range: bytes=0-1"], [tagged], status: status) == .whole)
        }
        #expect(served([], [tagged]) == .whole)
    }

    @Test("one range is served (RFC 9110 §14.2)")
    func test_9110_14_2_oneRangeIsServed() {
        func range(_ value: String, size: UInt64 = 100) -> Served { served(["Range: \(value)"], [], size: size) }
        #expect(range("bytes=0-9") == .partial(0..<10))
        #expect(range("bytes=90-") == .partial(90..<100))
        #expect(range("bytes=-10") == .partial(90..<100))
        #expect(range("bytes=-1000") == .partial(0..<100))
        #expect(range("bytes=50-1000") == .partial(50..<100))
        #expect(range("BYTES=0-0") == .partial(0..<1))
        #expect(range("bytes=100-") == .unsatisfiable)
        #expect(range("bytes=-0") == .unsatisfiable)
        #expect(range("bytes=0-", size: 0) == .unsatisfiable)
    }

    @Test("other ranges are ignored (RFC 9110 §14.2)")
    func test_9110_14_2_otherRangesAreIgnored() {
        let many = (0..<1_000).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
        for value in [
            "bytes=0-1,5-6", "bytes=9-0", "bytes=", "bytes=-", "items=0-1", "bytes=a-b", "bytes 0-1", "bytes=\(many)",
        ] {
            #expect(served(["Range: \(value)"], []) == .whole, "\(value)")
        }
        #expect(served(["Range: bytes=0-1", "Range: bytes=2-3"], []) == .whole)
        for method in ["HEAD"] { #expect(served(["Range: bytes=0-1"], [], method: method) == .whole) }
    }

    @Test("ranges do not overflow (RFC 9110 §14.1.2)")
    func test_9110_14_1_2_rangesDoNotOverflow() {
        let large = "99999999999999999999999"
        #expect(served(["Range: bytes=0-\(large)"], []) == .partial(0..<100))
        #expect(served(["Range: bytes=0-9223372036854775807"], []) == .partial(0..<100))
        #expect(served(["Range: bytes=0-18446744073709551615"], []) == .partial(0..<100))
        #expect(served(["Range: bytes=-\(large)"], []) == .partial(0..<100))
        #expect(served(["Range: bytes=-9223372036854775808"], []) == .partial(0..<100))
        #expect(served(["Range: bytes=\(large)-"], []) == .unsatisfiable)
        #expect(served(["Range: bytes=18446744073709551614-18446744073709551615"], []) == .unsatisfiable)
    }

    @Test("If-Range is compared strongly (RFC 9110 §13.1.5)")
    func test_9110_13_1_5_ifRangeIsComparedStrongly() {
        func served(_ condition: String, _ fields: [String]) -> Served {
            self.served(["Range: bytes=0-1", "If-Range: \(condition)"], fields)
        }
        #expect(served("\"a\"", [tagged]) == .partial(0..<2))
        for wrong in ["\"b\"", "W/\"a\"", "a", "", "*"] {
            #expect(served(wrong, [tagged]) == .whole, "\(wrong)")
        }
        #expect(served("W/\"a\"", ["ETag: W/\"a\""]) == .whole)
        #expect(served("\"a\"", ["ETag: W/\"a\""]) == .whole)
        #expect(served("\"a\"", []) == .whole)
        #expect(served(date(clock - 1_000), [modified]) == .partial(0..<2))
        #expect(served(date(clock - 999), [modified]) == .whole)
        #expect(served(date(clock - 10), []) == .whole)
        // A date is strong only a second after it (§8.8.2.2).
        #expect(served(date(clock - 10), ["Last-Modified: \(date(clock - 10))"]) == .whole)
        #expect(served(date(clock - 11), ["Last-Modified: \(date(clock - 11))"]) == .partial(0..<2))
        #expect(self.served(["If-Range: \"b\""], [tagged]) == .whole)
        // An unsatisfiable range whose condition fails is the whole.
        #expect(self.served(["Range: bytes=900-", "If-Range: \"b\""], [tagged]) == .whole)
    }

    private let all: [FieldName] = [
        .date, .etag, .vary, .cacheControl, .expires, .contentLocation, .lastModified, .contentType, .contentEncoding,
        .contentLanguage, .contentLength, .contentRange, .age, .setCookie, .other,
    ]

    private func sent(_ served: Served, hasTag: Bool = true, isIfRange: Bool = false) -> Set<FieldName> {
        Set(all.filter { ServedFields.send($0, served, hasTag: hasTag, isIfRange: isIfRange) })
    }

    @Test("a 304 has the fields that it must have, and no others of the content (RFC 9110 §15.4.5)")
    func test_9110_15_4_5_fieldsOf304() {
        #expect(
            sent(.notModified) == [.date, .etag, .vary, .cacheControl, .expires, .contentLocation, .setCookie, .other])
        #expect(sent(.notModified, hasTag: false).contains(.lastModified))
        #expect(written { ServedFields.writeOwn(.notModified, age: 5, size: 100, to: $0) } == "Age: 5\r\n")
    }

    @Test("a 206 has the fields of its part (RFC 9110 §15.3.7)")
    func test_9110_15_3_7_fieldsOf206() {
        #expect(sent(.partial(0..<1)) == Set(all).subtracting([.contentLength, .contentRange, .age]))
        #expect(
            sent(.partial(0..<1), isIfRange: true) == [
                .date, .etag, .vary, .cacheControl, .expires, .contentLocation, .setCookie, .other,
            ])
        #expect(
            written { ServedFields.writeOwn(.partial(10..<30), age: 5, size: 100, to: $0) }
                == "Age: 5\r\nContent-Length: 20\r\nContent-Range: bytes 10-29/100\r\n")
        #expect(
            written { ServedFields.writeOwn(.partial(10..<30), age: 5, size: nil, to: $0) }
                == "Age: 5\r\nContent-Length: 20\r\nContent-Range: bytes 10-29/*\r\n")
        let widest = UInt64.max - 1..<UInt64.max
        let text = written(capacity: ServedFields.ownLimit) {
            ServedFields.writeOwn(.partial(widest), age: .max, size: .max, to: $0)
        }
        #expect(text.hasSuffix("\r\n"))
    }

    @Test("a 416 says how long the whole is (RFC 9110 §15.5.17)")
    func test_9110_15_5_17_fieldsOf416() {
        #expect(sent(.unsatisfiable) == [.date, .etag])
        #expect(
            written { ServedFields.writeOwn(.unsatisfiable, age: 5, size: 100, to: $0) }
                == "Content-Length: 0\r\nContent-Range: bytes */100\r\n")
    }

    @Test("Age is written on every reuse (RFC 9111 §4)")
    func test_9111_4_ageIsWrittenOnEveryReuse() {
        for name: FieldName in [.age, .contentLength, .cacheStatus] {
            #expect(!ServedFields.send(name, .whole, hasTag: true, isIfRange: false))
        }
        #expect(
            written { ServedFields.writeOwn(.whole, age: 2_147_483_648, size: 7, to: $0) }
                == "Age: 2147483648\r\nContent-Length: 7\r\n")
        #expect(!stored(Response(["Age: 5"])).contains("Age: 5"))
    }

    @Test("each way to serve has its status")
    func test_statusOfWhatIsServed() {
        var policy = ResponsePolicy()
        policy.status = 404
        #expect(Served.whole.status(of: policy) == 404)
        #expect(Served.notModified.status(of: policy) == 304)
        #expect(Served.partial(0..<1).status(of: policy) == 206)
        #expect(Served.unsatisfiable.status(of: policy) == 416)
    }
}

/// RFC 9111 §3.1: which fields are stored.
@Suite("The fields that are stored") struct StoredFieldsTests {
    private let dated = "Date: \(date(clock))"

    @Test("all fields are stored (RFC 9111 §3.1)")
    func test_9111_3_1_allFieldsAreStored() {
        let fields = [
            dated, "X-Unknown: 1", "Server: s", "Warning: 110 - x", "Via: 1.1 x", "Cache-Control: a=b, max-age=1",
            "X-Unknown: 2",
        ]
        #expect(stored(Response(fields)) == fields)
    }

    @Test("fields of the hop are not stored (RFC 9111 §3.1)")
    func test_9111_3_1_fieldsOfTheHopAreNotStored() {
        let hop = [
            "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: x", "Trailer: X",
            "Upgrade: x",
        ]
        #expect(stored(Response([dated] + hop)) == [dated])
        #expect(stored(Response([dated, "Transfer-Encoding: chunked"])) == [dated])
    }

    @Test("fields of proxies are not stored (RFC 9111 §3.1)")
    func test_9111_3_1_fieldsOfProxiesAreNotStored() {
        let proxy = ["Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x", "Proxy-Authorization: y"]
        #expect(stored(Response([dated] + proxy)) == [dated])
    }

    @Test("Connection cannot take away who may have the content (RFC 9110 §7.6.1)")
    func test_9110_7_6_1_connectionCannotTakeAwayWhoMayHaveTheContent() {
        let kept = [
            dated, "Cache-Control: max-age=5", "Vary: accept", tagged, "Content-Type: a/b", "Content-Encoding: gzip",
            "Expires: 0", "Last-Modified: \(date(clock))", "CDN-Cache-Control: max-age=5", "Location: /",
        ]
        let names = kept.map { $0.prefix { $0 != ":" } }.joined(separator: ", ")
        #expect(stored(Response(kept + ["Connection: \(names), x-a", "X-A: 1"])) == kept)
    }

    @Test("storing fields without room writes nothing")
    func test_storingFieldsWithoutRoomWritesNothing() {
        let response = Response(["X-A: 1", "X-B: 2"])
        let times = ExchangeTimes(request: clockMilliseconds, response: clockMilliseconds)
        let age = ResponseAge(response.head, response.bytes.span, times)
        for capacity in 1..<80 {
            let block = Block(capacity: capacity)
            #expect(StoredFields.write(response.head, response.bytes.span, age: age, CacheRules(), to: block) == false)
            #expect(block.count == 0)
        }
        let enough = Block(capacity: response.head.length + 64)
        #expect(StoredFields.write(response.head, response.bytes.span, age: age, CacheRules(), to: enough) == true)
    }
}
