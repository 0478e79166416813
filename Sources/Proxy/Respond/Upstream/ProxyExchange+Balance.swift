// SPDX-License-Identifier: Apache-2.0
// What a request says about the server that it should go to: the hash of its key, the cookie of an earlier response.

import Bytes
import Engine
import HTTP
import Serving
import Upstream

extension ProxyExchange {
    /// The server that is to be asked now, of those that have room for `claim`.
    func chooseServer(in view: PoolView, _ claim: PlaceClaim) -> PoolView.Choice {
        let pool = view.pool
        guard pool.readsRequests else { return view.choose(tried: tried, claim: claim) }
        let key = pool.balance.hashInput.flatMap { balanceKey($0) }
        let token = pool.sticky.flatMap { stickyToken($0) }
        return view.choose(tried: tried, claim: claim, key: key, sticky: token)
    }

    /// What the request asks of a server: a place for its client and, where an upgrade is asked for, perhaps a tunnel.
    var claim: PlaceClaim {
        PlaceClaim(
            clientAddress.map { Claimant($0) }, wantsTunnel: head.hasForwardableUpgrade && head.framing == .none,
            pool.options)
    }

    /// Nil when the request does not have what decides: then any server will do.
    private func balanceKey(_ input: BalanceMethod.HashInput) -> UInt64? {
        let bytes = headBytes
        switch input {
        case .address: return clientAddress.map { Maglev.hash(word: $0.clientNetwork) }
        case .path: return Maglev.hash(bytes.extracting(head.pathRange))
        case .field(let name):
            for index in 0..<head.fields.count
            where bytes.extracting(head.fields[index].nameRange).equalsIgnoringCase(name.span) {
                let value = bytes.extracting(head.fields[index].valueRange)
                return value.isEmpty ? nil : Maglev.hash(value)
            }
            return nil
        case .cookie(let name): return cookie(name, bytes).map { Maglev.hash(bytes.extracting($0)) }
        }
    }

    private func stickyToken(_ sticky: StickyCookie) -> UInt64? {
        let bytes = headBytes
        return cookie(sticky.name, bytes).flatMap { StickyCookie.token(bytes.extracting($0)) }
    }

    /// Where the value of the first cookie with this name stands; nil when there is none.
    private func cookie(_ name: [UInt8], _ bytes: Span<UInt8>) -> Range<Int>? {
        for index in 0..<head.fields.count where head.fields[index].name == .cookie {
            let range = head.fields[index].valueRange
            if let found = CookieReader.value(of: name.span, in: bytes.extracting(range)) {
                return range.lowerBound + found.lowerBound..<range.lowerBound + found.upperBound
            }
        }
        return nil
    }

    /// Leads the client back to the server that has answered, unless it came by that cookie.
    func writeStickyCookie(to stream: ServerStream) {
        guard let sticky = pool.pool.sticky, let target, stickyToken(sticky) != target.stickyToken else {
            return
        }
        let value = service.fieldScratch
        value.clear()
        sticky.appendSetCookie(target.stickyToken, isSecure: isSecureForClient, to: value)
        stream.field("Set-Cookie", value.readable)
    }

    /// An address, to which some proxies add the port.
    private static func address(_ text: Span<UInt8>) -> SocketAddress? {
        if let address = SocketAddress(numeric: text) { return address }
        let host = text.withoutPort
        return host.count < text.count ? SocketAddress(numeric: host) : nil
    }

    /// Who asks: the peer, or the client that a trusted peer names, as far as those it came by are trusted too.
    var clientAddress: SocketAddress? {
        guard let peer = stream?.client.address else { return nil }
        guard isTrusted(peer) else { return peer }
        let bytes = headBytes
        var client = peer
        // The nearest hop is named last.
        for index in stride(from: head.fields.count - 1, through: 0, by: -1)
        where head.fields[index].name == .xForwardedFor {
            let value = bytes.extracting(head.fields[index].valueRange)
            var end = value.count
            while end > 0 {
                var start = end
                while start > 0, value[start - 1] != UInt8(ascii: ",") { start -= 1 }
                guard let named = Self.address(value.extracting(start..<end)) else { return client }
                client = named
                guard isTrusted(named) else { return client }
                end = start - 1
            }
        }
        return client
    }
}
