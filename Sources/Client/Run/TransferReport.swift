// SPDX-License-Identifier: Apache-2.0
// What became of a transfer: for the log, for `-w` and for the exit status.

public import Engine

/// When the steps of a transfer were done, in nanoseconds from its start; 0 for a step that was not taken. Of several
/// requests (redirects) the last one counts.
public struct TransferTimings: Sendable {
    /// The monotonic clock at the start, in nanoseconds.
    public let start: UInt64
    /// The name was looked up.
    public private(set) var lookup: UInt64 = 0
    /// The connection stood.
    public private(set) var connect: UInt64 = 0
    /// It was secured.
    public private(set) var secured: UInt64 = 0
    /// The request was about to be sent.
    public private(set) var request: UInt64 = 0
    /// The first byte of the answer came.
    public private(set) var firstByte: UInt64 = 0
    /// The last request of a row of redirects began.
    public private(set) var redirect: UInt64 = 0
    /// It was over.
    public private(set) var total: UInt64 = 0

    /// Begins now.
    public init() { start = MonotonicClock.nanoseconds }

    private var now: UInt64 { MonotonicClock.nanoseconds &- start }
    mutating func noteLookup() { lookup = now }
    mutating func noteConnect() { connect = now }
    mutating func noteSecured() { secured = now }
    mutating func noteRequest() { request = now }
    mutating func noteFirstByte() { firstByte = now }
    mutating func noteRedirect() { redirect = now }
    mutating func noteTotal() { total = now }
}

/// When a request began, and how far it came.
struct RequestClock {
    /// Wall-clock milliseconds.
    let began = WallClock.milliseconds
    private let start = MonotonicClock.milliseconds
    /// A final head came, or the cache had one.
    var isAnswered = false
    /// It went to a server.
    var isSent = false
    /// Since it began.
    var milliseconds: UInt64 { MonotonicClock.milliseconds &- start }
}

/// What the cache had to do with a response.
public enum CacheState: String, Sendable {
    /// There is no cache, or it was not to be used.
    case off = "-"
    /// The request is none that a cache answers.
    case bypass
    /// Nothing usable was stored.
    case miss
    /// It came from the cache, without a packet.
    case hit
    /// It came from the cache although it is no longer fresh.
    case stale
    /// The server said that what is stored is still good.
    case revalidated
}

/// What a transfer came to.
public struct TransferReport: Sendable {
    /// 0 before there was one.
    public var status: UInt16 = 0
    /// Bytes of the response's body, as they came.
    public var bodyBytes: UInt64 = 0
    /// Bytes of content that were sent.
    public var sentBytes: UInt64 = 0
    /// Bytes of all heads that came, interim ones and those of redirects too.
    public var headBytes: UInt64 = 0
    /// Bytes of the heads that were sent.
    public var requestBytes: UInt64 = 0
    /// The server's address, once connected.
    public var peer: SocketAddress?
    /// This end's address.
    public var local: SocketAddress?
    /// The version of TLS, once secured; empty in the clear.
    public var protocolName = ""
    /// The method of the last request.
    public var method = ""
    /// The URL of the last request.
    public var url = ""
    /// Redirects that were followed.
    public var redirects = 0
    /// Connections that were made.
    public var connections = 0
    /// Further attempts.
    public var retries = 0
    /// Where a redirect that was not followed leads.
    public var redirectURL = ""
    /// The version of HTTP, such as `1.1`.
    public var httpVersion = "0"
    /// The last head, as it came.
    public var head: [UInt8] = []
    /// The last request's head.
    public var requestHead: [UInt8] = []
    /// What the cache had to do with it.
    public var cache = CacheState.off
    /// Whether it is in the cache now.
    public var isStored = false
    /// When things happened.
    public var timings = TransferTimings()
    /// Why it failed, or nil.
    public var failure: ClientFailure?
    /// Nothing has happened yet.
    public init() {}

    /// The value of a field of the last response; the first of several.
    public func field(_ name: String) -> String? {
        HeadText.values(of: name.lowercased(), in: head).first
    }
}

/// Heads as text.
enum HeadText {
    /// The values of all fields of that (lower-case) name.
    static func values(of name: String, in head: [UInt8]) -> [String] {
        var found: [String] = []
        for line in head.split(separator: 0x0A).dropFirst() {
            guard let colon = line.firstIndex(of: 0x3A) else { continue }
            guard String(decoding: line[..<colon], as: UTF8.self).lowercased() == name else { continue }
            var value = line[(colon + 1)...]
            while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
            while let last = value.last, last == 0x20 || last == 0x09 || last == 0x0D { value = value.dropLast() }
            found.append(String(decoding: value, as: UTF8.self))
        }
        return found
    }
}

/// Whoever is told how a transfer goes, and takes its response. Derived from by the command and by tests; belongs to one
/// thread.
open class TransferListener {
    /// Takes nothing.
    public init() {}

    /// Whether `note` does anything, so that sentences need not be made for nobody.
    open var wantsNotes: Bool { false }
    /// Something worth telling at `-v`.
    open func note(_ sentence: String) {}
    /// A request's head, without the empty line, before it is sent.
    open func requestHead(_ bytes: Span<UInt8>) {}
    /// A response's head with its empty line. `isFinal`: its body is delivered; else it was interim, or a redirect.
    open func responseHead(_ bytes: Span<UInt8>, status: UInt16, isFinal: Bool) throws(ClientFailure) {}
    /// The body begins. `length`: what it will have, when that is known.
    open func beginBody(length: UInt64?) throws(ClientFailure) {}
    /// A piece of the body.
    open func body(_ bytes: Span<UInt8>) throws(ClientFailure) {}
    /// So much of the content was sent, of so much.
    open func sent(_ bytes: UInt64, of total: UInt64?) {}
    /// Time passes.
    open func tick() {}
    /// A connection to `url` is about to be used, a new one or not.
    open func connects(to url: HTTPURL) {}
    /// A request is over, one of several perhaps: it was answered, from the cache or with a redirect too, or it failed.
    /// `report` is as it was then. `began`: wall-clock milliseconds; `milliseconds`: what it took.
    open func requestEnded(_ report: TransferReport, began: Int64, milliseconds: UInt64) {}
    /// There will be another attempt after so many milliseconds.
    open func retries(after milliseconds: UInt64, because sentence: String) {}
}
