// SPDX-License-Identifier: Apache-2.0
// Asks the servers of a pool how they are, on one loop: an alarm for the check that comes next, and a `HealthCheck` for each
// one under way. When to ask, and what follows from the answers, is `PoolHealth`'s to say.

public import Engine
import Settings

/// The health checks of one pool.
///
/// `@unchecked Sendable` is safe because everything but `loop` and `pool` is touched only on `loop`, to which it submits
/// itself.
public final class HealthWatch: @unchecked Sendable {
    private let pool: ServerPool
    private let loop: Loop
    private let options: UpstreamOptions
    private let alarm: Alarm
    private var running: [ObjectIdentifier: HealthCheck] = [:]
    private var isStopped = false

    private final class Alarm: Watcher {
        weak var watch: HealthWatch?
        override func deadlineReached() { watch?.checkWhatIsDue() }
    }

    /// Checks of the servers of `pool`, on `loop`; nothing is asked before `start`.
    public init(_ pool: ServerPool, loop: Loop, options: UpstreamOptions) {
        self.pool = pool
        self.loop = loop
        self.options = options
        alarm = Alarm()
        alarm.watch = self
    }

    /// Asks every server at once, and again and again. Called on the loop.
    public func start() {
        guard pool.settings.check.isOn else { return }
        loop.register(alarm)
        pool.observe(
            isAlive: { [weak self] in self != nil },
            changed: { [weak self] in self?.poolChanged() })
        checkWhatIsDue()
    }

    /// Called from any thread.
    private func poolChanged() { loop.submit { [weak self] in self?.setAlarm() } }

    /// Asks no more. Called on the loop.
    public func stop() {
        isStopped = true
        loop.unregister(alarm)
        for check in running.values { check.cancel() }
        running.removeAll()
    }

    private func checkWhatIsDue() {
        for server in pool.beginChecks(at: loop.milliseconds) {
            let check = HealthCheck(of: server, pool.settings.check, pool, loop, options)
            running[ObjectIdentifier(check)] = check
            check.begin { [weak self] check, outcome in self?.ended(check, outcome) }
        }
        setAlarm()
    }

    private func ended(_ check: HealthCheck, _ outcome: CheckOutcome) {
        running[ObjectIdentifier(check)] = nil
        pool.checked(check.server, outcome, at: loop.milliseconds)
        setAlarm()
    }

    private func setAlarm() {
        guard !isStopped else { return }
        let next = pool.nextCheck
        if next == .max { loop.clearDeadline(alarm) } else { loop.setDeadline(alarm, at: next) }
    }
}
