// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import Synchronization

/// What goes wrong in the gateway itself, in sentences on standard error; at most `limit` a second, so that trouble that
/// repeats itself does not bury the rest.
final class Reporter: Sendable {
    private struct State {
        var second: time_t = 0
        var written = 0
        var suppressed = 0
    }
    private let state = Lock(State())
    private static let limit = 5

    func report(_ sentence: String) {
        let now = time(nil)
        let suppressed: Int? = state.withLock { state in
            if state.second != now {
                defer { state = State(second: now, written: 1, suppressed: 0) }
                return state.suppressed
            }
            guard state.written < Self.limit else {
                state.suppressed += 1
                return nil
            }
            state.written += 1
            return 0
        }
        guard let suppressed else { return }
        if suppressed > 0 {
            say("gateway: \(suppressed) more messages within a second were left out", to: STDERR_FILENO)
        }
        say("gateway: \(sentence)", to: STDERR_FILENO)
    }
}
