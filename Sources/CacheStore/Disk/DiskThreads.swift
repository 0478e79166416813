// SPDX-License-Identifier: Apache-2.0
// The threads that may wait for a disk, so that no loop ever does.

import Bytes
import Dispatch
import Engine
import Glibc
import Synchronization

/// Something for a disk thread to do. Each kind is a final subclass.
///
/// `@unchecked Sendable` is safe because a job has one owner at a time: who makes it, then the queue, then one thread.
class DiskJob: @unchecked Sendable {
    /// Does it. On a disk thread; may block.
    func run() {}
}

/// A few threads and the queue they take their jobs from.
final class DiskThreads: Sendable {
    /// What a job is for. What clients can make many of has a limit each, so that a disk which hangs holds no more than that.
    enum Kind: Int {
        /// Finds out what is stored.
        case opening
        /// Reads a piece of a response that is under way; the block waits with it.
        case reading
        /// Stores a response, or removes one.
        case writing
        /// What its sender bounds.
        case keeping
    }
    private struct State {
        var jobs: ContiguousArray<(job: DiskJob?, kind: Kind)> = []
        var first = 0
        /// How many of each kind wait.
        var waiting = InlineArray<4, Int>(repeating: 0)
        var isStopping = false
        var running = 0
        var members: [pthread_t] = []
        var count: Int { jobs.count - first }
    }
    private let state: Lock<State>
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    /// How many jobs of a kind may wait before `offer` refuses.
    let limit: Int

    init(count: Int, limit: Int) {
        self.limit = limit
        state = Lock(State())
        let started = (0..<count).count { _ in BlockingThread.start { [self] in work() } }
        state.withLock { state in
            state.running = started
            // Without threads every job is refused, and everything is a miss.
            state.isStopping = started == 0
        }
    }

    /// Takes `job` unless too many of its kind wait already.
    func offer(_ job: DiskJob, _ kind: Kind) -> Bool { add(job, kind, limit: limit) }

    /// Takes `job` in any case: for work that its sender bounds. Does nothing after `stop`.
    @discardableResult func submit(_ job: DiskJob) -> Bool { add(job, .keeping, limit: .max) }

    /// How many of that kind wait.
    func waiting(_ kind: Kind) -> Int { state.withLock { $0.waiting[kind.rawValue] } }

    private func add(_ job: DiskJob, _ kind: Kind, limit: Int) -> Bool {
        let taken = state.withLock { state in
            guard !state.isStopping, state.waiting[kind.rawValue] < limit else { return false }
            state.jobs.append((job, kind))
            state.waiting[kind.rawValue] += 1
            return true
        }
        if taken { wake.signal() }
        return taken
    }

    /// Whether the caller runs on one of them.
    var isCurrent: Bool { state.withLock { $0.members.contains(pthread_self()) } }

    /// Whether a thread should leave off long work.
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Takes no more jobs, does those that wait, and returns when the threads have ended. False when that was done before.
    func stop() -> Bool {
        let running = state.withLock { state in
            defer { state.running = 0 }
            state.isStopping = true
            return state.running
        }
        for _ in 0..<running { wake.signal() }
        for _ in 0..<running { ended.wait() }
        return running > 0
    }

    private func work() {
        state.withLock { $0.members.append(pthread_self()) }
        while true {
            wake.wait()
            let (job, isOver) = state.withLock { state -> (DiskJob?, Bool) in
                guard state.count > 0 else { return (nil, state.isStopping) }
                let (job, kind) = state.jobs[state.first]
                state.jobs[state.first].job = nil
                state.waiting[kind.rawValue] -= 1
                state.first += 1
                if state.first == state.jobs.count || state.first >= 4096 {
                    state.jobs.removeFirst(state.first)
                    state.first = 0
                }
                return (job, false)
            }
            job?.run()
            if isOver { break }
        }
        state.withLock { $0.members.removeAll { $0 == pthread_self() } }
        ended.signal()
    }
}
