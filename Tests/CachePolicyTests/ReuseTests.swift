// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §4, §4.2.4, §5.2.1, §5.4; RFC 5861; RFC 8246: may a stored response be used for a request?

import CachePolicy
import HTTP
import Testing

@Suite("The use of a stored response") struct ReuseTests {
    private let minute = policy(["Cache-Control: max-age=60", tagged])

    private func control(_ response: String) -> ResponsePolicy { policy([tagged, "Cache-Control: \(response)"]) }

    @Test("a fresh response is served with its age (RFC 9111 §4)")
    func test_9111_4_aFreshResponseIsServedWithItsAge() {
        #expect(reuse(minute, after: 0) == .fresh(age: 0))
        #expect(reuse(minute, after: 59) == .fresh(age: 59))
        #expect(reuse(policy(["Cache-Control: max-age=60", "Age: 40"]), after: 19) == .fresh(age: 59))
    }

    @Test("a stale response is validated (RFC 9111 §4)")
    func test_9111_4_aStaleResponseIsValidated() {
        #expect(reuse(minute, after: 60) == .validate(.expired))
        #expect(reuse(minute, after: 1_000_000) == .validate(.expired))
    }

    @Test("unsafe methods are written through (RFC 9111 §4)")
    func test_9111_4_unsafeMethodsAreWrittenThrough() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            #expect(Lookup.decide(Request(method: method).cache) == .forward(.method), "\(method)")
        }
        #expect(Lookup.decide(Request().cache) == .lookUp)
        #expect(Lookup.decide(Request(method: "HEAD").cache) == .lookUp)
        #expect(Lookup.decide(Request(["Content-Length: 1"]).cache) == .forward(.bypass))
        let upgrade = Request(["Connection: upgrade", "Upgrade: websocket"])
        #expect(Lookup.decide(upgrade.cache) == .forward(.bypass))
    }

    @Test("conditions for the origin are forwarded (RFC 9111 §4.3.2)")
    func test_9111_4_3_2_conditionsForTheOriginAreForwarded() {
        for field in ["If-Match: \"a\"", "If-Match: *", "If-Unmodified-Since: \(date(clock))"] {
            #expect(Lookup.decide(Request([field]).cache) == .forward(.request), "\(field)")
        }
        #expect(Lookup.decide(Request(["If-None-Match: \"a\"", "Range: bytes=0-1"]).cache) == .lookUp)
    }

    @Test("a response with no-cache is validated before every use (RFC 9111 §5.2.2.4)")
    func test_9111_5_2_2_4_noCacheIsValidatedBeforeEveryUse() {
        let policy = control("max-age=60, no-cache, stale-while-revalidate=60, stale-if-error=60")
        #expect(reuse(policy, after: 0) == .validate(.responseNoCache))
        #expect(reuse(policy, after: 70, ["Cache-Control: max-stale"]) == .validate(.responseNoCache))
        #expect(
            StaleIfError.decide(policy, RequestDirectives(), now: clockMilliseconds, status: 503) == .fail(status: 503))
    }

    @Test("no-cache in a request forces a validation (RFC 9111 §5.2.1.4)")
    func test_9111_5_2_1_4_noCacheInARequestForcesAValidation() {
        for spelling in ["no-cache", "No-Cache", "foo, no-cache", "no-cache=x", "max-stale, no-cache"] {
            #expect(
                reuse(minute, after: 1, ["Cache-Control: \(spelling)"]) == .validate(.requestNoCache), "\(spelling)")
        }
        #expect(
            reuse(minute, after: 1, ["Cache-Control: foo", "Cache-Control: no-cache"]) == .validate(.requestNoCache))
    }

    @Test("max-age in a request limits the age (RFC 9111 §5.2.1.1)")
    func test_9111_5_2_1_1_maxAgeInARequestLimitsTheAge() {
        #expect(reuse(minute, after: 30, ["Cache-Control: max-age=30"]) == .fresh(age: 30))
        #expect(reuse(minute, after: 31, ["Cache-Control: max-age=30"]) == .validate(.requestMaxAge))
        #expect(reuse(minute, after: 0, ["Cache-Control: max-age=0"]) == .validate(.requestMaxAge))
        #expect(reuse(minute, after: 31, ["Cache-Control: max-age=99, max-age=30"]) == .validate(.requestMaxAge))
        #expect(reuse(minute, after: 70, ["Cache-Control: max-age=99"]) == .validate(.expired))
        #expect(reuse(minute, after: 31, ["Cache-Control: max-age=x"]) == .fresh(age: 31))
        // "Unless the max-stale request directive is also present, the client does not wish to receive a stale
        // response."
        let lenient = control("max-age=60, stale-while-revalidate=60")
        #expect(reuse(lenient, after: 70, ["Cache-Control: max-age=99"]) == .validate(.expired))
        #expect(
            reuse(minute, after: 70, ["Cache-Control: max-age=65, max-stale=20"]) == .stale(age: 70, refresh: false))
    }

    @Test("max-stale accepts a stale response (RFC 9111 §5.2.1.2)")
    func test_9111_5_2_1_2_maxStaleAcceptsAStaleResponse() {
        #expect(reuse(minute, after: 1_000, ["Cache-Control: max-stale"]) == .stale(age: 1_000, refresh: false))
        #expect(reuse(minute, after: 70, ["Cache-Control: max-stale=10"]) == .stale(age: 70, refresh: false))
        #expect(reuse(minute, after: 71, ["Cache-Control: max-stale=10"]) == .validate(.expired))
        #expect(reuse(minute, after: 71, ["Cache-Control: max-stale=99, max-stale=10"]) == .validate(.expired))
        for wrong in ["max-stale=", "max-stale=x", "max-stale=-1"] {
            #expect(reuse(minute, after: 61, ["Cache-Control: \(wrong)"]) == .validate(.expired), "\(wrong)")
        }
        #expect(reuse(minute, after: 5, ["Cache-Control: max-stale"]) == .fresh(age: 5))
    }

    @Test("min-fresh wants a longer future (RFC 9111 §5.2.1.3)")
    func test_9111_5_2_1_3_minFreshWantsALongerFuture() {
        #expect(reuse(minute, after: 50, ["Cache-Control: min-fresh=10"]) == .fresh(age: 50))
        #expect(reuse(minute, after: 51, ["Cache-Control: min-fresh=10"]) == .validate(.requestMinFresh))
        #expect(reuse(minute, after: 51, ["Cache-Control: min-fresh=1, min-fresh=10"]) == .validate(.requestMinFresh))
        #expect(reuse(minute, after: 51, ["Cache-Control: min-fresh=999999999999"]) == .validate(.requestMinFresh))
    }

    @Test("no-store in a request does not forbid a hit (RFC 9111 §5.2.1.5)")
    func test_9111_5_2_1_5_noStoreInARequestDoesNotForbidAHit() {
        #expect(reuse(minute, after: 1, ["Cache-Control: no-store"]) == .fresh(age: 1))
        #expect(Lookup.decide(Request(["Cache-Control: no-store"]).cache) == .lookUp)
    }

    @Test("only-if-cached is a hit or a 504 (RFC 9111 §5.2.1.7)")
    func test_9111_5_2_1_7_onlyIfCachedIsAHitOr504() {
        let only = ["Cache-Control: only-if-cached"]
        #expect(reuse(minute, after: 1, only) == .fresh(age: 1))
        #expect(reuse(minute, after: 61, only) == .gatewayTimeout(.expired))
        #expect(
            reuse(minute, after: 61, ["Cache-Control: only-if-cached, max-stale=5"]) == .stale(age: 61, refresh: false))
        #expect(
            reuse(minute, after: 1, ["Cache-Control: only-if-cached, no-cache"]) == .gatewayTimeout(.requestNoCache))
        #expect(Lookup.timesOut(Request(only).cache))
        #expect(!Lookup.timesOut(Request().cache))
    }

    @Test("quoted numbers in requests are accepted (RFC 9111 §5.2)")
    func test_9111_5_2_quotedNumbersInRequestsAreAccepted() {
        #expect(reuse(minute, after: 31, ["Cache-Control: max-age=\"30\""]) == .validate(.requestMaxAge))
    }

    @Test("Pragma counts only without Cache-Control (RFC 9111 §5.4)")
    func test_9111_5_4_pragmaCountsOnlyWithoutCacheControl() {
        #expect(reuse(minute, after: 1, ["Pragma: no-cache"]) == .validate(.requestNoCache))
        #expect(reuse(minute, after: 1, ["Pragma: foo, No-Cache"]) == .validate(.requestNoCache))
        #expect(reuse(minute, after: 1, ["Pragma: no-cache", "Cache-Control: max-age=30"]) == .fresh(age: 1))
        #expect(reuse(minute, after: 1, ["Pragma: x"]) == .fresh(age: 1))
        // In a response it was never specified.
        #expect(refusal(["Cache-Control: max-age=60", "Pragma: no-cache"]) == nil)
        #expect(reuse(policy(["Cache-Control: max-age=60", "Pragma: no-cache"]), after: 1) == .fresh(age: 1))
    }

    @Test("an operator may ignore reloads (RFC 9111 §5.2.1)")
    func test_9111_5_2_1_anOperatorMayIgnoreReloads() {
        let rules = CacheRules(honoursReload: false)
        for field in [
            "Cache-Control: no-cache", "Cache-Control: max-age=0", "Cache-Control: min-fresh=99", "Pragma: no-cache",
        ] {
            #expect(reuse(minute, after: 1, [field], rules) == .fresh(age: 1), "\(field)")
        }
        #expect(reuse(minute, after: 61, ["Cache-Control: no-cache"], rules) == .validate(.expired))
        #expect(reuse(minute, after: 70, ["Cache-Control: max-stale"], rules) == .stale(age: 70, refresh: false))
    }

    @Test("a response with must-revalidate is never served stale (RFC 9111 §5.2.2.2)")
    func test_9111_5_2_2_2_mustRevalidateIsNeverServedStale() {
        let policy = control("max-age=60, must-revalidate, stale-while-revalidate=60, stale-if-error=60")
        #expect(reuse(policy, after: 59) == .fresh(age: 59))
        #expect(reuse(policy, after: 61) == .validate(.expired))
        #expect(reuse(policy, after: 61, ["Cache-Control: max-stale"]) == .validate(.expired))
        let failed = StaleIfError.decide(
            policy, Request(["Cache-Control: stale-if-error=999"]).directives, now: clockMilliseconds + 61_000,
            status: StaleIfError.disconnected)
        #expect(failed == .fail(status: 504))
    }

    @Test("proxy-revalidate is for shared caches (RFC 9111 §5.2.2.8)")
    func test_9111_5_2_2_8_proxyRevalidateIsForSharedCaches() {
        let fields = ["Cache-Control: max-age=60, proxy-revalidate", tagged]
        let stale = ["Cache-Control: max-stale"]
        #expect(reuse(policy(fields), after: 61, stale) == .validate(.expired))
        #expect(
            reuse(policy(fields, Request(), personal), after: 61, stale, personal) == .stale(age: 61, refresh: false))
    }

    @Test("s-maxage forbids shared caches to serve stale (RFC 9111 §5.2.2.10)")
    func test_9111_5_2_2_10_sMaxageForbidsStaleInSharedCaches() {
        let fields = ["Cache-Control: s-maxage=60, max-age=60, stale-while-revalidate=60", tagged]
        #expect(reuse(policy(fields), after: 61) == .validate(.expired))
        #expect(reuse(policy(fields), after: 61, ["Cache-Control: max-stale"]) == .validate(.expired))
        #expect(reuse(policy(fields, Request(), personal), after: 61, [], personal) == .stale(age: 61, refresh: true))
    }

    @Test("stale-while-revalidate serves and refreshes (RFC 5861 §3)")
    func test_5861_3_staleWhileRevalidateServesAndRefreshes() {
        let policy = control("max-age=600, stale-while-revalidate=30")
        #expect(reuse(policy, after: 599) == .fresh(age: 599))
        #expect(reuse(policy, after: 600) == .stale(age: 600, refresh: true))
        #expect(reuse(policy, after: 630) == .stale(age: 630, refresh: true))
        #expect(reuse(policy, after: 631) == .validate(.expired))
        for wrong in ["", "=", "=x", "=-1", "=1.5"] {
            #expect(reuse(control("max-age=600, stale-while-revalidate\(wrong)"), after: 600) == .validate(.expired))
        }
        let twice = control("max-age=600, stale-while-revalidate=30, stale-while-revalidate=10")
        #expect(reuse(twice, after: 611) == .validate(.expired))
    }

    @Test("stale-if-error answers in place of errors (RFC 5861 §4)")
    func test_5861_4_staleIfErrorAnswersInPlaceOfErrors() {
        let policy = control("max-age=600, stale-if-error=1200")
        func decide(_ seconds: Int64, _ status: UInt16, _ request: [String] = []) -> StaleIfError {
            StaleIfError.decide(
                policy, Request(request).directives, now: clockMilliseconds + seconds * 1_000, status: status)
        }
        for status: UInt16 in [500, 502, 503, 504] {
            #expect(decide(900, status) == .serve(age: 900))
            #expect(decide(1_800, status) == .serve(age: 1_800))
            #expect(decide(1_801, status) == .fail(status: status))
        }
        for status: UInt16 in [200, 404, 429, 501, 505, 599] {
            #expect(decide(900, status) == .fail(status: status))
        }
        // The directive says nothing about freshness.
        #expect(reuse(policy, after: 601) == .validate(.expired))
    }

    @Test("stale-if-error in a request is for that request (RFC 5861 §4)")
    func test_5861_4_staleIfErrorInARequestIsForThatRequest() {
        let directives = Request(["Cache-Control: stale-if-error=100"]).directives
        func decide(_ policy: ResponsePolicy, _ seconds: Int64) -> StaleIfError {
            StaleIfError.decide(policy, directives, now: clockMilliseconds + seconds * 1_000, status: 503)
        }
        #expect(decide(minute, 160) == .serve(age: 160))
        #expect(decide(minute, 161) == .fail(status: 503))
        #expect(decide(control("max-age=60, must-revalidate"), 70) == .fail(status: 503))
        #expect(
            StaleIfError.decide(minute, RequestDirectives(), now: clockMilliseconds + 61_000, status: 503)
                == .fail(status: 503))
    }

    @Test("an immutable response is not validated on a reload (RFC 8246 §2)")
    func test_8246_2_immutableIsNotValidatedOnAReload() {
        let policy = framed("max-age=60, immutable")
        #expect(reuse(policy, after: 1, ["Cache-Control: max-age=0"]) == .fresh(age: 1))
        #expect(reuse(policy, after: 1, ["Cache-Control: no-cache"]) == .validate(.requestNoCache))
        // "only applies during the freshness lifetime of the stored response".
        #expect(reuse(policy, after: 59, ["Cache-Control: max-age=0"]) == .fresh(age: 59))
        #expect(reuse(policy, after: 60, ["Cache-Control: max-age=0"]) == .validate(.requestMaxAge))
        #expect(reuse(policy, after: 61) == .validate(.expired))
    }

    @Test("arguments of immutable are ignored (RFC 8246 §2)")
    func test_8246_2_argumentsOfImmutableAreIgnored() {
        let request = ["Cache-Control: max-age=0"]
        for spelling in ["immutable=1", "immutable=\"x\"", "IMMUTABLE", "immutable, immutable"] {
            #expect(reuse(framed("max-age=60, \(spelling)"), after: 1, request) == .fresh(age: 1), "\(spelling)")
        }
        // "The presence of an immutable Cache-Control extension in a request has no effect."
        #expect(reuse(minute, after: 1, ["Cache-Control: max-age=0, immutable"]) == .validate(.requestMaxAge))
    }

    private func framed(_ control: String) -> ResponsePolicy {
        policy([tagged, "Content-Length: 0", "Cache-Control: \(control)"])
    }

    @Test("immutable needs a known end, and for clients TLS (RFC 8246 §3)")
    func test_8246_3_immutableNeedsAKnownEndAndForClientsTLS() {
        let fields = ["Cache-Control: max-age=60, immutable", tagged]
        let known = fields + ["Content-Length: 5"]
        func isImmutable(_ fields: [String], _ rules: CacheRules, _ isSecure: Bool) -> Bool {
            policy(fields, Request(), rules, isSecure: isSecure).flags.contains(.immutable)
        }
        #expect(!isImmutable(fields, CacheRules(), true))
        #expect(isImmutable(known, CacheRules(), false))
        #expect(isImmutable(fields + ["Transfer-Encoding: chunked"], CacheRules(), false))
        #expect(!isImmutable(known, personal, false))
        #expect(isImmutable(known, personal, true))
    }

    @Test("an invalidated response is validated (RFC 9111 §4.4)")
    func test_9111_4_4_anInvalidatedResponseIsValidated() {
        var policy = minute
        policy.invalidate()
        #expect(reuse(policy, after: 1) == .validate(.responseNoCache))
        var expired = control("max-age=60, stale-while-revalidate=60")
        expired.expire()
        #expect(reuse(expired, after: 1) == .validate(.expired))
    }

    @Test("a request without cache fields has no directives")
    func test_aRequestWithoutCacheFieldsHasNoDirectives() {
        let request = Request(["Accept: */*", "User-Agent: x"]).cache
        #expect(request.present.isEmpty)
        #expect(request.directives == RequestDirectives())
        #expect(request.present.isDisjoint(with: .conditions))
        #expect(MemoryLayout<ResponsePolicy>.size <= 40)
    }

    @Test("every reason has a word, and a reason to forward")
    func test_everyReasonHasAWordAndAForwardReason() {
        #expect(Set(Reuse.Why.allCases.map { "\($0.word)" }).count == Reuse.Why.allCases.count)
        #expect(Reuse.Why.expired.forward == .stale)
        #expect(Reuse.Why.responseNoCache.forward == .stale)
        #expect(Reuse.Why.requestMaxAge.forward == .request)
    }
}
