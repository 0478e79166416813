// SPDX-License-Identifier: Apache-2.0
// Servers that SRV records name, behind TLS: what the operator wrote is verified, not what the name server says.

import Settings
import TestSupport
import Testing

@Suite("An upstream server that an SRV record names") struct ServiceNameTests {
    private let folder = TemporaryFolder()
    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    /// A gateway whose only server is `https://_https._tcp.bank.test`, which leads to `evil.test`.
    private func gateway(
        to origin: ScriptedServer, _ names: NameServer, _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> RunningGateway {
        names.set("_https._tcp.bank.test", kind: "SRV", .services([(0, 0, Int(origin.port), "evil.test")], ttl: 60))
        names.set("evil.test", .addresses([0x7F00_0001], ttl: 60))
        let roots = folder.write(authority.pem, to: "roots.pem")
        return try RunningGateway(upstreams: []) {
            let server = Configuration.Server(host: "_https._tcp.bank.test", port: 443, isTLS: true)
            $0.pools[0].servers = [server]
            $0.discovery.resolvers = [.init(address: "127.0.0.1", port: names.port)]
            $0.upstreamTLS.ca = roots
            configure(&$0)
        }
    }

    @Test("is asked for the domain of the service, and taken with a certificate for that")
    func domain() throws {
        let names = NameServer()
        let origin = ScriptedServer(tls: .server(authority.issue(["bank.test"]))) { peer, _, server in
            server.note((peer as? SecurePeer)?.askedName ?? "-")
            _ = peer.receiveMessage()
            peer.send(ok("x"))
        }
        let gateway = try gateway(to: origin, names)
        #expect(gateway.exchange(request).hasSuffix("\r\n\r\nx"))
        #expect(origin.requests == ["bank.test"])
    }

    @Test("is refused with a certificate for the host that the name server says")
    func target() throws {
        let names = NameServer()
        let origin = ScriptedServer.answering(ok("x"), tls: .server(authority.issue(["evil.test"])))
        let gateway = try gateway(to: origin, names)
        #expect(gateway.exchange(request).hasPrefix("HTTP/1.1 502 "))
        #expect(origin.requests.isEmpty)
        #expect(gateway.log().first?.hasSuffix(" reason=certificate-wrong-name") == true)
    }

    @Test("is verified by the name that its pool says, in place of the domain")
    func named() throws {
        let names = NameServer()
        let origin = ScriptedServer(tls: .server(authority.issue(["vault.test"]))) { peer, _, server in
            server.note((peer as? SecurePeer)?.askedName ?? "-")
            _ = peer.receiveMessage()
            peer.send(ok("x"))
        }
        let good = try gateway(to: origin, names) { $0.pools[0].settings.tlsName = "vault.test" }
        #expect(good.exchange(request).hasSuffix("\r\n\r\nx"))
        #expect(origin.requests == ["vault.test"])
        let bad = try gateway(to: origin, names) { $0.pools[0].settings.tlsName = "other.test" }
        #expect(bad.exchange(request).hasPrefix("HTTP/1.1 502 "))
        #expect(bad.log().first?.hasSuffix(" reason=certificate-wrong-name") == true)
    }

    @Test("and one with an address is verified by that name too")
    func numeric() throws {
        let origin = ScriptedServer.answering(ok("x"), tls: .server(authority.issue(["vault.test"])))
        let roots = folder.write(authority.pem, to: "roots.pem")
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            $0.pools[0].servers[0].isTLS = true
            $0.pools[0].settings.tlsName = "vault.test"
            $0.upstreamTLS.ca = roots
        }
        #expect(gateway.exchange(request).hasSuffix("\r\n\r\nx"))
    }

    @Test("has the name behind the labels of the service")
    func verifiedNames() {
        for (host, name) in [
            ("_https._tcp.bank.test", "bank.test"), ("_x._tcp._y.bank.test", "bank.test"), ("bank.test", "bank.test"),
            ("a._b.test", "a._b.test"), ("_https._tcp", "_https._tcp"), ("192.0.2.1", "192.0.2.1"), ("::1", "::1"),
        ] {
            #expect(Configuration.Server(host: host, port: 1).verifiedName == name)
        }
    }
}
