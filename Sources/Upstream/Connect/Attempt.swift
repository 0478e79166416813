// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import Engine
public import HTTP
public import TLS

/// One try at having a request answered by one upstream server: what its connection tells the exchange. Subclassed by the
/// proxy.
///
/// Exactly one of `responseEnded` and `failed` is called, last; the connection is not the attempt's any more then. An
/// attempt that wants out earlier calls `UpstreamConnection.cancel`, and hears nothing more.
open class Attempt {
    /// An attempt without a connection.
    public init() {}

    /// The connection stands: the request can be written to it.
    open func connected(_ connection: UpstreamConnection) {}

    /// An interim response (status 100 to 199 without 101). `connection.head` describes it.
    open func interimResponse(_ connection: UpstreamConnection) {}

    /// Whether a final response's head, `connection.head`, should wait a few milliseconds for the first bytes of its content, to
    /// be told of both at once (`connection.firstContent`).
    open func wantsContentWithHead(_ connection: UpstreamConnection) -> Bool { false }

    /// The final response's head, or 101 when the request asked for an upgrade. `connection.head` describes it.
    open func responseHead(_ connection: UpstreamConnection) {}

    /// A piece of the response's body. All of it must be used or copied before returning.
    open func responseBody(_ bytes: Span<UInt8>) {}

    /// All that was received has been handed over: a good moment to send what was staged for the client.
    open func batchEnded() {}

    /// The response is complete.
    open func responseEnded(trailers: Trailers?) {}

    /// What could not be sent of the request has been taken.
    open func requestDrained() {}

    /// It came to nothing.
    open func failed(_ failure: UpstreamFailure) {}

    /// The server was taken out, and no byte of a response has come yet. True when the attempt is better off elsewhere: then it
    /// fails with `takenOut`.
    open func mayMove(from connection: UpstreamConnection) -> Bool { false }

    /// It waits for a place, and there may be one now.
    open func roomMade() -> PlaceOffer { .served }

    /// It has waited for a place for as long as it may.
    open func noRoomInTime() {}
}

/// What came of offering a place to an attempt that waits for one.
public enum PlaceOffer: Sendable {
    /// It has a connection, or needs none any more.
    case served
    /// No server that it may go to has room for anybody: it waits on.
    case full
    /// Its client has its share: it waits on.
    case overShare
}

/// Why an attempt failed.
public enum UpstreamFailure: Error, Equatable, Sendable {
    /// The connection could not be made: the `errno`.
    case connect(Int32)
    /// The connection could not be secured: the handshake failed, or the server's certificate was refused.
    case secure(TLSFailure)
    /// The connection was not made in time.
    case connectTimeout
    /// The request could not be sent, or the connection broke: the `errno`, 0 for an orderly end before a complete
    /// response.
    case broken(Int32)
    /// No byte of a response came in time after the request was sent.
    case firstByteTimeout
    /// The head of the response did not end in time.
    case headTimeout
    /// The server fell silent within its response, or took no more of the request.
    case readTimeout
    /// The response's bytes are not HTTP, or exceed a limit.
    case malformed(ParseFailure)
    /// Interim heads and the final one together leave no room to read on.
    case headTooLarge
    /// More interim responses than anyone needs.
    case tooManyInterim
    /// 101 to a request that did not ask for an upgrade.
    case unexpectedSwitch
    /// The server was taken out, by its health checks or by what became of other requests, before it answered this one.
    case takenOut
    /// The client, which has its share of the places at the server, neither sent nor took anything.
    case clientStalled
    /// 101, and the server has as many tunnels as it may have, or as many as this client may have of them.
    case tunnelsFull

    /// Whether the server is at fault, rather than this machine: without descriptors or ports nobody can be connected to.
    var isServersDoing: Bool {
        switch self {
        case .connect(let code): return ![EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL].contains(code)
        case .secure(let failure):
            if case .ours = failure.kind { return false }
            return true
        default: return true
        }
    }

    /// Whether the server, or the way to it, has said that no connection can be had; not that nothing was heard in time.
    var isCertain: Bool {
        switch self {
        case .connectTimeout: false
        case .secure(let failure): failure.kind != .timeout
        default: true
        }
    }

    /// The status the client gets when nothing was sent to it yet.
    public var status: UInt16 {
        switch self {
        case .connectTimeout, .firstByteTimeout, .headTimeout, .readTimeout: 504
        case .clientStalled: 408
        case .secure(let failure): failure.kind == .timeout ? 504 : 502
        case .connect, .takenOut, .tunnelsFull: 503
        case .broken, .malformed, .headTooLarge, .tooManyInterim, .unexpectedSwitch: 502
        }
    }

    /// Whether it says something about the server that other requests on it should know; failed connections are told by the
    /// connection itself.
    public var countsAgainstServer: Bool {
        switch self {
        case .connect, .secure, .connectTimeout, .takenOut, .clientStalled, .tunnelsFull: false
        case .broken, .firstByteTimeout, .headTimeout, .readTimeout, .malformed, .headTooLarge, .tooManyInterim,
            .unexpectedSwitch:
            true
        }
    }

    /// How the log spells it.
    public var word: StaticString {
        switch self {
        case .connect: "upstream-refused"
        case .secure(let failure): failure.word
        case .connectTimeout: "upstream-connect-timeout"
        case .broken: "upstream-closed"
        case .firstByteTimeout: "upstream-first-byte-timeout"
        case .headTimeout: "upstream-head-timeout"
        case .readTimeout: "upstream-read-timeout"
        case .clientStalled: "client-stalled"
        case .tunnelsFull: "upstream-tunnels"
        case .malformed(let failure): failure.word
        case .headTooLarge: "head-too-large"
        case .tooManyInterim: "upstream-too-many-interim"
        case .unexpectedSwitch: "upstream-unexpected-switch"
        case .takenOut: "upstream-taken-out"
        }
    }

    /// What people are told.
    public var sentence: StaticString {
        switch self {
        case .connect: "The upstream server could not be connected to."
        case .secure: "No secure connection to the upstream server could be made."
        case .connectTimeout: "The upstream server did not accept a connection in time."
        case .broken: "The upstream server closed the connection before its response was complete."
        case .firstByteTimeout: "The upstream server did not answer in time."
        case .headTimeout: "The head of the upstream server's response did not end in time."
        case .readTimeout: "The upstream server fell silent."
        case .clientStalled:
            "The request made no progress while this client had its share of the upstream server (RFC 9110 section 15.5.9)."
        case .tunnelsFull: "The upstream server has as many upgraded connections as it may have."
        case .malformed: "The upstream server's response is not valid HTTP."
        case .headTooLarge: "The upstream server's response has a head that is larger than allowed."
        case .tooManyInterim: "The upstream server sent too many interim responses."
        case .takenOut: "The upstream server was taken out before it answered."
        case .unexpectedSwitch: "The upstream server switched protocols without being asked."
        }
    }

    /// What was expected and what came, for the operator.
    public var words: String {
        switch self {
        case .connect(let code): "expected a connection, got: \(SystemFailure.reason(code))"
        case .secure(let failure): "expected a secure connection, got: \(failure.sentence)"
        case .connectTimeout: "expected a connection, got none in time"
        case .broken(let code):
            "expected a response, got "
                + (code == 0 ? "the end of the connection" : "a broken connection: \(SystemFailure.reason(code))")
        case .firstByteTimeout: "expected a response, got none in time"
        case .headTimeout: "expected the head of a response to end, got no end of it in time"
        case .readTimeout: "expected the rest of a message to go on, got silence"
        case .malformed, .headTooLarge, .tooManyInterim, .unexpectedSwitch, .takenOut, .clientStalled, .tunnelsFull:
            "\(sentence)"
        }
    }
}
