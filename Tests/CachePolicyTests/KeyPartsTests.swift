// SPDX-License-Identifier: Apache-2.0
import Bytes
import CachePolicy
import Testing

@Suite("A key taken apart") struct KeyPartsTests {
    @Test("has the parts that it was made of")
    func inverts() {
        for (authority, path, query) in [("h", "/a", ""), ("H:8443", "", "q=1"), ("[::1]:80", "/x/y/", "")] {
            let block = Block(capacity: 1024)
            let hasQuery = !query.isEmpty
            let isWritten = CacheKey.write(
                .https, authority: authority.utf8Span.span, path: path.utf8Span.span, query: query.utf8Span.span,
                hasQuery: hasQuery, to: block)
            #expect(isWritten)
            let key = unsafe block.readable.withUnsafeBufferPointer { unsafe Array($0) }
            let parts = CacheKeyParts(key.span)
            #expect(parts?.scheme == .https)
            #expect(parts.map { String(decoding: key[$0.pathRange], as: UTF8.self) } == (path.isEmpty ? "/" : path))
            #expect(parts?.queryRange.map { String(decoding: key[$0], as: UTF8.self) } == (hasQuery ? query : nil))
            #expect(
                parts.map { authority.lowercased().hasPrefix(String(decoding: key[$0.hostRange], as: UTF8.self)) }
                    == true)
            // Anything cut off or added is no key.
            for length in 0..<key.count {
                let isKey = CacheKeyParts(key.span.extracting(0..<length)) != nil
                #expect(!isKey, "\(length) bytes")
            }
            let longer = key + [0]
            let isKey = CacheKeyParts(longer.span) != nil
            #expect(!isKey)
        }
    }
}
