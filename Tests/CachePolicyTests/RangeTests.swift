// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §3.3, §3.4 and RFC 9110 §14.4, §15.3.7.3: parts, and what they add up to.

import Bytes
import CachePolicy
import HTTP
import XCTest

final class RangeTests: XCTestCase {
    private func parse(_ text: String) -> ContentRange? { ContentRange.parse(Array(text.utf8).span) }

    func test_9110_14_4_contentRangeIsReadStrictly() {
        XCTAssertEqual(parse("bytes 0-9/100"), ContentRange(range: 0..<10, total: 100))
        XCTAssertEqual(parse("BYTES 5-5/6"), ContentRange(range: 5..<6, total: 6))
        XCTAssertEqual(parse("bytes 0-9/*"), ContentRange(range: 0..<10, total: nil))
        XCTAssertEqual(parse("bytes */100"), ContentRange(range: nil, total: 100))
        XCTAssertEqual(parse("bytes */0"), ContentRange(range: nil, total: 0))
        for wrong in [
            "", "bytes", "bytes ", "bytes 0-9", "bytes 0-9/", "bytes 9-8/100", "bytes 0-100/100", "bytes 0-9/100 ",
            "bytes=0-9/100", "items 0-9/100", "bytes -9/100", "bytes 0-/100", "bytes */*", "bytes *", "bytes 0-9/**",
            "bytes 0-9/1x", "bytes 0 - 9/100", "bytes +0-9/100", "bytes 0-9999999999999999999/*", "bytes */",
            "bytes 0-9/-1",
        ] {
            XCTAssertNil(parse(wrong), wrong)
        }
        let widest = ContentRange(range: UInt64.max - 2..<UInt64.max - 1, total: .max)
        XCTAssertLessThanOrEqual(written(capacity: 72) { widest.append(to: $0) }.count, 72)
    }

    private func set(_ total: UInt64?, _ ranges: Range<UInt64>...) -> PartialSet {
        var set = PartialSet(total: total)
        for range in ranges { XCTAssertTrue(set.add(ContentRange(range: range, total: total))) }
        return set
    }

    private func ranges(_ set: PartialSet) -> [Range<UInt64>] { (0..<set.count).map { set[$0] } }

    func test_9111_3_4_partsAreJoined() {
        XCTAssertEqual(ranges(set(100, 0..<10, 20..<30)), [0..<10, 20..<30])
        XCTAssertEqual(ranges(set(100, 20..<30, 0..<10)), [0..<10, 20..<30])
        XCTAssertEqual(ranges(set(100, 0..<10, 10..<20)), [0..<20])
        XCTAssertEqual(ranges(set(100, 10..<20, 0..<10)), [0..<20])
        XCTAssertEqual(ranges(set(100, 0..<10, 20..<30, 5..<25)), [0..<30])
        XCTAssertEqual(ranges(set(100, 0..<10, 20..<30, 40..<50, 60..<70, 10..<45)), [0..<50, 60..<70])
        XCTAssertEqual(ranges(set(100, 10..<20, 12..<15)), [10..<20])
        XCTAssertEqual(ranges(set(100, 40..<50, 0..<1, 20..<30)), [0..<1, 20..<30, 40..<50])
        XCTAssertEqual(ranges(set(100, 40..<50, 20..<30, 0..<100)), [0..<100])
    }

    func test_9111_3_4_partsAgreeWithAModel() {
        var random = SeededGenerator(3_986)
        for _ in 0..<300 {
            var set = PartialSet(total: 64)
            var model = Set<UInt64>()
            for _ in 0..<12 {
                let start = UInt64.random(in: 0..<64, using: &random)
                let range = start..<UInt64.random(in: (start + 1)...64, using: &random)
                XCTAssertTrue(set.add(ContentRange(range: range, total: 64)))
                model.formUnion(range)
                XCTAssertEqual(Set(ranges(set).flatMap { Array($0) }), model)
                let expected = (UInt64(0)..<64).first { !model.contains($0) }
                XCTAssertEqual(set.firstMissing(in: 0..<64)?.lowerBound, expected)
                XCTAssertEqual(set.isComplete, expected == nil)
            }
        }
    }

    func test_9111_3_4_partsThatContradictAreRefused() {
        var set = set(100, 0..<10)
        XCTAssertFalse(set.add(ContentRange(range: 10..<20, total: 99)))
        XCTAssertFalse(set.add(ContentRange(range: 90..<101, total: nil)))
        XCTAssertFalse(set.add(ContentRange(range: nil, total: 100)))
        XCTAssertEqual(ranges(set), [0..<10])
        var open = self.set(nil, 0..<10)
        XCTAssertFalse(open.add(ContentRange(range: 0..<5, total: 5)))
        XCTAssertTrue(open.add(ContentRange(range: 10..<12, total: 12)))
        XCTAssertEqual(open.total, 12)
        XCTAssertTrue(open.isComplete)
    }

    func test_9111_3_4_theNumberOfPartsIsBounded() {
        var set = PartialSet(total: 1_000)
        for number in 0..<20 {
            let start = UInt64(number * 10)
            XCTAssertEqual(
                set.add(ContentRange(range: start..<start + 1, total: 1_000)), number < PartialSet.limit)
        }
        XCTAssertEqual(set.count, PartialSet.limit)
        XCTAssertTrue(set.add(ContentRange(range: 0..<500, total: 1_000)))
        XCTAssertEqual(set.count, 1)
    }

    func test_9111_3_3_aPartialResponseAnswersWhatItHas() {
        func answer(_ set: PartialSet, _ range: String?) -> PartialSet.Answer {
            let request = Request(range.map { ["Range: \($0)"] } ?? [])
            return set.answer(request.cache, request.head, request.bytes.span)
        }
        let known = set(100, 10..<20, 30..<40)
        XCTAssertEqual(answer(known, "bytes=10-19"), .partial(10..<20))
        XCTAssertEqual(answer(known, "bytes=12-15"), .partial(12..<16))
        XCTAssertEqual(answer(known, "bytes=10-20"), .missing(20..<21))
        XCTAssertEqual(answer(known, "bytes=15-35"), .missing(20..<30))
        XCTAssertEqual(answer(known, "bytes=0-"), .missing(0..<10))
        XCTAssertEqual(answer(known, "bytes=-5"), .missing(95..<100))
        XCTAssertEqual(answer(known, "bytes=100-"), .unsatisfiable)
        XCTAssertEqual(answer(known, nil), .missing(0..<10))
        XCTAssertEqual(answer(known, "bytes=0-1,5-6"), .missing(0..<10))
        XCTAssertEqual(answer(set(100, 0..<100), nil), .whole)
        XCTAssertEqual(answer(set(100, 0..<100), "bytes=5-"), .partial(5..<100))
        let open = set(nil, 10..<20)
        XCTAssertEqual(answer(open, "bytes=10-19"), .partial(10..<20))
        for range in ["bytes=10-", "bytes=-5", "bytes=0-5", "bytes=99999999999999999999-", nil] {
            XCTAssertEqual(answer(open, range), .forward, range ?? "")
        }
    }

    func test_9111_4_3_2_conditionsAreEvaluatedAgainstParts() {
        let known = set(100, 10..<20)
        func answer(_ fields: [String], method: String = "GET") -> PartialSet.Answer {
            let request = Request(fields, method: method)
            let stored = Response([tagged, "Date: \(date(clock))"])
            var policy = ResponsePolicy()
            policy.status = 206
            return ClientConditions.evaluate(
                request.cache, request.head, request.bytes.span, policy, stored.head, stored.bytes.span, parts: known,
                now: clockMilliseconds)
        }
        let range = "Range: bytes=10-19"
        XCTAssertEqual(answer([range]), .partial(10..<20))
        XCTAssertEqual(answer([range, "If-Range: \"a\""]), .partial(10..<20))
        XCTAssertEqual(answer([range, "If-Range: \"b\""]), .missing(0..<10))
        XCTAssertEqual(answer([range, "If-None-Match: \"a\""]), .notModified)
        XCTAssertEqual(answer([range, "If-None-Match: \"b\""]), .partial(10..<20))
        XCTAssertEqual(answer([range], method: "HEAD"), .missing(0..<10))
    }

    func test_9111_3_4_partsShareAStrongValidator() {
        let range = "Content-Range: bytes 10-19/100"
        let modified = ["Last-Modified: \(date(clock - 60))", "Date: \(date(clock))"]
        func part(_ new: [String], _ stored: [String], status: Int = 206) -> ContentRange? {
            let new = Response(new, status: status)
            let stored = Response(stored)
            return PartialFields.part(new.head, new.bytes.span, stored.head, stored.bytes.span)
        }
        XCTAssertEqual(part([range, tagged], [tagged]), ContentRange(range: 10..<20, total: 100))
        XCTAssertNil(part([range, "ETag: \"b\""], [tagged]))
        XCTAssertNil(part([range, "ETag: W/\"a\""], ["ETag: W/\"a\""]))
        XCTAssertNil(part([range], [tagged]))
        XCTAssertNotNil(part([range] + modified, modified))
        XCTAssertNil(part([range] + modified, [modified[0]]))
        XCTAssertNil(part([range, modified[0]], modified))
        XCTAssertNotNil(part([range, "ETag: W/\"a\""] + modified, ["ETag: W/\"a\""] + modified))
        XCTAssertNil(part([range, "ETag: \"b\""] + modified, [tagged] + modified))
        let later = ["Last-Modified: \(date(clock - 59))", modified[1]]
        XCTAssertNil(part([range] + later, modified))
        XCTAssertNil(part([range, tagged], [tagged], status: 200))
        XCTAssertNil(part([tagged], [tagged]))
        XCTAssertNil(part([range, range, tagged], [tagged]))
        XCTAssertNil(part([range, tagged, "Content-Length: 9"], [tagged]))
    }

    func test_9111_3_3_whatIsMissingIsAskedForWithIfRange() {
        func fields(_ stored: [String], _ missing: Range<UInt64> = 20..<30) -> String {
            let stored = Response(stored)
            return written { _ = PartialFields.write(missing: missing, stored.head, stored.bytes.span, to: $0) }
        }
        XCTAssertEqual(fields([tagged]), "Range: bytes=20-29\r\nIf-Range: \"a\"\r\n")
        let dated = "Date: \(date(clock))"
        XCTAssertEqual(
            fields(["Last-Modified: \(date(clock - 9))", dated]),
            "Range: bytes=20-29\r\nIf-Range: \(date(clock - 9))\r\n")
        XCTAssertEqual(fields(["ETag: W/\"a\"", "Last-Modified: \(date(clock - 9))", dated]), "")
        XCTAssertEqual(fields(["Last-Modified: \(date(clock))", dated]), "")
        XCTAssertEqual(fields([]), "")
        XCTAssertEqual(fields([tagged], 5..<5), "")
        let stored = Response([tagged])
        XCTAssertTrue(PartialFields.write(missing: 0..<1, stored.head, stored.bytes.span, to: Block(capacity: 128)))
        XCTAssertFalse(PartialFields.write(missing: 0..<1, stored.head, stored.bytes.span, to: Block(capacity: 64)))
    }
}
