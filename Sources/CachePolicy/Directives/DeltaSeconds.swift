// SPDX-License-Identifier: Apache-2.0

internal import Bytes

/// Seconds in fields (RFC 9111 §1.2.2).
public enum DeltaSeconds {
    /// "If a cache receives a delta-seconds value greater than the greatest integer it can represent, or if any of its
    /// subsequent calculations overflows, the cache MUST consider the value to be 2147483648 (2^31)".
    public static let limit: UInt32 = 2_147_483_648

    /// `1*DIGIT`, clamped to `limit`; nil for anything else, signs and fractions too.
    public static func parse(_ text: Span<UInt8>) -> UInt32? {
        guard !text.isEmpty else { return nil }
        var value: UInt64 = 0
        for offset in text.indices {
            guard text[offset].isDigit else { return nil }
            value = min(value &* 10 &+ UInt64(text[offset] &- 0x30), UInt64(limit))
        }
        return UInt32(truncatingIfNeeded: value)
    }

    /// `seconds` brought into 0...`limit`.
    static func clamp(_ seconds: Int64) -> UInt32 { UInt32(truncatingIfNeeded: min(max(seconds, 0), Int64(limit))) }
}
