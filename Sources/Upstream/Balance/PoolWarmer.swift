// SPDX-License-Identifier: Apache-2.0
import Engine

/// Keeps idle connections open before anybody asks for them, for one loop's view of a pool.
final class PoolWarmer: Watcher {
    /// The view, which owns this.
    weak var view: PoolView?
    private let loop: Loop
    /// Milliseconds between two looks: those that the server closed, or that idled too long, are made anew.
    private static let pace = 500

    init(_ loop: Loop) {
        self.loop = loop
        super.init()
    }

    /// Begins. Called on the loop.
    func start() {
        loop.register(self)
        deadlineReached()
    }

    override func deadlineReached() {
        guard let view else {
            loop.unregister(self)
            return
        }
        view.warm()
        loop.setDeadline(self, in: Self.pace)
    }
}
