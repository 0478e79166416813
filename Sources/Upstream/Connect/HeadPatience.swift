// SPDX-License-Identifier: Apache-2.0

/// How long a server may take for the head of its response: pure. Times are monotonic milliseconds.
///
/// From the end of the request to the first byte of the head of the final response it has one wait, which interim responses do
/// not prolong; from its first byte to its last each head has another. So a server that sends a line, or an interim response,
/// now and then holds a request for no longer than the two together.
struct HeadPatience: Sendable, Equatable {
    /// When the request was complete and sent; nil before.
    private var sent: UInt64?
    /// When the first byte of the head that is being received came; nil while none has.
    private var began: UInt64?

    /// What is missing.
    enum Owed: Equatable {
        /// Nothing: the request is not complete, so it is not the server's turn.
        case nothing
        /// The first byte of a head, by this time.
        case firstByte(by: UInt64)
        /// The rest of a head, by this time.
        case rest(by: UInt64)
    }

    /// The request is complete and sent. Only the first time counts.
    mutating func requestSent(at now: UInt64) {
        if sent == nil { sent = now }
    }

    /// Bytes of a head have come, and it is not complete.
    mutating func headGrew(at now: UInt64) {
        if began == nil { began = now }
    }

    /// A head is complete, and another is to follow.
    mutating func interimEnded() { began = nil }

    /// What is missing.
    ///
    /// - Parameters:
    ///   - firstByte: How long the server may be silent.
    ///   - head: How long a head may take.
    func owed(firstByte: Int, head: Int) -> Owed {
        if let began { return .rest(by: began + UInt64(head)) }
        return sent.map { .firstByte(by: $0 + UInt64(firstByte)) } ?? .nothing
    }
}
