// SPDX-License-Identifier: Apache-2.0
import Bytes
import Foundation
import Glibc
import Synchronization

/// An upstream server that follows a script: `handle` plays each connection, with its number from 0.
public final class ScriptedServer: Sendable {
    /// Where it listens on loopback.
    public let port: UInt16
    private let listener: Int32
    private let accepted = Atomic<Int>(0)
    private let heads = Lock<[String]>([])
    private let ended = Atomic<Int>(0)

    /// Begins to listen, in the clear or as `tls`. A connection whose handshake comes to nothing is not handed to `handle`.
    ///
    /// - Parameters:
    ///   - host: Another address of loopback than 127.0.0.1.
    ///   - wanted: The port, such as that of a server that has stopped; by default one that the system chooses.
    ///   - seconds: How long its end of a connection in the clear waits for the other.
    public init(
        tls: TLSSide? = nil, host: UInt32 = 0x7F00_0001, port wanted: UInt16 = 0, waiting seconds: Int = 10,
        _ handle: @escaping @Sendable (Peer, Int, ScriptedServer) -> Void
    ) {
        signal(SIGPIPE, SIG_IGN)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = loopback(wanted, host: host)
        var one: Int32 = 1
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe bind(listener, $0, length)
                _ = listen(listener, 64)
                _ = unsafe getsockname(listener, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        // Threads of their own: those of a queue are few, and these block.
        Thread.detachNewThread { [weak self] in
            while true {
                let fd = accept(listener, nil, nil)
                guard fd >= 0 else { return }
                guard let self else {
                    close(fd)
                    return
                }
                let number = self.accepted.add(1, ordering: .relaxed).oldValue
                Thread.detachNewThread {
                    if let tls {
                        let peer = SecurePeer(adopting: fd, tls)
                        if peer.isSecure { handle(peer, number, self) }
                    } else {
                        handle(Peer(adopting: fd, waiting: seconds), number, self)
                    }
                    self.ended.add(1, ordering: .relaxed)
                }
            }
        }
    }

    deinit { stop() }

    /// Refuses connections from now on.
    public func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// Connections accepted so far.
    public var connections: Int { accepted.load(ordering: .relaxed) }

    /// Whether the script of some connection has come to its end.
    public var hasEnded: Bool { ended.load(ordering: .relaxed) > 0 }

    /// Waits until the script of every connection has come to its end; false when it does not come to that.
    public func waitForEnds() -> Bool {
        comesTrue { ended.load(ordering: .relaxed) == accepted.load(ordering: .relaxed) }
    }

    /// Heads that the script has `note`d.
    public var requests: [String] { heads.withLock { $0 } }

    /// Remembers a request's head.
    public func note(_ head: String) { heads.withLock { $0.append(head) } }

    /// A server that answers every request on a connection with `response`, and notes its head.
    public static func answering(
        _ response: String, tls: TLSSide? = nil, host: UInt32 = 0x7F00_0001, port: UInt16 = 0
    ) -> ScriptedServer {
        ScriptedServer(tls: tls, host: host, port: port) { peer, _, server in
            while true {
                let request = peer.receiveMessage()
                if request.head.isEmpty { return }
                server.note(request.head)
                if !peer.send(response) { return }
            }
        }
    }

    /// A server that sends `bytes` behind the first request's head and closes.
    public static func sendingAndClosing(_ bytes: String) -> ScriptedServer {
        ScriptedServer { peer, _, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            peer.send(bytes)
            peer.close()
        }
    }
}

/// `HTTP/1.1 200 OK` with a body.
public func ok(_ body: String, fields: String = "") -> String {
    "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
