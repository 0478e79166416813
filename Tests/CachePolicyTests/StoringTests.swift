// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §3 and the directives of §5.2.2 that forbid or allow storing.

import Bytes
import CachePolicy
import HTTP
import Testing

@Suite("The decision to store") struct StoringTests {
    @Test("only the answer to GET is stored (RFC 9111 §3)")
    func test_9111_3_onlyGetIsStored() {
        for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "QUERY"] {
            #expect(refusal(["Cache-Control: max-age=60"], Request(method: method)) == .method)
        }
        #expect(refusal(["Cache-Control: max-age=60"], Request()) == nil)
    }

    @Test("the answer to a request with content is not stored (RFC 9111 §3)")
    func test_9111_3_aRequestWithContentIsNotStored() {
        let fields = ["Cache-Control: max-age=60"]
        #expect(refusal(fields, Request(["Content-Length: 3"])) == .requestContent)
        #expect(refusal(fields, Request(["Transfer-Encoding: chunked"])) == .requestContent)
        #expect(refusal(fields, Request(["Content-Length: 0"])) == nil)
        let upgrade = Request(["Connection: upgrade", "Upgrade: websocket"])
        #expect(refusal(fields, upgrade) == .upgrade)
    }

    @Test("interim responses are not stored (RFC 9111 §3)")
    func test_9111_3_interimResponsesAreNotStored() {
        for status in [100, 101, 102, 103] {
            #expect(refusal(["Cache-Control: max-age=60"], status: status) == .notFinal)
        }
    }

    @Test("every final status with explicit freshness is stored (RFC 9111 §3)")
    func test_9111_3_everyFinalStatusWithExplicitFreshnessIsStored() {
        for status in 200...599 where ![206, 304, 412, 416].contains(status) {
            #expect(refusal(["Cache-Control: max-age=60"], status: status) == nil, "\(status)")
            #expect(refusal(["Expires: \(date(clock + 60))"], status: status) == nil, "\(status)")
            #expect(refusal(["Cache-Control: s-maxage=60"], status: status) == nil, "\(status)")
        }
    }

    @Test("answers to conditions and ranges are not stored (RFC 9111 §3)")
    func test_9111_3_answersToConditionsAndRangesAreNotStored() {
        for status in [304, 412, 416] {
            #expect(refusal(["Cache-Control: max-age=60, public"], status: status) == .ofThisRequest)
        }
    }

    @Test("without explicit freshness only heuristically cacheable statuses are stored (RFC 9111 §3)")
    func test_9111_3_withoutExplicitFreshnessOnlyHeuristicallyCacheableStatusesAreStored() {
        let heuristic = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]
        let modified = ["Date: \(date(clock))", "Last-Modified: \(date(clock - 1_000_000))"]
        for status in 200...599 where ![206, 304, 412, 416].contains(status) {
            let expected: StoreRefusal? =
                heuristic.contains(status) ? nil : status >= 400 ? .errorWithoutLifetime : .notCacheable
            #expect(refusal(modified, status: status) == expected, "\(status)")
        }
    }

    @Test("public makes what is no error cacheable (RFC 9111 §3)")
    func test_9111_3_publicMakesNonErrorsCacheable() {
        let modified = ["Cache-Control: public", "Last-Modified: \(date(clock - 1_000_000))"]
        for status in [201, 202, 302, 303, 307] {
            #expect(refusal(modified, status: status) == nil)
            #expect(policy(modified, status: status).lifetime == 86_400)
        }
        let personalOnes = ["Cache-Control: private", "Last-Modified: \(date(clock - 1_000_000))"]
        #expect(refusal(personalOnes, status: 302, Request(), personal) == nil)
    }

    @Test("errors are not stored without a lifetime")
    func test_poisoning_errorsAreNotStoredWithoutALifetime() {
        for status in [400, 401, 403, 408, 413, 429, 431, 500, 502, 503, 504] {
            for fields in [
                [tagged], [tagged, "Cache-Control: public"], [tagged, "Last-Modified: \(date(clock - 9_999))"],
            ] {
                let rules = CacheRules(defaultLifetime: 60)
                #expect(refusal(fields, status: status, Request(), rules) == .errorWithoutLifetime, "\(status)")
            }
        }
    }

    @Test("a response with no-store is not stored (RFC 9111 §3)")
    func test_9111_3_noStoreIsNotStored() {
        for spelling in [
            "no-store", "No-Store", "NO-STORE", "max-age=60, no-store", "max-age=60,no-store", "no-store=1",
            "no-store , max-age=60", "foo=\"a, b\", no-store", ",,no-store,,", "x=\"unfinished, no-store",
        ] {
            #expect(refusal(["Cache-Control: \(spelling)"]) == .noStore, "\(spelling)")
        }
        #expect(refusal(["Cache-Control: max-age=60", "Cache-Control: no-store"]) == .noStore)
        #expect(refusal(["Cache-Control: no-store"], Request(), personal) == .noStore)
        // Inside a string it is no directive.
        #expect(refusal(["Cache-Control: max-age=60, x=\"no-store\", y=\", no-store\""]) == nil)
        #expect(refusal(["Cache-Control: max-age=60, x=\"a\\\", no-store\""]) == nil)
        #expect(refusal(["Cache-Control: max-age=60, x=\"a\\\"\", no-store"]) == .noStore)
    }

    @Test("the answer to a request with no-store is not stored (RFC 9111 §5.2.1.5)")
    func test_9111_5_2_1_5_aRequestWithNoStoreIsNotStored() {
        #expect(refusal(["Cache-Control: max-age=60"], Request(["Cache-Control: no-store"])) == .requestNoStore)
        #expect(
            refusal(["Cache-Control: max-age=60"], Request(["Cache-Control: No-Store"]), personal) == .requestNoStore)
    }

    @Test("a private response is for private caches (RFC 9111 §5.2.2.7)")
    func test_9111_5_2_2_7_privateIsForPrivateCaches() {
        for spelling in ["private", "PRIVATE", "private=", "private=\"\"", "max-age=60, private", "private, public"] {
            let fields = ["Cache-Control: \(spelling)", "Cache-Control: max-age=60"]
            #expect(refusal(fields) == .isPrivate, "\(spelling)")
            #expect(refusal(fields, Request(), personal) == nil, "\(spelling)")
        }
    }

    @Test("private with field names is stored without them (RFC 9111 §5.2.2.7)")
    func test_9111_5_2_2_7_privateWithFieldNamesIsStoredWithoutThem() {
        let response = Response([
            "Cache-Control: max-age=60, private=\"X-User, x-other\"", "X-User: u", "X-Other: o", "X-All: a",
        ])
        #expect(names(response) == ["cache-control", "x-all", "date"])
        #expect(names(response, personal) == ["cache-control", "x-user", "x-other", "x-all", "date"])
        // The token form: "recipients ought to accept both forms".
        let token = Response(["Cache-Control: max-age=60, private=x-user", "X-User: u"])
        #expect(names(token) == ["cache-control", "date"])
        #expect(refusal(["Cache-Control: max-age=60, private=x-user", "X-User: u"]) == nil)
    }

    @Test("no-cache with field names is stored without them (RFC 9111 §5.2.2.4)")
    func test_9111_5_2_2_4_noCacheWithFieldNamesIsStoredWithoutThem() {
        let fields = ["Cache-Control: max-age=60, no-cache=\"X-User\"", "X-User: u", "x-all: a"]
        for rules in [CacheRules(), personal] {
            #expect(names(Response(fields), rules) == ["cache-control", "x-all", "date"])
            #expect(!policy(fields, Request(), rules).flags.contains(.noCache))
        }
        // More lists than are kept count as the unqualified form.
        let many = (0..<9).map { "no-cache=\"f\($0)\"" }.joined(separator: ", ")
        #expect(policy([tagged, "Cache-Control: \(many)"]).flags.contains(.noCache))
        // So does one whose argument cannot be read.
        for argument in ["=", "=\"\"", "=\"a\\\"b\"", "=\"a"] {
            #expect(policy([tagged, "Cache-Control: no-cache\(argument)"]).flags.contains(.noCache), "\(argument)")
        }
    }

    private func names(_ response: Response, _ rules: CacheRules = CacheRules()) -> [String] {
        stored(response, rules).map { String($0.prefix { $0 != ":" }).lowercased() }
    }

    @Test("the answer to a request with Authorization needs permission (RFC 9111 §3.5)")
    func test_9111_3_5_authorizationNeedsPermission() {
        let request = Request(["Authorization: Basic eDp5"])
        for refused in ["max-age=60", "max-age=60, proxy-revalidate", "max-age=60, public=1", "max-age=60, immutable"] {
            #expect(refusal(["Cache-Control: \(refused)"], request) == .authorization, "\(refused)")
            #expect(refusal(["Cache-Control: \(refused)"], request, personal) == nil, "\(refused)")
        }
        for allowed in ["max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate"] {
            #expect(refusal(["Cache-Control: \(allowed)"], request) == nil, "\(allowed)")
            #expect(policy(["Cache-Control: \(allowed)"], request).flags.contains(.wasAuthorized))
        }
        #expect(refusal(["Cache-Control: max-age=60"]) == nil)
    }

    @Test("must-understand overrides no-store for known statuses (RFC 9111 §5.2.2.3)")
    func test_9111_5_2_2_3_mustUnderstandOverridesNoStoreForKnownStatuses() {
        let fields = ["Cache-Control: must-understand, no-store, max-age=60"]
        for status in [200, 203, 301, 307, 308, 404, 410, 417] {
            #expect(refusal(fields, status: status) == nil, "\(status)")
        }
        for status in [299, 399, 451, 499, 599] {
            #expect(refusal(fields, status: status) == .notUnderstood, "\(status)")
            #expect(refusal(["Cache-Control: must-understand, max-age=60"], status: status) == .notUnderstood)
            #expect(refusal(["Cache-Control: max-age=60"], status: status) == nil, "\(status)")
        }
    }

    @Test("Set-Cookie is not shared, whatever the response says (RFC 9111 §7.3)")
    func test_9111_7_3_setCookieIsNotSharedWhateverTheResponseSays() {
        let cookie = "Set-Cookie: a=b"
        for directives in [
            "max-age=60", "max-age=60, public", "max-age=60, s-maxage=60", "max-age=60, private=\"Set-Cookie\"",
            "max-age=60, no-cache=\"set-cookie\"",
        ] {
            let fields = [cookie, "Cache-Control: \(directives)"]
            #expect(refusal(fields) == .cookie, "\(directives)")
            #expect(refusal(fields, Request(), personal) == nil, "\(directives)")
            // Where the operator has it stored, it is his choice who gets the field.
            let (strip, keep) = (CacheRules(setCookie: .strip), CacheRules(setCookie: .keep))
            #expect(refusal(fields, Request(), strip) == nil, "\(directives)")
            #expect(!stored(Response(fields), strip).contains(cookie), "\(directives)")
            #expect(refusal(fields, Request(), keep) == nil, "\(directives)")
            // What a qualified directive names is kept out of the cache all the same.
            #expect(stored(Response(fields), keep).contains(cookie) == !directives.contains("\""), "\(directives)")
        }
        #expect(refusal([cookie, "Expires: \(date(clock + 60))"]) == .cookie)
    }

    @Test("statuses above 599 are not stored (RFC 9110 §15)")
    func test_9110_15_statusesAbove599AreNotStored() {
        for status in [600, 601, 799, 999] {
            #expect(refusal(["Cache-Control: public, max-age=60"], status: status) == .invalidStatus)
            #expect(StaleIfError.isError(UInt16(status)))
        }
    }

    @Test("a request whose own fields forbid storing its answer leads nobody")
    func test_aRequestWhoseOwnFieldsForbidToStoreItsAnswerLeadsNobody() {
        func contribution(_ fields: [String], method: String = "GET") -> CacheRequest.Contribution {
            Request(fields, method: method).cache.contribution
        }
        #expect(contribution([]) == .everybody)
        #expect(contribution(["Cookie: a=b", "Cache-Control: no-cache"]) == .everybody)
        #expect(contribution(["Authorization: x"]) == .ifPermitted)
        for field in ["Cache-Control: no-store", "Content-Length: 1", "If-Match: \"a\""] {
            #expect(contribution([field]) == .nothing, "\(field)")
            #expect(contribution([field, "Authorization: x"]) == .nothing, "\(field)")
        }
        #expect(contribution([], method: "HEAD") == .nothing)
        #expect(Request(["Cookie: a=b"]).cache.isPersonal)
        #expect(Request(["Authorization: x"]).cache.isPersonal)
        #expect(!Request(["Origin: x"]).cache.isPersonal)
    }

    @Test("what could never be used is not stored (RFC 9111 §3)")
    func test_9111_3_whatCouldNeverBeUsedIsNotStored() {
        #expect(refusal([]) == .useless)
        #expect(refusal(["Cache-Control: max-age=0"]) == .useless)
        #expect(refusal(["Cache-Control: no-cache, max-age=60"]) == .useless)
        #expect(refusal(["Cache-Control: max-age=60", "Age: 60"]) == .useless)
        #expect(refusal(["ETag: malformed", "Last-Modified: yesterday"]) == .useless)
        #expect(refusal(["Cache-Control: max-age=1"]) == nil)
        #expect(refusal(["Cache-Control: max-age=0", tagged]) == nil)
        #expect(refusal(["Cache-Control: max-age=0, stale-if-error=1"]) == nil)
        #expect(refusal(["Cache-Control: max-age=0, stale-while-revalidate=1"]) == nil)
        #expect(refusal(["Cache-Control: max-age=0, stale-if-error=5, must-revalidate"]) == .useless)
        #expect(refusal(["Cache-Control: no-cache", "Last-Modified: \(date(clock - 5))"]) == nil)
    }

    @Test("partial responses are stored when they are understood (RFC 9111 §3.3)")
    func test_9111_3_3_partialResponsesAreStoredWhenTheyAreUnderstood() {
        let request = Request(["Range: bytes=0-9"])
        let fresh = "Cache-Control: max-age=60"
        #expect(refusal([fresh, "Content-Range: bytes 0-9/100", "Content-Length: 10"], status: 206, request) == nil)
        #expect(policy([fresh, "Content-Range: bytes 0-9/100"], status: 206, request).flags.contains(.isPartial))
        #expect(refusal([fresh, "Content-Range: bytes 0-9/100"], status: 206) == .unaskedPartial)
        for range in [
            "items 0-9/100", "bytes 9-0/100", "bytes 0-100/100", "bytes */100", "bytes 0-9", "", "bytes=0-9/100",
        ] {
            #expect(refusal([fresh, "Content-Range: \(range)"], status: 206, request) == .badPartial, "\(range)")
        }
        #expect(refusal([fresh], status: 206, request) == .badPartial)
        let twice = [fresh, "Content-Range: bytes 0-9/100", "Content-Range: bytes 0-9/100"]
        #expect(refusal(twice, status: 206, request) == .badPartial)
        let wrongLength = [fresh, "Content-Range: bytes 0-9/100", "Content-Length: 11"]
        #expect(refusal(wrongLength, status: 206, request) == .badPartial)
        let multipart = [fresh, "Content-Type: multipart/byteranges; boundary=x"]
        #expect(refusal(multipart, status: 206, request) == .badPartial)
        // The range of a request is not in the key: a 200 is a whole one.
        #expect(!policy([fresh], request).flags.contains(.isPartial))
    }

    @Test("responses that break off are incomplete (RFC 9111 §3.3)")
    func test_9111_3_3_brokenOffResponsesAreIncomplete() {
        let response = Response([tagged, "Content-Length: 100"])
        func end(_ response: Response, _ received: UInt64, _ isWhole: Bool) -> StoredContent {
            StoredContent.end(response.head, response.bytes.span, received: received, isWhole: isWhole)
        }
        #expect(end(response, 100, true) == .complete)
        #expect(end(response, 40, false) == .incomplete(received: 40))
        #expect(end(response, 0, false) == .discarded)
        #expect(end(response, 100, false) == .discarded)
        #expect(end(Response(["ETag: W/\"a\"", "Content-Length: 100"]), 40, false) == .discarded)
        #expect(end(Response([tagged, "Transfer-Encoding: chunked"]), 40, false) == .discarded)
        #expect(end(Response([tagged, "Content-Length: 100"], status: 404), 40, false) == .discarded)
        // Content that ends with its connection is whole when that closed in order.
        #expect(end(Response([tagged]), 40, true) == .complete)
        #expect(end(Response([tagged]), 40, false) == .discarded)
    }

    @Test("a response with Vary: * is not stored (RFC 9111 §4.1)")
    func test_9111_4_1_varyStarIsNotStored() {
        for value in ["*", "*, Accept", "Accept, *", " * ", "a b"] {
            #expect(refusal(["Cache-Control: max-age=60", "Vary: \(value)"]) == .varyAny, "\(value)")
        }
        #expect(refusal(["Cache-Control: max-age=60", "Vary: Accept", "Vary: *"]) == .varyAny)
        let many = (0..<17).map { "x-\($0)" }.joined(separator: ",")
        #expect(refusal(["Cache-Control: max-age=60", "Vary: \(many)"]) == .varyTooWide)
        #expect(refusal(["Cache-Control: max-age=60", "Vary: \(many.dropLast(5))"]) == nil)
    }

    @Test("no-transform is remembered (RFC 9111 §5.2.2.6)")
    func test_9111_5_2_2_6_noTransformIsRemembered() {
        #expect(policy(["Cache-Control: max-age=60, no-transform"]).flags.contains(.noTransform))
        #expect(!policy(["Cache-Control: max-age=60"]).flags.contains(.noTransform))
    }

    @Test("unknown directives are ignored (RFC 9111 §5.2.3)")
    func test_9111_5_2_3_unknownDirectivesAreIgnored() {
        let fields = ["Cache-Control: max-age=60, community=\"UCI, x\", foo, bar=1, =, =x, \"q\", ;"]
        #expect(policy(fields).lifetime == 60)
    }

    @Test("every refusal has a word of its own")
    func test_everyRefusalHasAWordOfItsOwn() {
        let words = StoreRefusal.allCases.map { "\($0.word)" }
        #expect(Set(words).count == words.count)
        for word in words { #expect(word.allSatisfy { $0.isASCII && ($0.isLetter || $0 == "-") }, "\(word)") }
    }
}

/// The lines that are stored of a response.
func stored(_ response: Response, _ rules: CacheRules = CacheRules()) -> [String] {
    let age = ResponseAge(
        response.head, response.bytes.span, ExchangeTimes(request: clockMilliseconds, response: clockMilliseconds))
    return written {
        #expect(StoredFields.write(response.head, response.bytes.span, age: age, rules, to: $0) == true)
    }.split(separator: "\r\n").map(String.init)
}
