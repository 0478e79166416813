// SPDX-License-Identifier: Apache-2.0
// The threads that look names up again and again, so that no loop ever waits for a name server.

import Dispatch
import Engine
import Glibc
import Synchronization

/// Follows names. Made with all of them, started once, stopped once.
public final class Discovery: Sendable {
    private let names: [FollowedName]
    private let resolver: NameResolver
    private let ceiling: Int
    private let lanes: Int
    private let bells: [DispatchSemaphore]
    private let isStopped = Atomic<Bool>(false)
    private let first: DispatchGroup

    /// Threads at most; with more names, several share one.
    static let threadLimit = 32

    /// - Parameters:
    ///   - names: To be followed.
    ///   - ceiling: The longest that an answer is used, in milliseconds.
    public init(_ names: [FollowedName], resolver: NameResolver, ceiling: Int) {
        self.names = names
        self.resolver = resolver
        self.ceiling = ceiling
        let lanes = min(names.count, Self.threadLimit)
        self.lanes = lanes
        bells = (0..<lanes).map { _ in DispatchSemaphore(value: 0) }
        first = DispatchGroup()
    }

    /// Begins to look up, and waits until every name has been looked up once, or `patience` milliseconds have passed.
    public func start(patience: Int) {
        for _ in names { first.enter() }
        for lane in 0..<lanes where !BlockingThread.start({ [self] in work(lane) }) {
            // Without a thread its names are looked up here, once.
            for name in members(of: lane) { firstTime(name) }
        }
        _ = first.wait(timeout: .now() + .milliseconds(patience))
    }

    /// Ends the threads; one that waits for a name server ends when that has answered, or its time is up.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
        for bell in bells { bell.signal() }
    }

    private func members(of lane: Int) -> [FollowedName] {
        stride(from: lane, to: names.count, by: lanes).map { names[$0] }
    }

    private func firstTime(_ name: FollowedName) {
        name.refresh(resolver, ceiling: ceiling)
        first.leave()
    }

    private func work(_ lane: Int) {
        let members = members(of: lane)
        for name in members { firstTime(name) }
        while !isStopped.load(ordering: .relaxed) {
            guard let next = members.min(by: { $0.due < $1.due }) else { return }
            let now = MonotonicClock.milliseconds
            if next.due > now {
                _ = bells[lane].wait(timeout: .now() + .milliseconds(Int(clamping: next.due - now)))
            } else {
                next.refresh(resolver, ceiling: ceiling)
            }
        }
    }
}
