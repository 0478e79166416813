// SPDX-License-Identifier: Apache-2.0
// A connection with blocking reads and writes, in the clear or through TLS: a command-line client waits for nothing else.

import Bytes
import Engine
import Glibc
import HTTP
import TLS

/// A connection to a server, perhaps through a proxy. Belongs to one thread.
final class Connection {
    /// Closes the socket after everything else is gone.
    private let socket: Connected
    private let transport: Transport
    private let smallBlocks = BlockPool(blockSize: 16 << 10, limit: 4)
    private let largeBlocks = BlockPool(blockSize: 64 << 10, limit: 4)
    /// What has been received and not used up.
    let block = Block(capacity: 128 << 10)
    /// The other end's address; nil for a local socket.
    let peer: SocketAddress?
    /// This end's.
    let local: SocketAddress?
    /// The version of TLS, such as `TLSv1.3`; empty in the clear.
    let protocolName: String
    /// What a request must have in common with the one that it was made for.
    let key: ConnectionPool.Key
    /// Requests that it has carried.
    var uses = 0

    /// Connects, and secures the connection where there is `security`.
    init(
        to url: HTTPURL, _ settings: TransferSettings, security: ClientSecurity?, waiting: Waiting,
        timings: inout TransferTimings, listener: TransferListener
    ) throws(ClientFailure) {
        let route = Route(url, settings)
        key = ConnectionPool.Key(url, settings)
        let found = try Connector.connect(
            route, family: settings.addressFamily, waiting: waiting, timings: &timings)
        peer = found.peer
        let number = found.descriptor.number
        local = found.peer == nil ? nil : Sockets.localAddress(number)
        if listener.wantsNotes {
            listener.note("connected to \(found.peer?.description ?? settings.unixSocket ?? "")")
        }
        if route.isTunnel {
            try Self.tunnel(number, url, settings, block, waiting, listener)
        }
        guard let security else {
            transport = Transport(fd: number)
            protocolName = ""
            socket = found
            return
        }
        guard
            let session = security.tls.makeSession(
                fd: number, smallBlocks: smallBlocks, largeBlocks: largeBlocks, host: url.host, resumption: nil)
        else { throw ClientFailure(27, "no memory for a TLS connection, or \(url.host) is no name for one") }
        transport = Transport(fd: number, layer: session)
        try Self.shakeHands(session, number, url, waiting)
        timings.noteSecured()
        protocolName = "\(session.protocolName)"
        if listener.wantsNotes { listener.note("secured by \(protocolName)") }
        socket = found
    }

    deinit { transport.layer?.close() }

    private static func shakeHands(
        _ session: TLSSession, _ fd: Int32, _ url: HTTPURL, _ waiting: Waiting
    ) throws(ClientFailure) {
        while true {
            let events: Int16
            switch session.handshake() {
            case .done:
                if let failure = session.verifyPeer(now: time(nil)) { throw .secure(url.authority, failure) }
                return
            case .wantsRead: events = Int16(POLLIN)
            case .blocked: events = Int16(POLLOUT)
            case .failed(let failure): throw .secure(url.authority, failure)
            }
            try waiting.wait(fd, for: events)
        }
    }

    /// Asks the proxy for a tunnel (RFC 9110 section 9.3.6).
    private static func tunnel(
        _ fd: Int32, _ url: HTTPURL, _ settings: TransferSettings, _ block: Block, _ waiting: Waiting,
        _ listener: TransferListener
    ) throws(ClientFailure) {
        let target = url.host.contains(":") ? "[\(url.host)]:\(url.port)" : "\(url.host):\(url.port)"
        var text = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n"
        if let value = OutgoingRequest.proxyAuthorization(settings, url) { text += "Proxy-Authorization: \(value)\r\n" }
        text += "User-Agent: \(settings.userAgent ?? "gateway-client")\r\n"
        let bytes = Array(text.utf8)
        listener.requestHead(bytes.span)
        let plain = PlainSocket(fd: fd, waiting: waiting)
        let whole = bytes + Array("\r\n".utf8)
        try plain.send(whole.span)
        var parser = ResponseParser()
        var head = ResponseHead()
        while true {
            guard try plain.fill(block) else {
                throw ClientFailure(56, "the proxy closed the connection without an answer to CONNECT")
            }
            do throws(ParseFailure) {
                guard
                    try parser.parse(
                        block.readable, limits: Exchange.limits, requestMethod: .connect, into: &head)
                else { continue }
            } catch { throw .malformed(error) }
            try listener.responseHead(
                block.readable.extracting(0..<head.length), status: head.status, isFinal: false)
            guard (200...299).contains(head.status) else {
                let hint = head.status == 407 ? "; -U USER:PASSWORD says who asks" : ""
                throw ClientFailure(56, "the proxy refuses a tunnel to \(target): \(head.status)\(hint)")
            }
            block.consume(head.length)
            guard block.isEmpty else { throw ClientFailure(56, "the proxy sent bytes before the tunnel was used") }
            return
        }
    }

    /// Whether it can carry another request: nothing has come that nobody asked for, not even an end.
    var isReusable: Bool { block.isEmpty && transport.isQuiet() }

    /// What became of sending.
    enum Sending {
        /// All of it is on its way.
        case sent
        /// The server says something, or has ended the connection, before it has read everything.
        case answered
        /// It takes no more; what it said before can still be read.
        case broken
    }

    /// Sends `bytes` from `offset`, which moves by what was taken. After `.answered` the rest can be sent by another call.
    func send(_ bytes: Span<UInt8>, from offset: inout Int, waiting: Waiting) throws(ClientFailure) -> Sending {
        while offset < bytes.count {
            let outcome: Outbox.Outcome
            if let layer = transport.layer {
                switch layer.take(bytes.extracting(offset...)) {
                case .bytes(let count): offset += count
                case .failed(let code): throw .send(SystemFailure.reason(code))
                }
                outcome = layer.flush()
            } else {
                switch Sockets.send(transport.fd, bytes.extracting(offset...)) {
                case .bytes(let count):
                    offset += count
                    outcome = .sent
                case .wouldBlock: outcome = .blocked
                case .closed: outcome = .failed(EPIPE)
                case .failed(let code): outcome = .failed(code)
                }
            }
            let sending = try settle(outcome, waiting)
            if sending != .sent { return sending }
        }
        // What TLS still holds must be on its way before anybody waits for an answer.
        while let layer = transport.layer {
            let outcome = layer.flush()
            let sending = try settle(outcome, waiting)
            if outcome == .sent || sending != .sent { return sending }
        }
        return .sent
    }

    /// Waits until the kernel takes more, where it took no more; `.sent` when sending can go on.
    private func settle(_ outcome: Outbox.Outcome, _ waiting: Waiting) throws(ClientFailure) -> Sending {
        switch outcome {
        case .sent: return .sent
        case .blocked:
            try waiting.wait(transport.fd, for: Int16(POLLOUT | POLLIN))
            return transport.isQuiet() ? .sent : .answered
        case .failed(let code):
            if code == EPIPE || code == ECONNRESET { return .broken }
            throw .send(SystemFailure.reason(code))
        }
    }

    /// Waits until something can be read, at most so many milliseconds. False when nothing came.
    func awaitsAnswer(milliseconds: UInt64, waiting: Waiting) throws(ClientFailure) -> Bool {
        let end = MonotonicClock.milliseconds &+ milliseconds
        while transport.isQuiet() {
            let now = MonotonicClock.milliseconds
            guard now < end else { return false }
            var watched = pollfd(fd: transport.fd, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(
                &watched, 1, min(waiting.deadline.timeout(slice: nil) & Int32.max, Int32(clamping: end - now)))
            try waiting.deadline.check()
        }
        return true
    }

    /// Appends to `block` what has come. False when that is the end of the connection.
    func fillWithoutWaiting() -> Bool {
        if block.free == 0 { block.compact() }
        return switch transport.receive(into: block) {
        case .bytes, .wouldBlock: true
        case .closed, .cut, .failed: false
        }
    }

    /// Waits for bytes and appends them to `block`. False at the end of the connection.
    func fill(waiting: Waiting) throws(ClientFailure) -> Bool {
        if block.free == 0 { block.compact() }
        while true {
            switch transport.receive(into: block) {
            case .bytes: return true
            case .closed: return false
            case .cut:
                throw .receive("the server ended the connection without TLS close_notify; what came may be cut short")
            case .failed(let code): throw .receive(SystemFailure.reason(code))
            case .wouldBlock: try waiting.wait(transport.fd, for: Int16(POLLIN))
            }
        }
    }
}

/// A socket before anything is secured.
private struct PlainSocket {
    let fd: Int32
    let waiting: Waiting

    func send(_ bytes: Span<UInt8>) throws(ClientFailure) {
        var offset = 0
        while offset < bytes.count {
            switch Sockets.send(fd, bytes.extracting(offset...)) {
            case .bytes(let count): offset += count
            case .wouldBlock: try waiting.wait(fd, for: Int16(POLLOUT))
            case .closed: throw .send(SystemFailure.reason(EPIPE))
            case .failed(let code): throw .send(SystemFailure.reason(code))
            }
        }
    }

    func fill(_ block: Block) throws(ClientFailure) -> Bool {
        while true {
            switch Sockets.receive(fd, into: block) {
            case .bytes: return true
            case .closed: return false
            case .failed(let code): throw .receive(SystemFailure.reason(code))
            case .wouldBlock: try waiting.wait(fd, for: Int16(POLLIN))
            }
        }
    }
}

/// Connections that may be used again, of one thread. All are made with the same settings, so that who is at the other end,
/// and how that was proved, is the same for whoever uses them.
struct ConnectionPool {
    /// Most idle connections.
    static let limit = 8
    private var idle: [Connection] = []

    /// What two requests must have in common to share one.
    struct Key: Equatable {
        let route: Route
        /// Behind a proxy, requests in the clear to any host share connections; through a tunnel, none do.
        let origin: String

        init(_ url: HTTPURL, _ settings: TransferSettings) {
            route = Route(url, settings)
            origin = route.isProxy && !route.isTunnel ? "" : "\(url.scheme)://\(url.host.lowercased()):\(url.port)"
        }
    }

    /// One that is fit for use, or nil.
    mutating func take(_ key: Key) -> Connection? {
        while let index = idle.lastIndex(where: { $0.key == key }) {
            let connection = idle.remove(at: index)
            if connection.isReusable { return connection }
        }
        return nil
    }

    /// Keeps one for later, for whom it was made for.
    mutating func keep(_ connection: Connection) {
        if idle.count >= Self.limit { idle.removeFirst() }
        idle.append(connection)
    }
}
