// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import Control
import Synchronization

/// What each signal does. SIGTERM, SIGINT and SIGQUIT stop in order, a second one at once; SIGUSR1 opens the log anew;
/// SIGHUP reads
/// certificates and keys anew; SIGUSR2 and SIGPIPE are taken and ignored, so that no signal that means something elsewhere kills the process.
enum Signals {
    private static let asked = Atomic<Int>(0)
    /// Signal sources live as long as the process. `nonisolated(unsafe)` is safe because only `serve` appends, once, on the
    /// main thread.
    nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []
    /// Stopping waits, so it has a queue of its own: the main one must go on taking signals.
    private static let stopQueue = DispatchQueue(label: "gateway.stop")

    static func serve(_ gateway: Gateway, _ reporter: Reporter) {
        let held = Held(gateway)
        for number in [SIGUSR2, SIGPIPE] { signal(number, SIG_IGN) }
        for number in [SIGTERM, SIGINT, SIGQUIT] {
            on(number) {
                guard asked.add(1, ordering: .relaxed).oldValue == 0 else { return }
                stopQueue.async {
                    let cut = held.gateway.stop { asked.load(ordering: .relaxed) > 1 }
                    if cut > 0 { reporter.report("stopped with \(cut) connections still in use") }
                    exit(cut > 0 ? 2 : 0)
                }
            }
        }
        on(SIGHUP) { stopQueue.async { held.gateway.reloadCertificates() } }
        on(SIGUSR1) { stopQueue.async { held.gateway.reopenLog() } }
    }

    private static func on(_ number: Int32, _ handler: @escaping @Sendable () -> Void) {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .main)
        source.setEventHandler(handler: handler)
        source.activate()
        unsafe sources.append(source)
    }

    /// `@unchecked Sendable` is safe because the gateway is used on `stopQueue` alone once it serves.
    private final class Held: @unchecked Sendable {
        let gateway: Gateway
        init(_ gateway: Gateway) { self.gateway = gateway }
    }
}
