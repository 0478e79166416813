// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §1.2.2, §4.2.1, §4.2.2, §5.3: how long a response is fresh.

import Bytes
import CachePolicy
import HTTP
import Testing

@Suite("The lifetime of a response") struct FreshnessTests {
    /// The lifetime of a response that can be validated.
    private func lifetime(_ fields: String..., rules: CacheRules = CacheRules()) -> UInt32 {
        policy([tagged] + fields, Request(), rules).lifetime
    }

    @Test("seconds beyond 2^31 count as 2^31 (RFC 9111 §1.2.2)")
    func test_9111_1_2_2_deltaSecondsClampTo2to31() {
        func parse(_ text: String) -> UInt32? { DeltaSeconds.parse(Array(text.utf8).span) }
        #expect(parse("0") == 0)
        #expect(parse("007") == 7)
        #expect(parse("2147483648") == 2_147_483_648)
        for large in ["2147483649", "4294967296", "18446744073709551616", "99999999999999999999999999"] {
            #expect(parse(large) == 2_147_483_648)
        }
        for wrong in ["", "-1", "+1", "1.5", "1s", " 1", "1 ", "0x1", "1_0", "\u{0661}"] {
            #expect(parse(wrong) == nil)
        }
        #expect(lifetime("Cache-Control: max-age=99999999999999999999") == 2_147_483_648)
    }

    @Test("the first match names the lifetime (RFC 9111 §4.2.1)")
    func test_9111_4_2_1_theFirstMatchNamesTheLifetime() {
        let expires = "Expires: \(date(clock + 30))"
        #expect(lifetime("Cache-Control: s-maxage=10, max-age=20", expires) == 10)
        #expect(lifetime("Cache-Control: max-age=20, s-maxage=10", expires, rules: personal) == 20)
        #expect(lifetime("Cache-Control: max-age=20", expires) == 20)
        #expect(lifetime(expires) == 30)
        #expect(lifetime("Cache-Control: s-maxage=10", expires, rules: personal) == 30)
        #expect(lifetime("Cache-Control: s-maxage=60, max-age=0") == 60)
    }

    @Test("every legal spelling of max-age counts (RFC 9111 §4.2.1)")
    func test_9111_4_2_1_spellingsOfMaxAge() {
        for spelling in [
            "max-age=60", "MAX-AGE=60", "Max-Age=60", "max-age=\"60\"", "max-age=060", "public,max-age=60",
            "public, max-age=60", "public\t,\tmax-age=60 ", ", ,max-age=60,", "x=\"max-age=5\", max-age=60",
            "x='a, max-age=60",
        ] {
            #expect(lifetime("Cache-Control: \(spelling)") == 60, "\(spelling)")
        }
        #expect(lifetime("Cache-Control: public", "Cache-Control: max-age=60") == 60)
    }

    @Test("invalid freshness is stale (RFC 9111 §4.2.1)")
    func test_9111_4_2_1_invalidFreshnessIsStale() {
        for wrong in [
            "max-age", "max-age=", "max-age=-1", "max-age=abc", "max-age=1.5", "max-age = 60", "max-age= 60",
            "max-age =60", "max-age=60 60", "max-age=\"60", "max-age=\"6\\0\"", "max-age='60'", "max-age=60;x",
        ] {
            #expect(lifetime("Cache-Control: \(wrong)", "Expires: \(date(clock + 60))") == 0, "\(wrong)")
        }
        #expect(lifetime("Cache-Control: s-maxage=x, max-age=60") == 0)
        #expect(lifetime("Cache-Control: s-maxage=x, max-age=60", rules: personal) == 60)
        // Another directive that ends the same is another directive.
        #expect(lifetime("Cache-Control: xmax-age=60, max-agex=60", "Last-Modified: \(date(clock))") == 0)
    }

    @Test("of duplicates the most restrictive counts (RFC 9111 §4.2.1)")
    func test_9111_4_2_1_ofDuplicatesTheMostRestrictiveCounts() {
        #expect(lifetime("Cache-Control: max-age=60, max-age=10") == 10)
        #expect(lifetime("Cache-Control: max-age=10, max-age=60") == 10)
        #expect(lifetime("Cache-Control: max-age=60", "Cache-Control: max-age=10") == 10)
        #expect(lifetime("Cache-Control: max-age=60, max-age=x") == 0)
        #expect(lifetime("Expires: \(date(clock + 60))", "Expires: \(date(clock + 10))") == 10)
        #expect(lifetime("Expires: \(date(clock + 60))", "Expires: 0") == 0)
        let both = policy([tagged, "Cache-Control: max-age=60, no-cache"])
        #expect(reuse(both, after: 1) == .validate(.responseNoCache))
    }

    @Test("Expires is relative to Date (RFC 9111 §4.2.1)")
    func test_9111_4_2_1_expiresIsRelativeToDate() {
        // The origin's clock is an hour ahead: what counts is the difference of its own two dates.
        #expect(lifetime("Date: \(date(clock + 3_600))", "Expires: \(date(clock + 3_660))") == 60)
        #expect(lifetime("Date: \(date(clock - 3_600))", "Expires: \(date(clock - 3_540))") == 60)
        // Without a Date, or with one that cannot be read: the time of reception.
        #expect(lifetime("Expires: \(date(clock + 60))") == 60)
        #expect(lifetime("Date: yesterday", "Expires: \(date(clock + 60))") == 60)
        #expect(lifetime("Expires: Fri, 31 Dec 9999 23:59:59 GMT") == 2_147_483_648)
    }

    @Test("an invalid Expires is in the past (RFC 9111 §5.3)")
    func test_9111_5_3_invalidExpiresIsInThePast() {
        for wrong in [
            "0", "-1", "", "never", "Fri, 15 Jan 2027 08:01:00 CET", "Fri, 15 Jan 2027 08:01:00",
            "15 Jan 2027 08:01:00 GMT",
            "Fri, 32 Jan 2027 08:01:00 GMT", "\(date(clock + 60)), \(date(clock + 60))", "\(clock + 60)",
            "Fri, 15 Jan 2027 08:01:00 +0000",
        ] {
            #expect(lifetime("Expires: \(wrong)") == 0, "\(wrong)")
        }
        // It is an explicit one: no heuristic in its place (§4.2.2).
        let policy = policy([tagged, "Expires: 0", "Last-Modified: \(date(clock - 1_000_000))"])
        #expect(policy.lifetime == 0)
        #expect(!policy.flags.contains(.isHeuristic))
    }

    @Test("max-age overrides Expires (RFC 9111 §5.3)")
    func test_9111_5_3_maxAgeOverridesExpires() {
        #expect(lifetime("Cache-Control: max-age=60", "Expires: 0") == 60)
        #expect(lifetime("Cache-Control: max-age=0", "Expires: \(date(clock + 60))") == 0)
        #expect(lifetime("Cache-Control: s-maxage=60", "Expires: 0") == 60)
        #expect(lifetime("Cache-Control: s-maxage=60", "Expires: 0", rules: personal) == 0)
    }

    @Test("dates match without regard to case (RFC 9111 §4.2)")
    func test_9111_4_2_datesMatchWithoutRegardToCase() {
        let expires = date(clock + 60)
        #expect(lifetime("Expires: \(expires.lowercased())") == 60)
        #expect(lifetime("Expires: \(expires.uppercased())") == 60)
        #expect(lifetime("Date: \(date(clock + 10).lowercased())", "Expires: \(expires)") == 50)
    }

    @Test("obsolete dates are read (RFC 9111 §4.2)")
    func test_9111_4_2_obsoleteDatesAreRead() {
        #expect(lifetime("Expires: Friday, 15-Jan-27 08:01:00 GMT") == 60)
        #expect(lifetime("Expires: Fri Jan 15 08:01:00 2027") == 60)
        #expect(lifetime("Expires: friday, 15-jan-27 08:01:00 gmt") == 60)
    }

    @Test("a date of another zone is invalid (RFC 9111 §4.2)")
    func test_9111_4_2_anOtherZoneIsInvalid() {
        for zone in ["UTC", "CET", "PST", "Z", "+0000"] {
            #expect(lifetime("Expires: Fri, 15 Jan 2027 08:01:00 \(zone)") == 0, "\(zone)")
        }
    }

    @Test("without a lifetime, it is a tenth of the time since Last-Modified (RFC 9111 §4.2.2)")
    func test_9111_4_2_2_aTenthOfTheTimeSinceLastModified() {
        func heuristic(_ ago: Int64) -> UInt32 {
            lifetime("Date: \(date(clock))", "Last-Modified: \(date(clock - ago))")
        }
        #expect(heuristic(10_000) == 1_000)
        #expect(heuristic(864_000) == 86_400)
        #expect(heuristic(99_999_999) == 86_400)
        #expect(heuristic(0) == 0)
        #expect(heuristic(-500) == 0)
        #expect(lifetime("Date: \(date(clock - 100))", "Last-Modified: \(date(clock - 1_100))") == 100)
        #expect(policy(["Last-Modified: \(date(clock - 10_000))"]).flags.contains(.isHeuristic))
    }

    @Test("no lifetime is guessed unless the operator wants it (RFC 9111 §4.2.2)")
    func test_9111_4_2_2_noHeuristicUnlessTheOperatorWantsIt() {
        let careful = CacheRules(guessesLifetimes: false)
        let modified = "Last-Modified: \(date(clock - 10_000))"
        let kept = policy([modified], Request(), careful)
        #expect(kept.lifetime == 0)
        #expect(kept.flags.contains(.hasValidator))
        #expect(policy([modified, "Cache-Control: public"], status: 302, Request(), careful).lifetime == 0)
        #expect(lifetime("Cache-Control: max-age=5", modified, rules: careful) == 5)
        // The operator's lifetime is none that is guessed.
        #expect(
            policy([modified], Request(), CacheRules(defaultLifetime: 300, guessesLifetimes: false)).lifetime == 300)
    }

    @Test("no lifetime is guessed where one is named (RFC 9111 §4.2.2)")
    func test_9111_4_2_2_noHeuristicWhereALifetimeIsNamed() {
        let modified = "Last-Modified: \(date(clock - 100_000))"
        #expect(lifetime(modified, "Cache-Control: max-age=5") == 5)
        #expect(lifetime(modified, "Cache-Control: max-age=x") == 0)
        #expect(lifetime(modified, "Expires: 0") == 0)
        #expect(lifetime(modified, "Cache-Control: s-maxage=5", rules: personal) == 10_000)
    }

    @Test("the default lifetime is for responses that name none")
    func test_defaultLifetimeIsForResponsesThatNameNone() {
        let rules = CacheRules(defaultLifetime: 300)
        #expect(policy([], Request(), rules).lifetime == 300)
        #expect(policy([], status: 404, Request(), rules).lifetime == 300)
        #expect(policy(["Cache-Control: max-age=5"], Request(), rules).lifetime == 5)
        #expect(policy(["Last-Modified: \(date(clock - 10_000))"], Request(), rules).lifetime == 1_000)
        #expect(policy([tagged, "Expires: 0"], Request(), rules).lifetime == 0)
        #expect(refusal([], status: 302, Request(), rules) == .notCacheable)
        #expect(refusal([], status: 500, Request(), rules) == .errorWithoutLifetime)
        #expect(refusal([]) == .useless)
        #expect(CacheRules(defaultLifetime: UInt32.max).defaultLifetime == 2_147_483_648)
    }
}

/// RFC 9111 §4.2.3, §5.1: how old a response is.
@Suite("The age of a response") struct AgeTests {
    /// The age of a response that came `after` seconds ago.
    private func age(_ fields: String..., took: Int64 = 0, after seconds: Int64 = 0) -> UInt32 {
        policy(["Cache-Control: max-age=2147483648", tagged] + fields, took: took)
            .age(at: clockMilliseconds + seconds * 1_000)
    }

    @Test("the apparent age is the distance to Date (RFC 9111 §4.2.3)")
    func test_9111_4_2_3_apparentAgeIsTheDistanceToDate() {
        #expect(age("Date: \(date(clock - 30))") == 30)
        #expect(age("Date: \(date(clock))") == 0)
        #expect(age("Date: \(date(clock - 30))", after: 12) == 42)
        #expect(age() == 0)
    }

    @Test("a Date in the future is no negative age (RFC 9111 §4.2.3)")
    func test_9111_4_2_3_aDateInTheFutureIsNoNegativeAge() {
        #expect(age("Date: \(date(clock + 3_600))") == 0)
        #expect(age("Date: \(date(clock + 3_600))", after: 5) == 5)
        #expect(age("Date: Fri, 31 Dec 9999 23:59:59 GMT", after: 5) == 5)
        #expect(age("Date: Mon, 01 Jan 0001 00:00:00 GMT", after: 5) == 2_147_483_648)
        #expect(age("Date: Thu, 01 Jan 1970 00:00:00 GMT") == UInt32(clock))
    }

    @Test("Age and the delay add up (RFC 9111 §4.2.3)")
    func test_9111_4_2_3_ageAndTheDelayAddUp() {
        #expect(age("Age: 10") == 10)
        #expect(age("Age: 10", took: 4_000) == 14)
        #expect(age("Age: 10", took: 4_999, after: 3) == 17)
        // Halves of seconds are not lost on the way.
        #expect(age("Age: 10", took: 600) == 10)
        #expect(policy(["Cache-Control: max-age=60", "Age: 10"], took: 600).age(at: clockMilliseconds + 400) == 11)
    }

    @Test("the larger of both ways counts (RFC 9111 §4.2.3)")
    func test_9111_4_2_3_theLargerOfBothWaysCounts() {
        #expect(age("Age: 10", "Date: \(date(clock - 30))") == 30)
        #expect(age("Age: 50", "Date: \(date(clock - 30))") == 50)
        #expect(age("Age: 50", "Date: nonsense") == 50)
    }

    @Test("the first member of Age counts (RFC 9111 §5.1)")
    func test_9111_5_1_theFirstMemberOfAgeCounts() {
        #expect(age("Age: 5, 6") == 5)
        #expect(age("Age: 6, 5") == 6)
        #expect(age("Age: 5", "Age: 100") == 5)
        #expect(age("Age: ,7") == 7)
        #expect(age("Age:", "Age: 7") == 7)
    }

    @Test("an invalid Age is ignored (RFC 9111 §5.1)")
    func test_9111_5_1_anInvalidAgeIsIgnored() {
        for wrong in ["-5", "abc", "5.5", "5s", "+5", "\"5\"", "5;x", "-5, 7"] {
            #expect(age("Age: \(wrong)") == 0, "\(wrong)")
        }
        #expect(age("Age: 99999999999999999999") == 2_147_483_648)
        #expect(age("Age: 2147483648", after: 1_000_000) == 2_147_483_648)
    }

    @Test("ages stay within bounds, whatever the clock says (RFC 9111 §4.2.3)")
    func test_9111_4_2_3_agesStayWithinBoundsWhateverTheClock() {
        let policy = policy(["Cache-Control: max-age=60", "Age: 10"])
        // A clock that went back makes nothing younger than it came.
        #expect(policy.age(at: clockMilliseconds - 1_000_000) == 10)
        #expect(policy.age(at: Int64.min) == 10)
        #expect(policy.age(at: Int64.max) == 2_147_483_648)
        #expect(policy.ttl(at: Int64.max) == 60 - 2_147_483_648)
        var extreme = policy
        extreme.responseTime = Int64.min
        #expect(extreme.age(at: Int64.max) == 2_147_483_648)
        extreme.responseTime = Int64.max
        #expect(extreme.age(at: Int64.min) == 10)
        // A clock that went back during the exchange makes no negative delay; other absurd times make no trap.
        let response = Response(["Age: 10"])
        for (request, received) in [(clock, clock - 500), (Int64.min, Int64.max), (Int64.max, Int64.min)] {
            let times = ExchangeTimes(request: request, response: received)
            let age = ResponseAge(response.head, response.bytes.span, times)
            #expect(age.initial >= 10_000)
            #expect(age.initial <= 2_147_483_648_000)
        }
    }

    @Test("a missing Date is the time of reception (RFC 9110 §6.6.1)")
    func test_9110_6_6_1_aMissingDateIsTheTimeOfReception() {
        #expect(stored(Response(["X: y"])) == ["X: y", "Date: \(date(clock))"])
        #expect(stored(Response(["Date: nonsense", "X: y"])) == ["X: y", "Date: \(date(clock))"])
        let kept = "Date: \(date(clock - 9))"
        #expect(stored(Response([kept])) == [kept])
    }

    @Test("fresh means younger than its lifetime (RFC 9111 §4.2)")
    func test_9111_4_2_freshMeansYoungerThanItsLifetime() {
        let policy = policy(["Cache-Control: max-age=10"])
        #expect(policy.ttl(at: clockMilliseconds + 9_999) == 1)
        #expect(policy.ttl(at: clockMilliseconds + 10_000) == 0)
        #expect(policy.ttl(at: clockMilliseconds + 11_000) == -1)
    }
}
