// SPDX-License-Identifier: Apache-2.0
// What is downloaded already, or known, and who leads the download of what is not.

import Bytes
import Synchronization

/// Whether a request leads the download of what it misses.
public enum Joined: Sendable {
    /// It does: it asks the upstream, and tells the fill.
    case lead(Fill)
    /// Somebody else does already: it reads the fill.
    case follow(Fill)
    /// Another key of the same hash is being downloaded: it asks for itself, and nothing is stored.
    case alone
}

extension ObjectStore {
    /// Whether the object is known.
    public func contains(_ id: ObjectID) -> Bool { folder == nil ? objects.contains(id) : index.contains(id) }

    /// What is known of the objects of one key, its variants, in no order; `bytes` are those on disk, or in memory where all is.
    /// Looks through a part of the index: for people, not for requests.
    public func variants(of key: CacheHash) -> [(id: ObjectID, record: CacheRecord, bytes: Int)] {
        if folder != nil { return index.variants(of: key) }
        return objects.objects(of: key).map { ($0.head.id, $0.head.record, $0.cost) }
    }

    /// The present purge generation, for a response that is asked for now and may begin a download later (`join`).
    public var generation: UInt64 { purges.latest }

    /// Whether the object is being downloaded.
    public func isFilling(_ id: ObjectID) -> Bool { fills.contains(id) }

    /// Joins the download of the object, or begins one.
    ///
    /// - Parameters:
    ///   - first: The fill whose response the new one is to store, so that what was purged or made invalid since that began counts
    ///     for it; nil for a response that has not been asked for yet.
    ///   - asked: The purge generation in which a response was asked for whose head has come already; nil for now.
    ///   - scopes: What the key says that its objects belong to: all but tags. Asked for only when something was purged since the
    ///     download began; with a lock held, so it must not use the store.
    public func join(
        _ id: ObjectID, key: CachedBody, as reader: CacheReader, after first: Fill? = nil,
        asked: UInt64? = nil, scopes: () -> [CacheScope]
    ) -> Joined {
        let latest = purges.latest
        let joined = fills.join(id, isUsable: { $0.canBeJoined(scopes: scopes) }) {
            Fill(id, key: key, store: self, leader: reader, generation: first?.generation ?? asked ?? latest)
        }
        if joined.isNew {
            // Whoever made the first invalid before the new one was in the table did not see the new one.
            if first?.isInvalid == true { joined.fill.invalidate() }
            return .lead(joined.fill)
        }
        let theirs = joined.fill.key
        guard theirs.bytes.equals(key.bytes) else { return .alone }
        reader.position = 0
        reader.hasBegun = false
        joined.fill.state.withLock { $0.attach(reader) }
        return .follow(joined.fill)
    }
}
