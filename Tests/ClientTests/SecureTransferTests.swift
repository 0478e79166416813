// SPDX-License-Identifier: Apache-2.0
import Client
import TestSupport
import Testing

@Suite("A transfer through TLS") struct SecureTransferTests {
    private let authority = CertificateAuthority()
    private let folder = TemporaryFolder()

    /// What comes of asking `server`; `security` is made late, since making it may fail.
    private func fetch(
        _ server: ScriptedServer, host: String = "localhost", method: String? = nil, body: [UInt8]? = nil,
        _ security: () throws(ClientFailure) -> ClientSecurity
    ) throws -> Outcome {
        var context = TransferContext()
        context.settings.method = method
        do throws(ClientFailure) {
            context.security = try security()
        } catch {
            var report = TransferReport()
            report.failure = error
            return Outcome(report: report, text: "", heads: [])
        }
        return try TransferRunner(context).fetch(
            server.url(host: host, scheme: "https"), body: body.map { .bytes($0) })
    }

    private func roots() -> String { folder.write(authority.pem, to: "roots.pem") }

    @Test("gets what it asked for from a server that proves itself", arguments: TLSSide.Version.allCases)
    func verified(_ version: TLSSide.Version) throws {
        let server = ScriptedServer.answering(ok("hello"), tls: .server(authority.issue(), version))
        for host in ["localhost", "127.0.0.1"] {
            let outcome = try fetch(server, host: host) { () throws(ClientFailure) in
                try ClientSecurity(authorities: roots())
            }
            #expect(outcome.exitStatus == 0, "\(outcome.sentence)")
            #expect(outcome.text == "hello")
            #expect(outcome.report.protocolName == version.rawValue)
        }
    }

    @Test("ends with 60 when the server does not, unless --insecure is given")
    func unverified() throws {
        let others = CertificateAuthority("Others")
        for certificate in [
            others.issue(), .selfSigned(), authority.issue(["other.example"]), authority.issue(until: -60),
        ] {
            let server = ScriptedServer.answering(ok("hello"), tls: .server(certificate))
            let refused = try fetch(server) { () throws(ClientFailure) in try ClientSecurity(authorities: roots()) }
            #expect(refused.exitStatus == 60)
            #expect(refused.sentence.contains("--cacert") && refused.sentence.contains("--insecure"))
            #expect(refused.text.isEmpty)
            #expect(server.requests.isEmpty)
            let taken = try fetch(server) { () throws(ClientFailure) in try ClientSecurity(verifies: false) }
            #expect(taken.exitStatus == 0)
            #expect(taken.text == "hello")
        }
        // Without --cacert it is the system's roots that count, and none of them knows the tests' authority.
        let server = ScriptedServer.answering(ok("hello"), tls: .server(authority.issue()))
        #expect(try fetch(server) { () throws(ClientFailure) in try ClientSecurity() }.exitStatus == 60)
    }

    @Test("ends with 35 when the handshake fails otherwise")
    func noHandshake() throws {
        let plain = ScriptedServer { peer, _, _ in
            peer.send("HTTP/1.1 400 Bad Request\r\n\r\n")
            _ = peer.receive()
        }
        let closing = ScriptedServer { peer, _, _ in
            _ = peer.receive()
            peer.close()
        }
        for server in [plain, closing] {
            #expect(
                try fetch(server) { () throws(ClientFailure) in try ClientSecurity(verifies: false) }.exitStatus == 35)
        }
    }

    @Test("shows its own certificate to a server that demands one")
    func ownCertificate() throws {
        let mine = authority.issue([], subject: "me", usage: "clientAuth")
        let both = folder.write(mine.pem, to: "both.pem")
        let certificate = folder.write(mine.certificatePEM, to: "certificate.pem")
        let key = folder.write(mine.keyPEM, to: "key.pem")
        let server = ScriptedServer(tls: .server(authority.issue(), .tls12, demanding: authority)) { peer, _, server in
            server.note("\((peer as? SecurePeer)?.peerSerial ?? 0)")
            _ = peer.receiveMessage()
            peer.send(ok("hello"))
        }
        let single = try fetch(server) { () throws(ClientFailure) in
            try ClientSecurity(authorities: roots(), certificate: both)
        }
        let separate = try fetch(server) { () throws(ClientFailure) in
            try ClientSecurity(authorities: roots(), certificate: certificate, key: key)
        }
        #expect(single.text == "hello" && separate.text == "hello", "\(single.sentence) \(separate.sentence)")
        #expect(server.requests == ["\(mine.serial)", "\(mine.serial)"])
        let without = try fetch(server) { () throws(ClientFailure) in try ClientSecurity(authorities: roots()) }
        #expect(without.exitStatus == 35)
    }

    @Test("ends with 58 for a bad certificate of its own and 77 for bad roots")
    func badFiles() throws {
        let server = ScriptedServer.answering(ok("hello"), tls: .server(authority.issue()))
        let junk = folder.write("junk", to: "junk.pem")
        let mine = authority.issue([], usage: "clientAuth")
        let keyless = folder.write(mine.certificatePEM, to: "keyless.pem")
        let strange = folder.write(authority.issue().keyPEM, to: "strange.pem")
        for path in [junk, folder.file("missing.pem"), keyless] {
            #expect(
                try fetch(server) { () throws(ClientFailure) in try ClientSecurity(certificate: path) }.exitStatus == 58
            )
        }
        #expect(
            try fetch(server) { () throws(ClientFailure) in try ClientSecurity(certificate: keyless, key: strange) }
                .exitStatus == 58)
        for path in [junk, folder.file("missing.pem"), strange] {
            let outcome = try fetch(server) { () throws(ClientFailure) in try ClientSecurity(authorities: path) }
            #expect(outcome.exitStatus == 77)
            #expect(outcome.sentence.contains(path))
        }
        #expect(server.connections == 0)
    }

    @Test("is not complete without close_notify when only the end delimits it", arguments: TLSSide.Version.allCases)
    func cutBody(_ version: TLSSide.Version) throws {
        for (isCut, status) in [(true, 56), (false, 0)] as [(Bool, Int32)] {
            let server = ScriptedServer(tls: .server(authority.issue(), version)) { peer, _, _ in
                _ = peer.receiveMessage()
                peer.send("HTTP/1.1 200 OK\r\n\r\nhello")
                guard let secure = peer as? SecurePeer else { return }
                if isCut { secure.cut() } else { secure.close() }
            }
            let outcome = try fetch(server) { () throws(ClientFailure) in try ClientSecurity(authorities: roots()) }
            #expect(outcome.exitStatus == status)
            #expect(outcome.text == "hello")
        }
    }

    @Test("is complete without close_notify when its length says so")
    func lengthAndCut() throws {
        let server = ScriptedServer(tls: .server(authority.issue())) { peer, _, _ in
            _ = peer.receiveMessage()
            peer.send(ok("hello"))
            (peer as? SecurePeer)?.cut()
        }
        let outcome = try fetch(server) { () throws(ClientFailure) in try ClientSecurity(authorities: roots()) }
        #expect(outcome.exitStatus == 0)
        #expect(outcome.text == "hello")
    }

    @Test("carries large bodies both ways byte for byte", arguments: TLSSide.Version.allCases)
    func large(_ version: TLSSide.Version) throws {
        let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: ($0 &* 31 ^ $0 >> 8) & 0x7F) }
        let server = ScriptedServer(tls: .server(authority.issue(), version)) { peer, _, _ in
            _ = peer.receiveHead()
            let content = peer.receiveBytes(count: body.count)
            peer.send(Array("HTTP/1.1 200 OK\r\nContent-Length: \(content.count)\r\n\r\n".utf8) + content)
        }
        let outcome = try fetch(server, method: "POST", body: body) { () throws(ClientFailure) in
            try ClientSecurity(authorities: roots())
        }
        #expect(outcome.exitStatus == 0, "\(outcome.sentence)")
        #expect(Array(outcome.text.utf8) == body)
    }
}
