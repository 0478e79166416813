// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One end of a TCP connection, with blocking calls that give up after a while, by default ten seconds: whoever plays a client
/// or an upstream server in a test says byte for byte what it sends and looks at what comes.
///
/// `@unchecked Sendable` is safe because a test hands a peer to one thread at a time.
public class Peer: @unchecked Sendable {
    private(set) var fd: Int32
    private var pending: [UInt8] = []
    /// What was read last.
    var buffer = [UInt8](repeating: 0, count: 65_536)
    /// Whether one of its calls has given up.
    public internal(set) var hasWaitedInVain = false

    init(adopting fd: Int32, waiting seconds: Int = 10) {
        self.fd = fd
        limitWaiting(seconds)
        var one: Int32 = 1
        unsafe setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close() }

    /// Connects to a port on loopback, from 127.0.0.`host`. A small `receiveBuffer` makes a slow reader.
    public convenience init(
        port: UInt16, receiveBuffer: Int32? = nil, from host: UInt8 = 1, waiting seconds: Int = 10
    ) {
        self.init(connectingTo: port, receiveBuffer: receiveBuffer, from: host, waiting: seconds)
    }

    init(connectingTo port: UInt16, receiveBuffer: Int32?, from host: UInt8 = 1, waiting seconds: Int) {
        signal(SIGPIPE, SIG_IGN)
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        limitWaiting(seconds)
        if var size = receiveBuffer {
            unsafe setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        if host != 1 {
            // Another client, as far as the gateway can tell: 127.0.0.`host`.
            var own = loopback(0)
            own.sin_addr.s_addr = (0x7F00_0000 | UInt32(host)).bigEndian
            _ = unsafe withUnsafePointer(to: &own) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var address = loopback(port)
        _ = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private func limitWaiting(_ seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        unsafe setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Sends all of `text`. False when the other end is gone.
    @discardableResult public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Sends all of `bytes`. False when the other end is gone.
    @discardableResult public final func send(_ bytes: [UInt8]) -> Bool { write(bytes) }

    /// Sends all of `bytes`; TLS does it in its own way.
    func write(_ bytes: [UInt8]) -> Bool { writeSocket(bytes) }

    final func writeSocket(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes[offset...].withUnsafeBytes { unsafe Glibc.write(fd, $0.baseAddress, $0.count) }
            guard count > 0 else {
                hasWaitedInVain = count < 0 && errno == EAGAIN
                return false
            }
            offset += count
        }
        return true
    }

    /// Whether something has come, or comes before so many milliseconds have passed.
    public func hasSomething(within milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&waiting, 1, milliseconds) > 0
    }

    /// Some bytes; empty at the end of the connection or when none came for too long.
    public func receive() -> [UInt8] {
        if !pending.isEmpty {
            defer { pending = [] }
            return pending
        }
        return read()
    }

    /// Some bytes from the other end; TLS gets them in its own way.
    func read() -> [UInt8] {
        let count = unsafe recv(fd, &buffer, buffer.count, 0)
        if count < 0, errno == EAGAIN { hasWaitedInVain = true }
        return count > 0 ? Array(buffer[..<count]) : []
    }

    /// Everything until the other end closes.
    public func receiveAll() -> String {
        var all: [UInt8] = []
        while true {
            let piece = receive()
            if piece.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += piece
        }
    }

    /// A head: everything up to and with the empty line. What follows is kept.
    public func receiveHead() -> String {
        var all: [UInt8] = []
        while true {
            if let end = Self.endOfHead(all) {
                pending = Array(all[end...])
                return String(decoding: all[..<end], as: UTF8.self)
            }
            let piece = receive()
            if piece.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += piece
        }
    }

    /// Exactly `count` bytes, or fewer at the end.
    public func receive(count: Int) -> String { String(decoding: receiveBytes(count: count), as: UTF8.self) }

    /// Exactly `count` bytes, or fewer at the end.
    public func receiveBytes(count: Int) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            let piece = receive()
            if piece.isEmpty { break }
            all += piece
        }
        if all.count > count { pending = Array(all[count...]) }
        return Array(all.prefix(count))
    }

    /// The content of a chunked body, to the last chunk; nil when it is not one. No chunk has extensions.
    public func receiveChunks() -> [UInt8]? {
        var content: [UInt8] = []
        while true {
            guard let line = receiveLine(), let size = Int(line, radix: 16) else { return nil }
            if size == 0 { return receiveLine() == "" ? content : nil }
            let chunk = receiveBytes(count: size)
            guard chunk.count == size, receiveLine() == "" else { return nil }
            content += chunk
        }
    }

    private func receiveLine() -> String? {
        var line: [UInt8] = []
        while true {
            if let end = line.firstIndex(of: 10) {
                pending = Array(line[(end + 1)...])
                guard end > 0, line[end - 1] == 13 else { return nil }
                return String(decoding: line[..<(end - 1)], as: UTF8.self)
            }
            let piece = receive()
            if piece.isEmpty { return nil }
            line += piece
        }
    }

    /// A response with a `Content-Length`, or a request: head and body.
    public func receiveMessage() -> (head: String, body: String) {
        let head = receiveHead()
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
            let length = Int(line.split(separator: ":")[1].drop { $0 == " " }) ?? 0
            return (head, receive(count: length))
        }
        return (head, "")
    }

    /// Whether the other end has closed: the next thing to be read is an end or an error.
    public func isClosedByPeer() -> Bool { receive().isEmpty }

    /// Ends the sending side.
    public func finishSending() { shutdown(fd, Int32(SHUT_WR)) }

    /// Sends `bytes`, past TLS, and ends the sending side, both in one segment: the other end hears of the two at once.
    public func sendRawAndFinish(_ bytes: [UInt8]) {
        var one: Int32 = 1
        unsafe setsockopt(fd, Int32(IPPROTO_TCP), TCP_CORK, &one, socklen_t(MemoryLayout<Int32>.size))
        _ = writeSocket(bytes)
        shutdown(fd, Int32(SHUT_WR))
    }

    /// Closes with a reset.
    public func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        closeSocket()
    }

    /// Closes.
    public func close() { closeSocket() }

    private func closeSocket() {
        guard fd >= 0 else { return }
        Glibc.close(fd)
        fd = -1
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 0...(bytes.count - 4)
        where bytes[index] == 13 && bytes[index + 1] == 10 && bytes[index + 2] == 13 && bytes[index + 3] == 10 {
            return index + 4
        }
        return nil
    }
}

func loopback(_ port: UInt16, host: UInt32 = 0x7F00_0001) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = host.bigEndian
    return address
}
