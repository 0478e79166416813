// SPDX-License-Identifier: Apache-2.0
// An exchange is one request and its response. It knows nothing of the version of HTTP or of the transport that carries
// it: it is told of the request by the methods below, and answers through its `stream`.
//
//   requestReceived ─▶ (awaitBody ─▶ requestBodyArrived) ─▶ (readBody ─▶ requestBody… ─▶ requestEnded)
//                  └─▶ stream.begin ─▶ field… ─▶ endHead ─▶ send… ─▶ finish ─▶ ended(.complete)
//
// Whatever happens, `ended` is the last thing it is told, once. From then on it has no stream, and is nobody's: calls into it that are
// still on the stack find it as it was, since it is given back for another request only when the batch of events is over. Bodies flow by consent on both sides: the request's only
// after `stream.readBody` and until `stream.pauseBody`; the response's only while `stream.isBlocked` is false, and again
// after `responseDrained`.

import Bytes
public import Engine
public import HTTP

/// One request and its response, as the application sees it. Subclassed by the proxy and by the origin server.
///
/// Everything is called on the loop of the connection. An exchange is used again for later requests of the same loop.
open class Exchange: Retiring {
    /// The request's head; its ranges are offsets into `headBytes`. Valid from `requestReceived` to `ended`.
    public final var head = RequestHead()
    /// Where the head's bytes are.
    final var headBlock: Block?
    /// Whose it was, from its end until it is given back.
    private final var retiredFrom: Service?
    /// Whether `headBlock` is a copy of its own, which goes back to the loop.
    private final var ownsHead = false
    /// Who carries the exchange. Nil before and after.
    public internal(set) final var stream: ServerStream?
    /// When the first byte of the request was seen, on the loop's monotonic clock.
    public internal(set) final var startedNanoseconds: UInt64 = 0

    /// An exchange without a request.
    public override init() { super.init() }

    /// The bytes of the head, which `head` describes.
    public final var headBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            guard let headBlock else { return Span() }
            let bytes = headBlock.readable
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }

    /// Takes the dot segments out of the request's path (`RequestHead.resolveDotSegments`). To be called first of all, before
    /// anybody has read it. False when it climbs above its root.
    public final func resolveDotSegments() -> Bool {
        guard let headBlock else { return true }
        return head.resolveDotSegments(in: headBlock)
    }

    /// Takes over a copy of the head of `other`.
    final func repeatHead(of other: Exchange, loop: Loop) {
        head.copy(other.head)
        let bytes = other.headBytes
        let block = bytes.count <= loop.smallBlocks.blockSize ? loop.smallBlocks.take() : loop.largeBlocks.take()
        block.appendPrefix(bytes)
        headBlock = block
        ownsHead = true
        startedNanoseconds = loop.nanoseconds
    }

    /// Parts with its stream. Its head stays readable, and it is `service`'s again, when the batch of events is over.
    final func retire(to service: Service) {
        stream = nil
        retiredFrom = service
        service.loop.retire(self)
    }

    public final override func giveBack() {
        guard let service = retiredFrom else { return }
        retiredFrom = nil
        if ownsHead, let headBlock { service.loop.giveBack(headBlock) }
        headBlock = nil
        ownsHead = false
        service.recycle(self)
    }

    /// The head is complete and valid.
    open func requestReceived() {}

    /// The first of the body is here, which `stream.awaitBody` said it was not.
    open func requestBodyArrived() {}

    /// A piece of the body. All of it must be used or copied before returning.
    open func requestBody(_ bytes: Span<UInt8>) {}

    /// What was received together has been handed over: a good moment to send what was staged of it.
    open func requestBatchEnded() {}

    /// The body is complete. Not called for requests without one. `trailers`: those that may be forwarded.
    open func requestEnded(trailers: Trailers?) {}

    /// The request was refused: its bytes are not HTTP, or a limit or a deadline was exceeded. Called instead of
    /// `requestReceived`, or after it when the body is at fault and no response has begun. The connection is closed after
    /// the response, which must be made before returning.
    open func requestRefused(_ refusal: Refusal) {}

    /// What `stream.send` had to keep has been taken by the client.
    open func responseDrained() {}

    /// Nothing more will happen: release everything.
    open func ended(_ ending: Ending) {}
}

/// How an exchange came to its end.
public enum Ending: Equatable, Sendable {
    /// The whole response was handed to the kernel.
    case complete
    /// The application gave up with the response incomplete, and the client can tell.
    case aborted
    /// The client closed or reset the connection.
    case clientGone
    /// The client took nothing of the response for too long.
    case writeTimeout
    /// The request's body broke the rules after the response had begun.
    case badBody
}

/// Why a request is not served.
public enum Refusal: Equatable, Sendable {
    /// Its bytes break the grammar or a limit of the head.
    case malformed(ParseFailure)
    /// The head did not arrive in time.
    case headerTimeout
    /// The body did not arrive in time, or too slowly.
    case bodyTimeout
    /// The body is larger than allowed.
    case bodyTooLarge

    /// The response's status.
    public var status: UInt16 {
        switch self {
        case .malformed(let failure): failure.status
        case .headerTimeout, .bodyTimeout: 408
        case .bodyTooLarge: 413
        }
    }

    /// How the log spells it.
    public var word: StaticString {
        switch self {
        case .malformed(let failure): failure.word
        case .headerTimeout: "header-timeout"
        case .bodyTimeout: "body-timeout"
        case .bodyTooLarge: "body-too-large"
        }
    }

    /// What the client is told.
    public var sentence: StaticString {
        switch self {
        case .malformed(let failure): failure.sentence
        case .headerTimeout: "The request's head did not arrive in time (RFC 9110 section 15.5.9)."
        case .bodyTimeout: "The request's body did not arrive in time (RFC 9110 section 15.5.9)."
        case .bodyTooLarge: "The request's body is larger than allowed here (RFC 9110 section 15.5.14)."
        }
    }
}
