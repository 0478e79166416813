// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §3.2, §4.3: validating, freshening, updating.

import Bytes
import CachePolicy
import HTTP
import Testing

@Suite("Validation") struct ValidationTests {
    private let modified = "Last-Modified: \(date(clock - 1_000))"

    private func conditions(_ response: Response) -> String {
        written { _ = ValidationFields.write(response.head, response.bytes.span, to: $0) }
    }

    @Test("both validators are sent (RFC 9111 §4.3.1)")
    func test_9111_4_3_1_bothValidatorsAreSent() {
        let since = "If-Modified-Since: \(date(clock - 1_000))\r\n"
        #expect(conditions(Response([tagged, modified])) == "If-None-Match: \"a\"\r\n" + since)
        #expect(conditions(Response(["ETag: W/\"a\""])) == "If-None-Match: W/\"a\"\r\n")
        #expect(conditions(Response([modified])) == since)
        #expect(conditions(Response(["Date: \(date(clock))"])) == "")
        // As it came, whatever its form.
        let obsolete = "Friday, 15-Jan-27 07:00:00 GMT"
        #expect(conditions(Response(["Last-Modified: \(obsolete)"])) == "If-Modified-Since: \(obsolete)\r\n")
        for wrong in [
            "ETag: a", "ETag: \"a", "ETag: \"a\"b", "ETag: \"a\", \"b\"", "Last-Modified: now", "ETag: w/\"a\"",
        ] {
            #expect(conditions(Response([wrong])) == "", "\(wrong)")
        }
        #expect(conditions(Response([tagged, "ETag: \"b\""])) == "")
    }

    @Test("the tags of all variants are sent (RFC 9111 §4.3.1)")
    func test_9111_4_3_1_theTagsOfAllVariantsAreSent() {
        var fields = ValidationFields()
        let text = written { block in
            for tag in ["\"a\"", "W/\"b\"", "none", "\"c, d\""] {
                let response = Response(["ETag: \(tag)", modified])
                #expect(fields.add(response.head, response.bytes.span, to: block) == (tag != "none"))
            }
            #expect(fields.end(to: block) == true)
        }
        #expect(text == "If-None-Match: \"a\", W/\"b\", \"c, d\"\r\n")
        let nothing = ValidationFields()
        let empty = written { block in #expect(nothing.end(to: block) == false) }
        #expect(empty == "")
    }

    @Test("the list of tags is bounded (RFC 9111 §4.3.1)")
    func test_9111_4_3_1_theListOfTagsIsBounded() {
        var fields = ValidationFields()
        let block = Block(capacity: 65_536)
        let response = Response([tagged])
        for number in 0..<20 {
            #expect(fields.add(response.head, response.bytes.span, to: block) == (number < ValidationFields.tagLimit))
        }
        var long = ValidationFields()
        let large = Response(["ETag: \"\(String(repeating: "x", count: 2_000))\""])
        #expect(long.add(large.head, large.bytes.span, to: block) == true)
        #expect(long.add(large.head, large.bytes.span, to: block) == true)
        #expect(long.add(large.head, large.bytes.span, to: block) == false)
        #expect(ValidationFields.write(response.head, response.bytes.span, to: Block(capacity: 20)) == false)
    }

    @Test("the client's conditions give way to ours (RFC 9111 §4.3.2)")
    func test_9111_4_3_2_clientsConditionsGiveWayToOurs() {
        let names: [FieldName] = [.ifNoneMatch, .ifModifiedSince, .range, .ifRange, .accept, .ifMatch, .cacheControl]
        func dropped(_ conditions: ForwardedConditions) -> [FieldName] { names.filter { conditions.drop($0) } }
        #expect(dropped(.asTheyCame) == [])
        #expect(dropped(.fill) == [.ifNoneMatch, .ifModifiedSince])
        #expect(dropped(.validate) == [.ifNoneMatch, .ifModifiedSince, .range, .ifRange])
        #expect(dropped(.complete) == [.ifNoneMatch, .ifModifiedSince, .range, .ifRange])
        #expect(ForwardedConditions.onMiss(Request().cache) == .fill)
        #expect(ForwardedConditions.onMiss(Request(method: "HEAD").cache) == .asTheyCame)
        #expect(ForwardedConditions.onMiss(Request(["Cache-Control: no-store"]).cache) == .asTheyCame)
    }

    @Test("the status decides what a validation means (RFC 9111 §4.3.3)")
    func test_9111_4_3_3_theStatusDecidesWhatAValidationMeans() {
        let plain = policy(["Cache-Control: max-age=60", tagged])
        let lenient = policy(["Cache-Control: max-age=60, stale-if-error=60", tagged])
        func outcome(_ policy: ResponsePolicy, _ status: UInt16, after: Int64 = 100) -> ValidationOutcome {
            ValidationOutcome.decide(
                policy, RequestDirectives(), now: clockMilliseconds + after * 1_000, status: status)
        }
        #expect(outcome(plain, 304) == .freshen)
        for status: UInt16 in [200, 203, 204, 206, 301, 302, 308, 404, 410] {
            #expect(outcome(plain, status) == .replace, "\(status)")
        }
        for status: UInt16 in [400, 401, 403, 429, 500, 501, 503] {
            #expect(outcome(plain, status) == .pass, "\(status)")
        }
        for status: UInt16 in [500, 502, 503, 504] { #expect(outcome(lenient, status) == .serveStale(age: 100)) }
        #expect(outcome(lenient, 503, after: 121) == .pass)
        #expect(outcome(lenient, 501) == .pass)
    }

    /// The positions that a 304 with these fields updates.
    private func selected(_ fields: [String], _ variants: [(fields: [String], date: Int64)], asked: Int = 0) -> [Int] {
        let answer = Response(fields, status: 304)
        var freshening = Freshening(answer.head, answer.bytes.span, asked: asked)
        for variant in variants {
            let stored = Response(variant.fields + ["Date: \(date(variant.date))"])
            var policy = ResponsePolicy()
            policy.date = variant.date
            freshening.offer(policy, stored.head, stored.bytes.span, bytes: answer.bytes.span)
        }
        return (0..<64).filter { freshening.selected & (1 << UInt64($0)) != 0 }
    }

    @Test("a strong validator updates all that have it (RFC 9111 §4.3.4)")
    func test_9111_4_3_4_aStrongValidatorUpdatesAllThatHaveIt() {
        let variants: [(fields: [String], date: Int64)] = [
            ([tagged], clock), (["ETag: \"b\""], clock), ([tagged], clock - 5), (["ETag: W/\"a\""], clock), ([], clock),
        ]
        #expect(selected([tagged], variants) == [0, 2])
        #expect(selected(["ETag: \"c\""], variants) == [])
        // Where the stored one has no tag, a Last-Modified that is strong there (RFC 9110 §8.8.2.2) is another of
        // "those".
        let both = [tagged, modified]
        #expect(selected(both, [([modified], clock), ([modified], clock - 1_000), ([modified], clock)]) == [0, 2])
        #expect(selected(both, [(["ETag: \"x\"", modified], clock), (["ETag: W/\"a\"", modified], clock)]) == [])
    }

    @Test("a weak validator updates the most recent (RFC 9111 §4.3.4)")
    func test_9111_4_3_4_aWeakValidatorUpdatesTheMostRecent() {
        let variants: [(fields: [String], date: Int64)] = [
            (["ETag: W/\"a\""], clock - 9), (["ETag: W/\"a\""], clock), ([tagged], clock - 5),
            (["ETag: W/\"b\""], clock + 9),
        ]
        #expect(selected(["ETag: W/\"a\""], variants) == [1])
        #expect(selected(["ETag: W/\"c\""], variants) == [])
        // Stored within the second of its Last-Modified, which is weak then.
        let early = clock - 1_000
        #expect(selected([modified], [([modified], early), ([], clock)]) == [0])
        #expect(selected([modified], [(["Last-Modified: \(date(clock))"], clock)]) == [])
    }

    @Test("a Last-Modified is as strong as the stored Date makes it (RFC 9111 §4.3.4)")
    func test_9111_4_3_4_aLastModifiedIsAsStrongAsTheStoredDateMakesIt() {
        #expect(selected([modified], [([modified], clock), ([modified, tagged], clock), ([], clock)]) == [0, 1])
        // Servers that compress on the way send weak tags and dates.
        let weak = ["ETag: W/\"a\"", modified]
        #expect(selected(weak, [(weak, clock - 5), (weak, clock)]) == [0, 1])
        #expect(selected(weak, [(["ETag: W/\"b\"", modified], clock)]) == [])
        #expect(selected(weak, [([modified, tagged], clock)]) == [0])
    }

    @Test("without validators the only one is updated (RFC 9111 §4.3.4)")
    func test_9111_4_3_4_withoutValidatorsTheOnlyOneIsUpdated() {
        #expect(selected([], [([], clock)]) == [0])
        #expect(selected([], [([tagged], clock)]) == [])
        #expect(selected([], [([], clock), ([], clock)]) == [])
        #expect(selected([], []) == [])
        // Asked about one, such an answer can only mean that one; about several, none.
        for fields in [[tagged], ["Last-Modified: \(date(clock - 9))"], [tagged, "Last-Modified: \(date(clock - 9))"]] {
            #expect(selected([], [(fields, clock)], asked: 1) == [0])
            #expect(selected([], [(fields, clock)], asked: 2) == [])
            #expect(selected([], [(fields, clock), (fields, clock)], asked: 2) == [])
        }
        // One with a validator of something else still means something else.
        #expect(selected(["ETag: \"b\""], [([tagged], clock)], asked: 1) == [])
        // More than are looked at are not updated, and nothing overflows.
        #expect(selected([tagged], (0..<70).map { _ in ([tagged], clock) }).count == Freshening.limit)
    }

    @Test("what may not be stored may not update (RFC 9111 §3.2)")
    func test_9111_3_2_whatMayNotBeStoredMayNotUpdate() {
        func mayUpdate(
            _ answer: [String], _ request: Request = Request(), _ rules: CacheRules = CacheRules(), status: Int = 304
        ) -> Bool {
            let response = Response(answer, status: status)
            return Storing.mayUpdate(request.cache, response.head, response.bytes.span, rules)
        }
        let alice = Request(["Authorization: x"])
        #expect(mayUpdate([tagged]))
        #expect(mayUpdate([tagged], Request(method: "HEAD"), status: 200))
        #expect(!mayUpdate([tagged, "Cache-Control: max-age=60"], alice))
        #expect(!mayUpdate([tagged], Request(["Authorization: x"], method: "HEAD"), status: 200))
        for permission in ["public", "must-revalidate", "s-maxage=9"] {
            #expect(mayUpdate([tagged, "Cache-Control: \(permission)"], alice), "\(permission)")
        }
        #expect(mayUpdate([tagged], alice, personal))
        #expect(!mayUpdate([tagged], Request(["Cache-Control: no-store"])))
        #expect(!mayUpdate([tagged], Request(["Content-Length: 1"])))
        #expect(!mayUpdate([tagged, "Set-Cookie: a=b"]))
        #expect(mayUpdate([tagged, "Set-Cookie: a=b"], Request(), CacheRules(setCookie: .strip)))
        #expect(mayUpdate([tagged, "Set-Cookie: a=b"], Request(), personal))
    }

    private func merged(
        _ old: [String], _ new: [String], _ rules: CacheRules = CacheRules(), status: Int = 304, capacity: Int = 65_536
    ) -> [String]? {
        let stored = Response(old)
        let update = Response(new, status: status)
        let times = ExchangeTimes(request: clockMilliseconds, response: clockMilliseconds)
        let age = ResponseAge(update.head, update.bytes.span, times)
        let block = Block(capacity: capacity)
        block.append(0x21)
        guard
            FieldMerge.write(
                stored.head, stored.bytes.span, update.head, update.bytes.span, age: age, rules, to: block)
        else {
            #expect(block.count == 1)
            return nil
        }
        return block.readable.string.dropFirst().split(separator: "\r\n").map(String.init)
    }

    @Test("fields of the update replace those stored (RFC 9111 §3.2)")
    func test_9111_3_2_fieldsOfTheUpdateReplaceThoseStored() {
        let old = ["Date: \(date(clock - 60))", "X-A: 1", "X-A: 2", "X-B: 3", "Content-Type: a/b", tagged]
        let new = ["Date: \(date(clock))", "x-a: 4", "Content-Type: c/d", "X-C: 5"]
        #expect(
            merged(old, new) == ["X-B: 3", tagged, "Date: \(date(clock))", "x-a: 4", "Content-Type: c/d", "X-C: 5"])
        #expect(merged(["X: 1"], ["Date: \(date(clock))", "X: 2", "X: 3"])?.dropFirst() == ["X: 2", "X: 3"])
    }

    @Test("length, range and coding stay (RFC 9111 §3.2)")
    func test_9111_3_2_lengthRangeAndCodingStay() {
        let old = ["Content-Length: 5", "Content-Encoding: gzip", "Content-Range: bytes 0-4/9"]
        let new = ["Date: \(date(clock))", "Content-Length: 0", "Content-Encoding: br", "Content-Range: bytes 0-0/9"]
        #expect(merged(old, new) == old + [new[0]])
    }

    @Test("what is not stored is not updated (RFC 9111 §3.2)")
    func test_9111_3_2_whatIsNotStoredIsNotUpdated() {
        let dated = "Date: \(date(clock))"
        let new = [
            dated, "Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Age: 5", "Proxy-Authenticate: x",
            "Set-Cookie: a=b", "X: 2",
        ]
        #expect(merged(["X-Hop: 0", "Set-Cookie: old"], new) == ["X-Hop: 0", "Set-Cookie: old", dated, "X: 2"])
        #expect(
            merged([], [dated, "Cache-Control: no-cache=\"x-a\"", "X-A: 1"]) == [
                dated, "Cache-Control: no-cache=\"x-a\"",
            ])
        #expect(
            merged(["X-A: 0"], [dated, "Cache-Control: private=\"x-a\"", "X-A: 1"]) == [
                dated, "Cache-Control: private=\"x-a\"",
            ])
        for directive in ["no-cache", "private"] {
            let old = "Cache-Control: \(directive)=\"x-a\""
            #expect(merged([old], [dated, "X-A: 1", "X-B: 1"]) == [old, dated, "X-B: 1"])
        }
        #expect(merged([], [dated, "Set-Cookie: a=b", "Cache-Control: public"]) == [dated, "Cache-Control: public"])
        #expect(merged([], [dated, "Set-Cookie: a=b"], CacheRules(setCookie: .keep)) == [dated, "Set-Cookie: a=b"])
        #expect(merged([], [dated, "Set-Cookie: a=b"], personal) == [dated, "Set-Cookie: a=b"])
    }

    @Test("an update without Date is dated by its reception (RFC 9111 §3.2)")
    func test_9111_3_2_anUpdateWithoutDateIsDatedByItsReception() {
        let received = "Date: \(date(clock))"
        #expect(merged(["Date: \(date(clock - 60))", "X: 1"], []) == ["X: 1", received])
        #expect(merged(["Date: \(date(clock - 60))"], ["Date: x"]) == [received])
    }

    @Test("an update without room changes nothing (RFC 9111 §3.2)")
    func test_9111_3_2_anUpdateWithoutRoomChangesNothing() {
        for capacity in 2..<90 {
            let lines = merged(["X-Stored: 1"], ["X-New: 2"], capacity: capacity)
            #expect(lines == nil || lines?.count == 3, "\(capacity)")
        }
        #expect(merged(["X-Stored: 1"], ["X-New: 2"], capacity: 128)?.count == 3)
        let long = "X-Long: \(String(repeating: "x", count: 100))"
        #expect(merged([long], ["Date: \(date(clock))"], capacity: 100) == nil)
        #expect(merged([], ["Date: \(date(clock))", long], capacity: 100) == nil)
    }

    @Test("a freshened response is fresh from then on (RFC 9111 §4.3.4)")
    func test_9111_4_3_4_aFreshenedResponseIsFreshFromThen() {
        let first = policy(["Cache-Control: max-age=60", tagged], Request(["Authorization: x"]), personal)
        let later = ExchangeTimes(request: clockMilliseconds + 99_000, response: clockMilliseconds + 100_000)
        func renew(
            _ fields: [String], _ update: [String], _ rules: CacheRules = personal
        )
            -> Result<ResponsePolicy, StoreRefusal>
        {
            let merged = Response(fields)
            let answer = Response(update, status: 304)
            let age = ResponseAge(answer.head, answer.bytes.span, later)
            do throws(StoreRefusal) {
                return .success(
                    try Storing.renew(first, merged.head, merged.bytes.span, later, age: age, rules, isSecure: false))
            } catch {
                return .failure(error)
            }
        }
        let dated = "Date: \(date(clock + 100))"
        guard case .success(let renewed) = renew([dated, "Cache-Control: max-age=30", tagged], [dated, "Age: 5"]) else {
            Issue.record("not renewed"); return
        }
        #expect(renewed.lifetime == 30)
        #expect(renewed.age(at: later.response) == 6)
        #expect(renewed.date == clock + 100)
        #expect(renewed.flags.contains(.wasAuthorized))
        // What the 304 forbids is forbidden from then on.
        #expect(renew([dated, "Cache-Control: no-store", tagged], [dated]) == .failure(.noStore))
        #expect(renew([dated, "Cache-Control: max-age=30", tagged], [dated], CacheRules()) == .failure(.authorization))
    }

    @Test("the answer to HEAD updates or expires a stored one to GET (RFC 9111 §4.3.5)")
    func test_9111_4_3_5_aHeadUpdatesOrExpiresAStoredGet() {
        func decide(_ head: [String], _ stored: [String], status: Int = 200, length: UInt64? = 5) -> HeadUpdate {
            let answer = Response(head, status: status, method: .head)
            let kept = Response(stored)
            return HeadUpdate.decide(answer.head, answer.bytes.span, kept.head, kept.bytes.span, length: length)
        }
        #expect(decide([tagged, modified, "Content-Length: 5"], [tagged, modified]) == .update)
        #expect(decide([], [tagged, modified]) == .update)
        #expect(decide([], []) == .update)
        #expect(decide(["ETag: \"b\""], [tagged]) == .expire)
        #expect(decide([tagged], []) == .expire)
        #expect(decide([tagged, "Last-Modified: \(date(clock))"], [tagged, modified]) == .expire)
        #expect(decide([tagged, "Content-Length: 6"], [tagged]) == .expire)
        #expect(decide([tagged, "Content-Length: 6"], [tagged], length: nil) == .update)
        for status in [204, 304, 404, 500] { #expect(decide([tagged], [tagged], status: status) == .ignore) }
        let notFound = Response([tagged], status: 404)
        let answer = Response([tagged], method: .head)
        #expect(
            HeadUpdate.decide(answer.head, answer.bytes.span, notFound.head, notFound.bytes.span, length: 5) == .ignore)
    }

    @Test("an update by HEAD keeps the length (RFC 9111 §4.3.5)")
    func test_9111_4_3_5_anUpdateByHeadKeepsTheLength() {
        #expect(
            merged(["Content-Length: 5", "X: 1"], ["Date: \(date(clock))", "Content-Length: 5", "X: 2"], status: 200)
                == ["Content-Length: 5", "Date: \(date(clock))", "X: 2"])
    }
}
