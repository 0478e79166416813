// SPDX-License-Identifier: Apache-2.0
import Bytes
public import Engine
public import HTTP

/// What follows a response's head.
public enum ResponseBody: Equatable, Sendable {
    /// Nothing, and no length is said: 204, 304. The length that a GET would have had may be given as a field.
    case none
    /// So many bytes.
    case length(UInt64)
    /// Bytes until `finish`; how that is framed is the stream's affair.
    case unknown
}

/// The way back to the client, one for each version of HTTP. What an exchange uses of it is declared here; the methods are
/// overridden by every version, so the bodies here are never reached.
open class ServerStream: Watcher {
    /// Who asks.
    public final let client: Client
    /// The application's side of this loop.
    public final let service: Service
    /// What the client of the current request understands.
    public internal(set) final var abilities: Abilities = []
    /// Bytes of the current response's body handed over by `send`.
    public internal(set) final var bodyBytes: UInt64 = 0
    /// Status of the current response, or 0 before its head.
    public internal(set) final var status: UInt16 = 0

    /// What a client may be sent besides a final response and its content.
    public struct Abilities: OptionSet, Sendable {
        /// A bit for each ability.
        public let rawValue: UInt8
        /// The abilities of these bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Interim responses (RFC 9110 §15.2).
        public static let interim = Abilities(rawValue: 1)
        /// Trailers (RFC 9110 §6.5.1), when the request says that the client wants them.
        public static let trailers = Abilities(rawValue: 2)
    }

    init(client: Client, service: Service) {
        self.client = client
        self.service = service
        super.init()
    }

    private func overridden() -> Never { preconditionFailure("every version of HTTP overrides this") }

    /// Set by an exchange that goes on reading the request's body while it responds, before `endHead`; otherwise a body
    /// that is still coming then is not worth keeping the connection for.
    public final var readsWhileResponding = false

    /// Whether the response's final head has begun.
    public final var hasBegun: Bool { status >= 200 || status == 101 }

    /// Whether `send` should wait for `responseDrained`.
    open var isBlocked: Bool { overridden() }

    /// Asks for the request's body.
    open func readBody() { overridden() }

    /// Whether the first of the request's body is here: all of a small one, some bytes of another. If it is not, it is received, but
    /// not handed over, and `Exchange.requestBodyArrived` tells when it is. For requests that have a body.
    open func awaitBody() -> Bool { overridden() }

    /// Lets no more of the request's body come, until `readBody`.
    open func pauseBody() { overridden() }

    /// Starts the request's body again from its first byte. False when bytes of it are no longer held.
    open func rewindBody() -> Bool { overridden() }

    /// Whether `rewindBody` would succeed.
    open var canRewindBody: Bool { overridden() }

    /// Begins a head: final, or interim (status below 200). An empty `reason` stands for the standard phrase.
    open func begin(status: UInt16, reason: Span<UInt8>) { overridden() }

    /// Adds a field. Framing and connection fields are the stream's own and must not be given.
    open func field(_ name: Span<UInt8>, _ value: Span<UInt8>) { overridden() }

    /// Adds whole field lines, each with its CR LF, as they were once written by `Block.appendField`.
    open func fieldLines(_ lines: Span<UInt8>) { overridden() }

    /// Ends an interim head; it is sent at once.
    open func endInterim() { overridden() }

    /// Ends the final head.
    open func endHead(_ body: ResponseBody) { overridden() }

    /// Ends a 101 head with the `Upgrade` field value `protocols`; from here on bytes pass both ways unframed.
    open func endSwitching(to protocols: Span<UInt8>) { overridden() }

    /// Sends a piece of the body, or stages it until `flush`.
    open func send(_ bytes: Span<UInt8>) { overridden() }

    /// The socket, when bytes of the body may go to it past the stream (`sendfile`): in the clear, with a length said before,
    /// and with nothing waiting to be sent. What went is told by `sentPast`.
    open func socketForBody() -> Int32? { nil }

    /// So many bytes of the body went to `socketForBody`; when the kernel `isFull`, the stream is blocked.
    open func sentPast(_ count: Int, isFull: Bool) { overridden() }

    /// Ends the response. `trailers` go along when the client can take them.
    open func finish(trailers: Trailers?) { overridden() }

    /// Sends what is staged. Called at the end of each event in which something was produced.
    open func flush() { overridden() }

    /// Ends the exchange so that the client cannot take the response for complete.
    open func abort() { overridden() }

    /// The response rejects a request that no client of this protocol sends by intention, so what the client sends next is not to be
    /// trusted: HTTP/1 closes the connection behind the response. To be said before `endHead`.
    open func rejectRequest() { overridden() }
}

extension ServerStream {
    /// Adds a field whose name is fixed.
    public final func field(_ name: StaticString, _ value: Span<UInt8>) { field(name.span, value) }
    /// Adds a field whose name and value are fixed.
    public final func field(_ name: StaticString, _ value: StaticString) { field(name.span, value.span) }
    /// Adds `Date` with the loop's current time (RFC 9110 section 6.6.1).
    public final func dateField() { field("Date", service.clockText.date.readable) }
    /// Begins a head with the standard phrase for `status`.
    public final func begin(status: UInt16) { begin(status: status, reason: Span()) }
}
