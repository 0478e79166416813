// SPDX-License-Identifier: Apache-2.0
// Where bodies that are compressed or inflated wait for their turn. A piece of one takes a millisecond or two, and hundreds may be on
// their way: so one loop spends only `turn` of a batch of events on them, whoever has waited longest first, and its other
// connections have theirs done in between.

import Engine

/// A body that is coded, a piece at a time: `resume` goes on with the next piece.
class CodingWork: Watcher {
    /// Whether it waits at the desk.
    fileprivate(set) final var isInLine = false
}

/// The line of one loop's bodies that are coded.
final class CodingDesk: Watcher {
    private let loop: Loop
    private var line: ContiguousArray<CodingWork> = []
    /// Who is first in `line`; those before have had their turn.
    private var first = 0

    /// Nanoseconds of a batch that coding may take; the piece that is begun within them is finished.
    private static let turn: UInt64 = 2_000_000

    init(on loop: Loop) {
        self.loop = loop
        super.init()
    }

    /// Resumes `work` when its turn comes, once however often this is called.
    func wait(_ work: CodingWork) {
        guard !work.isInLine else { return }
        work.isInLine = true
        line.append(work)
        loop.schedule(self)
    }

    override func resume() {
        let end = loop.presentNanoseconds &+ Self.turn
        // Those that come back meanwhile have their next turn in another batch.
        let last = line.count
        while first < last {
            let work = line[first]
            first += 1
            work.isInLine = false
            work.resume()
            if loop.presentNanoseconds >= end { break }
        }
        // What is moved is no more than what has been served since.
        if first == line.count || first >= 64 && first >= line.count / 2 {
            line.removeFirst(first)
            first = 0
        }
        if first < line.count { loop.schedule(self) }
    }
}
