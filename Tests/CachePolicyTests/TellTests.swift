// SPDX-License-Identifier: Apache-2.0
// RFC 9211: Cache-Status; the tags for purging.

import Bytes
import CachePolicy
import HTTP
import Testing

@Suite("Cache-Status") struct CacheStatusTests {
    private func text(_ status: CacheStatus, key: String = "") -> String {
        let key = Array(key.utf8)
        return written { status.append(to: $0, key: key.span) }
    }

    @Test("a hit says so (RFC 9211 §2.1)")
    func test_9211_2_1_aHitSaysSo() {
        var status = CacheStatus(.hit)
        #expect(text(status) == "gateway; hit")
        status.ttl = 376
        #expect(text(status) == "gateway; hit; ttl=376")
        // "hit" and "fwd" are exclusive, and so is what only means something with "fwd".
        status.isStored = true
        status.isCollapsed = true
        status.forwardStatus = 304
        #expect(text(status) == "gateway; hit; ttl=376")
    }

    @Test("each reason to go forward has its word (RFC 9211 §2.2)")
    func test_9211_2_2_whyARequestWentForward() {
        let words = ForwardReason.allCases.map { text(CacheStatus(.forward($0))) }
        #expect(
            words
                == ["bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"].map {
                    "gateway; fwd=\($0)"
                })
    }

    @Test("the status of the next server is said (RFC 9211 §2.3)")
    func test_9211_2_3_theStatusOfTheNextServer() {
        var status = CacheStatus(.forward(.stale))
        status.forwardStatus = 304
        #expect(text(status) == "gateway; fwd=stale; fwd-status=304")
    }

    @Test("ttl is negative when the response is stale (RFC 9211 §2.4)")
    func test_9211_2_4_ttlIsNegativeWhenStale() {
        var status = CacheStatus(.hit)
        status.ttl = -412
        #expect(text(status) == "gateway; hit; ttl=-412")
        status.ttl = 0
        #expect(text(status) == "gateway; hit; ttl=0")
        // Integers of structured fields have at most 15 digits.
        status.ttl = Int64.min
        #expect(text(status) == "gateway; hit; ttl=-999999999999999")
    }

    @Test("it is said whether the response is stored and the request was collapsed (RFC 9211 §2.5–2.6)")
    func test_9211_2_5_and_2_6_storedAndCollapsed() {
        var status = CacheStatus(.forward(.uriMiss))
        status.isStored = true
        #expect(text(status) == "gateway; fwd=uri-miss; stored")
        status.isCollapsed = true
        #expect(text(status) == "gateway; fwd=uri-miss; stored; collapsed")
        status.isCollapsed = false
        #expect(text(status) == "gateway; fwd=uri-miss; stored; collapsed=?0")
    }

    @Test("the key is a string (RFC 9211 §2.7)")
    func test_9211_2_7_theKeyIsAString() {
        let status = CacheStatus(.hit)
        #expect(text(status, key: "http://h/\"a\\b") == "gateway; hit; key=\"http://h/\\\"a\\\\b\"")
        #expect(text(status, key: "\u{e9}") == "gateway; hit")
        #expect(text(status, key: "a\u{1}") == "gateway; hit")
        #expect(text(status, key: String(repeating: "a", count: 513)) == "gateway; hit")
    }

    @Test("the detail is a token (RFC 9211 §2.8)")
    func test_9211_2_8_detailIsAToken() {
        var status = CacheStatus(.forward(.bypass))
        status.detail = StoreRefusal.noStore.word
        #expect(text(status) == "gateway; fwd=bypass; detail=no-store")
        for why in Reuse.Why.allCases { #expect("\(why.word)".first?.isLetter ?? false) }
        for why in StoreRefusal.allCases { #expect("\(why.word)".first?.isLetter ?? false) }
    }

    @Test("the longest member fits (RFC 9211 §2)")
    func test_9211_2_theLongestMemberFits() {
        var status = CacheStatus(.forward(.varyMiss))
        status.forwardStatus = UInt16.max
        status.ttl = Int64.min
        status.isStored = true
        status.isCollapsed = false
        for why in StoreRefusal.allCases {
            status.detail = why.word
            #expect(!written(capacity: CacheStatus.limit) { status.append(to: $0) }.isEmpty)
        }
    }

    @Test("existing members come first (RFC 9211 §2)")
    func test_9211_2_existingMembersComeFirst() {
        let status = CacheStatus(.hit)
        func line(_ fields: [String], capacity: Int = 4_096) -> String? {
            let response = Response(fields)
            let block = Block(capacity: capacity)
            return status.appendField(after: response.head, response.bytes.span, to: block)
                ? block.readable.string : nil
        }
        #expect(line([]) == "Cache-Status: gateway; hit\r\n")
        #expect(
            line([
                "Cache-Status: OriginCache; hit; ttl=1100, \"CDN\"; hit", "X: y", "Cache-Status:",
                "cache-status: B; hit",
            ]) == "Cache-Status: OriginCache; hit; ttl=1100, \"CDN\"; hit, B; hit, gateway; hit\r\n")
        #expect(line(["Cache-Status: \(String(repeating: "a", count: 300))"], capacity: 512) == nil)
    }
}

@Suite("Tags for purging") struct ResponseTagsTests {
    private let key = HashKey(1, 2)

    private func tags(_ fields: [String]) -> [UInt64]? {
        let response = Response(fields)
        return ResponseTags(response.head, response.bytes.span, key).map { tags in (0..<tags.count).map { tags[$0] } }
    }

    private func hash(_ tag: String) -> UInt64 { ResponseTags.hash(Array(tag.utf8).span, key) }

    @Test("the tags of both fields are one list")
    func test_tagsOfBothFieldsAreOneList() {
        #expect(tags([]) == [])
        #expect(tags(["Surrogate-Key: a b\t c", "Cache-Tag: d e, f ,,a"]) == ["a", "b", "c", "d e", "f"].map(hash))
        #expect(tags(["Surrogate-Key: a,b"]) == [hash("a,b")])
        #expect(hash("a") != hash("A"))
    }

    @Test("more tags than a purge could find are refused")
    func test_moreTagsThanAPurgeCouldFindAreRefused() {
        let many = (0..<64).map(String.init)
        #expect(tags(["Surrogate-Key: \(many.joined(separator: " "))"])?.count == 64)
        #expect(tags(["Cache-Tag: \((many + many).joined(separator: ","))"])?.count == 64)
        #expect(tags(["Surrogate-Key: \(many.joined(separator: " "))", "Cache-Tag: x"]) == nil)
    }
}
