// SPDX-License-Identifier: Apache-2.0
// RFC 9111 §3.3, §3.4 and RFC 9110 §14.4, §15.3.7.3: parts, and what they add up to.

import Bytes
import CachePolicy
import HTTP
import TestSupport
import Testing

@Suite("Parts of a response") struct RangeTests {
    private func parse(_ text: String) -> ContentRange? { ContentRange.parse(Array(text.utf8).span) }

    @Test("Content-Range is read strictly (RFC 9110 §14.4)")
    func test_9110_14_4_contentRangeIsReadStrictly() {
        #expect(parse("bytes 0-9/100") == ContentRange(range: 0..<10, total: 100))
        #expect(parse("BYTES 5-5/6") == ContentRange(range: 5..<6, total: 6))
        #expect(parse("bytes 0-9/*") == ContentRange(range: 0..<10, total: nil))
        #expect(parse("bytes */100") == ContentRange(range: nil, total: 100))
        #expect(parse("bytes */0") == ContentRange(range: nil, total: 0))
        for wrong in [
            "", "bytes", "bytes ", "bytes 0-9", "bytes 0-9/", "bytes 9-8/100", "bytes 0-100/100", "bytes 0-9/100 ",
            "bytes=0-9/100", "items 0-9/100", "bytes -9/100", "bytes 0-/100", "bytes */*", "bytes *", "bytes 0-9/**",
            "bytes 0-9/1x", "bytes 0 - 9/100", "bytes +0-9/100", "bytes 0-9999999999999999999/*", "bytes */",
            "bytes 0-9/-1",
        ] {
            #expect(parse(wrong) == nil, "\(wrong)")
        }
        let widest = ContentRange(range: UInt64.max - 2..<UInt64.max - 1, total: .max)
        #expect(written(capacity: 72) { widest.append(to: $0) }.count <= 72)
    }

    private func set(_ total: UInt64?, _ ranges: Range<UInt64>...) -> PartialSet {
        var set = PartialSet(total: total)
        for range in ranges { #expect(set.add(ContentRange(range: range, total: total)) == true) }
        return set
    }

    private func ranges(_ set: PartialSet) -> [Range<UInt64>] { (0..<set.count).map { set[$0] } }

    @Test("parts are joined (RFC 9111 §3.4)")
    func test_9111_3_4_partsAreJoined() {
        #expect(ranges(set(100, 0..<10, 20..<30)) == [0..<10, 20..<30])
        #expect(ranges(set(100, 20..<30, 0..<10)) == [0..<10, 20..<30])
        #expect(ranges(set(100, 0..<10, 10..<20)) == [0..<20])
        #expect(ranges(set(100, 10..<20, 0..<10)) == [0..<20])
        #expect(ranges(set(100, 0..<10, 20..<30, 5..<25)) == [0..<30])
        #expect(ranges(set(100, 0..<10, 20..<30, 40..<50, 60..<70, 10..<45)) == [0..<50, 60..<70])
        #expect(ranges(set(100, 10..<20, 12..<15)) == [10..<20])
        #expect(ranges(set(100, 40..<50, 0..<1, 20..<30)) == [0..<1, 20..<30, 40..<50])
        #expect(ranges(set(100, 40..<50, 20..<30, 0..<100)) == [0..<100])
    }

    @Test("parts agree with a model (RFC 9111 §3.4)")
    func test_9111_3_4_partsAgreeWithAModel() {
        var random = SeededGenerator(3_986)
        for _ in 0..<300 {
            var set = PartialSet(total: 64)
            var model = Set<UInt64>()
            for _ in 0..<12 {
                let start = UInt64.random(in: 0..<64, using: &random)
                let range = start..<UInt64.random(in: (start + 1)...64, using: &random)
                #expect(set.add(ContentRange(range: range, total: 64)) == true)
                model.formUnion(range)
                #expect(Set(ranges(set).flatMap { Array($0) }) == model)
                let expected = (UInt64(0)..<64).first { !model.contains($0) }
                #expect(set.firstMissing(in: 0..<64)?.lowerBound == expected)
                #expect(set.isComplete == (expected == nil))
            }
        }
    }

    @Test("parts that contradict are refused (RFC 9111 §3.4)")
    func test_9111_3_4_partsThatContradictAreRefused() {
        var set = set(100, 0..<10)
        #expect(set.add(ContentRange(range: 10..<20, total: 99)) == false)
        #expect(set.add(ContentRange(range: 90..<101, total: nil)) == false)
        #expect(set.add(ContentRange(range: nil, total: 100)) == false)
        #expect(ranges(set) == [0..<10])
        var open = self.set(nil, 0..<10)
        #expect(open.add(ContentRange(range: 0..<5, total: 5)) == false)
        #expect(open.add(ContentRange(range: 10..<12, total: 12)) == true)
        #expect(open.total == 12)
        #expect(open.isComplete)
    }

    @Test("the number of parts is bounded (RFC 9111 §3.4)")
    func test_9111_3_4_theNumberOfPartsIsBounded() {
        var set = PartialSet(total: 1_000)
        for number in 0..<20 {
            let start = UInt64(number * 10)
            #expect(set.add(ContentRange(range: start..<start + 1, total: 1_000)) == (number < PartialSet.limit))
        }
        #expect(set.count == PartialSet.limit)
        #expect(set.add(ContentRange(range: 0..<500, total: 1_000)) == true)
        #expect(set.count == 1)
    }

    @Test("a partial response answers what it has (RFC 9111 §3.3)")
    func test_9111_3_3_aPartialResponseAnswersWhatItHas() {
        func answer(_ set: PartialSet, _ range: String?) -> PartialSet.Answer {
            let request = Request(range.map { ["Range: \($0)"] } ?? [])
            return set.answer(request.cache, request.head, request.bytes.span)
        }
        let known = set(100, 10..<20, 30..<40)
        #expect(answer(known, "bytes=10-19") == .partial(10..<20))
        #expect(answer(known, "bytes=12-15") == .partial(12..<16))
        #expect(answer(known, "bytes=10-20") == .missing(20..<21))
        #expect(answer(known, "bytes=15-35") == .missing(20..<30))
        #expect(answer(known, "bytes=0-") == .missing(0..<10))
        #expect(answer(known, "bytes=-5") == .missing(95..<100))
        #expect(answer(known, "bytes=100-") == .unsatisfiable)
        #expect(answer(known, nil) == .missing(0..<10))
        #expect(answer(known, "bytes=0-1,5-6") == .missing(0..<10))
        #expect(answer(set(100, 0..<100), nil) == .whole)
        #expect(answer(set(100, 0..<100), "bytes=5-") == .partial(5..<100))
        let open = set(nil, 10..<20)
        #expect(answer(open, "bytes=10-19") == .partial(10..<20))
        for range in ["bytes=10-", "bytes=-5", "bytes=0-5", "bytes=99999999999999999999-", nil] {
            #expect(answer(open, range) == .forward, "\(range ?? "")")
        }
    }

    @Test("conditions are evaluated against parts (RFC 9111 §4.3.2)")
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
        #expect(answer([range]) == .partial(10..<20))
        #expect(answer([range, "If-Range: \"a\""]) == .partial(10..<20))
        #expect(answer([range, "If-Range: \"b\""]) == .missing(0..<10))
        #expect(answer([range, "If-None-Match: \"a\""]) == .notModified)
        #expect(answer([range, "If-None-Match: \"b\""]) == .partial(10..<20))
        #expect(answer([range], method: "HEAD") == .missing(0..<10))
    }

    @Test("parts share a strong validator (RFC 9111 §3.4)")
    func test_9111_3_4_partsShareAStrongValidator() {
        let range = "Content-Range: bytes 10-19/100"
        let modified = ["Last-Modified: \(date(clock - 60))", "Date: \(date(clock))"]
        func part(_ new: [String], _ stored: [String], status: Int = 206) -> ContentRange? {
            let new = Response(new, status: status)
            let stored = Response(stored)
            return PartialFields.part(new.head, new.bytes.span, stored.head, stored.bytes.span)
        }
        #expect(part([range, tagged], [tagged]) == ContentRange(range: 10..<20, total: 100))
        #expect(part([range, "ETag: \"b\""], [tagged]) == nil)
        #expect(part([range, "ETag: W/\"a\""], ["ETag: W/\"a\""]) == nil)
        #expect(part([range], [tagged]) == nil)
        #expect(part([range] + modified, modified) != nil)
        #expect(part([range] + modified, [modified[0]]) == nil)
        #expect(part([range, modified[0]], modified) == nil)
        #expect(part([range, "ETag: W/\"a\""] + modified, ["ETag: W/\"a\""] + modified) != nil)
        #expect(part([range, "ETag: \"b\""] + modified, [tagged] + modified) == nil)
        let later = ["Last-Modified: \(date(clock - 59))", modified[1]]
        #expect(part([range] + later, modified) == nil)
        #expect(part([range, tagged], [tagged], status: 200) == nil)
        #expect(part([tagged], [tagged]) == nil)
        #expect(part([range, range, tagged], [tagged]) == nil)
        #expect(part([range, tagged, "Content-Length: 9"], [tagged]) == nil)
    }

    @Test("what is missing is asked for with If-Range (RFC 9111 §3.3)")
    func test_9111_3_3_whatIsMissingIsAskedForWithIfRange() {
        func fields(_ stored: [String], _ missing: Range<UInt64> = 20..<30) -> String {
            let stored = Response(stored)
            return written { _ = PartialFields.write(missing: missing, stored.head, stored.bytes.span, to: $0) }
        }
        #expect(fields([tagged]) == "Range: bytes=20-29\r\nIf-Range: \"a\"\r\n")
        let dated = "Date: \(date(clock))"
        #expect(
            fields(["Last-Modified: \(date(clock - 9))", dated])
                == "Range: bytes=20-29\r\nIf-Range: \(date(clock - 9))\r\n")
        #expect(fields(["ETag: W/\"a\"", "Last-Modified: \(date(clock - 9))", dated]) == "")
        #expect(fields(["Last-Modified: \(date(clock))", dated]) == "")
        #expect(fields([]) == "")
        #expect(fields([tagged], 5..<5) == "")
        let stored = Response([tagged])
        #expect(PartialFields.write(missing: 0..<1, stored.head, stored.bytes.span, to: Block(capacity: 128)) == true)
        #expect(PartialFields.write(missing: 0..<1, stored.head, stored.bytes.span, to: Block(capacity: 64)) == false)
    }
}
