// SPDX-License-Identifier: Apache-2.0
// One connection to an upstream server, speaking HTTP/1.1 as a client. It is leased to one attempt at a time, watched
// while it idles (readable then means dead: nobody asked for anything), and goes back to its pool only when it is certain
// where the next response will begin: this one was read to its end and not a byte further, and the request was sent whole.
//
//   connecting ─▶ active ─▶ idle ─▶ active …
//        └──────────┴────────┴────▶ closed

public import Bytes
public import Engine
import Glibc
public import HTTP

/// A client's HTTP/1.1 connection. Belongs to one loop.
public final class UpstreamConnection: Watcher {
    private enum Phase { case connecting, active, idle, closed }
    private enum Reading { case head, body, done }

    /// Holds the pool, which holds it while it idles: the cycle ends when the connection is closed.
    private let pool: ConnectionPool
    private let loop: Loop
    private var descriptor: Descriptor?
    private var fd: Int32 = -1
    private var phase = Phase.connecting
    private var attempt: Attempt?

    // MARK: Connecting

    private var addressIndex = 0
    private var addressesTried = 0
    private var created: UInt64 = 0

    // MARK: The request

    private var outbox: Outbox
    private var method = Method.other
    private var isChunked = false
    private var asksUpgrade = false
    private var requestDone = false
    /// Bytes the kernel had taken before this request.
    private var sentBefore: UInt64 = 0
    /// Whether sending failed; a response may still be waiting to be read.
    private var sendFailure: Int32?

    // MARK: The response

    /// The head last received; its ranges are offsets into `headBytes`. Valid in `interimResponse` and `responseHead`.
    public private(set) var head = ResponseHead()
    private var headBlock: Block?
    private var parser = ResponseParser()
    private var body = BodyDecoder(.none)
    private var reading = Reading.done
    private var interims = 0
    private var isReadable = false
    /// Whether the server has ended its sending side. The report of it may be the same as that of the last bytes, and is
    /// not repeated: so a short read does not mean that there is nothing more to be read.
    private var peerClosed = false
    private var isPaused = false
    private var isReceiving = false
    private var isTunnel = false
    /// Whether any byte of the current response has come.
    public private(set) var hasReceived = false
    /// Whether an earlier request was served on this connection.
    public private(set) var isReused = false
    /// How long it may idle, in milliseconds.
    private var idleTimeout: Int

    /// Interim responses before the final one at most.
    private static let interimLimit = 16

    init(pool: ConnectionPool, attempt: Attempt) {
        self.pool = pool
        self.attempt = attempt
        loop = pool.loop
        outbox = Outbox(on: pool.loop)
        idleTimeout = pool.options.idleTimeout
        super.init()
    }

    /// The server at the other end.
    public var server: UpstreamServer { pool.server }
    /// Whether the kernel has taken any byte of the current request.
    public var hasSent: Bool { outbox.sentBytes > sentBefore }
    /// Whether `send` should wait for `requestDrained`.
    public var isBlocked: Bool { outbox.isBlocked || sendFailure != nil }

    /// The bytes that `head` describes.
    public var headBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            guard let headBlock else { return Span() }
            let bytes = headBlock.readable
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }

    // MARK: Connecting

    func connect() {
        created = loop.milliseconds
        addressIndex = server.preferredAddress
        beginConnect()
    }

    private func beginConnect() {
        let addresses = server.addresses
        addressesTried += 1
        do throws(SystemFailure) {
            isReadable = false
            peerClosed = false
            let new = try Sockets.connect(to: addresses[addressIndex % addresses.count])
            fd = new.number
            descriptor = consume new
            try loop.register(self, fd: fd)
            loop.setDeadline(self, in: pool.options.connectTimeout)
        } catch {
            descriptor = nil
            // Told after the present call has returned, like every other failure.
            connectError = error.code
            loop.schedule(self)
        }
    }

    private var connectError: Int32?

    public override func resume() {
        if phase == .connecting, let code = connectError {
            connectError = nil
            connectFailed(.connect(code))
        } else if phase == .active, sendFailure != nil {
            receive()
        }
    }

    private func connectFailed(_ failure: UpstreamFailure) {
        loop.unregister(self)
        descriptor = nil
        if addressesTried < server.addresses.count {
            addressIndex += 1
            beginConnect()
            return
        }
        pool.pool.connectFailed(server, at: loop.milliseconds)
        fail(failure)
    }

    private func connectEnded() {
        let code = Sockets.pendingError(fd)
        guard code == 0 else {
            connectFailed(.connect(code))
            return
        }
        server.prefer(address: addressIndex % server.addresses.count)
        pool.pool.connectSucceeded(server)
        phase = .active
        loop.clearDeadline(self)
        attempt?.connected(self)
    }

    // MARK: Leasing

    /// Whether it can carry another request.
    func isReusable(at now: UInt64, verify: Bool) -> Bool {
        guard phase == .idle, !isReadable, !peerClosed, now &- created < UInt64(pool.options.maxAge) else {
            return false
        }
        guard verify else { return true }
        return Sockets.isQuiet(fd)
    }

    /// Takes it out of idleness for `attempt`.
    func leave(idleFor attempt: Attempt) {
        phase = .active
        isReused = true
        self.attempt = attempt
        loop.clearDeadline(self)
    }

    // MARK: Sending

    /// Begins a request: `method` decides how the response is framed.
    public func beginRequest(_ method: Method, name: Span<UInt8>, target: Span<UInt8>, prefix: Span<UInt8>) {
        self.method = method
        isChunked = false
        asksUpgrade = false
        requestDone = false
        sendFailure = nil
        sentBefore = outbox.sentBytes
        parser.reset()
        reading = .head
        interims = 0
        hasReceived = false
        isPaused = false
        isTunnel = false
        let block = outbox.block(room: name.count + target.count + prefix.count + 16)
        block.append(name)
        block.append(UInt8(ascii: " "))
        block.append(prefix)
        block.append(target)
        block.append(" HTTP/1.1\r\n")
    }

    /// Adds a field. Framing and connection fields are the connection's own and must not be given.
    public func field(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        outbox.block(room: name.count + value.count + 4).appendField(name: name, value: value)
    }

    /// Adds a field whose name is fixed.
    public func field(_ name: StaticString, _ value: Span<UInt8>) { field(name.span, value) }

    /// A block with room to write a field's line into.
    public func fieldBlock(room: Int) -> Block { outbox.block(room: room) }

    /// Ends the head. `upgrade` is the value of an `Upgrade` field to ask for, or nil.
    public func endHead(_ framing: Framing, upgrade: Span<UInt8>?, wantsTrailers: Bool) {
        let block = outbox.block(room: 160 + (upgrade?.count ?? 0))
        switch framing {
        case .none, .untilClose: break
        case .length(let length): block.appendField("Content-Length", decimal: length)
        case .chunked:
            isChunked = true
            block.append("Transfer-Encoding: chunked\r\n")
        }
        if let upgrade {
            asksUpgrade = true
            block.append("Connection: upgrade\r\n")
            block.appendField("Upgrade", upgrade)
        } else if wantsTrailers {
            // RFC 9110 section 10.1.4: TE is for the next hop only, so it is named in Connection.
            block.append("Connection: TE\r\nTE: trailers\r\n")
        }
        block.append("\r\n")
    }

    /// Sends a piece of the request's body, or stages it until `flush`.
    public func send(_ bytes: Span<UInt8>) {
        guard phase == .active, sendFailure == nil, bytes.count > 0 else { return }
        if isChunked {
            let block = outbox.block(room: 20)
            block.append(hexadecimal: UInt64(bytes.count))
            block.append("\r\n")
            handle(outbox.send(bytes, tail: "\r\n", to: fd))
        } else {
            handle(outbox.send(bytes, to: fd))
        }
    }

    /// The request is complete.
    public func finishRequest(trailers: Trailers?) {
        guard phase == .active else { return }
        if isTunnel {
            requestDone = true
            flush()
            if outbox.isEmpty { Sockets.finishSending(fd) }
            return
        }
        if isChunked {
            outbox.append("0\r\n")
            if let trailers { trailers.write(to: outbox.block(room: trailers.serialisedLimit)) }
            outbox.append("\r\n")
        }
        requestDone = true
    }

    /// Sends what is staged.
    public func flush() {
        guard phase == .active, sendFailure == nil else { return }
        handle(outbox.flush(to: fd))
    }

    private func handle(_ outcome: Outbox.Outcome) {
        switch outcome {
        case .sent: awaitResponse()
        case .blocked: loop.setDeadline(self, in: pool.options.readTimeout)
        case .failed(let code):
            // A server may answer early and close: its response, if there is one, is worth more than our error.
            sendFailure = code
            outbox.releaseAll()
            isReadable = true
            loop.schedule(self)
        }
    }

    /// Sets the deadline for what the server owes now.
    private func awaitResponse() {
        guard reading != .done, !isPaused else { return }
        if isTunnel {
            loop.setDeadline(self, in: pool.options.tunnelTimeout)
        } else if hasReceived {
            loop.setDeadline(self, in: pool.options.readTimeout)
        } else if requestDone, outbox.isEmpty {
            loop.setDeadline(self, in: pool.options.firstByteTimeout)
        } else if !outbox.isBlocked {
            // It waits for the client's body, and the client has a deadline of its own.
            loop.clearDeadline(self)
        }
    }

    // MARK: Events

    public override func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.peerClosed, .failed, .hungUp]) { peerClosed = true }
        switch phase {
        case .connecting:
            if readiness.contains(.readable) { isReadable = true }
            guard !readiness.isDisjoint(with: [.writable, .failed, .hungUp]) else { return }
            connectEnded()
        case .active:
            if readiness.contains(.writable), outbox.isBlocked {
                flush()
                if phase == .active, sendFailure == nil, !outbox.isBlocked {
                    if isTunnel, requestDone { Sockets.finishSending(fd) }
                    attempt?.requestDrained()
                }
            }
            guard phase == .active,
                !readiness.isDisjoint(with: [.readable, .peerClosed, .failed, .hungUp])
            else { return }
            isReadable = true
            receive()
        case .idle:
            guard !readiness.isDisjoint(with: [.readable, .peerClosed, .failed, .hungUp]) else { return }
            pool.remove(self)
            discard()
        case .closed:
            break
        }
    }

    public override func deadlineReached() {
        switch phase {
        case .connecting: connectFailed(.connectTimeout)
        case .active:
            if isTunnel {
                finishTunnel()
            } else {
                fail(hasReceived || !requestDone || outbox.isBlocked ? .readTimeout : .firstByteTimeout)
            }
        case .idle:
            pool.remove(self)
            discard()
        case .closed: break
        }
    }

    // MARK: Receiving

    /// Receives no more until `resumeReading`: the client is slower than the server.
    public func pauseReading() {
        guard !isPaused else { return }
        isPaused = true
        if !outbox.isBlocked { loop.clearDeadline(self) }
    }

    /// Receives again.
    public func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        awaitResponse()
        receive()
    }

    private var wantsMore: Bool { isReadable && !isPaused && phase == .active && reading != .done }

    private func receive() {
        guard !isReceiving else { return }
        isReceiving = true
        defer { isReceiving = false }
        repeat {
            while wantsMore { receiveOnce() }
            // Sending what is staged may let the client take more, and so ask for reading to be resumed.
            attempt?.batchEnded()
        } while wantsMore
        if phase == .closed, let headBlock {
            self.headBlock = nil
            loop.largeBlocks.give(headBlock)
        }
    }

    private func receiveOnce() {
        let block = headBlock ?? loop.largeBlocks.take()
        headBlock = block
        let free = block.free
        switch Sockets.receive(fd, into: block) {
        case .bytes(let count):
            isReadable = count == free || peerClosed
            hasReceived = true
            awaitResponse()
            read(block)
        case .wouldBlock:
            isReadable = false
        case .closed:
            isReadable = false
            closedByServer(0)
        case .failed(let code):
            closedByServer(code)
        }
        // A head that is still incomplete keeps its block, everything else has been passed on.
        if headBlock === block, block.isEmpty || phase != .active {
            headBlock = nil
            loop.largeBlocks.give(block)
        }
    }

    /// Takes what was received apart.
    private func read(_ block: Block) {
        while reading == .head, phase == .active {
            let isComplete: Bool
            do throws(ParseFailure) {
                isComplete = try parser.parse(
                    block.readable, limits: pool.options.head, requestMethod: method, into: &head)
            } catch {
                fail(.malformed(error))
                return
            }
            guard isComplete else { return }
            headReceived(block)
        }
        guard reading == .body, phase == .active else {
            block.clear()
            return
        }
        var offset = 0
        while reading == .body, phase == .active {
            let step: BodyDecoder.Step
            do throws(ParseFailure) {
                step = try body.next(block.readable, from: &offset)
            } catch {
                fail(.malformed(error))
                return
            }
            switch step {
            case .data(let range):
                attempt?.responseBody(block.readable.extracting(range))
                if phase == .active, body.isEnded { complete(hasRest: offset < block.count) }
            case .needMore:
                block.clear()
                return
            case .end:
                complete(hasRest: offset < block.count)
            }
        }
        block.clear()
    }

    private func headReceived(_ block: Block) {
        if head.status < 200, head.status != 101 {
            interims += 1
            guard interims <= Self.interimLimit else {
                fail(.tooManyInterim)
                return
            }
            attempt?.interimResponse(self)
            block.consume(head.length)
            parser.reset()
            return
        }
        if head.status == 101 {
            guard asksUpgrade, head.hasUpgrade else {
                fail(.unexpectedSwitch)
                return
            }
            isTunnel = true
            isChunked = false
            requestDone = false
            body = BodyDecoder(.untilClose)
        } else {
            body = BodyDecoder(head.framing)
        }
        reading = .body
        attempt?.responseHead(self)
        guard phase == .active else { return }
        block.consume(head.length)
        if isTunnel { awaitResponse() }
        if body.isEnded { complete(hasRest: !block.isEmpty) }
    }

    /// The response is complete. `hasRest`: more came than belongs to it.
    private func complete(hasRest: Bool) {
        guard phase == .active, let ended = attempt else { return }
        let trailers = body.trailers
        let isReusable =
            head.isPersistent && !isTunnel && requestDone && outbox.isEmpty && sendFailure == nil && !hasRest
            && !peerClosed && (!isReadable || Sockets.isQuiet(fd))
        reading = .done
        attempt = nil
        if isReusable {
            isReadable = false
            becomeIdle()
        } else {
            shut()
        }
        ended.responseEnded(trailers: trailers)
    }

    private func becomeIdle() {
        phase = .idle
        if let seconds = head.keepAliveTimeout {
            // One second early, so that the server does not close it just as we send.
            idleTimeout = min(pool.options.idleTimeout, max(0, Int(seconds) - 1) * 1000)
        }
        guard idleTimeout > 0, pool.takeBack(self) else {
            shut()
            return
        }
        loop.setDeadline(self, in: idleTimeout)
    }

    private func closedByServer(_ code: Int32) {
        if code == 0, reading == .body, body.peerClosed() {
            complete(hasRest: false)
        } else {
            fail(.broken(code != 0 ? code : sendFailure ?? 0))
        }
    }

    private func finishTunnel() { complete(hasRest: true) }

    // MARK: Endings

    private func fail(_ failure: UpstreamFailure) {
        guard phase != .closed else { return }
        let failed = attempt
        attempt = nil
        shut()
        failed?.failed(failure)
    }

    /// The attempt wants no more of it: the request is ended by closing the connection.
    public func cancel() {
        attempt = nil
        shut()
    }

    /// Closes an idle connection that has left its pool.
    func discard() { shut() }

    private func shut() {
        guard phase != .closed else { return }
        phase = .closed
        reading = .done
        loop.unregister(self)
        descriptor = nil
        outbox.releaseAll()
        if let headBlock, !isReceiving {
            self.headBlock = nil
            loop.largeBlocks.give(headBlock)
        }
        server.giveConnection()
    }
}
