// SPDX-License-Identifier: Apache-2.0
// The parts that are stored of one representation (RFC 9111 §3.3, §3.4).

public import HTTP
internal import Bytes

/// Which bytes of a representation are stored: sorted ranges that neither touch nor overlap.
public struct PartialSet: Sendable {
    /// Most separate ranges; a part that would make more is not kept.
    public static let limit = 16

    /// Length of the whole representation, nil while no part has named it.
    public private(set) var total: UInt64?
    /// How many separate ranges there are.
    public private(set) var count = 0
    private var ranges = InlineArray<16, Range<UInt64>>(repeating: 0..<0)

    /// What a request gets.
    public enum Answer: Sendable, Equatable {
        /// 304: the client's copy is that of the stored parts.
        case notModified
        /// The whole: it is all there.
        case whole
        /// 206 with these bytes.
        case partial(Range<UInt64>)
        /// 416.
        case unsatisfiable
        /// First these bytes have to be fetched (`PartialFields`): "the cache was able to select a partial response for
        /// the request, but it did not contain all of the requested ranges".
        case missing(Range<UInt64>)
        /// What is missing cannot be told; the request goes forward as it came.
        case forward
    }

    /// Nothing yet of something whose length may be known.
    public init(total: UInt64? = nil) { self.total = total }

    /// The range at `position`, from 0 until `count`.
    public subscript(_ position: Int) -> Range<UInt64> {
        precondition(position >= 0 && position < count, "a range that is not in the set")
        return ranges[position]
    }

    /// Adds what came; false when it contradicts the length or there are too many ranges, and nothing changes.
    public mutating func add(_ part: ContentRange) -> Bool {
        guard let range = part.range, !range.isEmpty else { return false }
        if let total, let stated = part.total, total != stated { return false }
        if let whole = total ?? part.total {
            guard range.upperBound <= whole else { return false }
            if count > 0, ranges[count - 1].upperBound > whole { return false }
        }
        // Those from `first` until `last` touch the new one and become one with it.
        var first = 0
        while first < count, ranges[first].upperBound < range.lowerBound { first += 1 }
        var last = first
        var joined = range
        while last < count, ranges[last].lowerBound <= range.upperBound {
            joined = min(joined.lowerBound, ranges[last].lowerBound)..<max(joined.upperBound, ranges[last].upperBound)
            last += 1
        }
        if first == last {
            guard count < PartialSet.limit else { return false }
            var position = count
            while position > first {
                ranges[position] = ranges[position - 1]
                position -= 1
            }
            count += 1
        } else {
            let removed = last - first - 1
            for position in last..<max(count, last) { ranges[position - removed] = ranges[position] }
            count -= removed
        }
        ranges[first] = joined
        total = total ?? part.total
        return true
    }

    /// Whether everything is there: "the client MUST process the combined response as if it were a complete 200 (OK)
    /// response" (RFC 9110 §15.3.7.3).
    public var isComplete: Bool { total != nil && firstMissing(in: 0..<(total ?? 0)) == nil }

    /// The first bytes of `wanted` that are not there, or nil.
    public func firstMissing(in wanted: Range<UInt64>) -> Range<UInt64>? {
        var start = wanted.lowerBound
        for position in 0..<count {
            let range = ranges[position]
            if range.upperBound <= start { continue }
            if range.lowerBound > start { return start..<min(range.lowerBound, wanted.upperBound) }
            start = range.upperBound
            if start >= wanted.upperBound { return nil }
        }
        return start < wanted.upperBound ? start..<wanted.upperBound : nil
    }

    /// What a request gets whose conditions are met (`ClientConditions.evaluate` asks this): one range, or the whole.
    /// "A cache MUST NOT use an incomplete response to answer requests unless the response has been made complete, or
    /// the request is partial and specifies a range wholly within the incomplete response" (§3.3).
    public func answer(_ request: CacheRequest, _ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> Answer {
        guard request.present.contains(.range), let field = head.fields.first(.range),
            head.fields.count(of: .range) == 1
        else { return whole }
        // Without the length only a range with both ends can be told to be there.
        let size = total ?? UInt64(Int64.max)
        switch ByteRange.parse(bytes.extracting(field.valueRange), size: size) {
        case .ignore: return whole
        case .unsatisfiable: return total == nil ? .forward : .unsatisfiable
        case .single(let range):
            if total == nil, range.upperBound == size { return .forward }
            if let missing = firstMissing(in: range) { return total == nil ? .forward : .missing(missing) }
            return .partial(range)
        }
    }

    private var whole: Answer {
        guard let total else { return .forward }
        guard let missing = firstMissing(in: 0..<total) else { return .whole }
        return .missing(missing)
    }
}
