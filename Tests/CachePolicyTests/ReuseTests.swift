// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §4, §4.2.4, §5.2.1, §5.4; RFC 5861; RFC 8246: may a stored response be used for a request?

import CachePolicy
import HTTP
import XCTest

final class ReuseTests: XCTestCase {
    private let minute = policy(["Cache-Control: max-age=60", tagged])

    private func control(_ response: String) -> ResponsePolicy { policy([tagged, "Cache-Control: \(response)"]) }

    func test_9111_4_aFreshResponseIsServedWithItsAge() {
        XCTAssertEqual(reuse(minute, after: 0), .fresh(age: 0))
        XCTAssertEqual(reuse(minute, after: 59), .fresh(age: 59))
        XCTAssertEqual(reuse(policy(["Cache-Control: max-age=60", "Age: 40"]), after: 19), .fresh(age: 59))
    }

    func test_9111_4_aStaleResponseIsValidated() {
        XCTAssertEqual(reuse(minute, after: 60), .validate(.expired))
        XCTAssertEqual(reuse(minute, after: 1_000_000), .validate(.expired))
    }

    func test_9111_4_unsafeMethodsAreWrittenThrough() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            XCTAssertEqual(Lookup.decide(Request(method: method).cache), .forward(.method), method)
        }
        XCTAssertEqual(Lookup.decide(Request().cache), .lookUp)
        XCTAssertEqual(Lookup.decide(Request(method: "HEAD").cache), .lookUp)
        XCTAssertEqual(Lookup.decide(Request(["Content-Length: 1"]).cache), .forward(.bypass))
        let upgrade = Request(["Connection: upgrade", "Upgrade: websocket"])
        XCTAssertEqual(Lookup.decide(upgrade.cache), .forward(.bypass))
    }

    func test_9111_4_3_2_conditionsForTheOriginAreForwarded() {
        for field in ["If-Match: \"a\"", "If-Match: *", "If-Unmodified-Since: \(date(clock))"] {
            XCTAssertEqual(Lookup.decide(Request([field]).cache), .forward(.request), field)
        }
        XCTAssertEqual(Lookup.decide(Request(["If-None-Match: \"a\"", "Range: bytes=0-1"]).cache), .lookUp)
    }

    func test_9111_5_2_2_4_noCacheIsValidatedBeforeEveryUse() {
        let policy = control("max-age=60, no-cache, stale-while-revalidate=60, stale-if-error=60")
        XCTAssertEqual(reuse(policy, after: 0), .validate(.responseNoCache))
        XCTAssertEqual(reuse(policy, after: 70, ["Cache-Control: max-stale"]), .validate(.responseNoCache))
        XCTAssertEqual(
            StaleIfError.decide(policy, RequestDirectives(), now: clockMilliseconds, status: 503), .fail(status: 503))
    }

    func test_9111_5_2_1_4_noCacheInARequestForcesAValidation() {
        for spelling in ["no-cache", "No-Cache", "foo, no-cache", "no-cache=x", "max-stale, no-cache"] {
            XCTAssertEqual(
                reuse(minute, after: 1, ["Cache-Control: \(spelling)"]), .validate(.requestNoCache), spelling)
        }
        XCTAssertEqual(
            reuse(minute, after: 1, ["Cache-Control: foo", "Cache-Control: no-cache"]), .validate(.requestNoCache))
    }

    func test_9111_5_2_1_1_maxAgeInARequestLimitsTheAge() {
        XCTAssertEqual(reuse(minute, after: 30, ["Cache-Control: max-age=30"]), .fresh(age: 30))
        XCTAssertEqual(reuse(minute, after: 31, ["Cache-Control: max-age=30"]), .validate(.requestMaxAge))
        XCTAssertEqual(reuse(minute, after: 0, ["Cache-Control: max-age=0"]), .validate(.requestMaxAge))
        XCTAssertEqual(reuse(minute, after: 31, ["Cache-Control: max-age=99, max-age=30"]), .validate(.requestMaxAge))
        XCTAssertEqual(reuse(minute, after: 70, ["Cache-Control: max-age=99"]), .validate(.expired))
        XCTAssertEqual(reuse(minute, after: 31, ["Cache-Control: max-age=x"]), .fresh(age: 31))
        // "Unless the max-stale request directive is also present, the client does not wish to receive a stale
        // response."
        let lenient = control("max-age=60, stale-while-revalidate=60")
        XCTAssertEqual(reuse(lenient, after: 70, ["Cache-Control: max-age=99"]), .validate(.expired))
        XCTAssertEqual(
            reuse(minute, after: 70, ["Cache-Control: max-age=65, max-stale=20"]), .stale(age: 70, refresh: false))
    }

    func test_9111_5_2_1_2_maxStaleAcceptsAStaleResponse() {
        XCTAssertEqual(reuse(minute, after: 1_000, ["Cache-Control: max-stale"]), .stale(age: 1_000, refresh: false))
        XCTAssertEqual(reuse(minute, after: 70, ["Cache-Control: max-stale=10"]), .stale(age: 70, refresh: false))
        XCTAssertEqual(reuse(minute, after: 71, ["Cache-Control: max-stale=10"]), .validate(.expired))
        XCTAssertEqual(reuse(minute, after: 71, ["Cache-Control: max-stale=99, max-stale=10"]), .validate(.expired))
        for wrong in ["max-stale=", "max-stale=x", "max-stale=-1"] {
            XCTAssertEqual(reuse(minute, after: 61, ["Cache-Control: \(wrong)"]), .validate(.expired), wrong)
        }
        XCTAssertEqual(reuse(minute, after: 5, ["Cache-Control: max-stale"]), .fresh(age: 5))
    }

    func test_9111_5_2_1_3_minFreshWantsALongerFuture() {
        XCTAssertEqual(reuse(minute, after: 50, ["Cache-Control: min-fresh=10"]), .fresh(age: 50))
        XCTAssertEqual(reuse(minute, after: 51, ["Cache-Control: min-fresh=10"]), .validate(.requestMinFresh))
        XCTAssertEqual(
            reuse(minute, after: 51, ["Cache-Control: min-fresh=1, min-fresh=10"]), .validate(.requestMinFresh))
        XCTAssertEqual(
            reuse(minute, after: 51, ["Cache-Control: min-fresh=999999999999"]), .validate(.requestMinFresh))
    }

    func test_9111_5_2_1_5_noStoreInARequestDoesNotForbidAHit() {
        XCTAssertEqual(reuse(minute, after: 1, ["Cache-Control: no-store"]), .fresh(age: 1))
        XCTAssertEqual(Lookup.decide(Request(["Cache-Control: no-store"]).cache), .lookUp)
    }

    func test_9111_5_2_1_7_onlyIfCachedIsAHitOr504() {
        let only = ["Cache-Control: only-if-cached"]
        XCTAssertEqual(reuse(minute, after: 1, only), .fresh(age: 1))
        XCTAssertEqual(reuse(minute, after: 61, only), .gatewayTimeout(.expired))
        XCTAssertEqual(
            reuse(minute, after: 61, ["Cache-Control: only-if-cached, max-stale=5"]), .stale(age: 61, refresh: false))
        XCTAssertEqual(
            reuse(minute, after: 1, ["Cache-Control: only-if-cached, no-cache"]), .gatewayTimeout(.requestNoCache))
        XCTAssertTrue(Lookup.timesOut(Request(only).cache))
        XCTAssertFalse(Lookup.timesOut(Request().cache))
    }

    func test_9111_5_2_quotedNumbersInRequestsAreAccepted() {
        XCTAssertEqual(reuse(minute, after: 31, ["Cache-Control: max-age=\"30\""]), .validate(.requestMaxAge))
    }

    func test_9111_5_4_pragmaCountsOnlyWithoutCacheControl() {
        XCTAssertEqual(reuse(minute, after: 1, ["Pragma: no-cache"]), .validate(.requestNoCache))
        XCTAssertEqual(reuse(minute, after: 1, ["Pragma: foo, No-Cache"]), .validate(.requestNoCache))
        XCTAssertEqual(reuse(minute, after: 1, ["Pragma: no-cache", "Cache-Control: max-age=30"]), .fresh(age: 1))
        XCTAssertEqual(reuse(minute, after: 1, ["Pragma: x"]), .fresh(age: 1))
        // In a response it was never specified.
        XCTAssertNil(refusal(["Cache-Control: max-age=60", "Pragma: no-cache"]))
        XCTAssertEqual(reuse(policy(["Cache-Control: max-age=60", "Pragma: no-cache"]), after: 1), .fresh(age: 1))
    }

    func test_9111_5_2_1_anOperatorMayIgnoreReloads() {
        let rules = CacheRules(honoursReload: false)
        for field in [
            "Cache-Control: no-cache", "Cache-Control: max-age=0", "Cache-Control: min-fresh=99", "Pragma: no-cache",
        ] {
            XCTAssertEqual(reuse(minute, after: 1, [field], rules), .fresh(age: 1), field)
        }
        XCTAssertEqual(reuse(minute, after: 61, ["Cache-Control: no-cache"], rules), .validate(.expired))
        XCTAssertEqual(reuse(minute, after: 70, ["Cache-Control: max-stale"], rules), .stale(age: 70, refresh: false))
    }

    func test_9111_5_2_2_2_mustRevalidateIsNeverServedStale() {
        let policy = control("max-age=60, must-revalidate, stale-while-revalidate=60, stale-if-error=60")
        XCTAssertEqual(reuse(policy, after: 59), .fresh(age: 59))
        XCTAssertEqual(reuse(policy, after: 61), .validate(.expired))
        XCTAssertEqual(reuse(policy, after: 61, ["Cache-Control: max-stale"]), .validate(.expired))
        let failed = StaleIfError.decide(
            policy, Request(["Cache-Control: stale-if-error=999"]).directives, now: clockMilliseconds + 61_000,
            status: StaleIfError.disconnected)
        XCTAssertEqual(failed, .fail(status: 504))
    }

    func test_9111_5_2_2_8_proxyRevalidateIsForSharedCaches() {
        let fields = ["Cache-Control: max-age=60, proxy-revalidate", tagged]
        let stale = ["Cache-Control: max-stale"]
        XCTAssertEqual(reuse(policy(fields), after: 61, stale), .validate(.expired))
        XCTAssertEqual(
            reuse(policy(fields, Request(), personal), after: 61, stale, personal), .stale(age: 61, refresh: false))
    }

    func test_9111_5_2_2_10_sMaxageForbidsStaleInSharedCaches() {
        let fields = ["Cache-Control: s-maxage=60, max-age=60, stale-while-revalidate=60", tagged]
        XCTAssertEqual(reuse(policy(fields), after: 61), .validate(.expired))
        XCTAssertEqual(reuse(policy(fields), after: 61, ["Cache-Control: max-stale"]), .validate(.expired))
        XCTAssertEqual(
            reuse(policy(fields, Request(), personal), after: 61, [], personal), .stale(age: 61, refresh: true))
    }

    func test_5861_3_staleWhileRevalidateServesAndRefreshes() {
        let policy = control("max-age=600, stale-while-revalidate=30")
        XCTAssertEqual(reuse(policy, after: 599), .fresh(age: 599))
        XCTAssertEqual(reuse(policy, after: 600), .stale(age: 600, refresh: true))
        XCTAssertEqual(reuse(policy, after: 630), .stale(age: 630, refresh: true))
        XCTAssertEqual(reuse(policy, after: 631), .validate(.expired))
        for wrong in ["", "=", "=x", "=-1", "=1.5"] {
            XCTAssertEqual(
                reuse(control("max-age=600, stale-while-revalidate\(wrong)"), after: 600), .validate(.expired))
        }
        let twice = control("max-age=600, stale-while-revalidate=30, stale-while-revalidate=10")
        XCTAssertEqual(reuse(twice, after: 611), .validate(.expired))
    }

    func test_5861_4_staleIfErrorAnswersInPlaceOfErrors() {
        let policy = control("max-age=600, stale-if-error=1200")
        func decide(_ seconds: Int64, _ status: UInt16, _ request: [String] = []) -> StaleIfError {
            StaleIfError.decide(
                policy, Request(request).directives, now: clockMilliseconds + seconds * 1_000, status: status)
        }
        for status: UInt16 in [500, 502, 503, 504] {
            XCTAssertEqual(decide(900, status), .serve(age: 900))
            XCTAssertEqual(decide(1_800, status), .serve(age: 1_800))
            XCTAssertEqual(decide(1_801, status), .fail(status: status))
        }
        for status: UInt16 in [200, 404, 429, 501, 505, 599] {
            XCTAssertEqual(decide(900, status), .fail(status: status))
        }
        // The directive says nothing about freshness.
        XCTAssertEqual(reuse(policy, after: 601), .validate(.expired))
    }

    func test_5861_4_staleIfErrorInARequestIsForThatRequest() {
        let directives = Request(["Cache-Control: stale-if-error=100"]).directives
        func decide(_ policy: ResponsePolicy, _ seconds: Int64) -> StaleIfError {
            StaleIfError.decide(policy, directives, now: clockMilliseconds + seconds * 1_000, status: 503)
        }
        XCTAssertEqual(decide(minute, 160), .serve(age: 160))
        XCTAssertEqual(decide(minute, 161), .fail(status: 503))
        XCTAssertEqual(decide(control("max-age=60, must-revalidate"), 70), .fail(status: 503))
        XCTAssertEqual(
            StaleIfError.decide(minute, RequestDirectives(), now: clockMilliseconds + 61_000, status: 503),
            .fail(status: 503))
    }

    func test_8246_2_immutableIsNotValidatedOnAReload() {
        let policy = framed("max-age=60, immutable")
        XCTAssertEqual(reuse(policy, after: 1, ["Cache-Control: max-age=0"]), .fresh(age: 1))
        XCTAssertEqual(reuse(policy, after: 1, ["Cache-Control: no-cache"]), .validate(.requestNoCache))
        // "only applies during the freshness lifetime of the stored response".
        XCTAssertEqual(reuse(policy, after: 59, ["Cache-Control: max-age=0"]), .fresh(age: 59))
        XCTAssertEqual(reuse(policy, after: 60, ["Cache-Control: max-age=0"]), .validate(.requestMaxAge))
        XCTAssertEqual(reuse(policy, after: 61), .validate(.expired))
    }

    func test_8246_2_argumentsOfImmutableAreIgnored() {
        let request = ["Cache-Control: max-age=0"]
        for spelling in ["immutable=1", "immutable=\"x\"", "IMMUTABLE", "immutable, immutable"] {
            XCTAssertEqual(reuse(framed("max-age=60, \(spelling)"), after: 1, request), .fresh(age: 1), spelling)
        }
        // "The presence of an immutable Cache-Control extension in a request has no effect."
        XCTAssertEqual(reuse(minute, after: 1, ["Cache-Control: max-age=0, immutable"]), .validate(.requestMaxAge))
    }

    private func framed(_ control: String) -> ResponsePolicy {
        policy([tagged, "Content-Length: 0", "Cache-Control: \(control)"])
    }

    func test_8246_3_immutableNeedsAKnownEndAndForClientsTLS() {
        let fields = ["Cache-Control: max-age=60, immutable", tagged]
        let known = fields + ["Content-Length: 5"]
        func isImmutable(_ fields: [String], _ rules: CacheRules, _ isSecure: Bool) -> Bool {
            policy(fields, Request(), rules, isSecure: isSecure).flags.contains(.immutable)
        }
        XCTAssertFalse(isImmutable(fields, CacheRules(), true))
        XCTAssertTrue(isImmutable(known, CacheRules(), false))
        XCTAssertTrue(isImmutable(fields + ["Transfer-Encoding: chunked"], CacheRules(), false))
        XCTAssertFalse(isImmutable(known, personal, false))
        XCTAssertTrue(isImmutable(known, personal, true))
    }

    func test_9111_4_4_anInvalidatedResponseIsValidated() {
        var policy = minute
        policy.invalidate()
        XCTAssertEqual(reuse(policy, after: 1), .validate(.responseNoCache))
        var expired = control("max-age=60, stale-while-revalidate=60")
        expired.expire()
        XCTAssertEqual(reuse(expired, after: 1), .validate(.expired))
    }

    func test_aRequestWithoutCacheFieldsHasNoDirectives() {
        let request = Request(["Accept: */*", "User-Agent: x"]).cache
        XCTAssertTrue(request.present.isEmpty)
        XCTAssertEqual(request.directives, RequestDirectives())
        XCTAssertTrue(request.present.isDisjoint(with: .conditions))
        XCTAssertLessThanOrEqual(MemoryLayout<ResponsePolicy>.size, 40)
    }

    func test_everyReasonHasAWordAndAForwardReason() {
        XCTAssertEqual(Set(Reuse.Why.allCases.map { "\($0.word)" }).count, Reuse.Why.allCases.count)
        XCTAssertEqual(Reuse.Why.expired.forward, .stale)
        XCTAssertEqual(Reuse.Why.responseNoCache.forward, .stale)
        XCTAssertEqual(Reuse.Why.requestMaxAge.forward, .request)
    }
}
