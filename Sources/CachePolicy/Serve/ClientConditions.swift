// SPDX-License-Identifier: Apache-2.0
// A client's conditions and range against a stored response that may be used (RFC 9111 §4.3.2, RFC 9110 §13.2.2,
// §14.2).

public import HTTP
internal import Bytes

/// What is sent of a stored response.
public enum Served: Sendable, Equatable {
    /// All of it, with its own status.
    case whole
    /// 304, without content.
    case notModified
    /// 206 with these bytes, never empty.
    case partial(Range<UInt64>)
    /// 416: nothing of what was asked for exists.
    case unsatisfiable

    /// The status code.
    public func status(of policy: ResponsePolicy) -> UInt16 {
        switch self {
        case .whole: policy.status
        case .notModified: 304
        case .partial: 206
        case .unsatisfiable: 416
        }
    }
}

/// Evaluates conditions.
public enum ClientConditions {
    /// What is sent of a complete stored response with `size` bytes of content. Only asked when `request.present` has
    /// one of `conditions`; without any it is `.whole`.
    public static func evaluate(
        _ request: CacheRequest, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ policy: ResponsePolicy,
        _ stored: borrowing ResponseHead, _ storedBytes: Span<UInt8>, size: UInt64, now: Int64
    ) -> Served {
        guard !request.present.isDisjoint(with: .conditions) else { return .whole }
        // "If a cache receives a request that can be satisfied by reusing a stored 200 (OK) or 206 (Partial Content)
        // response".
        guard policy.status == 200 || policy.status == 206 else { return .whole }
        let validators = Validators(stored, storedBytes)
        if isNotModified(request, head, bytes, policy, validators, storedBytes, now: now) { return .notModified }
        guard request.present.contains(.range), let field = head.fields.first(.range),
            head.fields.count(of: .range) == 1,
            rangeApplies(request, head, bytes, validators, storedBytes, now: now)
        else { return .whole }
        switch ByteRange.parse(bytes.extracting(field.valueRange), size: size) {
        case .ignore: return .whole
        case .unsatisfiable: return .unsatisfiable
        case .single(let range): return .partial(range)
        }
    }

    /// What is sent of a response that is stored in `parts`.
    public static func evaluate(
        _ request: CacheRequest, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ policy: ResponsePolicy,
        _ stored: borrowing ResponseHead, _ storedBytes: Span<UInt8>, parts: borrowing PartialSet, now: Int64
    ) -> PartialSet.Answer {
        let validators = Validators(stored, storedBytes)
        if isNotModified(request, head, bytes, policy, validators, storedBytes, now: now) { return .notModified }
        var applied = request
        if !rangeApplies(request, head, bytes, validators, storedBytes, now: now) { applied.present.remove(.range) }
        return parts.answer(applied, head, bytes)
    }

    /// Whether the client's copy is that of the stored response: "If-None-Match takes precedence over
    /// If-Modified-Since".
    static func isNotModified(
        _ request: CacheRequest, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ policy: ResponsePolicy,
        _ validators: Validators, _ storedBytes: Span<UInt8>, now: Int64
    ) -> Bool {
        if request.present.contains(.ifNoneMatch) {
            for position in 0..<head.fields.count where head.fields[position].name == .ifNoneMatch {
                let list = bytes.extracting(head.fields[position].valueRange)
                // `*` is true for any stored response, with a tag or without.
                let tag = storedBytes.extracting(validators.tag ?? 0..<0)
                if ETagList.matches(list, tag, .weak) { return true }
            }
            return false
        }
        // RFC 9110 §13.1.3: ignored "if the received field value is not a valid HTTP-date, the field value has more
        // than one member, or if the request method is neither GET nor HEAD".
        guard request.present.contains(.ifModifiedSince), head.fields.count(of: .ifModifiedSince) == 1,
            let since = date(.ifModifiedSince, head, bytes, now)
        else { return false }
        // "a cache SHOULD use the stored response's Date field value (or, if no Date field is present, the time that
        // the stored response was received) to evaluate the conditional" where there is no Last-Modified.
        return validators.lastModified ?? policy.date <= since
    }

    /// If-Range (RFC 9110 §13.1.5), by strong comparison; true without the field.
    static func rangeApplies(
        _ request: CacheRequest, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ validators: Validators,
        _ storedBytes: Span<UInt8>, now: Int64
    ) -> Bool {
        guard request.present.contains(.ifRange), let field = head.fields.first(.ifRange) else { return true }
        guard head.fields.count(of: .ifRange) == 1 else { return false }
        let value = bytes.extracting(field.valueRange)
        // "A valid entity-tag can be distinguished from a valid HTTP-date by examining the first three characters for a
        // DQUOTE."
        for offset in 0..<min(3, value.count) where value[offset] == 0x22 {
            guard let tag = validators.tag else { return false }
            return offset != 1 && ETagList.matches(value, storedBytes.extracting(tag), .strong)
        }
        guard validators.lastModifiedIsStrong, let condition = date(.ifRange, head, bytes, now) else { return false }
        return condition == validators.lastModified
    }

    private static func date(
        _ name: FieldName, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ now: Int64
    ) -> Int64? {
        guard let field = head.fields.first(name) else { return nil }
        return HTTPDate.parse(bytes.extracting(field.valueRange), now: now / 1_000, ignoringCase: true)
    }
}
