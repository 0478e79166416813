// SPDX-License-Identifier: Apache-2.0
// A connected socket to where a request goes: an address of its host, one that was named by hand, a local socket or a proxy.

import CLinux
import Engine
import Glibc

/// Where a request's connection goes. Pure.
struct Route: Equatable, Sendable {
    /// The next hop.
    enum Hop: Equatable, Sendable {
        case local(String)
        case host(String, port: UInt16)
    }

    /// Whom to connect to.
    var hop: Hop
    /// Addresses instead of those of the host.
    var addresses: [String] = []
    /// The hop is a proxy.
    var isProxy = false
    /// What is behind it is reached through a tunnel.
    var isTunnel = false

    /// The way to `url`.
    init(_ url: HTTPURL, _ settings: TransferSettings) {
        if let path = settings.unixSocket {
            hop = .local(path)
            return
        }
        let host = url.host.lowercased()
        if let proxy = settings.proxy(for: url), !Self.isDirect(host, settings.directHosts) {
            hop = .host(proxy.url.host, port: proxy.url.port)
            isProxy = true
            isTunnel = url.isSecure
            return
        }
        hop = .host(url.host, port: url.port)
        let found = settings.overrides.last { ($0.host == host || $0.host == "*") && $0.port == url.port }
        addresses = found?.addresses ?? []
    }

    /// Whether a host is on a list such as `localhost,.example.org,*`.
    static func isDirect(_ host: String, _ list: [String]) -> Bool {
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        for entry in list {
            if entry == "*" { return true }
            let pattern = (entry.hasPrefix(".") ? String(entry.dropFirst()) : entry).lowercased()
            if !pattern.isEmpty, name == pattern || name.hasSuffix("." + pattern) { return true }
        }
        return false
    }
}

/// A socket that is connected, or about to be. A class, so that a list can hold the descriptor's owner.
final class Connected {
    let descriptor: Descriptor
    /// The other end; nil for a local socket.
    let peer: SocketAddress?

    init(_ descriptor: consuming Descriptor, _ peer: SocketAddress?) {
        self.descriptor = descriptor
        self.peer = peer
    }
}

/// Connects.
enum Connector {
    /// Addresses of one host that are tried.
    private static let addressLimit = 16
    /// Milliseconds after which the next address is tried beside the one before (RFC 8305 section 5).
    private static let head: UInt64 = 250

    /// A connected socket, and the address at the other end.
    static func connect(
        _ route: Route, family: Int32, waiting: Waiting, timings: inout TransferTimings
    ) throws(ClientFailure) -> Connected {
        switch route.hop {
        case .local(let path):
            timings.noteLookup()
            let found = Connected(try local(path, waiting), nil)
            timings.noteConnect()
            return found
        case .host(let host, let port):
            var addresses: [SocketAddress] = []
            for name in route.addresses.isEmpty ? [host] : route.addresses {
                switch try Resolver.addresses(name, port: port, family: family, waiting: waiting) {
                case .success(let found): addresses += found
                case .failure(let failure):
                    if route.isProxy { throw .noSuchProxy(name, failure.sentence) }
                    throw .noSuchHost(name, failure.sentence)
                }
            }
            timings.noteLookup()
            guard !addresses.isEmpty else { throw .noSuchHost(host, "it has no address of the family asked for") }
            let name = "\(host) port \(port)"
            let found = try race(Array(addresses.prefix(addressLimit)), name, waiting)
            timings.noteConnect()
            return found
        }
    }

    private static func local(_ path: String, _ waiting: Waiting) throws(ClientFailure) -> Descriptor {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .usage("--unix-socket \(path): the path is longer than a socket's may be")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let number = gw_socket(AF_UNIX)
        guard number >= 0 else { throw .cannotConnect(path, SystemFailure.reason(errno)) }
        let descriptor = Descriptor(adopting: number)
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result != 0 {
            guard errno == EINPROGRESS else { throw .cannotConnect(path, SystemFailure.reason(errno)) }
            try waiting.wait(number, for: Int16(POLLOUT))
            let code = Sockets.pendingError(number)
            guard code == 0 else { throw .cannotConnect(path, SystemFailure.reason(code)) }
        }
        return descriptor
    }

    /// The first of `addresses` that answers: the next one is tried when one fails, or has not answered for a while.
    private static func race(
        _ addresses: [SocketAddress], _ name: String, _ waiting: Waiting
    ) throws(ClientFailure) -> Connected {
        var rest = addresses[...]
        var attempts: [Connected] = []
        var last = "no address"
        while true {
            if let address = rest.popFirst() {
                do throws(SystemFailure) {
                    attempts.append(Connected(try Sockets.connect(to: address), address))
                } catch {
                    last = error.reason
                    continue
                }
            }
            guard !attempts.isEmpty else { throw .cannotConnect(name, last) }
            var watched = attempts.map { pollfd(fd: $0.descriptor.number, events: Int16(POLLOUT), revents: 0) }
            let timeout = waiting.deadline.timeout(slice: rest.isEmpty ? nil : head)
            let count = unsafe poll(&watched, nfds_t(watched.count), timeout)
            if count == 0 { try waiting.deadline.check() }
            for index in watched.indices.reversed() where watched[index].revents != 0 {
                let attempt = attempts[index]
                let code = Sockets.pendingError(attempt.descriptor.number)
                if code == 0 { return attempt }
                last = SystemFailure.reason(code)
                attempts.remove(at: index)
            }
        }
    }
}
