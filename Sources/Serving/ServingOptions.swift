// SPDX-License-Identifier: Apache-2.0
public import HTTP

/// The waits and limits of the client's side. Durations are milliseconds. An exchange keeps those it started with.
public struct ServingOptions: Sendable {
    /// A head, from its first byte to its last: 408.
    public var headerTimeout = 15_000
    /// Silence within a body that is being read: 408.
    public var bodyTimeout = 60_000
    /// A client that takes none of the response: the connection is closed.
    public var writeTimeout = 60_000
    /// A connection between two requests: closed without a word.
    public var idleTimeout = 75_000
    /// A client that ended its sending side while its request was being answered: gone after this.
    public var halfCloseTimeout = 1_000
    /// Bytes, lines and fields of a head: 414 and 431.
    public var head = HeadLimits(headBytes: 32_768, lineBytes: 8_192, fields: 100)
    /// Bytes of a body, or nil for no limit: 413.
    public var bodyBytes: UInt64?
    /// Bytes a second that a body must average after `bodyRateGrace`; 0 for no limit: 408.
    public var bodyRate = 240
    /// Requests on one connection; the last one's response says `Connection: close`.
    public var requestsPerConnection = 10_000

    /// Before this has passed a body's rate is not judged.
    public static let bodyRateGrace = 30_000
    /// What is left of a request's body after its response is read and dropped up to this many bytes; beyond, closing the
    /// connection is cheaper for both sides.
    public static let drainBytes: UInt64 = 64 << 10
    /// A connection whose sending side is closed still takes bytes, so that the client can read the response before a reset:
    /// until it has been silent for so long,
    public static let lingerTimeout = 2_000
    /// and for so long at most.
    public static let lingerLimit = 10_000
    /// How long a connection keeps its place while another client waits for it, in milliseconds: long enough for a good many requests,
    /// short enough that who waits does not feel it.
    public static let placeTurn: UInt64 = 100
    /// A connection that has sent nothing yet does not give way to others before this has passed.
    public static let firstRequestGrace: UInt64 = 250
    /// Blocks that one connection may receive in a row before others have their turn.
    public static let receivesInARow = 16
    /// Nanoseconds after which a connection that goes on receiving leaves the others their turn, whatever it receives.
    public static let turn: UInt64 = 2_000_000
    /// Pipelined requests that one connection may have answered in a row before others have their turn.
    public static let pipelinedInARow = 16

    /// The defaults.
    public init() {}
}
