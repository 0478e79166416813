// SPDX-License-Identifier: Apache-2.0

/// How much a head, and each part of it, may take.
public struct HeadLimits: Sendable, Equatable {
    /// Bytes of the whole head. At most 60 KiB, so that offsets fit 16 bits.
    public var headBytes: Int
    /// Bytes of one line.
    public var lineBytes: Int
    /// Field lines; at most `FieldTable.capacity`.
    public var fields: Int

    /// Limits, cut to what can be represented.
    public init(headBytes: Int, lineBytes: Int, fields: Int) {
        self.headBytes = min(headBytes, 60 << 10)
        self.lineBytes = lineBytes
        self.fields = min(fields, FieldTable.capacity)
    }
}

/// What a `Connection` field asks for (RFC 9110 section 7.6.1).
public struct ConnectionOptions: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let close = ConnectionOptions(rawValue: 1)
    public static let keepAlive = ConnectionOptions(rawValue: 2)
    public static let upgrade = ConnectionOptions(rawValue: 4)
    public static let te = ConnectionOptions(rawValue: 8)
    /// It names fields beyond those above, which must not be forwarded either.
    public static let namesOthers = ConnectionOptions(rawValue: 16)
}

/// How the end of a body is found (RFC 9112 section 6.3).
public enum Framing: Sendable, Equatable {
    /// There is none.
    case none
    /// After so many bytes.
    case length(UInt64)
    /// With the last chunk.
    case chunked
    /// When the connection ends; responses only.
    case untilClose
}

/// The forms of a request target (RFC 9112 section 3.2).
public enum TargetForm: UInt8, Sendable {
    case origin, absolute, authority, asterisk
}

/// A request's head, understood and valid. All ranges are offsets from the first byte that the parser was given.
public struct RequestHead: Sendable {
    public internal(set) var method = Method.other
    public internal(set) var methodRange = 0..<0
    public internal(set) var version = Version.http11
    public internal(set) var targetForm = TargetForm.origin
    /// The whole target, as it came.
    public internal(set) var targetRange = 0..<0
    /// The authority that the request is for: of an absolute target, else of `Host`. Empty only for HTTP/1.0 without
    /// `Host`.
    public internal(set) var authorityRange = 0..<0
    /// Empty for an absolute target without a path.
    public internal(set) var pathRange = 0..<0
    /// Without the `?`.
    public internal(set) var queryRange: Range<Int>?
    public internal(set) var fields = FieldTable()
    public internal(set) var connection: ConnectionOptions = []
    /// `.none`, `.length` or `.chunked`.
    public internal(set) var framing = Framing.none
    /// Whether the client waits for 100 (Continue) before it sends the body. HTTP/1.1 only.
    public internal(set) var expectsContinue = false
    /// The value of an `Upgrade` field that `Connection` names on an HTTP/1.1 request.
    public internal(set) var upgradeRange: Range<Int>?
    /// Whether `upgradeRange` asks for something that can be passed on: a change to HTTP/2 (`h2c`) cannot, since it would
    /// be between the client and a server that it does not talk to.
    public internal(set) var hasForwardableUpgrade = false
    /// Whether the client wants the connection to go on (RFC 9112 section 9.3).
    public internal(set) var isPersistent = true
    /// Bytes of the head, from the first one given to the empty line's end.
    public internal(set) var length = 0

    public init() {}

    mutating func reset() {
        method = .other
        methodRange = 0..<0
        version = .http11
        targetForm = .origin
        targetRange = 0..<0
        authorityRange = 0..<0
        pathRange = 0..<0
        queryRange = nil
        fields.removeAll()
        connection = []
        framing = .none
        expectsContinue = false
        upgradeRange = nil
        hasForwardableUpgrade = false
        isPersistent = true
        length = 0
    }
}

/// A response's head, understood and valid. All ranges are offsets from the first byte that the parser was given.
public struct ResponseHead: Sendable {
    public internal(set) var version = Version.http11
    /// 100 to 599.
    public internal(set) var status: UInt16 = 0
    public internal(set) var reasonRange = 0..<0
    public internal(set) var fields = FieldTable()
    public internal(set) var connection: ConnectionOptions = []
    public internal(set) var framing = Framing.none
    /// Whether it has an `Upgrade` field that `Connection` names.
    public internal(set) var hasUpgrade = false
    /// Whether the server keeps the connection.
    public internal(set) var isPersistent = true
    /// Seconds that the server says it keeps an idle connection: `Keep-Alive: timeout=N`.
    public internal(set) var keepAliveTimeout: UInt32?
    /// Bytes of the head, from the first one given to the empty line's end.
    public internal(set) var length = 0

    public init() {}

    mutating func reset() {
        version = .http11
        status = 0
        reasonRange = 0..<0
        fields.removeAll()
        connection = []
        framing = .none
        hasUpgrade = false
        isPersistent = true
        keepAliveTimeout = nil
        length = 0
    }
}
