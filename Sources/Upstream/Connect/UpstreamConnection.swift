// SPDX-License-Identifier: Apache-2.0
// One connection to an upstream server, speaking HTTP/1.1 as a client: its state, leasing, events and end here; the request in
// `+Send`, the response in `+Receive`. It is leased to one attempt at a time, watched
// while it idles (readable then means dead: nobody asked for anything), and goes back to its pool only when it is certain
// where the next response will begin: this one was read to its end and not a byte further, and the request was sent whole.
//
//   connecting ─▶ (securing ─▶) active ─▶ served ─▶ idle ─▶ active …
//        └─────────────┴──────────┴──────────┴───────┴────▶ closed
//
// It can be leased again when the calls in which its response came to its end have returned, not before: they are calls into it.

import Bytes
public import Engine
import Glibc
public import HTTP
import TLS

/// A client's HTTP/1.1 connection. Belongs to one loop.
public final class UpstreamConnection: Watcher {
    enum Phase { case connecting, securing, active, served, idle, closed }
    enum Reading { case head, body, done }
    enum HeldHead { case none, waiting, due }

    /// Holds the pool, which holds it while it idles: the cycle ends when the connection is closed.
    let pool: ConnectionPool
    let loop: Loop
    var descriptor: Descriptor?
    var transport = Transport(fd: -1)
    var phase = Phase.connecting
    var attempt: Attempt?
    /// The client whose share it counts for.
    private(set) var claimant: Claimant?

    // MARK: Connecting

    var addressIndex = 0
    var addressesTried = 0
    /// What the last of them was at fault for; nil while only this machine was.
    private var verdict: UpstreamFailure?
    var created: UInt64 = 0

    // MARK: The request

    var outbox: Outbox
    var method = Method.other
    var isChunked = false
    var asksUpgrade = false
    var requestDone = false
    /// Whether it carries no further request.
    var isLast = false
    /// Bytes the kernel had taken before this request.
    var sentBefore: UInt64 = 0
    /// Whether sending failed; a response may still be waiting to be read.
    var sendFailure: Int32?

    // MARK: The response

    /// The head last received; its ranges are offsets into `headBytes`. Valid in `interimResponse` and `responseHead`.
    public internal(set) var head = ResponseHead()
    var headBlock: Block?
    var parser = ResponseParser()
    var body = BodyDecoder(.none)
    var reading = Reading.done
    var patience = HeadPatience()
    var interims = 0
    var isReadable = false
    /// Whether the server has ended its sending side. The report of it may be the same as that of the last bytes, and is
    /// not repeated: so a short read does not mean that there is nothing more to be read.
    var peerClosed = false
    var isPaused = false
    var isReceiving = false
    /// Whether a complete head waits for the first bytes of its content, and whether it has waited long enough.
    var heldHead = HeldHead.none
    private(set) var isTunnel = false
    /// Whether any byte of the current response has come.
    public internal(set) var hasReceived = false
    /// Whether an earlier request was served on this connection.
    public internal(set) var isReused = false
    /// How long it may idle, in milliseconds.
    var idleTimeout: Int
    /// Since when it idles (monotonic milliseconds).
    var idleSince: UInt64 = 0
    /// It is being made for nobody yet.
    var isWarming: Bool

    /// Interim responses before the final one at most.
    static let interimLimit = 16
    /// Blocks received in a row at most, before others have their turn.
    static let receivesInARow = 16
    /// Milliseconds for which a head waits for the first bytes of its content, where the attempt wants to see them.
    static let contentPatience = 10

    /// A connection for `attempt`, or one that is to idle until somebody asks for it.
    init(pool: ConnectionPool, attempt: Attempt?) {
        self.pool = pool
        self.attempt = attempt
        isWarming = attempt == nil
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

    /// In `responseHead`: what has come of a content of known length together with its head.
    public var firstContent: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            guard let headBlock, case .length = head.framing else { return Span() }
            let bytes = headBlock.readable.extracting(head.length...)
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }

    // MARK: Connecting

    func connect() {
        created = loop.milliseconds
        addressIndex = server.preferredAddress
        beginConnect()
    }

    func beginConnect() {
        let addresses = server.addresses
        addressesTried += 1
        phase = .connecting
        do throws(SystemFailure) {
            isReadable = false
            peerClosed = false
            let new = try open(addresses[addressIndex % addresses.count])
            let fd = new.number
            transport = Transport(fd: fd)
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

    /// Begins to connect, at the expense of connections that idle when the process has no descriptor left.
    private func open(_ address: SocketAddress) throws(SystemFailure) -> Descriptor {
        do throws(SystemFailure) {
            return try Sockets.connect(to: address)
        } catch {
            guard error.code == EMFILE || error.code == ENFILE, loop.spareDescriptors() else { throw error }
            return try Sockets.connect(to: address)
        }
    }

    var connectError: Int32?

    public override func resume() {
        if phase == .connecting, let code = connectError {
            connectError = nil
            connectFailed(.connect(code))
        } else if phase == .securing {
            secureAndReceive()
        } else if phase == .active {
            receive()
        }
    }

    private func secureAndReceive() {
        secure()
        guard phase == .active else { return }
        isReadable = true
        receive()
    }

    func connectFailed(_ failure: UpstreamFailure) {
        transport.layer?.close()
        loop.unregister(self, closing: descriptor.take())
        if failure.isServersDoing { verdict = failure }
        if addressesTried < server.addresses.count {
            addressIndex += 1
            beginConnect()
            return
        }
        // What one address said counts more than that this machine could not ask the other.
        let failure = verdict ?? failure
        if failure.isServersDoing, pool.isForRequests {
            pool.pool.connectFailed(server, isCertain: failure.isCertain, at: loop.milliseconds)
        }
        fail(failure)
    }

    func connectEnded() {
        let code = Sockets.pendingError(transport.fd)
        guard code == 0 else {
            connectFailed(.connect(code))
            return
        }
        guard let security = server.security else {
            connected()
            return
        }
        guard let session = security.makeSession(fd: transport.fd, loop: loop) else {
            connectFailed(.secure(TLSFailure(.ours(0))))
            return
        }
        transport = Transport(fd: transport.fd, layer: session)
        phase = .securing
        loop.setDeadline(self, in: pool.options.handshakeTimeout)
        secure()
    }

    /// Goes on with the TLS handshake.
    func secure() {
        guard let session = transport.layer as? TLSSession else { return }
        switch session.handshake() {
        case .done:
            if let failure = session.verifyPeer(now: Int(loop.wallNanoseconds / 1_000_000_000)) {
                securingFailed(failure)
            } else {
                connected()
            }
        case .wantsRead:
            // The end was reported together with bytes, and is not reported again.
            if peerClosed { loop.schedule(self) }
        case .blocked: break
        case .failed(let failure): securingFailed(failure)
        }
    }

    private func securingFailed(_ failure: TLSFailure) {
        if server.mayReport(at: loop.milliseconds) {
            pool.options.report("upstream https://\(server.authority): \(failure.sentence)")
        }
        connectFailed(.secure(failure))
    }

    private func connected() {
        server.prefer(address: addressIndex % server.addresses.count)
        phase = .active
        loop.clearDeadline(self)
        if isWarming {
            isWarming = false
            pool.warmed()
            // With TLS the last message of the handshake is still to be sent, and no request takes it along.
            if case .failed = outbox.flush(to: transport) { shut() } else { becomeIdle() }
        } else {
            attempt?.connected(self)
        }
    }

    // MARK: Leasing

    /// Whether it can carry another request.
    func isReusable(at now: UInt64, verify: Bool) -> Bool {
        guard phase == .idle, !isReadable, !peerClosed, now &- created < UInt64(pool.options.maxAge) else {
            return false
        }
        guard verify else { return true }
        return transport.isQuiet()
    }

    /// Takes it out of idleness for `attempt`.
    func leave(idleFor attempt: Attempt) {
        phase = .active
        isReused = true
        self.attempt = attempt
        loop.clearDeadline(self)
    }

    /// It counts for the share of this client from now on.
    func take(_ claimant: Claimant?) {
        self.claimant = claimant
        if let claimant { server.places.take(claimant) }
    }

    /// It counts for nobody's share any more.
    func giveShare() {
        guard let claimant else { return }
        self.claimant = nil
        (isTunnel ? server.tunnels : server.places).give(claimant)
    }

    /// It becomes a tunnel, and leaves its place among the connections in use to others. False when there are as many tunnels as
    /// there may be, or as many as this client may have.
    func becomeTunnel() -> Bool {
        guard pool.isForRequests else {
            isTunnel = true
            return true
        }
        let claim = PlaceClaim(claimant, wantsTunnel: true, pool.options)
        guard claim.tunnelRoom(at: server) == .free, server.becomeTunnel(limit: pool.options.tunnelsPerServer) else {
            return false
        }
        if let claimant {
            server.places.give(claimant)
            server.tunnels.take(claimant)
        }
        isTunnel = true
        pool.placeFreed()
        return true
    }

    // MARK: Events

    public override func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.peerClosed, .failed, .hungUp]) { peerClosed = true }
        switch phase {
        case .connecting:
            if readiness.contains(.readable) { isReadable = true }
            guard !readiness.isDisjoint(with: [.writable, .failed, .hungUp]) else { return }
            connectEnded()
            // A server may speak before it is asked: to say that it is overloaded, for one.
            if phase == .active, isReadable { receive() }
        case .securing: secureAndReceive()
        case .active:
            if readiness.contains(.writable), outbox.isBlocked {
                flush()
                if phase == .active, sendFailure == nil, !outbox.isBlocked {
                    if isTunnel, requestDone { transport.finishSending() }
                    attempt?.requestDrained()
                }
            }
            guard phase == .active,
                !readiness.isDisjoint(with: [.readable, .peerClosed, .failed, .hungUp])
            else { return }
            isReadable = true
            receive()
        case .idle:
            if readiness.contains(.writable), outbox.isBlocked { _ = outbox.flush(to: transport) }
            guard !readiness.isDisjoint(with: [.readable, .peerClosed, .failed, .hungUp]) else { return }
            // TLS has messages of its own that come at any time, such as session tickets.
            if !peerClosed, transport.layer != nil, transport.isQuiet() { return }
            server.closedIdle(after: Int(clamping: loop.milliseconds &- idleSince), at: loop.milliseconds)
            pool.idleEnds(self)
        case .served, .closed:
            break
        }
    }

    public override func deadlineReached() {
        switch phase {
        case .connecting:
            // A loop that was late itself looks at its deadlines before it hears what has happened in the meantime.
            if Sockets.hasConnectEnded(transport.fd) {
                connectEnded()
            } else {
                connectFailed(.connectTimeout)
            }
        case .securing: connectFailed(.secure(TLSFailure(.timeout)))
        case .active:
            if heldHead == .waiting {
                heldHead = .due
                awaitResponse()
                receive()
            } else {
                waitedTooLong()
            }
        case .idle: pool.idleEnds(self)
        case .served, .closed: break
        }
    }

    // MARK: Endings

    func fail(_ failure: UpstreamFailure) {
        guard phase != .closed else { return }
        let failed = attempt
        attempt = nil
        shut()
        failed?.failed(failure)
    }

    /// Tells `other` of what is still to come, instead of the attempt so far. Called from `responseHead`.
    public func handOver(to other: Attempt) { attempt = other }

    /// The attempt wants no more of it: the request is ended by closing the connection.
    public func cancel() {
        attempt = nil
        shut()
    }

    /// The process stops and waits no longer: whoever waits for a response is told that none comes, and not to try again.
    public func cut() {
        guard phase != .idle else { return }
        fail(.readTimeout)
    }

    /// Whether no byte of a response has come for a request that is on it, or about to be.
    var isWaiting: Bool {
        switch phase {
        case .connecting, .securing: true
        case .active: !hasReceived && !isTunnel
        case .served, .idle, .closed: false
        }
    }

    /// Its server was taken out: whoever waits on it goes elsewhere, if that is safe.
    func serverTakenOut() {
        guard isWaiting, attempt?.mayMove(from: self) == true else { return }
        fail(.takenOut)
    }

    /// Closes an idle connection that has left its pool.
    func discard() { shut() }

    func shut() {
        guard phase != .closed else { return }
        let wasIdle = phase == .idle
        phase = .closed
        if isWarming {
            isWarming = false
            pool.warmed()
        }
        reading = .done
        transport.layer?.close()
        loop.unregister(self, closing: descriptor.take())
        outbox.releaseAll()
        if let headBlock, !isReceiving {
            self.headBlock = nil
            // Who ends it may be looking at the head.
            loop.retire(headBlock)
        }
        guard pool.isForRequests else { return }
        giveShare()
        if isTunnel { server.giveTunnel() } else { server.giveConnection(wasIdle: wasIdle) }
        pool.placeFreed()
    }
}
