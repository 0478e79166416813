// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Threads for what blocks: disks, name servers. Threads of their own rather than Dispatch's, which has a few for each core: a
/// loop must not have to wait for one that waits itself.
public enum BlockingThread {
    private final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a thread that nobody waits for; false when the system has none. It takes no signals, which are for the threads that
    /// wait for them. The corresponding C function is `pthread_create`.
    public static func start(_ run: @escaping @Sendable () -> Void) -> Bool {
        let reference = unsafe Unmanaged.passRetained(Work(run))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                var all = sigset_t()
                unsafe sigfillset(&all)
                unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
                unsafe Unmanaged<Work>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, unsafe reference.toOpaque())
        guard code == 0 else {
            unsafe reference.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
