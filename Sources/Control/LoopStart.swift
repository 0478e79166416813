// SPDX-License-Identifier: Apache-2.0
// What a start does on a loop, and waits for: if it fails, the gateway does not start.

import Bytes
import Dispatch
import Engine
import Proxy
import Synchronization

extension Loop {
    private final class Outcome: Sendable {
        let failure = Lock<SystemFailure?>(nil)
    }

    /// Runs `body` on this loop, which has been started, and waits until it is done. Never called on a loop.
    ///
    /// - Parameter what: How the sentence of a failure begins.
    func begin(
        _ what: String, _ body: @escaping @Sendable () throws(SystemFailure) -> Void
    ) throws(StartFailure) {
        let outcome = Outcome()
        let isDone = DispatchSemaphore(value: 0)
        perform {
            do throws(SystemFailure) {
                try body()
            } catch {
                outcome.failure.withLock { $0 = error }
            }
            isDone.signal()
        }
        isDone.wait()
        if let failure = outcome.failure.withLock({ $0 }) { throw StartFailure("\(what): \(failure)") }
    }
}
