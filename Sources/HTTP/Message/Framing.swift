// SPDX-License-Identifier: Apache-2.0
// What a head says about the bytes that follow it and about the connection it came on.

/// How the end of a message's content is found (RFC 9112 §6.3).
public enum Framing: Sendable, Equatable {
    /// No content follows.
    case none
    /// Exactly so many bytes, at most 2^63 − 1. `length(0)` was announced, `none` was not.
    case length(UInt64)
    /// The chunked transfer coding (RFC 9112 §7.1).
    case chunked
    /// Everything until the sender closes. Only for responses.
    case untilClose

    /// Whether at least one byte follows the head, be it of framing.
    @inlinable public var hasBody: Bool {
        switch self {
        case .none, .length(0): false
        case .length, .chunked, .untilClose: true
        }
    }
}

/// The options of all `Connection` lines of a head together (RFC 9110 §7.6.1).
public struct ConnectionOptions: OptionSet, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// Options of these bits.
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// `close`.
    @inlinable public static var close: ConnectionOptions { ConnectionOptions(rawValue: 1) }
    /// `keep-alive`.
    @inlinable public static var keepAlive: ConnectionOptions { ConnectionOptions(rawValue: 2) }
    /// `upgrade`.
    @inlinable public static var upgrade: ConnectionOptions { ConnectionOptions(rawValue: 4) }
    /// `te`.
    @inlinable public static var te: ConnectionOptions { ConnectionOptions(rawValue: 8) }
    /// Some other field is named, which the `Connection` lines must be read again for.
    @inlinable public static var namesOthers: ConnectionOptions { ConnectionOptions(rawValue: 16) }
}

/// What a head may take up.
public struct HeadLimits: Sendable {
    /// Largest head, start line to empty line, in bytes: 16...65,535, because offsets are kept in 16 bits.
    public private(set) var headBytes: Int
    /// Longest line with its CRLF, in bytes.
    public private(set) var lineBytes: Int
    /// Most field lines: 0...`FieldTable.capacity`.
    public private(set) var fields: Int

    /// Limits, brought into their ranges.
    public init(headBytes: Int = 32_768, lineBytes: Int = 16_384, fields: Int = FieldTable.capacity) {
        self.headBytes = min(max(headBytes, 16), 65_535)
        self.lineBytes = min(max(lineBytes, 16), 65_535)
        self.fields = min(max(fields, 0), FieldTable.capacity)
    }
}
