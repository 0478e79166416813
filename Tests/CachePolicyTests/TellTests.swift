// SPDX-License-Identifier: Apache-2.0
// RFC 9211: Cache-Status; the tags for purging.

import Bytes
import CachePolicy
import HTTP
import XCTest

final class CacheStatusTests: XCTestCase {
    private func text(_ status: CacheStatus, key: String = "") -> String {
        let key = Array(key.utf8)
        return written { status.append(to: $0, key: key.span) }
    }

    func test_9211_2_1_aHitSaysSo() {
        var status = CacheStatus(.hit)
        XCTAssertEqual(text(status), "gateway; hit")
        status.ttl = 376
        XCTAssertEqual(text(status), "gateway; hit; ttl=376")
        // "hit" and "fwd" are exclusive, and so is what only means something with "fwd".
        status.isStored = true
        status.isCollapsed = true
        status.forwardStatus = 304
        XCTAssertEqual(text(status), "gateway; hit; ttl=376")
    }

    func test_9211_2_2_whyARequestWentForward() {
        let words = ForwardReason.allCases.map { text(CacheStatus(.forward($0))) }
        XCTAssertEqual(
            words,
            ["bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"].map {
                "gateway; fwd=\($0)"
            })
    }

    func test_9211_2_3_theStatusOfTheNextServer() {
        var status = CacheStatus(.forward(.stale))
        status.forwardStatus = 304
        XCTAssertEqual(text(status), "gateway; fwd=stale; fwd-status=304")
    }

    func test_9211_2_4_ttlIsNegativeWhenStale() {
        var status = CacheStatus(.hit)
        status.ttl = -412
        XCTAssertEqual(text(status), "gateway; hit; ttl=-412")
        status.ttl = 0
        XCTAssertEqual(text(status), "gateway; hit; ttl=0")
        // Integers of structured fields have at most 15 digits.
        status.ttl = Int64.min
        XCTAssertEqual(text(status), "gateway; hit; ttl=-999999999999999")
    }

    func test_9211_2_5_and_2_6_storedAndCollapsed() {
        var status = CacheStatus(.forward(.uriMiss))
        status.isStored = true
        XCTAssertEqual(text(status), "gateway; fwd=uri-miss; stored")
        status.isCollapsed = true
        XCTAssertEqual(text(status), "gateway; fwd=uri-miss; stored; collapsed")
        status.isCollapsed = false
        XCTAssertEqual(text(status), "gateway; fwd=uri-miss; stored; collapsed=?0")
    }

    func test_9211_2_7_theKeyIsAString() {
        let status = CacheStatus(.hit)
        XCTAssertEqual(text(status, key: "http://h/\"a\\b"), "gateway; hit; key=\"http://h/\\\"a\\\\b\"")
        XCTAssertEqual(text(status, key: "\u{e9}"), "gateway; hit")
        XCTAssertEqual(text(status, key: "a\u{1}"), "gateway; hit")
        XCTAssertEqual(text(status, key: String(repeating: "a", count: 513)), "gateway; hit")
    }

    func test_9211_2_8_detailIsAToken() {
        var status = CacheStatus(.forward(.bypass))
        status.detail = StoreRefusal.noStore.word
        XCTAssertEqual(text(status), "gateway; fwd=bypass; detail=no-store")
        for why in Reuse.Why.allCases { XCTAssertTrue("\(why.word)".first?.isLetter ?? false) }
        for why in StoreRefusal.allCases { XCTAssertTrue("\(why.word)".first?.isLetter ?? false) }
    }

    func test_9211_2_theLongestMemberFits() {
        var status = CacheStatus(.forward(.varyMiss))
        status.forwardStatus = UInt16.max
        status.ttl = Int64.min
        status.isStored = true
        status.isCollapsed = false
        for why in StoreRefusal.allCases {
            status.detail = why.word
            XCTAssertFalse(written(capacity: CacheStatus.limit) { status.append(to: $0) }.isEmpty)
        }
    }

    func test_9211_2_existingMembersComeFirst() {
        let status = CacheStatus(.hit)
        func line(_ fields: [String], capacity: Int = 4_096) -> String? {
            let response = Response(fields)
            let block = Block(capacity: capacity)
            return status.appendField(after: response.head, response.bytes.span, to: block)
                ? block.readable.string : nil
        }
        XCTAssertEqual(line([]), "Cache-Status: gateway; hit\r\n")
        XCTAssertEqual(
            line([
                "Cache-Status: OriginCache; hit; ttl=1100, \"CDN\"; hit", "X: y", "Cache-Status:",
                "cache-status: B; hit",
            ]),
            "Cache-Status: OriginCache; hit; ttl=1100, \"CDN\"; hit, B; hit, gateway; hit\r\n")
        XCTAssertNil(line(["Cache-Status: \(String(repeating: "a", count: 300))"], capacity: 512))
    }
}

final class ResponseTagsTests: XCTestCase {
    private let key = HashKey(1, 2)

    private func tags(_ fields: [String]) -> [UInt64]? {
        let response = Response(fields)
        return ResponseTags(response.head, response.bytes.span, key).map { tags in (0..<tags.count).map { tags[$0] } }
    }

    private func hash(_ tag: String) -> UInt64 { ResponseTags.hash(Array(tag.utf8).span, key) }

    func test_tagsOfBothFieldsAreOneList() {
        XCTAssertEqual(tags([]), [])
        XCTAssertEqual(
            tags(["Surrogate-Key: a b\t c", "Cache-Tag: d e, f ,,a"]), ["a", "b", "c", "d e", "f"].map(hash))
        XCTAssertEqual(tags(["Surrogate-Key: a,b"]), [hash("a,b")])
        XCTAssertNotEqual(hash("a"), hash("A"))
    }

    func test_moreTagsThanAPurgeCouldFindAreRefused() {
        let many = (0..<64).map(String.init)
        XCTAssertEqual(tags(["Surrogate-Key: \(many.joined(separator: " "))"])?.count, 64)
        XCTAssertEqual(tags(["Cache-Tag: \((many + many).joined(separator: ","))"])?.count, 64)
        XCTAssertNil(tags(["Surrogate-Key: \(many.joined(separator: " "))", "Cache-Tag: x"]))
    }
}
