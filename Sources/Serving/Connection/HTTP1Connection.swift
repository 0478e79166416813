// SPDX-License-Identifier: Apache-2.0
// One client connection that speaks HTTP/1.1 or 1.0: reads requests one after the other, gives each to an exchange, and
// frames what the exchange answers. Three files: this one is its state, what it is told, and what it sends;
// `+Receive` is what comes in, `+Endings` how exchanges and the connection end.
//
// Requests are answered strictly in order: while one is in flight nothing is read beyond its body, so what a client
// pipelines waits in the kernel, and TCP slows the client down. Between requests the connection holds no block and no
// exchange.
//
//   idle ─▶ head ─▶ exchange ─▶ idle                                a persistent connection
//                       │└────▶ draining ─▶ idle                    a small rest of a body nobody wanted
//                       └─────▶ lingering ─▶ closed                 the client may still be sending
//
// Which way it goes after a response is decided by `AfterResponse`.

import Bytes
public import Engine
import Glibc
public import HTTP

/// The server's side of an HTTP/1 connection.
public final class HTTP1Connection: ServerStream {
    enum Phase { case idle, head, exchange, draining, lingering, closed }

    var descriptor: Descriptor?
    /// How bytes travel to and from the client.
    let transport: Transport
    let place: Place
    var loop: Loop { service.loop }
    var options: ServingOptions

    // MARK: Life

    var phase = Phase.idle
    /// Requests begun on this connection.
    var requests = 0
    /// Whether the kernel may hold more than has been received.
    var isReadable = false
    /// Whether the client has ended its sending side.
    var peerClosed = false
    /// Guards `proceed` and `receive` against being entered from what they call.
    var isProceeding = false
    var isReceiving = false

    // MARK: The request

    /// Bytes from the client: the head of the request in flight at its front, what follows behind.
    var input: Block?
    /// Bytes behind a chunked body that was received together with its end, to be read after this exchange.
    var overflow: Block?
    var parser = RequestParser()
    var exchange: Exchange?
    var body = BodyDecoder(.none)
    /// Whether the request's body has been handed over whole.
    var bodyDone = true
    /// Whether the exchange asked for the body.
    var wantsBody = false
    /// Whether the exchange is to be told when the first of the body is here.
    var awaitsBody = false
    /// How much of `input` head and body have used.
    var inputUsed = 0
    /// Whether body bytes were received past `input`, so that the body cannot be started again.
    var bodyLeftInput = false
    /// Bytes of the body handed over.
    var bodyReceived: UInt64 = 0
    /// When the body was first asked for; moved by the time for which it was paused.
    var bodyStarted: UInt64 = 0
    var bodyPaused: UInt64 = 0
    var lingerEnd: UInt64 = 0

    // MARK: The response

    var outbox: Outbox
    /// Bytes the client had taken when sending was blocked last.
    var sentAtBlock: UInt64 = 0
    enum Coding { case none, length, chunked, close, tunnel }
    var coding = Coding.none
    var remaining: UInt64 = 0
    var keepAlive = true
    var responseDone = false
    var hasSentContinue = false

    init(
        _ descriptor: consuming Descriptor, layer: TransportLayer?, place: Place, service: Service
    ) {
        transport = Transport(fd: descriptor.number, layer: layer)
        self.descriptor = consume descriptor
        self.place = place
        options = service.options
        outbox = Outbox(on: service.loop)
        let client = Client(place.peer, layer: layer, isCrowded: place.isCrowded)
        super.init(client: client, service: service)
    }

    func start() {
        do throws(SystemFailure) {
            try loop.register(self, fd: transport.fd)
        } catch {
            descriptor = nil
            place.give()
            return
        }
        loop.setDeadline(self, in: options.headerTimeout)
        place.door.idles(Int(slot))
    }

    /// Takes over from a handshake that is done; the first request may have come with its end. `ending` is what was reported
    /// of the client's end meanwhile, which is not reported again.
    func start(after handshake: Handshake, mayHaveMore: Bool, ending: Readiness) {
        loop.replace(handshake, by: self)
        place.door.idles(Int(slot))
        loop.setDeadline(self, in: service.isDraining ? ServingOptions.lingerTimeout : options.headerTimeout)
        if mayHaveMore || !ending.isEmpty { ready(ending.union(.readable)) }
        // The last words of the handshake, unless a response has taken them along. They do not wait for one: a client that
        // holds its request back until its last bytes are acknowledged (Nagle's algorithm) waits for them.
        _ = transport.layer?.flush()
    }

    // MARK: Events

    public override func ready(_ readiness: Readiness) {
        if readiness.contains(.peerClosed) { peerClosed = true }
        if !readiness.isDisjoint(with: [.failed, .hungUp]) {
            guard phase == .lingering || phase == .exchange && !isBroken() else {
                clientGone()
                return
            }
        }
        if readiness.contains(.writable), outbox.isBlocked {
            flush()
            if phase == .closed { return }
        }
        guard !readiness.isDisjoint(with: [.readable, .peerClosed, .hungUp]) else { return }
        isReadable = true
        receive()
        // The request is complete and the client has ended its side: perhaps it only said that it has no more to ask
        // (RFC 9112 section 9.6 allows for it), perhaps it is gone. It has a moment to prove the former.
        if peerClosed, phase == .exchange, bodyDone, !outbox.isBlocked {
            loop.setDeadline(self, in: options.halfCloseTimeout)
        }
    }

    /// Whether the hang-up that was reported is a reset rather than both sides being closed in order.
    private func isBroken() -> Bool { Sockets.pendingError(transport.fd) != 0 || peerClosed }

    public override func resume() {
        if outbox.isBlocked || awaitsBody { keepHeadSmall() }
        proceed()
        receive()
    }

    public override func deadlineReached() {
        switch phase {
        case .idle:
            // Requests that have been received wait for their turn.
            guard input?.isEmpty ?? true else { return }
            closeIdle()
        case .head:
            refuse(.headerTimeout)
        case .exchange:
            if outbox.isBlocked {
                end(.writeTimeout)
            } else if wantsBody || awaitsBody, !bodyDone {
                coding == .tunnel ? end(.complete) : refuse(.bodyTimeout)
            } else if peerClosed {
                if !hasBegun { clientGone() }
            }
        case .draining:
            linger()
        case .lingering:
            close()
        case .closed:
            break
        }
    }

    /// Closes a connection between two requests. What arrived in the very moment is served; otherwise nobody is told, there is
    /// nothing to answer.
    private func closeIdle() {
        let served = requests
        isReadable = true
        receive()
        if phase == .idle, requests == served { close() }
    }

    /// Whether it may be closed for somebody who waits for its place, `idle` milliseconds after it came or had its last
    /// response. Who has just come has a moment to ask for something: its request may be on its way.
    func mayGiveWay(after idle: UInt64) -> Bool { requests > 0 || idle >= ServingOptions.firstRequestGrace }

    /// Somebody waits for the place of a connection that idles. False when a request has come in the meantime. Called when
    /// nothing of this connection is on the stack.
    func giveWay() -> Bool {
        guard phase == .idle, input?.isEmpty ?? true else { return false }
        closeIdle()
        return phase == .closed
    }

    /// The process is stopping. A connection without a request in flight is closed after `grace` milliseconds.
    func drain(grace: Int) {
        guard phase == .idle else { return }
        loop.setDeadline(self, in: grace)
    }

    // MARK: The request's body, as the exchange asks for it

    public override func readBody() {
        guard phase == .exchange, !wantsBody, !bodyDone else { return }
        wantsBody = true
        if bodyReceived == 0 {
            bodyStarted = loop.milliseconds
        } else if bodyPaused > 0 {
            bodyStarted += loop.milliseconds &- bodyPaused
        }
        bodyPaused = 0
        armBodyDeadline()
        deliverBufferedBody()
        receive()
    }

    public override func awaitBody() -> Bool { beginAwaiting() }

    public override func pauseBody() {
        guard wantsBody else { return }
        wantsBody = false
        bodyPaused = loop.milliseconds
        if !outbox.isBlocked { loop.clearDeadline(self) }
    }

    public override var canRewindBody: Bool { !bodyLeftInput }

    public override func rewindBody() -> Bool {
        guard phase == .exchange, !bodyLeftInput, let exchange else { return false }
        inputUsed = exchange.head.length
        body = BodyDecoder(exchange.head.framing)
        bodyDone = exchange.head.framing == .none
        bodyReceived = 0
        wantsBody = false
        return true
    }

    // MARK: The response: the exchange says what it is, this decides how HTTP/1 frames it (RFC 9112 section 6)

    public override var isBlocked: Bool { outbox.isBlocked }

    public override func begin(status: UInt16, reason: Span<UInt8>) {
        precondition(!hasBegun, "a response has one final head")
        self.status = status
        let block = outbox.block(room: 64 + reason.count)
        if reason.isEmpty {
            block.appendStatusLine(status: status)
        } else {
            block.appendStatusLine(status: status, reason: reason)
        }
    }

    public override func field(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        outbox.block(room: name.count + value.count + 4).appendField(name: name, value: value)
    }

    public override func fieldLines(_ lines: Span<UInt8>) { outbox.append(lines) }

    public override func endInterim() {
        precondition(status < 200, "only an interim head is followed by another")
        // The client of an HTTP/1.0 request does not know of interim responses (RFC 9110 section 15.2): the exchange
        // must not begin one.
        if status == 100 {
            hasSentContinue = true
            // Only now is it the client's turn.
            bodyStarted = loop.milliseconds
            if bodyPaused > 0 { bodyPaused = loop.milliseconds }
            if wantsBody, !bodyDone { armBodyDeadline() }
        }
        status = 0
        outbox.append("\r\n")
        flush()
    }

    public override func rejectRequest() { keepAlive = false }

    public override func endHead(_ body: ResponseBody) {
        guard let exchange else { return }
        let isHTTP11 = exchange.head.version == .http11
        let block = outbox.block(room: 128)
        remaining = 0
        switch body {
        case .none:
            coding = .none
        case .length(let length):
            coding = exchange.head.method == .head ? .none : .length
            remaining = coding == .length ? length : 0
            block.appendField("Content-Length", decimal: length)
        case .unknown where exchange.head.method == .head:
            coding = .none
        case .unknown where isHTTP11:
            coding = .chunked
            block.append("Transfer-Encoding: chunked\r\n")
        case .unknown:
            // RFC 9112 section 6.1: no chunked to HTTP/1.0; the end of the connection is the end of the body.
            coding = .close
            keepAlive = false
        }
        if service.isDraining || client.isCrowded || place.isWanted || !canDrainRest { keepAlive = false }
        if !keepAlive {
            block.append("Connection: close\r\n")
        } else if !isHTTP11 {
            block.append("Connection: keep-alive\r\n")
        }
        block.append("\r\n")
    }

    /// Whether the connection outlives what is still unread of the request.
    private var canDrainRest: Bool {
        guard !bodyDone, let exchange else { return true }
        var rest: UInt64?
        if case .length(let length) = exchange.head.framing { rest = length &- bodyReceived }
        return AfterResponse.canKeep(
            waitsForContinue: exchange.head.expectsContinue && !hasSentContinue, isStillWanted: readsWhileResponding,
            rest: rest)
    }

    public override func endSwitching(to protocols: Span<UInt8>) {
        let block = outbox.block(room: protocols.count + 64)
        block.append("Connection: upgrade\r\n")
        block.appendField("Upgrade", protocols)
        block.append("\r\n")
        coding = .tunnel
        keepAlive = false
        body = BodyDecoder(.untilClose)
        bodyDone = false
    }

    public override func send(_ bytes: Span<UInt8>) {
        guard bytes.count > 0, phase == .exchange else { return }
        switch coding {
        case .none:
            return
        case .length:
            precondition(UInt64(bytes.count) <= remaining, "a body is no longer than its head said")
            remaining -= UInt64(bytes.count)
            bodyBytes &+= UInt64(bytes.count)
            let wasBlocked = outbox.isBlocked
            handle(outbox.send(bytes, to: transport), wasBlocked: wasBlocked)
        case .close, .tunnel:
            bodyBytes &+= UInt64(bytes.count)
            let wasBlocked = outbox.isBlocked
            handle(outbox.send(bytes, to: transport), wasBlocked: wasBlocked)
        case .chunked:
            bodyBytes &+= UInt64(bytes.count)
            outbox.block(room: 20).appendChunkSize(bytes.count)
            let wasBlocked = outbox.isBlocked
            handle(outbox.send(bytes, tail: "\r\n", to: transport), wasBlocked: wasBlocked)
        }
    }

    public override func socketForBody() -> Int32? {
        guard phase == .exchange, coding == .length, transport.layer == nil else { return nil }
        flush()
        return phase == .exchange && outbox.isEmpty ? transport.fd : nil
    }

    public override func sentPast(_ count: Int, isFull: Bool) {
        guard phase == .exchange else { return }
        precondition(UInt64(count) <= remaining, "a body is no longer than its head said")
        remaining -= UInt64(count)
        bodyBytes &+= UInt64(count)
        outbox.sentPast(count, isFull: isFull)
        if isFull { handle(.blocked, wasBlocked: false) }
    }

    public override func finish(trailers: Trailers?) {
        guard phase == .exchange, !responseDone else { return }
        if coding == .length, remaining > 0 {
            // Fewer bytes than were announced: never passed off as the whole.
            abort()
            return
        }
        if coding == .chunked {
            outbox.block(room: Block.lastChunkLimit(trailers)).appendLastChunk(trailers)
        }
        responseDone = true
        flush()
    }

    public override func flush() {
        guard phase == .exchange else { return }
        let wasBlocked = outbox.isBlocked
        let outcome = outbox.flush(to: transport, ending: responseDone && !keepAlive)
        handle(outcome, wasBlocked: wasBlocked)
        guard outcome == .sent, phase == .exchange else { return }
        if responseDone {
            responseComplete()
        } else if wasBlocked {
            loop.clearDeadline(self)
            if wantsBody, !bodyDone { armBodyDeadline() }
            exchange?.responseDrained()
        }
    }

    private func handle(_ outcome: Outbox.Outcome, wasBlocked: Bool) {
        switch outcome {
        case .sent: break
        case .blocked:
            // The deadline moves only when the client has taken something.
            if outbox.sentBytes > sentAtBlock || !wasBlocked { loop.setDeadline(self, in: options.writeTimeout) }
            sentAtBlock = outbox.sentBytes
            if hasLargeHead { loop.schedule(self) }
        case .failed: end(.clientGone)
        }
    }

    public override func abort() {
        guard phase == .exchange else { return }
        end(.aborted)
    }
}
