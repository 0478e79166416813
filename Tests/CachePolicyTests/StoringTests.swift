// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §3 and the directives of §5.2.2 that forbid or allow storing.

import Bytes
import CachePolicy
import HTTP
import XCTest

final class StoringTests: XCTestCase {
    func test_9111_3_onlyGetIsStored() {
        for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "QUERY"] {
            XCTAssertEqual(refusal(["Cache-Control: max-age=60"], Request(method: method)), .method)
        }
        XCTAssertNil(refusal(["Cache-Control: max-age=60"], Request()))
    }

    func test_9111_3_aRequestWithContentIsNotStored() {
        let fields = ["Cache-Control: max-age=60"]
        XCTAssertEqual(refusal(fields, Request(["Content-Length: 3"])), .requestContent)
        XCTAssertEqual(refusal(fields, Request(["Transfer-Encoding: chunked"])), .requestContent)
        XCTAssertNil(refusal(fields, Request(["Content-Length: 0"])))
        let upgrade = Request(["Connection: upgrade", "Upgrade: websocket"])
        XCTAssertEqual(refusal(fields, upgrade), .upgrade)
    }

    func test_9111_3_interimResponsesAreNotStored() {
        for status in [100, 101, 102, 103] {
            XCTAssertEqual(refusal(["Cache-Control: max-age=60"], status: status), .notFinal)
        }
    }

    func test_9111_3_everyFinalStatusWithExplicitFreshnessIsStored() {
        for status in 200...599 where ![206, 304, 412, 416].contains(status) {
            XCTAssertNil(refusal(["Cache-Control: max-age=60"], status: status), "\(status)")
            XCTAssertNil(refusal(["Expires: \(date(clock + 60))"], status: status), "\(status)")
            XCTAssertNil(refusal(["Cache-Control: s-maxage=60"], status: status), "\(status)")
        }
    }

    func test_9111_3_answersToConditionsAndRangesAreNotStored() {
        for status in [304, 412, 416] {
            XCTAssertEqual(refusal(["Cache-Control: max-age=60, public"], status: status), .ofThisRequest)
        }
    }

    func test_9111_3_withoutExplicitFreshnessOnlyHeuristicallyCacheableStatusesAreStored() {
        let heuristic = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]
        let modified = ["Date: \(date(clock))", "Last-Modified: \(date(clock - 1_000_000))"]
        for status in 200...599 where ![206, 304, 412, 416].contains(status) {
            let expected: StoreRefusal? =
                heuristic.contains(status) ? nil : status >= 400 ? .errorWithoutLifetime : .notCacheable
            XCTAssertEqual(refusal(modified, status: status), expected, "\(status)")
        }
    }

    func test_9111_3_publicMakesNonErrorsCacheable() {
        let modified = ["Cache-Control: public", "Last-Modified: \(date(clock - 1_000_000))"]
        for status in [201, 202, 302, 303, 307] {
            XCTAssertNil(refusal(modified, status: status))
            XCTAssertEqual(policy(modified, status: status).lifetime, 86_400)
        }
        let personalOnes = ["Cache-Control: private", "Last-Modified: \(date(clock - 1_000_000))"]
        XCTAssertNil(refusal(personalOnes, status: 302, Request(), personal))
    }

    func test_poisoning_errorsAreNotStoredWithoutALifetime() {
        for status in [400, 401, 403, 408, 413, 429, 431, 500, 502, 503, 504] {
            for fields in [
                [tagged], [tagged, "Cache-Control: public"], [tagged, "Last-Modified: \(date(clock - 9_999))"],
            ] {
                let rules = CacheRules(defaultLifetime: 60)
                XCTAssertEqual(refusal(fields, status: status, Request(), rules), .errorWithoutLifetime, "\(status)")
            }
        }
    }

    func test_9111_3_noStoreIsNotStored() {
        for spelling in [
            "no-store", "No-Store", "NO-STORE", "max-age=60, no-store", "max-age=60,no-store", "no-store=1",
            "no-store , max-age=60", "foo=\"a, b\", no-store", ",,no-store,,", "x=\"unfinished, no-store",
        ] {
            XCTAssertEqual(refusal(["Cache-Control: \(spelling)"]), .noStore, spelling)
        }
        XCTAssertEqual(refusal(["Cache-Control: max-age=60", "Cache-Control: no-store"]), .noStore)
        XCTAssertEqual(refusal(["Cache-Control: no-store"], Request(), personal), .noStore)
        // Inside a string it is no directive.
        XCTAssertNil(refusal(["Cache-Control: max-age=60, x=\"no-store\", y=\", no-store\""]))
        XCTAssertNil(refusal(["Cache-Control: max-age=60, x=\"a\\\", no-store\""]))
        XCTAssertEqual(refusal(["Cache-Control: max-age=60, x=\"a\\\"\", no-store"]), .noStore)
    }

    func test_9111_5_2_1_5_aRequestWithNoStoreIsNotStored() {
        XCTAssertEqual(refusal(["Cache-Control: max-age=60"], Request(["Cache-Control: no-store"])), .requestNoStore)
        XCTAssertEqual(
            refusal(["Cache-Control: max-age=60"], Request(["Cache-Control: No-Store"]), personal), .requestNoStore)
    }

    func test_9111_5_2_2_7_privateIsForPrivateCaches() {
        for spelling in ["private", "PRIVATE", "private=", "private=\"\"", "max-age=60, private", "private, public"] {
            let fields = ["Cache-Control: \(spelling)", "Cache-Control: max-age=60"]
            XCTAssertEqual(refusal(fields), .isPrivate, spelling)
            XCTAssertNil(refusal(fields, Request(), personal), spelling)
        }
    }

    func test_9111_5_2_2_7_privateWithFieldNamesIsStoredWithoutThem() {
        let response = Response([
            "Cache-Control: max-age=60, private=\"X-User, x-other\"", "X-User: u", "X-Other: o", "X-All: a",
        ])
        XCTAssertEqual(names(response), ["cache-control", "x-all", "date"])
        XCTAssertEqual(names(response, personal), ["cache-control", "x-user", "x-other", "x-all", "date"])
        // The token form: "recipients ought to accept both forms".
        let token = Response(["Cache-Control: max-age=60, private=x-user", "X-User: u"])
        XCTAssertEqual(names(token), ["cache-control", "date"])
        XCTAssertNil(refusal(["Cache-Control: max-age=60, private=x-user", "X-User: u"]))
    }

    func test_9111_5_2_2_4_noCacheWithFieldNamesIsStoredWithoutThem() {
        let fields = ["Cache-Control: max-age=60, no-cache=\"X-User\"", "X-User: u", "x-all: a"]
        for rules in [CacheRules(), personal] {
            XCTAssertEqual(names(Response(fields), rules), ["cache-control", "x-all", "date"])
            XCTAssertFalse(policy(fields, Request(), rules).flags.contains(.noCache))
        }
        // More lists than are kept count as the unqualified form.
        let many = (0..<9).map { "no-cache=\"f\($0)\"" }.joined(separator: ", ")
        XCTAssertTrue(policy([tagged, "Cache-Control: \(many)"]).flags.contains(.noCache))
        // So does one whose argument cannot be read.
        for argument in ["=", "=\"\"", "=\"a\\\"b\"", "=\"a"] {
            XCTAssertTrue(policy([tagged, "Cache-Control: no-cache\(argument)"]).flags.contains(.noCache), argument)
        }
    }

    private func names(_ response: Response, _ rules: CacheRules = CacheRules()) -> [String] {
        stored(response, rules).map { String($0.prefix { $0 != ":" }).lowercased() }
    }

    func test_9111_3_5_authorizationNeedsPermission() {
        let request = Request(["Authorization: Basic eDp5"])
        for refused in ["max-age=60", "max-age=60, proxy-revalidate", "max-age=60, public=1", "max-age=60, immutable"] {
            XCTAssertEqual(refusal(["Cache-Control: \(refused)"], request), .authorization, refused)
            XCTAssertNil(refusal(["Cache-Control: \(refused)"], request, personal), refused)
        }
        for allowed in ["max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate"] {
            XCTAssertNil(refusal(["Cache-Control: \(allowed)"], request), allowed)
            XCTAssertTrue(policy(["Cache-Control: \(allowed)"], request).flags.contains(.wasAuthorized))
        }
        XCTAssertNil(refusal(["Cache-Control: max-age=60"]))
    }

    func test_9111_5_2_2_3_mustUnderstandOverridesNoStoreForKnownStatuses() {
        let fields = ["Cache-Control: must-understand, no-store, max-age=60"]
        for status in [200, 203, 301, 307, 308, 404, 410, 417] {
            XCTAssertNil(refusal(fields, status: status), "\(status)")
        }
        for status in [299, 399, 451, 499, 599] {
            XCTAssertEqual(refusal(fields, status: status), .notUnderstood, "\(status)")
            XCTAssertEqual(refusal(["Cache-Control: must-understand, max-age=60"], status: status), .notUnderstood)
            XCTAssertNil(refusal(["Cache-Control: max-age=60"], status: status), "\(status)")
        }
    }

    func test_9111_7_3_setCookieIsNotSharedWhateverTheResponseSays() {
        let cookie = "Set-Cookie: a=b"
        for directives in [
            "max-age=60", "max-age=60, public", "max-age=60, s-maxage=60", "max-age=60, private=\"Set-Cookie\"",
            "max-age=60, no-cache=\"set-cookie\"",
        ] {
            let fields = [cookie, "Cache-Control: \(directives)"]
            XCTAssertEqual(refusal(fields), .cookie, directives)
            XCTAssertNil(refusal(fields, Request(), personal), directives)
            // Where the operator has it stored, it is his choice who gets the field.
            let (strip, keep) = (CacheRules(setCookie: .strip), CacheRules(setCookie: .keep))
            XCTAssertNil(refusal(fields, Request(), strip), directives)
            XCTAssertFalse(stored(Response(fields), strip).contains(cookie), directives)
            XCTAssertNil(refusal(fields, Request(), keep), directives)
            // What a qualified directive names is kept out of the cache all the same.
            XCTAssertEqual(stored(Response(fields), keep).contains(cookie), !directives.contains("\""), directives)
        }
        XCTAssertEqual(refusal([cookie, "Expires: \(date(clock + 60))"]), .cookie)
    }

    func test_9110_15_statusesAbove599AreNotStored() {
        for status in [600, 601, 799, 999] {
            XCTAssertEqual(refusal(["Cache-Control: public, max-age=60"], status: status), .invalidStatus)
            XCTAssertTrue(StaleIfError.isError(UInt16(status)))
        }
    }

    func test_aRequestWhoseOwnFieldsForbidToStoreItsAnswerLeadsNobody() {
        func contribution(_ fields: [String], method: String = "GET") -> CacheRequest.Contribution {
            Request(fields, method: method).cache.contribution
        }
        XCTAssertEqual(contribution([]), .everybody)
        XCTAssertEqual(contribution(["Cookie: a=b", "Cache-Control: no-cache"]), .everybody)
        XCTAssertEqual(contribution(["Authorization: x"]), .ifPermitted)
        for field in ["Cache-Control: no-store", "Content-Length: 1", "If-Match: \"a\""] {
            XCTAssertEqual(contribution([field]), .nothing, field)
            XCTAssertEqual(contribution([field, "Authorization: x"]), .nothing, field)
        }
        XCTAssertEqual(contribution([], method: "HEAD"), .nothing)
        XCTAssertTrue(Request(["Cookie: a=b"]).cache.isPersonal)
        XCTAssertTrue(Request(["Authorization: x"]).cache.isPersonal)
        XCTAssertFalse(Request(["Origin: x"]).cache.isPersonal)
    }

    func test_9111_3_whatCouldNeverBeUsedIsNotStored() {
        XCTAssertEqual(refusal([]), .useless)
        XCTAssertEqual(refusal(["Cache-Control: max-age=0"]), .useless)
        XCTAssertEqual(refusal(["Cache-Control: no-cache, max-age=60"]), .useless)
        XCTAssertEqual(refusal(["Cache-Control: max-age=60", "Age: 60"]), .useless)
        XCTAssertEqual(refusal(["ETag: malformed", "Last-Modified: yesterday"]), .useless)
        XCTAssertNil(refusal(["Cache-Control: max-age=1"]))
        XCTAssertNil(refusal(["Cache-Control: max-age=0", tagged]))
        XCTAssertNil(refusal(["Cache-Control: max-age=0, stale-if-error=1"]))
        XCTAssertNil(refusal(["Cache-Control: max-age=0, stale-while-revalidate=1"]))
        XCTAssertEqual(refusal(["Cache-Control: max-age=0, stale-if-error=5, must-revalidate"]), .useless)
        XCTAssertNil(refusal(["Cache-Control: no-cache", "Last-Modified: \(date(clock - 5))"]))
    }

    func test_9111_3_3_partialResponsesAreStoredWhenTheyAreUnderstood() {
        let request = Request(["Range: bytes=0-9"])
        let fresh = "Cache-Control: max-age=60"
        XCTAssertNil(refusal([fresh, "Content-Range: bytes 0-9/100", "Content-Length: 10"], status: 206, request))
        XCTAssertTrue(
            policy([fresh, "Content-Range: bytes 0-9/100"], status: 206, request).flags.contains(.isPartial))
        XCTAssertEqual(refusal([fresh, "Content-Range: bytes 0-9/100"], status: 206), .unaskedPartial)
        for range in [
            "items 0-9/100", "bytes 9-0/100", "bytes 0-100/100", "bytes */100", "bytes 0-9", "", "bytes=0-9/100",
        ] {
            XCTAssertEqual(refusal([fresh, "Content-Range: \(range)"], status: 206, request), .badPartial, range)
        }
        XCTAssertEqual(refusal([fresh], status: 206, request), .badPartial)
        let twice = [fresh, "Content-Range: bytes 0-9/100", "Content-Range: bytes 0-9/100"]
        XCTAssertEqual(refusal(twice, status: 206, request), .badPartial)
        let wrongLength = [fresh, "Content-Range: bytes 0-9/100", "Content-Length: 11"]
        XCTAssertEqual(refusal(wrongLength, status: 206, request), .badPartial)
        let multipart = [fresh, "Content-Type: multipart/byteranges; boundary=x"]
        XCTAssertEqual(refusal(multipart, status: 206, request), .badPartial)
        // The range of a request is not in the key: a 200 is a whole one.
        XCTAssertFalse(policy([fresh], request).flags.contains(.isPartial))
    }

    func test_9111_3_3_brokenOffResponsesAreIncomplete() {
        let response = Response([tagged, "Content-Length: 100"])
        func end(_ response: Response, _ received: UInt64, _ isWhole: Bool) -> StoredContent {
            StoredContent.end(response.head, response.bytes.span, received: received, isWhole: isWhole)
        }
        XCTAssertEqual(end(response, 100, true), .complete)
        XCTAssertEqual(end(response, 40, false), .incomplete(received: 40))
        XCTAssertEqual(end(response, 0, false), .discarded)
        XCTAssertEqual(end(response, 100, false), .discarded)
        XCTAssertEqual(end(Response(["ETag: W/\"a\"", "Content-Length: 100"]), 40, false), .discarded)
        XCTAssertEqual(end(Response([tagged, "Transfer-Encoding: chunked"]), 40, false), .discarded)
        XCTAssertEqual(end(Response([tagged, "Content-Length: 100"], status: 404), 40, false), .discarded)
        // Content that ends with its connection is whole when that closed in order.
        XCTAssertEqual(end(Response([tagged]), 40, true), .complete)
        XCTAssertEqual(end(Response([tagged]), 40, false), .discarded)
    }

    func test_9111_4_1_varyStarIsNotStored() {
        for value in ["*", "*, Accept", "Accept, *", " * ", "a b"] {
            XCTAssertEqual(refusal(["Cache-Control: max-age=60", "Vary: \(value)"]), .varyAny, value)
        }
        XCTAssertEqual(refusal(["Cache-Control: max-age=60", "Vary: Accept", "Vary: *"]), .varyAny)
        let many = (0..<17).map { "x-\($0)" }.joined(separator: ",")
        XCTAssertEqual(refusal(["Cache-Control: max-age=60", "Vary: \(many)"]), .varyTooWide)
        XCTAssertNil(refusal(["Cache-Control: max-age=60", "Vary: \(many.dropLast(5))"]))
    }

    func test_9111_5_2_2_6_noTransformIsRemembered() {
        XCTAssertTrue(policy(["Cache-Control: max-age=60, no-transform"]).flags.contains(.noTransform))
        XCTAssertFalse(policy(["Cache-Control: max-age=60"]).flags.contains(.noTransform))
    }

    func test_9111_5_2_3_unknownDirectivesAreIgnored() {
        let fields = ["Cache-Control: max-age=60, community=\"UCI, x\", foo, bar=1, =, =x, \"q\", ;"]
        XCTAssertEqual(policy(fields).lifetime, 60)
    }

    func test_everyRefusalHasAWordOfItsOwn() {
        let words = StoreRefusal.allCases.map { "\($0.word)" }
        XCTAssertEqual(Set(words).count, words.count)
        for word in words { XCTAssertTrue(word.allSatisfy { $0.isASCII && ($0.isLetter || $0 == "-") }, word) }
    }
}

/// The lines that are stored of a response.
func stored(_ response: Response, _ rules: CacheRules = CacheRules()) -> [String] {
    let age = ResponseAge(
        response.head, response.bytes.span, ExchangeTimes(request: clockMilliseconds, response: clockMilliseconds))
    return written {
        XCTAssertTrue(StoredFields.write(response.head, response.bytes.span, age: age, rules, to: $0))
    }.split(separator: "\r\n").map(String.init)
}
