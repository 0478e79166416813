// SPDX-License-Identifier: Apache-2.0
// A connection with blocking reads and writes, in the clear or through TLS: a command-line client waits for nothing else.

import Bytes
import Engine
import Glibc
import TLS

/// How connections are secured.
public struct ClientSecurity: Sendable {
    let tls: ClientTLS

    /// - Parameters:
    ///   - authorities: A file of root certificates instead of the system's, or nil.
    ///   - certificate: A file with the client's own certificate, or nil.
    ///   - key: A file with its key; nil when that is in the same file.
    ///   - verifies: False takes whatever certificate the server shows.
    public init(
        authorities: String? = nil, certificate: String? = nil, key: String? = nil, verifies: Bool = true
    ) throws(ClientFailure) {
        var policy = ClientTLS.Policy(verifies: verifies)
        // curl's statuses: 77 for a file of authorities that cannot be read, 58 for one's own certificate.
        do throws(TLSFileProblem) {
            policy.authorities = try authorities.map { path throws(TLSFileProblem) in try TrustedAuthorities(path: path)
            }
        } catch {
            throw ClientFailure(77, error.sentence)
        }
        do throws(TLSFileProblem) {
            if let certificate {
                policy.certificate = try CertificatePair.load(
                    certificate: certificate, key: key ?? certificate, now: time(nil))
            }
            tls = try ClientTLS(policy: policy)
        } catch {
            throw ClientFailure(58, error.sentence)
        }
    }
}

final class Connection {
    private let descriptor: Descriptor
    private let transport: Transport
    private let smallBlocks = BlockPool(blockSize: 16 << 10, limit: 4)
    private let largeBlocks = BlockPool(blockSize: 64 << 10, limit: 4)

    /// Connects, and secures the connection where there is `security`.
    init(
        to url: HTTPURL, security: ClientSecurity?, report: inout TransferReport
    ) throws(ClientFailure) {
        let descriptor = try Self.connect(url, &report)
        guard let security else {
            transport = Transport(fd: descriptor.number)
            self.descriptor = descriptor
            return
        }
        guard
            let session = security.tls.makeSession(
                fd: descriptor.number, smallBlocks: smallBlocks, largeBlocks: largeBlocks, host: url.host,
                resumption: nil)
        else { throw ClientFailure(27, "no memory for a TLS connection") }
        transport = Transport(fd: descriptor.number, layer: session)
        try Self.shakeHands(session, descriptor.number, url)
        report.protocolName = "\(session.protocolName)"
        self.descriptor = descriptor
    }

    deinit { transport.layer?.close() }

    private static func connect(_ url: HTTPURL, _ report: inout TransferReport) throws(ClientFailure) -> Descriptor {
        let addresses: [SocketAddress]
        switch Sockets.resolve(url.host, port: url.port) {
        case .success(let found): addresses = found
        case .failure(let failure): throw .noSuchHost(url.host, failure.reason)
        }
        var last = "no address"
        for address in addresses {
            do throws(SystemFailure) {
                let descriptor = try Sockets.connect(to: address)
                try wait(descriptor.number, for: Int16(POLLOUT))
                let code = Sockets.pendingError(descriptor.number)
                guard code == 0 else {
                    last = SystemFailure.reason(code)
                    continue
                }
                report.peer = address
                return descriptor
            } catch {
                last = error.reason
            }
        }
        throw .cannotConnect("\(url.host) port \(url.port)", last)
    }

    private static func shakeHands(
        _ session: TLSSession, _ fd: Int32, _ url: HTTPURL
    ) throws(ClientFailure) {
        while true {
            let events: Int16
            switch session.handshake() {
            case .done:
                if let failure = session.verifyPeer(now: time(nil)) { throw .secure(url, failure) }
                return
            case .wantsRead: events = Int16(POLLIN)
            case .blocked: events = Int16(POLLOUT)
            case .failed(let failure): throw .secure(url, failure)
            }
            do throws(SystemFailure) { try wait(fd, for: events) } catch { throw .receive(error.reason) }
        }
    }

    private static func wait(_ fd: Int32, for events: Int16) throws(SystemFailure) {
        var watched = pollfd(fd: fd, events: events, revents: 0)
        while poll(&watched, 1, -1) < 0 {
            guard errno == EINTR else { throw SystemFailure("poll") }
        }
    }

    /// Sends all of `bytes`, unless the server answers before it has read everything: then its answer is what counts.
    func send(_ bytes: Span<UInt8>) throws(ClientFailure) {
        var offset = 0
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
            switch outcome {
            case .sent: break
            case .blocked:
                do throws(SystemFailure) { try Self.wait(transport.fd, for: Int16(POLLOUT | POLLIN)) } catch {
                    throw .send(error.reason)
                }
                if !transport.isQuiet() { return }
            case .failed(let code):
                if code == EPIPE || code == ECONNRESET { return }
                throw .send(SystemFailure.reason(code))
            }
        }
    }

    /// Waits for bytes and appends them. False at the end of the connection.
    func fill(_ block: Block) throws(ClientFailure) -> Bool {
        if block.free == 0 { block.compact() }
        while true {
            switch transport.receive(into: block) {
            case .bytes: return true
            case .closed: return false
            case .cut:
                throw .receive("the server ended the connection without TLS close_notify; what came may be cut short")
            case .failed(let code): throw .receive(SystemFailure.reason(code))
            case .wouldBlock:
                do throws(SystemFailure) { try Self.wait(transport.fd, for: Int16(POLLIN)) } catch {
                    throw .receive(error.reason)
                }
            }
        }
    }
}
