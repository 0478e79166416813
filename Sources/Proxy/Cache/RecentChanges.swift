// SPDX-License-Identifier: Apache-2.0
import CacheStore
import Synchronization

/// Counts the changes of resources (RFC 9111 section 4.4), for responses that nobody knew to be on their way: one whose resource
/// has changed since it was asked for is not stored. Of a fixed size, so a change may count for a few others too: keys are
/// hashed with a secret, so nobody can choose for which.
final class RecentChanges: Sendable {
    private static let slots = 1024
    private let counts: InlineArray<1024, Atomic<UInt32>> = InlineArray { _ in Atomic(0) }

    /// Something about the resource of that id has changed.
    func note(_ id: ObjectID) {
        counts[Int(truncatingIfNeeded: id.key.low) & (Self.slots - 1)].add(1, ordering: .acquiringAndReleasing)
    }

    /// A number that is another after each change.
    func count(_ id: ObjectID) -> UInt32 {
        counts[Int(truncatingIfNeeded: id.key.low) & (Self.slots - 1)].load(ordering: .acquiring)
    }
}
