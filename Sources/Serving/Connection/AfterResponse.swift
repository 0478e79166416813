// SPDX-License-Identifier: Apache-2.0

/// What becomes of a connection when its response is out. Pure: the connection asks, and does it.
///
/// The rule behind it (RFC 9112 section 9.3): no request is read from a place that is not certain to be the start of one.
enum AfterResponse: Equatable {
    /// The next request may be read.
    case next
    /// What is left of the request's body is read and dropped first.
    case drain
    /// The sending side is closed, and what the client still sends is dropped for a moment: a close with unread bytes would
    /// become a reset, which can destroy the response on its way (RFC 9112 section 9.6).
    case linger
    /// The connection is closed.
    case close

    /// What a connection knows at that moment.
    struct Facts {
        /// Whether the response left the connection open.
        var keepAlive: Bool
        /// Whether the request was read to its end.
        var requestDone: Bool
        /// Whether bytes beyond the request have been received, or may wait in the kernel.
        var hasUnread: Bool
        /// Whether the client has ended its sending side.
        var peerClosed: Bool
    }

    /// Decides.
    static func decide(_ facts: Facts) -> AfterResponse {
        if facts.keepAlive { return facts.requestDone ? .next : .drain }
        let mayBeSending = !facts.requestDone || facts.hasUnread
        return mayBeSending && !facts.peerClosed ? .linger : .close
    }

    /// Whether a connection can be kept although the request's body has not been read to its end when the response begins.
    ///
    /// - Parameters:
    ///   - waitsForContinue: The client holds the body back until it hears 100, and has not heard it: it may or may not send
    ///     it now, so there is no telling where the next request starts (RFC 9110 section 10.1.1).
    ///   - isStillWanted: The exchange goes on reading it.
    ///   - rest: Bytes still to come, or nil when that is not known.
    static func canKeep(waitsForContinue: Bool, isStillWanted: Bool, rest: UInt64?) -> Bool {
        if waitsForContinue { return false }
        if isStillWanted { return true }
        guard let rest else { return false }
        return rest <= ServingOptions.drainBytes
    }
}
