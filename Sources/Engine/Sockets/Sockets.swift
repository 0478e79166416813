// SPDX-License-Identifier: Apache-2.0
// The only door to the kernel's sockets. Every call retries EINTR, tells "would block" apart from failure, and never
// raises SIGPIPE. What may happen in normal operation is an outcome; what the caller must explain to somebody is thrown.

public import Bytes
import CLinux
import Glibc

/// What became of a receive or a send.
@frozen
public enum IOOutcome: Equatable, Sendable {
    /// So many bytes (at least one) were moved.
    case bytes(Int)
    /// Nothing can be moved now; the poller will tell when.
    case wouldBlock
    /// The peer ended its sending side in order (receive only).
    case closed
    /// The connection is broken: the `errno`.
    case failed(Int32)
}

/// The socket calls, by descriptor number.
public enum Sockets {
    /// Receives into the free space of `block`, at most `limit` bytes. The corresponding C function is `recv`.
    ///
    /// When fewer bytes came than there was room for, the kernel held no more at that moment, and an edge-triggered
    /// registration will report what comes after: no second call is needed to find that out.
    public static func receive(_ fd: Int32, into block: Block, limit: Int = .max) -> IOOutcome {
        unsafe block.fill { free in
            precondition(free.count > 0 && limit > 0, "receives only where there is room")
            let room = min(free.count, limit)
            while true {
                let count = unsafe recv(fd, free.baseAddress, room, 0)
                if count > 0 { return (count, .bytes(count)) }
                if count == 0 { return (0, .closed) }
                switch errno {
                case EINTR: continue
                case EAGAIN: return (0, .wouldBlock)
                default: return (0, .failed(errno))
                }
            }
        }
    }

    /// Sends from the start of `bytes`. The corresponding C function is `send`.
    public static func send(_ fd: Int32, _ bytes: Span<UInt8>) -> IOOutcome {
        guard bytes.count > 0 else { return .bytes(0) }
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            outcome { unsafe gw_send(fd, buffer.baseAddress, buffer.count) }
        }
    }

    /// Sends the three pieces as one. The corresponding C function is `sendmsg`.
    public static func send(_ fd: Int32, _ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>) -> IOOutcome
    {
        unsafe first.withUnsafeBufferPointer { a in
            unsafe second.withUnsafeBufferPointer { b in
                unsafe third.withUnsafeBufferPointer { c in
                    outcome {
                        unsafe gw_send3(fd, a.baseAddress, a.count, b.baseAddress, b.count, c.baseAddress, c.count)
                    }
                }
            }
        }
    }

    private static func outcome(_ call: () -> Int) -> IOOutcome {
        while true {
            let count = call()
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno)
            }
        }
    }

    /// Begins to connect. The poller reports the socket writable when that has succeeded or failed; `pendingError` tells
    /// which.
    ///
    /// The kernel picks the source port only when it connects (`IP_BIND_ADDRESS_NO_PORT` is its default behaviour for an
    /// unbound socket), so ports are shared between destinations.
    public static func connect(to address: SocketAddress) throws(SystemFailure) -> Descriptor {
        let number = gw_socket(address.family)
        guard number >= 0 else { throw SystemFailure("socket") }
        let descriptor = Descriptor(adopting: number)
        _ = gw_set_option(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        let result = unsafe address.withSockaddr { unsafe Glibc.connect(number, $0, $1) }
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw SystemFailure("connect") }
        return descriptor
    }

    /// Whether a connection is still open and has nothing to read: bytes that nobody asked for, or an end, make an idle one unfit
    /// for another request. The corresponding C function is `poll`, which takes nothing away. `recv(MSG_PEEK)` takes the error of a
    /// reset, and who receives next is told that the peer closed in order.
    public static func isQuiet(_ fd: Int32) -> Bool {
        var request = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&request, 1, 0) == 0
    }

    /// Whether a connection attempt has come to an end, whatever the poller has told so far. The corresponding C function is
    /// `poll`.
    public static func hasConnectEnded(_ fd: Int32) -> Bool {
        var request = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&request, 1, 0) > 0
    }

    /// What became of a connection attempt: 0, or the `errno` it failed with. The corresponding C function is
    /// `getsockopt(SO_ERROR)`.
    public static func pendingError(_ fd: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return errno }
        return code
    }

    /// The next byte that will be received, which stays there; nil when there is none now. The corresponding C function is
    /// `recv(MSG_PEEK)`.
    public static func firstByte(_ fd: Int32) -> UInt8? {
        var byte: UInt8 = 0
        return unsafe recv(fd, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 1 ? byte : nil
    }

    /// Ends the sending side, so that the peer reads to the end. The corresponding C function is `shutdown(SHUT_WR)`.
    public static func finishSending(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }

    /// Makes the coming `close` abort the connection (RST), so that the peer cannot take what it got for complete.
    public static func abortOnClose(_ fd: Int32) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }

    /// Opens a listening socket.
    ///
    /// - Parameters:
    ///   - address: Where to listen; port 0 lets the kernel choose. `::` takes IPv6 only.
    ///   - shared: Whether other sockets of this process may listen there too (`SO_REUSEPORT`), each with its own queue.
    ///   - backlog: Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
    public static func listen(
        on address: SocketAddress, shared: Bool, backlog: Int32 = 4096
    ) throws(SystemFailure) -> Descriptor {
        let number = gw_socket(address.family)
        guard number >= 0 else { throw SystemFailure("socket") }
        let descriptor = Descriptor(adopting: number)
        _ = gw_set_option(number, SOL_SOCKET, SO_REUSEADDR, 1)
        if shared { _ = gw_set_option(number, SOL_SOCKET, SO_REUSEPORT, 1) }
        if !address.isIPv4 { _ = gw_set_option(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        // Accepted sockets inherit it, which saves a call for each.
        _ = gw_set_option(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        guard unsafe address.withSockaddr({ unsafe bind(number, $0, $1) }) == 0 else { throw SystemFailure("bind") }
        guard Glibc.listen(number, backlog) == 0 else { throw SystemFailure("listen") }
        return descriptor
    }

    /// The address a socket is bound to.
    public static func localAddress(_ fd: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(fd, $0, &length) }
        }
        return result == 0 ? SocketAddress(storage) : nil
    }

    /// Accepts one connection, non-blocking and closed on exec. The corresponding C function is `accept4`.
    static func accept(_ listener: Int32) -> AcceptOutcome {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let fd = unsafe gw_accept(listener, &storage, &length)
        guard fd >= 0 else { return AcceptOutcome(failure: errno) }
        return .connection(fd, SocketAddress(storage) ?? SocketAddress(ipv4: 0, port: 0))
    }

    /// The addresses a name has, IPv6 and IPv4 in the system's order of preference. Blocks: not on a loop.
    ///
    /// The corresponding C function is `getaddrinfo`; the failure text is `gai_strerror`'s.
    public static func resolve(_ host: String, port: UInt16) -> Result<[SocketAddress], ResolutionFailure> {
        if let numeric = SocketAddress(numeric: host, port: port) { return .success([numeric]) }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else {
            return unsafe .failure(ResolutionFailure(host: host, reason: String(cString: gai_strerror(code))))
        }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var entry = unsafe list
        while let current = unsafe entry {
            if let address = unsafe current.pointee.ai_addr {
                var storage = sockaddr_storage()
                unsafe memcpy(
                    &storage, address, min(Int(current.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size))
                if let parsed = SocketAddress(storage)?.with(port: port), !found.contains(parsed) {
                    found.append(parsed)
                }
            }
            unsafe entry = unsafe current.pointee.ai_next
        }
        return .success(found)
    }

    /// A name without an address.
    public struct ResolutionFailure: Error, Equatable, Sendable {
        /// The name that was asked for.
        public let host: String
        /// The resolver's words.
        public let reason: String
    }
}
