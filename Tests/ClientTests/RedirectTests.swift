// SPDX-License-Identifier: Apache-2.0
import Client
import TestSupport
import Testing

@Suite("Credentials and redirects") struct RedirectTests {
    /// How a secret is given.
    enum Kind: CaseIterable, Sendable { case user, url, authorization, cookieField, cookieText }
    /// What is different about where the redirect leads.
    enum Way: CaseIterable, Sendable { case same, host, port, scheme }

    private static let authority = CertificateAuthority()

    @Test("go to the origin they were given for, and to no other", arguments: Kind.allCases, Way.allCases)
    func matrix(_ kind: Kind, _ way: Way) throws {
        let folder = TemporaryFolder()
        let roots = folder.write(Self.authority.pem, to: "roots.pem")
        let other = ScriptedServer.answering(ok("there"))
        let secure = ScriptedServer.answering(ok("there"), tls: .server(Self.authority.issue()))
        let otherURL = other.url("/there")
        let secureURL = secure.url("/there", scheme: "https")
        let first = scripted { head, _, _ in
            if !head.hasPrefix("GET /start") { return ok("there") }
            let location: String
            switch way {
            case .same: location = "/there"
            case .host: location = "http://localhost:\(portOf(head))/there"
            case .port: location = otherURL
            case .scheme: location = secureURL
            }
            return "HTTP/1.1 302 Found\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n"
        }
        var context = TransferContext()
        context.settings.followsRedirects = true
        context.security = try ClientSecurity(authorities: roots)
        var url = first.url("/start")
        switch kind {
        case .user: context.settings.credentials = .init(user: "me", password: "secret")
        case .url: url = "http://me:secret@127.0.0.1:\(first.port)/start"
        case .authorization:
            context.settings.fields = [RequestField(name: "Authorization", value: "Basic bWU6c2VjcmV0")]
        case .cookieField: context.settings.fields = [RequestField(name: "cookie", value: "a=secret")]
        case .cookieText: context.jar = CookieJar(literal: ["a=secret"])
        }
        let outcome = try TransferRunner(context).fetch(url)
        #expect(outcome.text == "there", "\(outcome.sentence)")
        func isSecret(_ head: String) -> Bool { head.contains("bWU6c2VjcmV0") || head.contains("a=secret") }
        let all = first.requests + other.requests + secure.requests
        #expect(all.count == 2 && isSecret(all[0]))
        #expect(isSecret(all[1]) == (way == .same))
    }

    @Test("go along when the user says so")
    func trusted() throws {
        let other = ScriptedServer.answering(ok("there"))
        let location = other.url()
        let first = ScriptedServer.answering(
            "HTTP/1.1 301 Moved\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n")
        let outcome = try fetch(first.url()) {
            $0.followsRedirects = true
            $0.trustsLocation = true
            $0.credentials = .init(user: "me", password: "secret")
        }
        #expect(outcome.text == "there" && other.requests.first?.contains("Authorization: Basic") == true)
    }

    @Test("with content send it again after 307, and none of it after 303")
    func content() throws {
        for (status, expected) in [(307, "POST"), (303, "GET")] {
            let server = scripted { head, body, _ in
                head.contains("/start")
                    ? "HTTP/1.1 \(status) X\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n" : ok(body)
            }
            let outcome = try fetch(server.url("/start"), body: .bytes(Array("content".utf8))) {
                $0.followsRedirects = true
            }
            #expect(server.requests.last?.hasPrefix("\(expected) /there") == true)
            #expect(outcome.text == (status == 307 ? "content" : ""))
        }
    }

    @Test("a line break in a redirect never becomes a line of a request")
    func injection() throws {
        for location in ["/a%0d%0aX-Evil:%201", "/a\u{0B}X-Evil: 1", "http://127.0.0.1\\@evil/", "/\u{7F}"] {
            let server = scripted { head, _, _ in
                head.contains("/start")
                    ? "HTTP/1.1 302 X\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n" : ok("there")
            }
            _ = try fetch(server.url("/start")) { $0.followsRedirects = true }
            #expect(!server.requests.contains { $0.contains("\r\nX-Evil") })
        }
    }
}

/// The port in a request's Host.
private func portOf(_ head: String) -> String {
    let line = head.split(separator: "\r\n").first { $0.hasPrefix("Host:") } ?? ""
    return line.split(separator: ":").last.map(String.init) ?? ""
}
