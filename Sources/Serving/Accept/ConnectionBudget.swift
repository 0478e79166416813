// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A number of things, of all loops, that may be had at once.
public final class ConnectionBudget: Sendable {
    private let open = Atomic<Int>(0)
    private let most: Atomic<Int>

    /// How many at most.
    public var limit: Int { most.load(ordering: .relaxed) }

    /// A budget of `limit`.
    public init(limit: Int) { most = Atomic(limit) }

    /// Allows no more than `limit` from now on; those that are open stay.
    func lower(to limit: Int) { most.store(min(limit, self.limit), ordering: .relaxed) }

    /// Takes one, and says how many were left, this one included; nil when all are taken.
    ///
    /// Sequentially consistent, like `give` and `hasRoom`: whoever has seen that there is none and then says that he waits, and
    /// whoever gives one and then looks who waits, must not miss each other.
    func take() -> Int? {
        let left = limit - open.add(1, ordering: .sequentiallyConsistent).oldValue
        if left > 0 { return left }
        open.subtract(1, ordering: .sequentiallyConsistent)
        return nil
    }

    /// Whether there is one left; another loop may take it first.
    var hasRoom: Bool { open.load(ordering: .sequentiallyConsistent) < limit }

    func give() { open.subtract(1, ordering: .sequentiallyConsistent) }

    /// How many are taken now.
    public var count: Int { open.load(ordering: .relaxed) }
}
