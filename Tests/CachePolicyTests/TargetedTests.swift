// SPDX-License-Identifier: Apache-2.0
// RFC 9213: targeted cache control, with the strict syntax of structured fields (RFC 8941).

import Bytes
import CachePolicy
import HTTP
import Testing

@Suite("Targeted cache control") struct TargetedTests {
    private func directives(_ fields: [String], _ rules: CacheRules = CacheRules()) -> ResponseDirectives {
        let response = Response(fields)
        return ResponseDirectives(response.head, response.bytes.span, rules)
    }

    /// `max-age` of what counts, when this is CDN-Cache-Control and Cache-Control says 1.
    private func maxAge(_ value: String...) -> UInt32? {
        directives(value.map { "CDN-Cache-Control: \($0)" } + ["Cache-Control: max-age=1"]).maxAge
    }

    @Test("the first valid field of the list counts (RFC 9213 §2.2)")
    func test_9213_2_2_theFirstValidFieldOfTheListCounts() {
        let fields = ["Cache-Control: max-age=1", "CDN-Cache-Control: max-age=2", "Gateway-Cache-Control: max-age=3"]
        #expect(directives(fields).maxAge == 3)
        #expect(directives(Array(fields.dropLast())).maxAge == 2)
        #expect(directives([fields[0], fields[1], "Gateway-Cache-Control: max-age=("]).maxAge == 2)
        #expect(directives([fields[0], "CDN-Cache-Control:", "Gateway-Cache-Control: Max-Age=9"]).maxAge == 1)
    }

    @Test("where a targeted field counts, Cache-Control and Expires are ignored (RFC 9213 §2.2)")
    func test_9213_2_2_cacheControlAndExpiresAreThenIgnored() {
        #expect(refusal(["CDN-Cache-Control: max-age=60", "Cache-Control: no-store"]) == nil)
        #expect(refusal(["CDN-Cache-Control: no-store", "Cache-Control: max-age=60"]) == .noStore)
        #expect(refusal(["CDN-Cache-Control: private", "Cache-Control: public, max-age=60"]) == .isPrivate)
        let expires = "Expires: \(date(clock + 60))"
        #expect(policy([tagged, "CDN-Cache-Control: must-revalidate", expires]).lifetime == 0)
        #expect(policy([tagged, "CDN-Cache-Control: ?", expires]).lifetime == 60)
        let both = policy([tagged, "CDN-Cache-Control: max-age=60, no-cache"])
        #expect(reuse(both, after: 1) == .validate(.responseNoCache))
    }

    @Test("other targets change nothing and pass through (RFC 9213 §2.2)")
    func test_9213_2_2_otherTargetsChangeNothingAndPassThrough() {
        let other = "ExampleCDN-Cache-Control: no-store"
        #expect(refusal([other, "Cache-Control: max-age=60"]) == nil)
        #expect(stored(Response([other, "Cache-Control: max-age=60"])).contains(other))
        let ours = "CDN-Cache-Control: max-age=60"
        #expect(stored(Response([ours])).contains(ours))
        // A private cache has no targets.
        #expect(refusal(["CDN-Cache-Control: no-store", "Cache-Control: max-age=60"], Request(), personal) == nil)
    }

    @Test("all directives have their meaning (RFC 9213 §2.2)")
    func test_9213_2_2_allDirectivesHaveTheirMeaning() {
        let found = directives([
            "CDN-Cache-Control: max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, no-store, no-cache,"
                + " private, public, must-revalidate, proxy-revalidate, must-understand, no-transform, immutable,"
                + " unknown=(1 2);x"
        ])
        #expect(found.maxAge == 1)
        #expect(found.sharedMaxAge == 2)
        #expect(found.staleWhileRevalidate == 3)
        #expect(found.staleIfError == 4)
        #expect(
            found.flags == [
                .noStore, .noCache, .isPrivate, .isPublic, .mustRevalidate, .proxyRevalidate, .mustUnderstand,
                .noTransform,
                .immutable, .isTargeted,
            ])
        #expect(refusal(["CDN-Cache-Control: max-age=60, private=\"x-user\"", "X-User: u"]) == nil)
        #expect(
            !stored(Response(["CDN-Cache-Control: max-age=60, private=\"x-user\"", "X-User: u"])).contains("X-User: u"))
        let lenient = policy([tagged, "Gateway-Cache-Control: max-age=60, stale-while-revalidate=60"])
        #expect(reuse(lenient, after: 61) == .stale(age: 61, refresh: true))
    }

    @Test("an empty or unparseable field is ignored (RFC 9213 §2.1)")
    func test_9213_2_1_anEmptyOrUnparseableFieldIsIgnored() {
        for wrong in [
            "", " ", "Max-Age=60", "max-age=60,", "max-age=60,,no-store", ",max-age=60", "max-age=60 no-store",
            "max-age=",
            "max-age =60", "max-age= 60", "max-age=60;", "max-age=\"60",
            "max-age=6\u{7f}".filter { $0 != "\u{7f}" } + "x",
            "a=?2", "a=:x", "a=:!:", "a=(1", "a=(1,2)", "a=\"\\x\"", "a=1234567890123456", "a=1.", "a=1.2345", "a=-",
            "a=1234567890123.1", "1a=1", "a=;x", "a=1;X", "a=(1 2)x", "a=\u{e9}", "=1", "a==1", "a=1;b=", "a='x'",
        ] {
            #expect(maxAge("max-age=60, \(wrong)") == 1, "\(wrong)")
        }
        #expect(maxAge("") == 1)
        #expect(maxAge("max-age=60", "x=(") == 1)
    }

    @Test("a dictionary is read whole (RFC 9213 §2.1)")
    func test_9213_2_1_aDictionaryIsReadWhole() {
        for right in [
            "max-age=60", "a, max-age=60", "a\t,\tmax-age=60", "a=1,max-age=60", "a=-1.5, max-age=60",
            "a=\"x, \\\"y\", max-age=60",
            "a=(1 \"2\" x);q=1;r, max-age=60", "a=( 1  2 ), max-age=60", "a=(), max-age=60", "a=?0, max-age=60",
            "a=:YQ+/09zZ==:, max-age=60", "*a=tok/en:x, max-age=60", "a_-.*9, max-age=60", "max-age=60;x=1; y=\"a,b\"",
            "max-age=5, max-age=60", "a=*, max-age=60", "no-store;x=?0, max-age=60",
        ] {
            #expect(maxAge(right) == 60, "\(right)")
        }
        #expect(maxAge("a=1", "max-age=60") == 60)
        #expect(maxAge("max-age=60", "") == 60)
    }

    @Test("values of the wrong type are not used (RFC 9213 §2.1)")
    func test_9213_2_1_valuesOfTheWrongTypeAreNotUsed() {
        for wrong in ["60.0", "\"60\"", "sixty", "?1", "-60", "(60)", ":YQ==:"] {
            #expect(maxAge("max-age=\(wrong)") == 0, "\(wrong)")
        }
        #expect(maxAge("max-age") == 0)
        #expect(maxAge("max-age=999999999999999") == 2_147_483_648)
        for wrong in ["no-store=?0", "no-store=1", "no-store=\"x\""] {
            #expect(!directives(["CDN-Cache-Control: max-age=60, \(wrong)"]).flags.contains(.noStore), "\(wrong)")
        }
        #expect(directives(["CDN-Cache-Control: no-store=?1"]).flags.contains(.noStore))
        #expect(!directives(["CDN-Cache-Control: no-cache=?0, max-age=1"]).flags.contains(.noCache))
        #expect(directives(["CDN-Cache-Control: no-cache=\"a\\\\b\""]).flags.contains(.noCache))
        // The last of several members of one name is the one.
        #expect(maxAge("max-age=60, max-age=5") == 5)
        #expect(!directives(["CDN-Cache-Control: private, private=\"x\""]).flags.contains(.isPrivate))
    }
}
