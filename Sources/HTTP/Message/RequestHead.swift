// SPDX-License-Identifier: Apache-2.0
// What is known of a request once its head has been parsed.

/// The form of a request target (RFC 9112 §3.2).
public enum TargetForm: UInt8, Sendable {
    /// `/path?query`.
    case origin
    /// `http://authority/path?query`.
    case absolute
    /// `host:port`, for CONNECT only.
    case authority
    /// `*`, for OPTIONS only.
    case asterisk
}

/// Whether a request asks for another protocol (RFC 9110 §7.8).
public enum Upgrade: UInt8, Sendable {
    /// It does not, or not in a way that counts: Upgrade without `Connection: upgrade`, in HTTP/1.0, in several lines.
    case none
    /// It does, and a protocol that carries requests is among them: any HTTP (`h2c`), or TLS (RFC 2817). Never passed on: the
    /// client would send requests to the origin past the gateway.
    case carriesRequests
    /// It does, and the protocols may be passed on, WebSocket for one.
    case forwardable
}

/// A request's head. Ranges are offsets from the first byte given to the parser, at most 65,535.
public struct RequestHead: ~Copyable, Sendable {
    /// The method.
    public var method: Method = .other
    /// The method's bytes.
    public var methodRange: Range<Int> = 0..<0
    /// The version.
    public var version: Version = .http11
    /// The form of the target.
    public var targetForm: TargetForm = .origin
    /// The whole target, as it came.
    public var targetRange: Range<Int> = 0..<0
    /// The authority the request is for: the target's when it has one, else the Host value (RFC 9112 §3.2.2). Empty only
    /// in HTTP/1.0 without Host.
    public var authorityRange: Range<Int> = 0..<0
    /// The target's path. Empty when an absolute target has none: passed on as `/`, or `*` for OPTIONS. `*` for the
    /// asterisk form; empty for the authority form.
    public var pathRange: Range<Int> = 0..<0
    /// The target's query without `?`, nil when there is no `?`.
    public var queryRange: Range<Int>?
    /// The field lines.
    public var fields = FieldTable()
    /// All `Connection` options.
    public var connection: ConnectionOptions = []
    /// The fields that `Connection` names beside the options known here: they end at this hop (RFC 9110 §7.6.1).
    public var namedByConnection = NamedFields()
    /// What follows the head. Never `untilClose`.
    public var framing: Framing = .none
    /// `Expect: 100-continue` came with HTTP/1.1 (RFC 9110 §10.1.1), whether or not there is a body to wait for.
    public var expectsContinue = false
    /// Whether another protocol is asked for.
    public var upgrade: Upgrade = .none
    /// The value of the Upgrade line, when it may be passed on.
    public var upgradeRange: Range<Int>?
    /// Whether the client would use the connection again (RFC 9112 §9.3): HTTP/1.1 without `close`, HTTP/1.0 with
    /// `keep-alive`.
    public var isPersistent = true
    /// Bytes of the head, with an empty line before it and the one at its end.
    public var length = 0

    /// An empty head for a parser to fill. Make it once and use it again: it holds the field table.
    public init() {}

    /// Becomes a copy of `other`, for a request that repeats it.
    public mutating func copy(_ other: borrowing RequestHead) {
        method = other.method
        methodRange = other.methodRange
        version = other.version
        targetForm = other.targetForm
        targetRange = other.targetRange
        authorityRange = other.authorityRange
        pathRange = other.pathRange
        queryRange = other.queryRange
        fields.copy(other.fields)
        connection = other.connection
        namedByConnection = other.namedByConnection
        framing = other.framing
        expectsContinue = other.expectsContinue
        upgrade = other.upgrade
        upgradeRange = other.upgradeRange
        isPersistent = other.isPersistent
        length = other.length
    }

    /// Forgets everything, so that nothing of an earlier request can be taken for this one's.
    public mutating func reset() {
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
        namedByConnection = NamedFields()
        framing = .none
        expectsContinue = false
        upgrade = .none
        upgradeRange = nil
        isPersistent = true
        length = 0
    }

    /// Whether an upgrade may be passed on.
    @inlinable public var hasForwardableUpgrade: Bool { upgradeRange != nil }
}

/// A head that several may hold, since a head itself cannot be copied. Not for the data plane: it is an allocation.
public final class HeldRequestHead: Sendable {
    /// The head.
    public let head: RequestHead

    /// Holds `head`.
    public init(_ head: consuming RequestHead) { self.head = head }
}
