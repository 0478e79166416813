// SPDX-License-Identifier: Apache-2.0

import Dispatch

/// Calls again and again on a queue of its own until it goes away.
///
/// `@unchecked Sendable` is safe because the source is set up before anybody has it, and cancelling one is safe on any thread.
final class PollTimer: @unchecked Sendable {
    private let source: any DispatchSourceTimer

    /// Calls every `seconds` from now on, on a queue that bears the name `label`. Whoever is called may block.
    init(label: String, seconds: Int, _ call: @escaping @Sendable () -> Void) {
        source = DispatchSource.makeTimerSource(queue: DispatchQueue(label: label, qos: .utility))
        source.schedule(deadline: .now(), repeating: .seconds(seconds), leeway: .milliseconds(100))
        source.setEventHandler(handler: call)
        source.resume()
    }

    deinit { source.cancel() }
}
