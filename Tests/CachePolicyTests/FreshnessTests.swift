// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §1.2.2, §4.2.1, §4.2.2, §5.3: how long a response is fresh.

import Bytes
import CachePolicy
import HTTP
import XCTest

final class FreshnessTests: XCTestCase {
    /// The lifetime of a response that can be validated.
    private func lifetime(_ fields: String..., rules: CacheRules = CacheRules()) -> UInt32 {
        policy([tagged] + fields, Request(), rules).lifetime
    }

    func test_9111_1_2_2_deltaSecondsClampTo2to31() {
        func parse(_ text: String) -> UInt32? { DeltaSeconds.parse(Array(text.utf8).span) }
        XCTAssertEqual(parse("0"), 0)
        XCTAssertEqual(parse("007"), 7)
        XCTAssertEqual(parse("2147483648"), 2_147_483_648)
        for large in ["2147483649", "4294967296", "18446744073709551616", "99999999999999999999999999"] {
            XCTAssertEqual(parse(large), 2_147_483_648)
        }
        for wrong in ["", "-1", "+1", "1.5", "1s", " 1", "1 ", "0x1", "1_0", "\u{0661}"] { XCTAssertNil(parse(wrong)) }
        XCTAssertEqual(lifetime("Cache-Control: max-age=99999999999999999999"), 2_147_483_648)
    }

    func test_9111_4_2_1_theFirstMatchNamesTheLifetime() {
        let expires = "Expires: \(date(clock + 30))"
        XCTAssertEqual(lifetime("Cache-Control: s-maxage=10, max-age=20", expires), 10)
        XCTAssertEqual(lifetime("Cache-Control: max-age=20, s-maxage=10", expires, rules: personal), 20)
        XCTAssertEqual(lifetime("Cache-Control: max-age=20", expires), 20)
        XCTAssertEqual(lifetime(expires), 30)
        XCTAssertEqual(lifetime("Cache-Control: s-maxage=10", expires, rules: personal), 30)
        XCTAssertEqual(lifetime("Cache-Control: s-maxage=60, max-age=0"), 60)
    }

    func test_9111_4_2_1_spellingsOfMaxAge() {
        for spelling in [
            "max-age=60", "MAX-AGE=60", "Max-Age=60", "max-age=\"60\"", "max-age=060", "public,max-age=60",
            "public, max-age=60", "public\t,\tmax-age=60 ", ", ,max-age=60,", "x=\"max-age=5\", max-age=60",
            "x='a, max-age=60",
        ] {
            XCTAssertEqual(lifetime("Cache-Control: \(spelling)"), 60, spelling)
        }
        XCTAssertEqual(lifetime("Cache-Control: public", "Cache-Control: max-age=60"), 60)
    }

    func test_9111_4_2_1_invalidFreshnessIsStale() {
        for wrong in [
            "max-age", "max-age=", "max-age=-1", "max-age=abc", "max-age=1.5", "max-age = 60", "max-age= 60",
            "max-age =60", "max-age=60 60", "max-age=\"60", "max-age=\"6\\0\"", "max-age='60'", "max-age=60;x",
        ] {
            XCTAssertEqual(lifetime("Cache-Control: \(wrong)", "Expires: \(date(clock + 60))"), 0, wrong)
        }
        XCTAssertEqual(lifetime("Cache-Control: s-maxage=x, max-age=60"), 0)
        XCTAssertEqual(lifetime("Cache-Control: s-maxage=x, max-age=60", rules: personal), 60)
        // Another directive that ends the same is another directive.
        XCTAssertEqual(lifetime("Cache-Control: xmax-age=60, max-agex=60", "Last-Modified: \(date(clock))"), 0)
    }

    func test_9111_4_2_1_ofDuplicatesTheMostRestrictiveCounts() {
        XCTAssertEqual(lifetime("Cache-Control: max-age=60, max-age=10"), 10)
        XCTAssertEqual(lifetime("Cache-Control: max-age=10, max-age=60"), 10)
        XCTAssertEqual(lifetime("Cache-Control: max-age=60", "Cache-Control: max-age=10"), 10)
        XCTAssertEqual(lifetime("Cache-Control: max-age=60, max-age=x"), 0)
        XCTAssertEqual(lifetime("Expires: \(date(clock + 60))", "Expires: \(date(clock + 10))"), 10)
        XCTAssertEqual(lifetime("Expires: \(date(clock + 60))", "Expires: 0"), 0)
        let both = policy([tagged, "Cache-Control: max-age=60, no-cache"])
        XCTAssertEqual(reuse(both, after: 1), .validate(.responseNoCache))
    }

    func test_9111_4_2_1_expiresIsRelativeToDate() {
        // The origin's clock is an hour ahead: what counts is the difference of its own two dates.
        XCTAssertEqual(lifetime("Date: \(date(clock + 3_600))", "Expires: \(date(clock + 3_660))"), 60)
        XCTAssertEqual(lifetime("Date: \(date(clock - 3_600))", "Expires: \(date(clock - 3_540))"), 60)
        // Without a Date, or with one that cannot be read: the time of reception.
        XCTAssertEqual(lifetime("Expires: \(date(clock + 60))"), 60)
        XCTAssertEqual(lifetime("Date: yesterday", "Expires: \(date(clock + 60))"), 60)
        XCTAssertEqual(lifetime("Expires: Fri, 31 Dec 9999 23:59:59 GMT"), 2_147_483_648)
    }

    func test_9111_5_3_invalidExpiresIsInThePast() {
        for wrong in [
            "0", "-1", "", "never", "Fri, 15 Jan 2027 08:01:00 CET", "Fri, 15 Jan 2027 08:01:00",
            "15 Jan 2027 08:01:00 GMT",
            "Fri, 32 Jan 2027 08:01:00 GMT", "\(date(clock + 60)), \(date(clock + 60))", "\(clock + 60)",
            "Fri, 15 Jan 2027 08:01:00 +0000",
        ] {
            XCTAssertEqual(lifetime("Expires: \(wrong)"), 0, wrong)
        }
        // It is an explicit one: no heuristic in its place (§4.2.2).
        let policy = policy([tagged, "Expires: 0", "Last-Modified: \(date(clock - 1_000_000))"])
        XCTAssertEqual(policy.lifetime, 0)
        XCTAssertFalse(policy.flags.contains(.isHeuristic))
    }

    func test_9111_5_3_maxAgeOverridesExpires() {
        XCTAssertEqual(lifetime("Cache-Control: max-age=60", "Expires: 0"), 60)
        XCTAssertEqual(lifetime("Cache-Control: max-age=0", "Expires: \(date(clock + 60))"), 0)
        XCTAssertEqual(lifetime("Cache-Control: s-maxage=60", "Expires: 0"), 60)
        XCTAssertEqual(lifetime("Cache-Control: s-maxage=60", "Expires: 0", rules: personal), 0)
    }

    func test_9111_4_2_datesMatchWithoutRegardToCase() {
        let expires = date(clock + 60)
        XCTAssertEqual(lifetime("Expires: \(expires.lowercased())"), 60)
        XCTAssertEqual(lifetime("Expires: \(expires.uppercased())"), 60)
        XCTAssertEqual(lifetime("Date: \(date(clock + 10).lowercased())", "Expires: \(expires)"), 50)
    }

    func test_9111_4_2_obsoleteDatesAreRead() {
        XCTAssertEqual(lifetime("Expires: Friday, 15-Jan-27 08:01:00 GMT"), 60)
        XCTAssertEqual(lifetime("Expires: Fri Jan 15 08:01:00 2027"), 60)
        XCTAssertEqual(lifetime("Expires: friday, 15-jan-27 08:01:00 gmt"), 60)
    }

    func test_9111_4_2_anOtherZoneIsInvalid() {
        for zone in ["UTC", "CET", "PST", "Z", "+0000"] {
            XCTAssertEqual(lifetime("Expires: Fri, 15 Jan 2027 08:01:00 \(zone)"), 0, zone)
        }
    }

    func test_9111_4_2_2_aTenthOfTheTimeSinceLastModified() {
        func heuristic(_ ago: Int64) -> UInt32 {
            lifetime("Date: \(date(clock))", "Last-Modified: \(date(clock - ago))")
        }
        XCTAssertEqual(heuristic(10_000), 1_000)
        XCTAssertEqual(heuristic(864_000), 86_400)
        XCTAssertEqual(heuristic(99_999_999), 86_400)
        XCTAssertEqual(heuristic(0), 0)
        XCTAssertEqual(heuristic(-500), 0)
        XCTAssertEqual(lifetime("Date: \(date(clock - 100))", "Last-Modified: \(date(clock - 1_100))"), 100)
        XCTAssertTrue(policy(["Last-Modified: \(date(clock - 10_000))"]).flags.contains(.isHeuristic))
    }

    func test_9111_4_2_2_noHeuristicUnlessTheOperatorWantsIt() {
        let careful = CacheRules(guessesLifetimes: false)
        let modified = "Last-Modified: \(date(clock - 10_000))"
        let kept = policy([modified], Request(), careful)
        XCTAssertEqual(kept.lifetime, 0)
        XCTAssertTrue(kept.flags.contains(.hasValidator))
        XCTAssertEqual(policy([modified, "Cache-Control: public"], status: 302, Request(), careful).lifetime, 0)
        XCTAssertEqual(lifetime("Cache-Control: max-age=5", modified, rules: careful), 5)
        // The operator's lifetime is none that is guessed.
        XCTAssertEqual(
            policy([modified], Request(), CacheRules(defaultLifetime: 300, guessesLifetimes: false)).lifetime, 300)
    }

    func test_9111_4_2_2_noHeuristicWhereALifetimeIsNamed() {
        let modified = "Last-Modified: \(date(clock - 100_000))"
        XCTAssertEqual(lifetime(modified, "Cache-Control: max-age=5"), 5)
        XCTAssertEqual(lifetime(modified, "Cache-Control: max-age=x"), 0)
        XCTAssertEqual(lifetime(modified, "Expires: 0"), 0)
        XCTAssertEqual(lifetime(modified, "Cache-Control: s-maxage=5", rules: personal), 10_000)
    }

    func test_defaultLifetimeIsForResponsesThatNameNone() {
        let rules = CacheRules(defaultLifetime: 300)
        XCTAssertEqual(policy([], Request(), rules).lifetime, 300)
        XCTAssertEqual(policy([], status: 404, Request(), rules).lifetime, 300)
        XCTAssertEqual(policy(["Cache-Control: max-age=5"], Request(), rules).lifetime, 5)
        XCTAssertEqual(policy(["Last-Modified: \(date(clock - 10_000))"], Request(), rules).lifetime, 1_000)
        XCTAssertEqual(policy([tagged, "Expires: 0"], Request(), rules).lifetime, 0)
        XCTAssertEqual(refusal([], status: 302, Request(), rules), .notCacheable)
        XCTAssertEqual(refusal([], status: 500, Request(), rules), .errorWithoutLifetime)
        XCTAssertEqual(refusal([]), .useless)
        XCTAssertEqual(CacheRules(defaultLifetime: UInt32.max).defaultLifetime, 2_147_483_648)
    }
}

/// RFC 9111 §4.2.3, §5.1: how old a response is.
final class AgeTests: XCTestCase {
    /// The age of a response that came `after` seconds ago.
    private func age(_ fields: String..., took: Int64 = 0, after seconds: Int64 = 0) -> UInt32 {
        policy(["Cache-Control: max-age=2147483648", tagged] + fields, took: took)
            .age(at: clockMilliseconds + seconds * 1_000)
    }

    func test_9111_4_2_3_apparentAgeIsTheDistanceToDate() {
        XCTAssertEqual(age("Date: \(date(clock - 30))"), 30)
        XCTAssertEqual(age("Date: \(date(clock))"), 0)
        XCTAssertEqual(age("Date: \(date(clock - 30))", after: 12), 42)
        XCTAssertEqual(age(), 0)
    }

    func test_9111_4_2_3_aDateInTheFutureIsNoNegativeAge() {
        XCTAssertEqual(age("Date: \(date(clock + 3_600))"), 0)
        XCTAssertEqual(age("Date: \(date(clock + 3_600))", after: 5), 5)
        XCTAssertEqual(age("Date: Fri, 31 Dec 9999 23:59:59 GMT", after: 5), 5)
        XCTAssertEqual(age("Date: Mon, 01 Jan 0001 00:00:00 GMT", after: 5), 2_147_483_648)
        XCTAssertEqual(age("Date: Thu, 01 Jan 1970 00:00:00 GMT"), UInt32(clock))
    }

    func test_9111_4_2_3_ageAndTheDelayAddUp() {
        XCTAssertEqual(age("Age: 10"), 10)
        XCTAssertEqual(age("Age: 10", took: 4_000), 14)
        XCTAssertEqual(age("Age: 10", took: 4_999, after: 3), 17)
        // Halves of seconds are not lost on the way.
        XCTAssertEqual(age("Age: 10", took: 600), 10)
        XCTAssertEqual(
            policy(["Cache-Control: max-age=60", "Age: 10"], took: 600).age(at: clockMilliseconds + 400), 11)
    }

    func test_9111_4_2_3_theLargerOfBothWaysCounts() {
        XCTAssertEqual(age("Age: 10", "Date: \(date(clock - 30))"), 30)
        XCTAssertEqual(age("Age: 50", "Date: \(date(clock - 30))"), 50)
        XCTAssertEqual(age("Age: 50", "Date: nonsense"), 50)
    }

    func test_9111_5_1_theFirstMemberOfAgeCounts() {
        XCTAssertEqual(age("Age: 5, 6"), 5)
        XCTAssertEqual(age("Age: 6, 5"), 6)
        XCTAssertEqual(age("Age: 5", "Age: 100"), 5)
        XCTAssertEqual(age("Age: ,7"), 7)
        XCTAssertEqual(age("Age:", "Age: 7"), 7)
    }

    func test_9111_5_1_anInvalidAgeIsIgnored() {
        for wrong in ["-5", "abc", "5.5", "5s", "+5", "\"5\"", "5;x", "-5, 7"] {
            XCTAssertEqual(age("Age: \(wrong)"), 0, wrong)
        }
        XCTAssertEqual(age("Age: 99999999999999999999"), 2_147_483_648)
        XCTAssertEqual(age("Age: 2147483648", after: 1_000_000), 2_147_483_648)
    }

    func test_9111_4_2_3_agesStayWithinBoundsWhateverTheClock() {
        let policy = policy(["Cache-Control: max-age=60", "Age: 10"])
        // A clock that went back makes nothing younger than it came.
        XCTAssertEqual(policy.age(at: clockMilliseconds - 1_000_000), 10)
        XCTAssertEqual(policy.age(at: Int64.min), 10)
        XCTAssertEqual(policy.age(at: Int64.max), 2_147_483_648)
        XCTAssertEqual(policy.ttl(at: Int64.max), 60 - 2_147_483_648)
        var extreme = policy
        extreme.responseTime = Int64.min
        XCTAssertEqual(extreme.age(at: Int64.max), 2_147_483_648)
        extreme.responseTime = Int64.max
        XCTAssertEqual(extreme.age(at: Int64.min), 10)
        // A clock that went back during the exchange makes no negative delay; other absurd times make no trap.
        let response = Response(["Age: 10"])
        for (request, received) in [(clock, clock - 500), (Int64.min, Int64.max), (Int64.max, Int64.min)] {
            let times = ExchangeTimes(request: request, response: received)
            let age = ResponseAge(response.head, response.bytes.span, times)
            XCTAssertGreaterThanOrEqual(age.initial, 10_000)
            XCTAssertLessThanOrEqual(age.initial, 2_147_483_648_000)
        }
    }

    func test_9110_6_6_1_aMissingDateIsTheTimeOfReception() {
        XCTAssertEqual(stored(Response(["X: y"])), ["X: y", "Date: \(date(clock))"])
        XCTAssertEqual(stored(Response(["Date: nonsense", "X: y"])), ["X: y", "Date: \(date(clock))"])
        let kept = "Date: \(date(clock - 9))"
        XCTAssertEqual(stored(Response([kept])), [kept])
    }

    func test_9111_4_2_freshMeansYoungerThanItsLifetime() {
        let policy = policy(["Cache-Control: max-age=10"])
        XCTAssertEqual(policy.ttl(at: clockMilliseconds + 9_999), 1)
        XCTAssertEqual(policy.ttl(at: clockMilliseconds + 10_000), 0)
        XCTAssertEqual(policy.ttl(at: clockMilliseconds + 11_000), -1)
    }
}
