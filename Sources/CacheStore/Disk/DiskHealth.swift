// SPDX-License-Identifier: Apache-2.0
// A disk that fails does so with every call. The operator is told once that it does, and once that it works again.

import Bytes
import Engine
import Synchronization

/// Whether a cache's folder can be written, and who is told of that.
final class DiskHealth: Sendable {
    private struct State {
        /// When a call failed last, in monotonic milliseconds.
        var failedAt: UInt64 = 0
        var toldAt: UInt64 = 0
    }
    private let state = Lock(State())
    private let isFailing = Atomic<Bool>(false)
    private let path: String
    private let tell: @Sendable (String) -> Void
    /// For how long nothing may have failed before the disk counts as sound again, in milliseconds.
    private static let calm: UInt64 = 10_000
    /// At most one failure in so many milliseconds is told of.
    private static let pause: UInt64 = 60_000

    init(path: String, tell: @escaping @Sendable (String) -> Void) {
        self.path = path
        self.tell = tell
    }

    /// A system call on the folder failed.
    func failed(_ failure: SystemFailure, now: UInt64) {
        let isNews = state.withLock { state in
            state.failedAt = now
            let wasFailing = isFailing.exchange(true, ordering: .relaxed)
            guard !wasFailing, state.toldAt == 0 || now >= state.toldAt + Self.pause else { return false }
            state.toldAt = max(1, now)
            return true
        }
        guard isNews else { return }
        tell("the cache folder \(path) fails: \(failure); what cannot be stored is served all the same")
    }

    /// Something was stored.
    func worked(now: UInt64) {
        guard isFailing.load(ordering: .relaxed) else { return }
        let isNews = state.withLock { state in
            guard now >= state.failedAt + Self.calm else { return false }
            return isFailing.exchange(false, ordering: .relaxed)
        }
        if isNews { tell("the cache folder \(path) can be written again") }
    }

    /// Something else that the operator has to know.
    func report(_ sentence: String) { tell("the cache folder \(path): \(sentence)") }
}
