// SPDX-License-Identifier: Apache-2.0
// What is known of a response once its head has been parsed.

/// A response's head. Ranges are offsets from the first byte given to the parser, at most 65,535.
public struct ResponseHead: ~Copyable, Sendable {
    /// The version.
    public var version: Version = .http11
    /// The status code, 100...999: those above 599 count as 5xx (RFC 9110 §15).
    public var status: UInt16 = 0
    /// The reason phrase; may be empty.
    public var reasonRange: Range<Int> = 0..<0
    /// The field lines.
    public var fields = FieldTable()
    /// All `Connection` options.
    public var connection: ConnectionOptions = []
    /// The fields that `Connection` names beside the options known here: they end at this hop (RFC 9110 §7.6.1).
    public var namedByConnection = NamedFields()
    /// What follows the head.
    public var framing: Framing = .none
    /// Whether the connection can be used again after this response. False as well when the response says that content
    /// follows where none can (RFC 9112 §6.3 rule 1): whoever believes that may send some.
    public var isPersistent = true
    /// `timeout` of the Keep-Alive field, in seconds: how long the server keeps an idle connection.
    public var keepAliveTimeout: UInt32?
    /// The value of the Upgrade line, when `Connection: upgrade` names it.
    public var upgradeRange: Range<Int>?
    /// The value of Content-Length, also where no content follows (HEAD, 304).
    public var contentLength: UInt64?
    /// Bytes of the head with the empty line at its end.
    public var length = 0

    /// An empty head for a parser to fill. Make it once and use it again: it holds the field table.
    public init() {}

    /// Whether it is an interim response (RFC 9110 §15.2): another head follows. 101 is one by its number, but nothing of
    /// HTTP follows it.
    @inlinable public var isInterim: Bool { status < 200 && status != 101 }
    /// Whether the other protocol is named as RFC 9110 §15.2.2 requires of a 101.
    @inlinable public var hasUpgrade: Bool { upgradeRange != nil }
}
