// SPDX-License-Identifier: Apache-2.0

public import HTTP
internal import Bytes

/// What the answer to a HEAD request means for a stored GET that could have been chosen for it (RFC 9111 §4.3.5).
public enum HeadUpdate: Sendable, Equatable {
    /// The stored response is updated by `FieldMerge`.
    case update
    /// It "SHOULD consider the stored response to be stale": `ResponsePolicy.expire`.
    case expire
    /// The answer says nothing about it.
    case ignore

    /// Decides. `length`: of the whole content as the origin sends it, nil when it is not known.
    public static func decide(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ stored: borrowing ResponseHead,
        _ storedBytes: Span<UInt8>, length: UInt64?
    ) -> HeadUpdate {
        // "makes an inbound HEAD request for a target URI and receives a 200 (OK) response"
        let kept = stored.status
        guard head.status == 200, kept == 200 || kept == 206 else { return .ignore }
        // "matching values for any received validator fields (ETag and Last-Modified)"
        guard matches(.etag, head, bytes, stored, storedBytes) else { return .expire }
        guard matches(.lastModified, head, bytes, stored, storedBytes) else { return .expire }
        // "and, if the HEAD response has a Content-Length header field, the value … matches that of the stored
        // response"
        if let stated = head.contentLength, let length, stated != length { return .expire }
        return .update
    }

    private static func matches(
        _ name: FieldName, _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ stored: borrowing ResponseHead,
        _ storedBytes: Span<UInt8>
    ) -> Bool {
        guard let received = head.fields.first(name) else { return true }
        guard let kept = stored.fields.first(name) else { return false }
        return bytes.extracting(received.valueRange).equals(storedBytes.extracting(kept.valueRange))
    }
}
