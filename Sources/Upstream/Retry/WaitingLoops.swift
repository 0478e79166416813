// SPDX-License-Identifier: Apache-2.0
// Requests wait on their own loop, but the places that they wait for belong to the process. Whoever gives one back rings one of the
// loops where somebody waits, in turn, so that a loop with many requests does not take every place for itself.

import Bytes
import Engine
import Synchronization

/// The queues of all loops for one pool.
final class WaitingLoops: Sendable {
    /// Those in which somebody waits. The first is the one whose last turn is the longest ago.
    private let queues = Lock<[BusyQueue]>([])
    /// How many queues somebody waits in.
    private let filledCount = Atomic<Int>(0)
    private let newcomerCount = Atomic<Int>(0)

    /// Whether requests wait, on any loop, that have tried no server yet and whose clients do not have their share: whoever comes
    /// later goes behind them. One that has tried a server, and so may not go there again, says nothing of the others' chances,
    /// and neither does one whose client may have no more.
    var isCrowded: Bool { newcomerCount.load(ordering: .relaxed) > 0 }

    /// So many more of those wait now, or fewer.
    func countNewcomers(_ change: Int) { newcomerCount.add(change, ordering: .relaxed) }

    /// Somebody waits in `queue`, where nobody did.
    func filled(_ queue: BusyQueue) {
        queues.withLock { $0.append(queue) }
        filledCount.add(1, ordering: .relaxed)
    }

    /// Nobody waits in `queue` any more.
    func emptied(_ queue: BusyQueue) {
        queues.withLock { $0.removeAll { $0 === queue } }
        filledCount.subtract(1, ordering: .relaxed)
    }

    /// Those in `queue` have got what they could use: now it is the others' turn.
    func hadTurn(_ queue: BusyQueue) {
        queues.withLock { queues in
            guard let index = queues.firstIndex(where: { $0 === queue }) else { return }
            queues.append(queues.remove(at: index))
        }
    }

    /// A server has room for one more. One loop may see this before it sees that another's request has begun to wait; then
    /// that finds out by itself, within `BusyQueue.pace`.
    ///
    /// - Parameters:
    ///   - loop: The caller's.
    ///   - rings: How many loops may be rung one after the other because those before had no use for it; nil for all.
    func placeFreed(on loop: Loop, rings: Int? = nil) {
        guard filledCount.load(ordering: .relaxed) > 0, rings != 0 else { return }
        let (first, count) = queues.withLock { ($0.first, $0.count) }
        first?.ring(from: loop, rings: (rings ?? count) - 1)
    }
}
