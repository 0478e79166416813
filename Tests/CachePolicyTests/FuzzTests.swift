// SPDX-License-Identifier: Apache-2.0
// Whatever stands in a field, no function traps, and what it writes stays within its limits.

import Bytes
import CachePolicy
import HTTP
import TestSupport
import Testing

@Suite("The rules of caching under random fields") struct FuzzTests {
    private static let names = [
        "Cache-Control", "CDN-Cache-Control", "Gateway-Cache-Control", "Vary", "ETag", "Last-Modified", "Date", "Age",
        "Expires",
        "Content-Range", "Surrogate-Key", "Cache-Tag", "Cache-Status", "Set-Cookie", "Connection", "X-Other",
    ]
    private static let asked = [
        "Cache-Control", "Pragma", "If-None-Match", "If-Modified-Since", "If-Range", "Range", "Accept-Encoding",
        "Accept-Language", "Accept", "User-Agent", "X-Other", "Authorization",
    ]
    private static let pieces = [
        "max-age", "s-maxage", "no-cache", "private", "public", "no-store", "stale-while-revalidate", "immutable", "=",
        "=", ",",
        ",", ";", "\"", "\"", "\\", " ", "\t", "0", "1", "60", "99999999999999999999", "-", ".", "*", "W/\"a\"",
        "\"a\"", "bytes",
        "bytes=", "0-9", "/", "gzip", "q=", "identity", "(", ")", "?1", ":", "a", "x-other", "Accept-Encoding",
        "\u{e9}",
        "Fri, 15 Jan 2027 08:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
    ]

    private func lines(_ names: [String], _ random: inout SeededGenerator) -> [String] {
        (0..<Int.random(in: 0...6, using: &random)).map { _ in
            let value = (0..<Int.random(in: 0...7, using: &random)).map { _ in
                FuzzTests.pieces[Int.random(in: 0..<FuzzTests.pieces.count, using: &random)]
            }
            let colon = Bool.random(using: &random) ? ":" : ": "
            return names[Int.random(in: 0..<names.count, using: &random)] + colon + value.joined()
        }
        // What is no list of tokens in this one the parser refuses.
        .map { $0.hasPrefix("Connection") ? "Connection: X-Other, ETag, close" : $0 }
    }

    private func times(_ random: inout SeededGenerator) -> ExchangeTimes {
        let edges: [Int64] = [Int64.min, -1, 0, clockMilliseconds, clockMilliseconds + 5_000, Int64.max]
        return ExchangeTimes(
            request: edges[Int.random(in: 0..<edges.count, using: &random)],
            response: edges[Int.random(in: 0..<edges.count, using: &random)])
    }

    @Test("any field is read without a trap")
    func test_bounds_anyFieldIsReadWithoutATrap() {
        var random = SeededGenerator(9_111)
        let statuses = [200, 206, 304, 404, 500]
        var storedOnes = 0
        for _ in 0..<4_000 {
            let request = Request(lines(FuzzTests.asked, &random))
            let status = statuses[Int.random(in: 0..<statuses.count, using: &random)]
            let first = Response(lines(FuzzTests.names, &random), status: status)
            let second = Response(lines(FuzzTests.names, &random), status: status)
            let rules = CacheRules(isShared: Bool.random(using: &random), defaultLifetime: 5)
            let times = times(&random)
            if let policy = use(request, first, rules, times) {
                storedOnes += 1
                exchange(request, first, second, policy, rules, times)
            }
        }
        #expect(storedOnes > 300)
    }

    /// Stores a response and looks it up.
    private func use(
        _ request: Request, _ response: Response, _ rules: CacheRules, _ times: ExchangeTimes
    ) -> ResponsePolicy? {
        let bytes = response.bytes.span
        let block = Block(capacity: 4_096)
        _ = ResponseTags(response.head, bytes, HashKey(1, 2))?.count
        _ = CacheStatus(.hit).appendField(after: response.head, bytes, to: block)
        let names = VaryNames(response.head, bytes)
        block.clear()
        names.write(bytes, to: block)
        let selecting = Block(capacity: 4_096)
        _ = SelectingFields.write(names: block.readable, request.head, request.bytes.span, to: selecting)
        let decided = try? Storing.decide(request.cache, response.head, bytes, times, rules, isSecure: true)
        guard let policy = decided else { return nil }
        for now in [Int64.min, 0, clockMilliseconds, Int64.max] {
            #expect(policy.age(at: now) <= 2_147_483_648)
            _ = Reuse.decide(policy, request.directives, now: now, rules)
            _ = ValidationOutcome.decide(policy, request.directives, now: now, status: 503)
            for size: UInt64 in [0, 1, 10, UInt64.max] {
                let served = ClientConditions.evaluate(
                    request.cache, request.head, request.bytes.span, policy, response.head, bytes, size: size, now: now)
                if case .partial(let range) = served {
                    #expect(!range.isEmpty)
                    #expect(range.upperBound <= size)
                }
            }
        }
        return policy
    }

    /// Updates a stored response from another.
    private func exchange(
        _ request: Request, _ stored: Response, _ new: Response, _ policy: ResponsePolicy, _ rules: CacheRules,
        _ times: ExchangeTimes
    ) {
        let age = ResponseAge(new.head, new.bytes.span, times)
        #expect((0...2_147_483_648_000).contains(age.initial))
        var freshening = Freshening(new.head, new.bytes.span)
        freshening.offer(policy, stored.head, stored.bytes.span, bytes: new.bytes.span)
        #expect(freshening.selected <= 1)
        _ = HeadUpdate.decide(new.head, new.bytes.span, stored.head, stored.bytes.span, length: 5)
        _ = PartialFields.part(new.head, new.bytes.span, stored.head, stored.bytes.span)
        let count = stored.head.fields.count + new.head.fields.count
        let block = Block(capacity: stored.head.length + new.head.length + count + 64)
        #expect(
            FieldMerge.write(
                stored.head, stored.bytes.span, new.head, new.bytes.span, age: age, rules, to: block) == true)
        // What is written is a head that can be read, and is stored again.
        let merged = Response(text: "HTTP/1.1 200 OK\r\n\(block.readable.string)\r\n")
        _ = try? Storing.renew(policy, merged.head, merged.bytes.span, times, age: age, rules, isSecure: false)
        let again = Block(capacity: merged.head.length + merged.head.fields.count + 64)
        #expect(StoredFields.write(merged.head, merged.bytes.span, age: age, rules, to: again) == true)
        let conditions = Block(capacity: ValidationFields.byteLimit)
        _ = ValidationFields.write(stored.head, stored.bytes.span, to: conditions)
    }
}
