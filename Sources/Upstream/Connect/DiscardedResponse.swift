// SPDX-License-Identifier: Apache-2.0
// The rest of a response that nobody wants: read to its end where that is cheaper than a new connection, and only there. A
// server may send without end, or a byte a minute.

import Bytes
import Engine
import HTTP

extension UpstreamConnection {
    /// The response, whose head has come, is not wanted: its body is dropped, and the connection goes back to its pool, if that takes
    /// no more than `DiscardedResponse` allows; else it is closed. Called from `responseHead`.
    public func discardRest() {
        if case .length(let length) = head.framing, length > UInt64(DiscardedResponse.byteLimit) {
            cancel()
            return
        }
        handOver(to: DiscardedResponse(self))
    }
}

/// Drops the body of a response.
final class DiscardedResponse: Attempt {
    /// Bytes that are read at most.
    static let byteLimit = 64 << 10
    /// Milliseconds within which the response ends.
    static let timeLimit = 2_000

    /// Ends the connection when the time is over.
    private final class Deadline: Watcher {
        private weak var connection: UpstreamConnection?
        private let loop: Loop

        init(_ connection: UpstreamConnection) {
            self.connection = connection
            loop = connection.loop
            super.init()
            loop.register(self)
            loop.setDeadline(self, in: DiscardedResponse.timeLimit)
        }

        func end() { if slot >= 0 { loop.unregister(self) } }

        override func deadlineReached() {
            end()
            connection?.cancel()
        }
    }

    private weak var connection: UpstreamConnection?
    private let deadline: Deadline
    private var left = byteLimit

    init(_ connection: UpstreamConnection) {
        self.connection = connection
        deadline = Deadline(connection)
        super.init()
    }

    override func responseBody(_ bytes: Span<UInt8>) {
        left -= bytes.count
        guard left < 0 else { return }
        deadline.end()
        connection?.cancel()
    }

    override func responseEnded(trailers: Trailers?) { deadline.end() }
    override func failed(_ failure: UpstreamFailure) { deadline.end() }
}
