// SPDX-License-Identifier: Apache-2.0
// How a response is written down: its policy in the record, which the index keeps in memory; its head as text in the
// metadata, ready to be sent.

import Bytes
package import CachePolicy
package import CacheStore

/// A stored object, wherever its body is.
package enum StoredResponse {
    case object(CachedObject)
    case file(StoredFile)

    package var head: StoredHead {
        switch self {
        case .object(let object): object.head
        case .file(let file): file.head
        }
    }

    /// Bytes of the body.
    package var length: Int { head.bodyLength }
}

/// What a record says.
package struct StoredRecord {
    package enum Kind: UInt64 {
        /// A response; the metadata is its head.
        case response = 1
        /// Only the names of the fields that responses for this key vary on; the responses have variants of them.
        case vary = 2
        /// As `response`, with an index behind the body: so written that earlier versions, which would send it, take it for nothing.
        /// Not the kind of any record once it is read.
        case indexed = 3
    }

    package var kind: Kind
    package var policy: ResponsePolicy
    /// Where the field lines begin in the metadata: behind the status line. They end before the last two bytes.
    package var linesStart: Int
    /// Whether there are fields among them that one of ours takes the place of.
    var hasReplaced = false
    /// How the body is coded.
    package var coding = StoredCoding()

    init(kind: Kind, policy: ResponsePolicy, linesStart: Int, hasReplaced: Bool = false) {
        self.hasReplaced = hasReplaced
        self.kind = kind
        self.policy = policy
        self.linesStart = linesStart
    }

    /// Nil for one that no version of this program has written.
    package init?(_ record: CacheRecord) {
        let words = record.words
        guard let kind = Kind(rawValue: words[5] & 0xFF) else { return nil }
        self.kind = kind == .indexed ? .response : kind
        linesStart = Int(words[5] >> 8 & 0xFFFF_FFFF)
        hasReplaced = words[6] & 1 != 0
        coding = StoredCoding(words: words[6], words[7])
        guard coding.hasIndex == (kind == .indexed) else { return nil }
        policy = ResponsePolicy()
        policy.flags = ResponsePolicy.Flags(rawValue: UInt16(truncatingIfNeeded: words[0]))
        policy.status = UInt16(truncatingIfNeeded: words[0] >> 16)
        policy.lifetime = UInt32(truncatingIfNeeded: words[0] >> 32)
        policy.staleWhileRevalidate = UInt32(truncatingIfNeeded: words[1])
        policy.staleIfError = UInt32(truncatingIfNeeded: words[1] >> 32)
        policy.initialAge = Int64(bitPattern: words[2])
        policy.responseTime = Int64(bitPattern: words[3])
        policy.date = Int64(bitPattern: words[4])
    }

    var packed: CacheRecord {
        var words = InlineArray<8, UInt64>(repeating: 0)
        words[0] = UInt64(policy.flags.rawValue) | UInt64(policy.status) << 16 | UInt64(policy.lifetime) << 32
        words[1] = UInt64(policy.staleWhileRevalidate) | UInt64(policy.staleIfError) << 32
        words[2] = UInt64(bitPattern: policy.initialAge)
        words[3] = UInt64(bitPattern: policy.responseTime)
        words[4] = UInt64(bitPattern: policy.date)
        words[5] = (coding.hasIndex ? Kind.indexed : kind).rawValue | UInt64(linesStart) << 8
        let coded = coding.words
        words[6] = coded.0 | (hasReplaced ? 1 : 0)
        words[7] = coded.1
        return CacheRecord(words: words)
    }
}
