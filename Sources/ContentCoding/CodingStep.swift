// SPDX-License-Identifier: Apache-2.0

/// How far one call of an encoder or a decoder came.
public struct CodingStep: Equatable, Sendable {
    /// What to do next.
    public enum State: Equatable, Sendable {
        /// All of the input is used up, and what is owed for it so far has been written: go on with more input.
        case needsInput
        /// The output block is full: call again with another, and with the rest of the input.
        case outputFull
        /// The coded body is complete.
        case ended
        /// The coded bytes are not what an encoder wrote. Of no use any more.
        case damaged
        /// The decoded body is longer than it may be. Of no use any more.
        case tooLong
    }

    /// Bytes of the input that were used up.
    public var consumed: Int
    /// What to do next.
    public var state: State

    init(_ state: State, consumed: Int = 0) {
        self.consumed = consumed
        self.state = state
    }
}
