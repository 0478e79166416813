// SPDX-License-Identifier: Apache-2.0
// What one client sends must not change what the others get out of the cache. With default settings, unless a test says
// otherwise.

import Settings
import Synchronization
import TestSupport
import Testing

@Suite("A stranger to the cache") struct CacheStrangerTests {
    private static let alice = "Authorization: Basic YWxpY2U6eA==\r\n"
    private static let old = "Cache-Control: max-age=10\r\nAge: 20\r\nETag: \"v1\"\r\n"

    /// Answers Alice's questions about a stale page with fields of hers.
    private static func greeting(_ fields: String = "") -> ScriptedServer {
        origin { head, _ in
            let isAlice = head.contains("Authorization:")
            let user = isAlice ? "X-User: alice\r\n" : ""
            if head.hasPrefix("HEAD") {
                return
                    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"v1\"\r\nContent-Length: 4\r\n\(user)\(fields)\r\n"
            }
            return head.contains("If-None-Match")
                ? notModified + "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n\(user)\(fields)\r\n"
                : response("page", Self.old)
        }
    }

    @Test(
        "who says who he is gets his fields of a 304 or a HEAD, and they are stored for nobody",
        arguments: ["GET", "HEAD"])
    func fieldsOfAUser(_ method: String) throws {
        let server = Self.greeting()
        let gateway = try CachingGateway(server)
        gateway.store()
        let hers = gateway.ask("/", Self.alice + "Cache-Control: no-cache\r\n", method: method)
        #expect(hers.field("X-User") == "alice")
        gateway.store("/another")
        // What is stored is as stale as before; somebody else's validation brings it up to date.
        #expect(gateway.ask().all("X-User").isEmpty)
        eventually { gateway.ask().isHit }
        #expect(gateway.ask().all("X-User").isEmpty)
        #expect(server.requests.count > 2)
    }

    @Test(
        "gets no page of somebody whom a trusted proxy names, by certificate or as a user",
        arguments: [
            "Client-Cert: :alice:", "X-Client-Cert-Subject: alice", "X-Client-Cert: alice",
            "X-Forwarded-Client-Cert: Subject=alice", "X-Forwarded-Tls-Client-Cert-Info: alice",
            "X-Forwarded-User: alice", "X-Forwarded-Email: alice", "X-Forwarded-Access-Token: alice",
        ])
    func namedByProxy(_ field: String) throws {
        let server = origin { head, _ in
            response(head.contains("alice") ? "alice" : "page", "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server) { $0.trustedProxies = loopbackRange }
        #expect(gateway.ask("/", field + "\r\n").body == "alice")
        #expect(gateway.store().body == "page")
        #expect(gateway.ask().isHit)
        // Nobody is named: the proxy asks for somebody without a certificate.
        let nobody = String(field.prefix { $0 != ":" }) + ":\r\n"
        #expect(gateway.ask("/other", nobody).cacheStatus.hasSuffix("stored"))
    }

    @Test("may bring a stored response up to date where the answer itself permits it", arguments: ["GET", "HEAD"])
    func permitted(_ method: String) throws {
        let server = origin { head, _ in
            if head.hasPrefix("HEAD") {
                return
                    "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nETag: \"v1\"\r\nContent-Length: 4\r\n\r\n"
            }
            return head.contains("If-None-Match")
                ? notModified + "Cache-Control: public, max-age=60\r\nETag: \"v1\"\r\n\r\n" : response("page", Self.old)
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask("/", Self.alice, method: method).status == 200)
        eventually { gateway.ask().isHit }
        #expect(server.requests.count == 2)
    }

    @Test("whose 304 sets a cookie gets it, and what is stored stays as it is")
    func cookieOfAnUpdate() throws {
        let server = origin { head, _ in
            head.contains("If-None-Match")
                ? notModified + "Cache-Control: max-age=60\r\nETag: \"v1\"\r\nSet-Cookie: id=1\r\nX-User: bob\r\n\r\n"
                : response("page", Self.old)
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let his = gateway.ask()
        #expect(his.field("Set-Cookie") == "id=1")
        #expect(his.field("X-User") == "bob")
        gateway.store("/another")
        let stale = gateway.ask("/", "Cache-Control: only-if-cached, max-stale\r\n")
        #expect(stale.body == "page")
        #expect(stale.all("X-User").isEmpty)
        #expect(stale.all("Set-Cookie").isEmpty)
    }

    @Test(
        "gets a fresh response without the origin being asked, whatever it says",
        arguments: [
            "Cache-Control: no-cache", "Cache-Control: max-age=0", "Cache-Control: max-age=10",
            "Cache-Control: min-fresh=90", "Pragma: no-cache", "Cache-Control: no-store",
            "Cache-Control: no-cache, no-store, max-age=0, must-revalidate",
        ])
    func reload(_ field: String) throws {
        let server = origin { _, number in
            response("\(number)", "Cache-Control: max-age=100\r\nETag: \"v1\"\r\nAge: 20\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        for method in ["GET", "HEAD"] { #expect(gateway.ask("/", field + "\r\n", method: method).isHit) }
        #expect(gateway.ask("/", field + "\r\n" + Self.alice).isHit)
        #expect(server.requests.count == 1)
    }

    /// Answers that are stored, but not what Alice is told.
    private static func page(_ gate: Gate) -> ScriptedServer {
        origin { head, number in
            let isAlice = head.contains("Authorization:") || head.contains("Cookie: session=")
            if isAlice { gate.pass() }
            return response(
                isAlice ? "alice" : "page\(number)",
                isAlice ? "Cache-Control: private\r\n" : "Cache-Control: max-age=60\r\n")
        }
    }

    @Test("that proves who it is leads nobody: others do not wait for what is not for them")
    func leadsNobody() throws {
        let gate = Gate()
        let server = Self.page(gate)
        let gateway = try CachingGateway(server)
        let alice = gateway.begin("/", Self.alice)
        // Alice's answer is held back; nobody waits for it.
        #expect(gateway.store().body == "page1")
        #expect(gateway.ask().isHit)
        gate.open()
        #expect(alice.reply().body == "alice")
    }

    @Test(
        "that is refused has nothing remembered of it: others are still answered by one request",
        arguments: [alice, "Cookie: session=1\r\n"])
    func refusesNobody(_ fields: String) throws {
        let hold = Gate()
        let server = origin { head, number in
            let isAlice = head.contains("Authorization:") || head.contains("Cookie:")
            if !isAlice { hold.pass() }
            return response("\(number)", isAlice ? "Cache-Control: private\r\n" : "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server)
        #expect(gateway.ask("/", fields).cacheStatus.contains("detail="))
        let peers = (0..<10).map { _ in gateway.gateway.connect() }
        for peer in peers { peer.request() }
        eventually { server.requests.count == 2 }
        gateway.gateway.hearAll()
        #expect(server.requests.count == 2)
        hold.open(for: 20)
        for peer in peers { #expect(peer.reply().body == "1") }
        #expect(server.requests.count == 2)
    }

    @Test(
        "that proves who it is has its answer stored where that permits it, unless the page has changed since it asked",
        arguments: [false, true])
    func late(_ changes: Bool) throws {
        let gate = Gate()
        let server = origin { head, number in
            if head.hasPrefix("POST") { return response("", "") }
            if number == 0 { gate.pass() }
            return response("\(number)", "Cache-Control: public, max-age=60\r\n")
        }
        let gateway = try CachingGateway(server)
        let alice = gateway.begin("/", Self.alice)
        if changes { gateway.ask("/", "Content-Length: 0\r\n", method: "POST") }
        gate.open()
        #expect(alice.reply().body == "0")
        if changes {
            gateway.store("/another")
            #expect(gateway.ask().body == "3")
        } else {
            eventually { gateway.ask("/", "Cache-Control: only-if-cached\r\n").body == "0" }
        }
    }

    @Test("that leads with a cookie and is refused keeps nobody's answer out of the cache")
    func letGo() throws {
        let gate = Gate()
        let server = Self.page(gate)
        let gateway = try CachingGateway(server)
        let alice = gateway.begin("/", "Cookie: session=1\r\n")
        let peer = gateway.gateway.connect()
        peer.request()
        gateway.gateway.hearAll()
        #expect(server.requests.count == 1)
        gate.open()
        #expect(alice.reply().body == "alice")
        #expect(peer.reply().body == "page1")
        eventually { gateway.ask().isHit }
        #expect(server.requests.count == 2)
    }

    @Test(
        "takes nothing away that is stored, when its own answer may not be",
        arguments: [alice, "Cookie: session=1\r\n"], [false, true])
    func takesNothingAway(_ fields: String, _ honours: Bool) throws {
        let server = origin { head, number in
            let isAlice = head.contains("Authorization:") || head.contains("Cookie:")
            return isAlice
                ? response("alice", "Cache-Control: private\r\n")
                : response("page", "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n")
        }
        let gateway = try CachingGateway(server) { $0.cache.honoursReload = honours }
        gateway.store()
        gateway.ask("/", fields + "Cache-Control: no-cache\r\n")
        gateway.store("/another")
        #expect(gateway.ask().isHit)
        eventually { gateway.files.count == 2 }
    }

    @Test("that takes a field away on the way is one that has not sent it")
    func connection() throws {
        let server = origin { head, number in
            let isCross = head.contains("Origin: https://app.example")
            return response(
                "\(number)",
                "Cache-Control: max-age=60\r\nVary: Origin, Accept-Encoding, X-Mine, X_Mine\r\n"
                    + (isCross ? "Access-Control-Allow-Origin: https://app.example\r\n" : ""))
        }
        let gateway = try CachingGateway(server)
        let cross = "Origin: https://app.example\r\n"
        gateway.store("/", cross + "Connection: close, Origin\r\n")
        #expect(!server.requests[0].contains("app.example"))
        let honest = gateway.store("/", cross)
        #expect(honest.field("Access-Control-Allow-Origin") == "https://app.example")
        #expect(gateway.ask("/", cross).field("Access-Control-Allow-Origin") == "https://app.example")
        // It has got what one without the field gets.
        #expect(gateway.ask().isHit)
        #expect(gateway.ask().body == "0")
    }

    @Test(
        "that spells the host in its own way has it forwarded as everybody has",
        arguments: [
            ("h.example", "h.example"), ("h.example:80", "h.example"), ("h.example:", "h.example"),
            ("h.example:00080", "h.example"), ("H.ExAmPlE", "h.example"), ("H.example:8080", "h.example:8080"),
            ("h.example:08080", "h.example:8080"), ("[::AB]:80", "[::ab]"), ("h.example.", "h.example."),
        ])
    func host(_ spelling: String, _ form: String) throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server)
        gateway.ask("/", host: spelling)
        gateway.ask("http://\(spelling)/2", host: "other")
        gateway.ask("/", "Content-Length: 0\r\n", method: "POST", host: spelling)
        #expect(server.requests.count == 3)
        for head in server.requests {
            #expect(head.contains("\r\nHost: \(form)\r\n"))
            #expect(head.contains("\r\nX-Forwarded-Host: \(form)\r\n"))
            #expect(head.contains(";host=\"\(form)\";"))
            #expect(form == spelling || !head.contains(spelling + "\r\n"))
        }
    }

    @Test("of a trusted proxy that spells the host in its own way has it forwarded so, and another host past the cache")
    func forwardedHost() throws {
        let server = origin { _, number in response("\(number)", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server) { $0.trustedProxies = loopbackRange }
        gateway.store("/", "X-Forwarded-Host: H.example:080\r\n", host: "h.EXAMPLE")
        #expect(server.requests[0].contains("\r\nX-Forwarded-Host: h.example\r\n"))
        #expect(gateway.ask("/", host: "h.example").body == "0")
        let other = gateway.ask("/", "X-Forwarded-Host: Evil.example\r\n", host: "h.example")
        #expect(other.cacheStatus == "gateway; fwd=bypass")
        #expect(server.requests.last?.contains("\r\nX-Forwarded-Host: Evil.example\r\n") == true)
    }

    @Test(
        "gets a cookie for itself, whatever the response allows",
        arguments: ["public, max-age=60", "s-maxage=60", "max-age=60, no-cache=\"Set-Cookie\""])
    func setCookie(_ directives: String) throws {
        let server = origin { _, number in
            response("\(number)", "Cache-Control: \(directives)\r\nSet-Cookie: id=\(number)\r\n")
        }
        let gateway = try CachingGateway(server)
        #expect(gateway.ask().cacheStatus == "gateway; fwd=uri-miss; detail=set-cookie")
        #expect(gateway.ask().field("Set-Cookie") == "id=1")
        #expect(gateway.files.isEmpty)
    }

    @Test("gets no guessed lifetime: what was changed long ago is asked about each time")
    func heuristic() throws {
        let fields = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        let server = origin { head, number in
            head.contains("If-Modified-Since") ? notModified + fields + "\r\n" : response("\(number)", fields)
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let again = gateway.ask()
        #expect(again.body == "0")
        #expect(again.cacheStatus.contains("fwd=stale; fwd-status=304"))
        #expect(server.requests.count == 2)
    }

    @Test(
        "has a 304 without validators taken for what was asked about",
        arguments: ["ETag: \"v1\"", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"])
    func bare304(_ validator: String) throws {
        let server = origin { head, number in
            head.contains("If-None-Match") || head.contains("If-Modified-Since")
                ? notModified + "Cache-Control: max-age=60\r\n\r\n"
                : response("\(number)", "Cache-Control: max-age=10\r\nAge: 20\r\n\(validator)\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let again = gateway.ask()
        #expect(again.body == "0")
        #expect(again.cacheStatus.contains("fwd-status=304"))
        eventually { gateway.ask().isHit }
        #expect(server.requests.count == 2)
    }

    @Test("gets a status that HTTP does not know as it came, and nobody else does", arguments: [600, 799, 999])
    func oddStatus(_ status: Int) throws {
        let server = origin { _, number in
            response("\(number)", "Cache-Control: public, max-age=60\r\n", status: "\(status) No")
        }
        let gateway = try CachingGateway(server)
        let first = gateway.ask()
        #expect(first.status == status)
        #expect(first.body == "0")
        let second = gateway.ask()
        #expect(second.status == status)
        #expect(second.body == "1")
        #expect(gateway.files.isEmpty)
    }
}
