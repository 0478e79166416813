// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP

/// What a request's preconditions and range make of a file, in the order that RFC 9110 section 13.2.2 sets. Pure.
struct FileConditions: Equatable {
    /// 200, 206, 304, 412 or 416.
    private(set) var status: UInt16 = 200
    /// What is sent for 200 and 206.
    private(set) var range: Range<UInt64>

    init(
        _ head: borrowing RequestHead, _ bytes: Span<UInt8>, tag: Span<UInt8>, modified: Int64, now: Int64, size: UInt64
    ) {
        range = 0..<size
        func date(_ name: FieldName) -> Int64? {
            head.fields.first(name).flatMap { HTTPDate.parse(bytes.extracting($0.valueRange), now: now) }
        }
        if let field = head.fields.first(.ifMatch) {
            if !ETagList.matches(bytes.extracting(field.valueRange), tag, .strong) {
                status = 412
                return
            }
        } else if let since = date(.ifUnmodifiedSince), modified > since {
            status = 412
            return
        }
        if let field = head.fields.first(.ifNoneMatch) {
            if ETagList.matches(bytes.extracting(field.valueRange), tag, .weak) {
                status = 304
                return
            }
        } else if let since = date(.ifModifiedSince), modified <= since {
            status = 304
            return
        }
        // Section 14.2: a range is for GET only.
        guard head.method == .get, let field = head.fields.first(.range) else { return }
        if let condition = head.fields.first(.ifRange) {
            let value = bytes.extracting(condition.valueRange)
            let isTag = value.count > 0 && (value[0] == UInt8(ascii: "\"") || value[0] == UInt8(ascii: "W"))
            // Section 13.1.5: a strong tag, or exactly the date that was sent.
            guard isTag ? ETagList.matches(value, tag, .strong) : date(.ifRange) == modified else { return }
        }
        switch ByteRange.parse(bytes.extracting(field.valueRange), size: size) {
        case .single(let wanted):
            status = 206
            range = wanted
        case .unsatisfiable: status = 416
        case .ignore: break
        }
    }
}
