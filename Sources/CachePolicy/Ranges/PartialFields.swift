// SPDX-License-Identifier: Apache-2.0
// Completing what is stored in part: the request for what is missing, and whether what comes belongs to it (RFC 9111
// §3.4).

public import Bytes
public import HTTP

/// Fetching missing parts.
public enum PartialFields {
    /// Appends `Range` and `If-Range` for `missing`. False, and nothing appended, when the stored response has no
    /// strong validator, without which parts cannot be combined, or when there is no room.
    public static func write(
        missing: Range<UInt64>, _ stored: borrowing ResponseHead, _ bytes: Span<UInt8>, to block: Block
    ) -> Bool {
        let validators = Validators(stored, bytes)
        var condition: Range<Int>?
        // RFC 9110 §13.1.5: no weak tag, and a date only "if the client has no entity tag".
        if let tag = validators.tag {
            if !validators.tagIsWeak { condition = tag }
        } else if validators.lastModifiedIsStrong {
            condition = stored.fields.first(.lastModified)?.valueRange
        }
        guard let condition, !missing.isEmpty, block.free >= condition.count &+ 96 else { return false }
        block.append("Range: bytes=")
        block.append(decimal: missing.lowerBound)
        block.append(0x2D)
        block.append(decimal: missing.upperBound &- 1)
        block.appendLineEnd()
        block.appendField("If-Range", bytes.extracting(condition))
        return true
    }

    /// Which part a 206 brings to a stored response, or nil when the two cannot be combined: "if they all share the
    /// same strong validator". Then the stored parts go, and the 206 is stored alone or not at all.
    public static func part(
        _ new: borrowing ResponseHead, _ newBytes: Span<UInt8>, _ stored: borrowing ResponseHead,
        _ storedBytes: Span<UInt8>
    ) -> ContentRange? {
        guard new.status == 206, new.fields.count(of: .contentRange) == 1, let field = new.fields.first(.contentRange),
            let part = ContentRange.parse(newBytes.extracting(field.valueRange)), let range = part.range,
            Validators(new, newBytes).sharesStrong(newBytes, Validators(stored, storedBytes), storedBytes)
        else { return nil }
        if let length = new.contentLength, length != range.upperBound &- range.lowerBound { return nil }
        return part
    }
}
