// SPDX-License-Identifier: Apache-2.0
public import HTTP
public import Settings

/// Whether a failed attempt may be repeated: pure, and the only place that decides it.
public enum RetryPolicy {
    /// Why an attempt came to nothing.
    public enum Cause: Sendable, CaseIterable {
        /// There was no connection.
        case notConnected
        /// The connection broke before a byte of a response.
        case broken
        /// The server was taken out while the request waited on it without a byte of a response.
        case takenOut
        /// The response has a status that says that another server may do better.
        case status
        /// No byte of a response came in time.
        case silent
        /// Anything else, such as a server that talks nonsense.
        case other
    }

    /// What is known of an attempt that failed.
    public struct Attempt: Sendable {
        /// Why it failed.
        public var cause: Cause
        /// The request's.
        public var method: Method
        /// Whether the kernel took any byte of the request.
        public var requestBytesSent: Bool
        /// Whether any byte of a response came.
        public var responseBytesReceived: Bool
        /// Whether the body, if there is one, can be sent again from its start.
        public var bodyIsReplayable: Bool
        /// Whether the connection had served before, so that it may have died of old age.
        public var wasReused: Bool
        /// Servers that were asked so far, this one included.
        public var servers: Int
        /// Earlier attempts on which the server was silent, or whose connection broke although it was new.
        public var earlierBreaks: Int

        /// What is known.
        public init(
            cause: Cause, method: Method, requestBytesSent: Bool = true, responseBytesReceived: Bool = false,
            bodyIsReplayable: Bool = true, wasReused: Bool = false, servers: Int = 1, earlierBreaks: Int = 0
        ) {
            self.cause = cause
            self.method = method
            self.requestBytesSent = requestBytesSent
            self.responseBytesReceived = responseBytesReceived
            self.bodyIsReplayable = bodyIsReplayable
            self.wasReused = wasReused
            self.servers = servers
            self.earlierBreaks = earlierBreaks
        }
    }

    /// What may be done.
    public enum Decision: Sendable, Equatable {
        /// Nothing: the client is told.
        case no
        /// It may be repeated on another server.
        case another
        /// It may be repeated on another server if the budget allows it.
        case anotherWithinBudget
        /// It may be repeated on the same server, on a new connection.
        case sameAnew
    }

    /// Decides by the settings of the pool.
    public static func decide(_ attempt: Attempt, _ settings: Configuration.Retries) -> Decision {
        guard attempt.bodyIsReplayable else { return .no }
        let mayGoOn = attempt.servers <= settings.count
        switch attempt.cause {
        case .other: return .no
        case .status:
            // The server has answered, so it may have acted (RFC 9110 section 9.2.1).
            return attempt.method.isSafe && mayGoOn ? .anotherWithinBudget : .no
        case .notConnected: return mayGoOn ? .another : .no
        case .broken, .silent, .takenOut: break
        }
        guard !attempt.responseBytesReceived else { return .no }
        // An idle connection that died says nothing about its server.
        let died = attempt.cause == .broken && attempt.wasReused
        // Nothing was sent, so nothing can have been done twice.
        if !attempt.requestBytesSent { return died ? .sameAnew : mayGoOn ? .another : .no }
        // RFC 9110 section 9.2.2: a proxy must not repeat a request that is not idempotent.
        guard attempt.method.isIdempotent else { return .no }
        if died { return .sameAnew }
        guard mayGoOn else { return .no }
        // It waited for nothing, and the server that is left gets no more of it.
        if attempt.cause == .takenOut { return .another }
        // A request that kills its server, or takes it too long, shall not go round them all.
        return attempt.earlierBreaks == 0 ? .anotherWithinBudget : .no
    }
}
