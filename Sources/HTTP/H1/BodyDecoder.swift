// SPDX-License-Identifier: Apache-2.0
// Finds a body in the bytes behind a head, in all the ways that HTTP/1 marks its end (RFC 9112 section 6.3 and 7). Pure; the
// same for requests and responses.

import Bytes

/// Takes a body out of its framing, piece by piece.
public struct BodyDecoder: Sendable {
    /// What comes next in the bytes.
    public enum Step: Equatable, Sendable {
        /// A piece of the body, not empty.
        case data(Range<Int>)
        /// The bytes are used up and the body goes on.
        case needMore
        /// The body is complete.
        case end
    }

    private enum State: Sendable, Equatable {
        case length(UInt64)
        case untilClose
        case chunked(ChunkDecoder.State)
        case ended
    }
    private var state: State
    private var chunks = ChunkDecoder()

    /// A decoder for a body that is framed like this.
    public init(_ framing: Framing) {
        switch framing {
        case .none, .length(0): state = .ended
        case .length(let length): state = .length(length)
        case .chunked: state = .chunked(.sizeStart)
        case .untilClose: state = .untilClose
        }
    }

    /// Whether the body is complete.
    public var isEnded: Bool { state == .ended }

    /// The trailer fields that may be passed on; nil when there are none.
    public var trailers: Trailers? { chunks.trailers }

    /// How much to receive at most, so that nothing behind the body is taken along where its length is known.
    public func receiveLimit(_ room: Int) -> Int {
        if case .length(let rest) = state, rest < UInt64(room) { return Int(rest) }
        return room
    }

    /// The connection has ended. Whether that is a proper end of the body.
    public mutating func peerClosed() -> Bool {
        if state == .untilClose { state = .ended }
        return state == .ended
    }

    /// Looks at `bytes` from `position` on and moves `position` behind what it used.
    public mutating func next(_ bytes: Span<UInt8>, from position: inout Int) throws(ParseFailure) -> Step {
        switch state {
        case .ended: return .end
        case .untilClose:
            guard position < bytes.count else { return .needMore }
            let range = position..<bytes.count
            position = bytes.count
            return .data(range)
        case .length(let rest):
            guard position < bytes.count else { return .needMore }
            let count = Int(min(rest, UInt64(bytes.count - position)))
            let range = position..<position + count
            position += count
            state = UInt64(count) == rest ? .ended : .length(rest - UInt64(count))
            return .data(range)
        case .chunked(var chunkState):
            let step = try chunks.next(bytes, from: &position, state: &chunkState)
            state = step == .end ? .ended : .chunked(chunkState)
            return step
        }
    }
}
