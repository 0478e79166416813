// SPDX-License-Identifier: Apache-2.0

public import HTTP

/// What becomes of a response that was being stored when its content ends (RFC 9111 §3.3, RFC 9112 §8).
public enum StoredContent: Sendable, Equatable {
    /// All of it came.
    case complete
    /// A beginning came that can be completed by ranges: "provided that the stored response is recorded as being
    /// incomplete".
    case incomplete(received: UInt64)
    /// What came is of no use.
    case discarded

    /// Decides at the end of the content, after `received` bytes. `isWhole`: the framing's end was reached (for content
    /// that ends with its connection: the connection was closed in order, not reset).
    public static func end(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, received: UInt64, isWhole: Bool
    ) -> StoredContent {
        if isWhole { return .complete }
        // Only what a strong validator holds together can be completed later (§3.4), and only if its length is known
        // can be told which part is missing.
        guard head.status == 200, received > 0, case .length(let total) = head.framing, received < total,
            Validators(head, bytes).hasStrong
        else { return .discarded }
        return .incomplete(received: received)
    }
}
