// SPDX-License-Identifier: Apache-2.0
import Engine

/// Notices that the disk hangs while a leader waits for it, and so appends nothing. On the leader's loop.
final class FillWatch: Watcher {
    /// It may end before the deadline.
    private weak var fill: Fill?
    private let loop: Loop

    init(_ fill: Fill, on loop: Loop) {
        self.fill = fill
        self.loop = loop
        super.init()
    }

    /// Looks at the disk at that time, and as long as it has something to do. `milliseconds`: monotonic.
    func start(_ milliseconds: UInt64) {
        guard slot < 0 else { return }
        loop.register(self)
        loop.setDeadline(self, at: milliseconds)
    }

    override func deadlineReached() {
        if let next = fill?.loseStalledDisk(now: loop.milliseconds) {
            loop.setDeadline(self, at: next)
        } else {
            loop.unregister(self)
        }
    }
}
