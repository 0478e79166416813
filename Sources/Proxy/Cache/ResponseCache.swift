// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import CachePolicy
package import CacheStore
package import HTTP

/// The cache that all loops share: the store, and what is needed to use it.
public final class ResponseCache: Sendable {
    package let store: ObjectStore
    /// Keys of objects are hashed with it, so that nobody outside can make two of them meet.
    package let secret: HashKey
    package let rules: CacheRules
    /// How long a request waits for another that fetches the same thing, in milliseconds.
    let wait: Int
    /// The largest body that is stored, in bytes.
    let largestBody: Int
    /// Whether responses say what the cache did.
    let writesStatus: Bool
    /// Tells what was asked for before a change from what was asked for since.
    let changes = RecentChanges()

    /// Opens the folder, if there is one, and takes it for this process. `report` is told in a sentence when it fails.
    package init(
        _ options: StoreOptions, rules: CacheRules, wait: Int, writesStatus: Bool,
        report: @escaping @Sendable (String) -> Void
    ) throws(CacheFolderError) {
        largestBody = options.largestBody
        store = try ObjectStore(options, report: report)
        let bytes = store.secret
        func word(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        secret = HashKey(word(0..<8), word(8..<16))
        self.rules = rules
        self.wait = wait
        self.writesStatus = writesStatus
    }

    /// What a key's responses are found by.
    package func id(of key: Span<UInt8>) -> ObjectID {
        let hash = secret.hash(key)
        return ObjectID(key: CacheHash(high: hash.high, low: hash.low))
    }

    /// The variant for a request, of responses that vary on the fields `names`; nil when the request's are too long for one.
    /// `forwarded`: which of them the upstream server gets.
    package func variant(
        _ names: Span<UInt8>, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ forwarded: ForwardedFields,
        scratch: Block
    ) -> CacheHash? {
        scratch.clear()
        // The names are part of it: what varied on other fields is another variant.
        scratch.append(names)
        scratch.append(0)
        let isWritten = SelectingFields.write(names: names, head, bytes, to: scratch) {
            forwarded.selects($0, $1, $2)
        }
        guard isWritten else { return nil }
        let hash = secret.hash(scratch.readable)
        // Zero stands for no variant.
        return CacheHash(high: hash.high, low: hash.low | 1)
    }

    /// Writes out what is on its way and gives the folder back. Blocks. No loop may use the cache any more.
    package func stop() { store.stop() }
}
