// SPDX-License-Identifier: Apache-2.0
import Settings

/// Statuses, to be looked up at each response: a bit for each, in the value itself.
struct StatusSet: Sendable {
    private var words = InlineArray<8, UInt64>(repeating: 0)

    init(_ ranges: Configuration.StatusRanges) {
        for range in ranges.ranges {
            for status in range where status >= 100 {
                let bit = Int(status - 100)
                if bit < 512 { words[bit >> 6] |= 1 << UInt64(bit & 63) }
            }
        }
    }

    func contains(_ status: UInt16) -> Bool {
        guard status >= 100, status < 612 else { return false }
        let bit = Int(status - 100)
        return words[bit >> 6] & (1 << UInt64(bit & 63)) != 0
    }
}
