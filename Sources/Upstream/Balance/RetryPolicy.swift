// SPDX-License-Identifier: Apache-2.0
public import HTTP

/// Whether a failed attempt may be repeated on another connection: pure, and the only place that decides it.
public enum RetryPolicy {
    /// Attempts of one request at most, the first included.
    public static let attempts = 4

    /// What is known of an attempt that failed.
    public struct Attempt: Sendable {
        /// The request's.
        public var method: Method
        /// Whether a connection stood at all.
        public var wasConnected: Bool
        /// Whether the kernel took any byte of the request.
        public var requestBytesSent: Bool
        /// Whether any byte of a response came.
        public var responseBytesReceived: Bool
        /// Whether the body, if there is one, can be sent again from its start.
        public var bodyIsReplayable: Bool
        /// Whether the connection had served before, so that it may have died of old age.
        public var wasReused: Bool
        /// Attempts so far, this one included.
        public var count: Int
        /// Those among the earlier ones in which bytes were sent on a new connection.
        public var earlierSends: Int

        /// What is known.
        public init(
            method: Method, wasConnected: Bool, requestBytesSent: Bool, responseBytesReceived: Bool,
            bodyIsReplayable: Bool,
            wasReused: Bool,
            count: Int,
            earlierSends: Int
        ) {
            self.method = method
            self.wasConnected = wasConnected
            self.requestBytesSent = requestBytesSent
            self.responseBytesReceived = responseBytesReceived
            self.bodyIsReplayable = bodyIsReplayable
            self.wasReused = wasReused
            self.count = count
            self.earlierSends = earlierSends
        }
    }

    /// Whether to try again.
    public static func mayRetry(_ attempt: Attempt) -> Bool {
        guard attempt.count < attempts, !attempt.responseBytesReceived, attempt.bodyIsReplayable else { return false }
        // Nothing was sent, so nothing can have been done twice.
        if !attempt.wasConnected || !attempt.requestBytesSent { return true }
        // RFC 9110 section 9.2.2: a proxy must not repeat a request that is not idempotent. One that is, is repeated once: a
        // request that kills its server shall not go round them all. A connection that had idled does not count.
        return attempt.method.isIdempotent && (attempt.wasReused || attempt.earlierSends == 0)
    }
}
