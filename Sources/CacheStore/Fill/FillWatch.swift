// SPDX-License-Identifier: Apache-2.0
import Engine

/// Looks at a download, again and again, while its leader appends nothing: whether the disk hangs, and whether readers that are waited
/// for have caught up. On the leader's loop.
final class FillWatch: Watcher {
    /// It may end before the deadline.
    private weak var fill: Fill?
    private let loop: Loop
    private let look: (_ fill: Fill, _ now: UInt64) -> UInt64?

    /// - Parameter look: Returns when to look again, in monotonic milliseconds; nil when there is nothing to look at any more.
    init(_ fill: Fill, on loop: Loop, look: @escaping (_ fill: Fill, _ now: UInt64) -> UInt64?) {
        self.fill = fill
        self.loop = loop
        self.look = look
        super.init()
    }

    /// Looks at that time, unless it is to look already. `milliseconds`: monotonic.
    func start(_ milliseconds: UInt64) {
        guard slot < 0 else { return }
        loop.register(self)
        loop.setDeadline(self, at: milliseconds)
    }

    override func deadlineReached() {
        if let fill, let next = look(fill, loop.milliseconds) {
            loop.setDeadline(self, at: next)
        } else {
            loop.unregister(self)
        }
    }
}
