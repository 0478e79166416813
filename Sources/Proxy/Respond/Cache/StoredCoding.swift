// SPDX-License-Identifier: Apache-2.0
// A compressible response is stored once, as gzip, with the head of its identity form. What has to be known to send either form
// of it is in the record, so that a hit need not take the stored head apart.

import Bytes
import CachePolicy
import HTTP

/// How the body of a stored response is coded, and where its head differs with the form that is sent.
package struct StoredCoding: Equatable {
    /// Whether the stored body is gzip of ours; the head does not say so.
    package var isGzip = false
    /// Bytes of the identity form; nil while that is not known.
    var identityLength: UInt64?
    /// Whether a `RestartIndex` follows the gzip, and the bytes between them. One of a body without places is empty.
    private(set) var hasIndex = false
    private(set) var indexPadding = 0
    /// Whether the stored Vary names Accept-Encoding already.
    var hasVary = false
    /// The line of the ETag in the stored head, when it is strong and so not that of the gzip form (RFC 9110 §8.8.1); else empty.
    var tagLine = 0..<0

    /// As it came.
    init() {}

    /// gzip, with a body of that length in its identity form.
    init(gzip identityLength: UInt64?) {
        isGzip = true
        self.identityLength = identityLength
    }

    /// An index of `identityLength` follows so many bytes of gzip.
    mutating func setIndex(behind length: Int) {
        hasIndex = RestartIndex.count(identityLength ?? 0) > 0
        indexPadding = hasIndex ? RestartIndex.padding(behind: length) : 0
    }

    /// Bytes of the stored body that are content.
    func contentLength(of stored: Int) -> Int {
        guard hasIndex, let identityLength else { return stored }
        return max(0, stored - RestartIndex.length(identityLength) - indexPadding)
    }

    /// Whether a part costs no more than what it delivers and a little. Of anything else the whole is sent.
    var hasParts: Bool {
        guard isGzip else { return true }
        guard let identityLength else { return false }
        let places = hasIndex ? RestartIndex.count(identityLength) : 0
        return identityLength <= (UInt64(places) + 1) * RestartIndex.interval
    }

    /// Where inflating begins for a byte of the identity form, of a stored body of that length; nil for its start.
    func restart(for offset: UInt64, stored: Int) -> RestartIndex.Start? {
        guard hasIndex, let identityLength else { return nil }
        return RestartIndex.start(
            for: offset, of: identityLength, first: contentLength(of: stored) + indexPadding)
    }

    /// Looks at the head that is stored.
    mutating func look(at head: borrowing ResponseHead, _ bytes: Span<UInt8>) {
        hasVary = Self.variesOnCoding(head, bytes)
        tagLine = 0..<0
        if let field = head.fields.first(.etag), !Self.isWeak(bytes.extracting(field.valueRange)) {
            tagLine = field.nameRange.lowerBound..<field.valueRange.upperBound + 2
        }
    }

    /// Whether Vary names Accept-Encoding, or everything.
    static func variesOnCoding(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) -> Bool {
        for position in 0..<head.fields.count where head.fields[position].name == .vary {
            let line = bytes.extracting(head.fields[position].valueRange)
            if TokenList.contains(line, "accept-encoding") || TokenList.contains(line, "*") { return true }
        }
        return false
    }

    /// Whether an entity tag is weak.
    static func isWeak(_ tag: Span<UInt8>) -> Bool { tag.count > 2 && tag[0] == 0x57 && tag[1] == 0x2F }

    // MARK: In a record

    /// From two words of a record. The lowest bit of the first belongs to somebody else.
    init(words first: UInt64, _ second: UInt64) {
        isGzip = first & 1 << 1 != 0
        if first & 1 << 2 != 0 { identityLength = second }
        hasVary = first & 1 << 3 != 0
        hasIndex = first & 1 << 4 != 0
        indexPadding = Int(first >> 5 & 7)
        let start = Int(first >> 16 & 0xFF_FFFF)
        tagLine = start..<max(start, Int(first >> 40))
    }

    /// As two words of a record.
    var words: (UInt64, UInt64) {
        var first: UInt64 = isGzip ? 1 << 1 : 0
        if identityLength != nil { first |= 1 << 2 }
        if hasVary { first |= 1 << 3 }
        if hasIndex { first |= 1 << 4 | UInt64(indexPadding & 7) << 5 }
        first |= UInt64(tagLine.lowerBound) << 16 | UInt64(tagLine.upperBound) << 40
        return (first, identityLength ?? 0)
    }
}
