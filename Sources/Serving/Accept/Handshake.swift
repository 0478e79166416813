// SPDX-License-Identifier: Apache-2.0
// A client connection before it is secure. Once it is, an `HTTP1Connection` takes its place in the loop; what comes to nothing
// is told to the service, and closed in a way that lets the client read why.
//
//   shaking ─▶ (HTTP1Connection)
//      └─────▶ leaving ─▶ closed

import Bytes
import Engine
import Glibc
import TLS

/// The server's side of a TLS handshake.
final class Handshake: Watcher {
    private enum Phase { case shaking, leaving, closed }

    private var descriptor: Descriptor?
    private let fd: Int32
    private let session: TLSSession
    private let desk: HandshakeDesk
    private let service: Service
    private let place: Place
    private var phase = Phase.shaking
    /// That the client has ended its side, or is gone. The report of it may be the same as that of the last bytes, and is not
    /// repeated: so a short read does not mean that there is nothing more to be read.
    private var ending: Readiness = []
    private var dropped = 0

    /// How long a client may take to read why it was refused, in milliseconds,
    private static let leave = 1_000
    /// and how many bytes of it are dropped meanwhile.
    private static let dropLimit = 256 << 10

    init(
        _ descriptor: consuming Descriptor, _ session: TLSSession, place: Place, desk: HandshakeDesk, service: Service
    ) {
        fd = descriptor.number
        self.descriptor = consume descriptor
        self.session = session
        self.desk = desk
        self.service = service
        self.place = place
        super.init()
    }

    func start() {
        do throws(SystemFailure) {
            try service.loop.register(self, fd: fd)
        } catch {
            close()
            return
        }
        service.loop.setDeadline(self, in: desk.timeout)
    }

    override func ready(_ readiness: Readiness) {
        ending.formUnion(readiness.intersection([.peerClosed, .hungUp, .failed]))
        switch phase {
        case .shaking: step()
        case .leaving: drop()
        case .closed: break
        }
    }

    override func resume() {
        if phase == .shaking { step() }
    }

    override func deadlineReached() {
        if phase == .shaking { service.handshakeFailed(TLSFailure(.timeout), peer: place.peer) }
        close()
    }

    /// The process stops and waits no longer.
    func cut() { close() }

    private func step() {
        if !ending.isEmpty, session.sentBytes == 0, Sockets.firstByte(fd) == Self.handshakeRecord {
            // Whoever goes before the first answer cannot finish: that costs no private-key operation, and no turn.
            service.handshakeFailed(TLSFailure(.closed), peer: place.peer)
            _ = Sockets.send(fd, Self.handshakeFailure.span)
            part()
            return
        }
        guard desk.hasTime else {
            service.loop.schedule(self)
            return
        }
        let started = service.loop.presentNanoseconds
        let outcome = session.handshake()
        desk.spend(service.loop.presentNanoseconds &- started)
        switch outcome {
        case .wantsRead:
            // Goes on to the end that it has not come to yet.
            if !ending.isEmpty { service.loop.schedule(self) }
        case .blocked: break
        case .done: finish()
        case .failed(let failure): leave(failure)
        }
    }

    private func finish() {
        if let failure = session.verifyPeer(now: Int(service.loop.wallNanoseconds / 1_000_000_000)) {
            leave(failure)
            return
        }
        guard let descriptor = descriptor.take() else { return }
        phase = .closed
        desk.ended()
        let connection = HTTP1Connection(descriptor, layer: session, place: place, service: service)
        connection.start(after: self, mayHaveMore: session.mayHaveMore, ending: ending)
    }

    // MARK: Coming to nothing

    /// The first byte of a record that belongs to a handshake (RFC 8446 section 5.1).
    private static let handshakeRecord: UInt8 = 22
    /// The fatal alerts of those names, in a record of TLS 1.2 (RFC 8446 section 6).
    private static let unexpectedMessage: StaticString = "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{A}"
    private static let handshakeFailure: StaticString = "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}"

    private static let hint: StaticString = """
        HTTP/1.1 400 Bad Request\r
        Content-Type: text/plain; charset=utf-8\r
        Content-Length: 90\r
        Connection: close\r
        \r
        400 Bad Request
        This port speaks HTTPS, and the request came in plain HTTP: use https://.

        """

    private func leave(_ failure: TLSFailure) {
        service.handshakeFailed(failure, peer: place.peer)
        switch failure.kind {
        case .closed, .broken, .ours:
            close()
            return
        case .plainHTTP: _ = Sockets.send(fd, Self.hint.span)
        case .malformed where session.sentBytes == 0:
            // What is no TLS at all gets no alert from OpenSSL.
            _ = Sockets.send(fd, Self.unexpectedMessage.span)
        default: break
        }
        part()
    }

    /// Closes when the client has had time to read what it was sent.
    private func part() {
        // A close with unread bytes would become a reset, which can destroy the answer or the alert on its way.
        session.abandon()
        Sockets.finishSending(fd)
        phase = .leaving
        service.loop.setDeadline(self, in: Self.leave)
        drop()
    }

    private func drop() {
        let block = service.loop.largeBlocks.take()
        defer { service.loop.largeBlocks.give(block) }
        while dropped < Self.dropLimit {
            block.clear()
            switch Sockets.receive(fd, into: block) {
            case .bytes(let count): dropped += count
            case .wouldBlock: return
            case .closed, .failed:
                close()
                return
            }
        }
        close()
    }

    private func close() {
        guard phase != .closed else { return }
        phase = .closed
        session.abandon()
        session.close()
        service.loop.unregister(self, closing: descriptor.take())
        desk.ended()
        place.give()
    }
}
