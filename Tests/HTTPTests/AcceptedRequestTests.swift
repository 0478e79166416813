// SPDX-License-Identifier: Apache-2.0
// Requests that are understood, and what is understood of them; the limits.

import HTTP
import Testing

@Suite("Requests that are understood") struct AcceptedRequests {
    private func parts(_ sample: String) -> (form: TargetForm, authority: String, path: String, query: String?) {
        guard case .complete = request(sample) else {
            Issue.record("not complete: \(request(sample))")
            return (.origin, "", "", nil)
        }
        let bytes = latin1(sample)
        let head = head(of: sample)
        return (
            head.targetForm, text(bytes, head.authorityRange), text(bytes, head.pathRange),
            head.queryRange.map { text(bytes, $0) }
        )
    }

    @Test("The forms of targets")
    func targets() {
        func check(_ target: String, _ expected: (TargetForm, String, String, String?), method: String = "GET") {
            #expect(parts("\(method) \(target) HTTP/1.1\r\nHost: h:1\r\n\r\n") == expected)
        }
        check("/", (.origin, "h:1", "/", nil))
        check("/a/b?c=d?e", (.origin, "h:1", "/a/b", "c=d?e"))
        check("/?", (.origin, "h:1", "/", ""))
        check("//a", (.origin, "h:1", "//a", nil))
        check("/\"<>^`{|}%zz%00?%zz\\", (.origin, "h:1", "/\"<>^`{|}%zz%00", "%zz\\"))
        check("http://a/b?c", (.absolute, "a", "/b", "c"))
        check("HTTPS://A:443", (.absolute, "A:443", "", nil))
        check("http://a?b@c/", (.absolute, "a", "", "b@c/"))
        check("http://[::1]:8080/x@y", (.absolute, "[::1]:8080", "/x@y", nil))
        check("*", (.asterisk, "h:1", "*", nil), method: "OPTIONS")
        check("http://a", (.absolute, "a", "", nil), method: "OPTIONS")
        check("a:80", (.authority, "a:80", "", nil), method: "CONNECT")
    }

    @Test(
        "Hosts",
        arguments: [
            "a", "A.example", "a.", "a:", "a:0", "a:65535", "127.0.0.1", "1.2.3.4:80", "[::]", "[::1]:1", "[1::]",
            "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:1.2.3.4]", "[::ffff:192.0.2.1]", "a_b", "a~b", "xn--a", "a!$&'()*+;=b",
        ])
    func hosts(_ host: String) {
        #expect(parts("GET / HTTP/1.1\r\nHost:\t \(host) \r\n\r\n") == (.origin, host, "/", nil))
    }

    @Test("HTTP/1.0 needs no Host")
    func hostInHTTP10() {
        #expect(parts("GET / HTTP/1.0\r\n\r\n") == (.origin, "", "/", nil))
        #expect(parts("GET http://a/ HTTP/1.0\r\n\r\n") == (.absolute, "a", "/", nil))
    }

    @Test("One empty line before the request line is part of the head")
    func leadingLine() {
        let head = head(of: "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET")
        #expect(head.length == 29)
        #expect(head.methodRange == 2..<5)
    }

    @Test("Methods are case-sensitive")
    func methods() {
        let known: [(String, HTTP.Method)] = [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete),
            ("OPTIONS", .options), ("TRACE", .trace), ("PATCH", .patch),
        ]
        for (word, method) in known {
            #expect(head(of: "\(word) / HTTP/1.1\r\nHost: a\r\n\r\n").method == method)
            #expect(head(of: "\(word.lowercased()) / HTTP/1.1\r\nHost: a\r\n\r\n").method == .other)
        }
        #expect(head(of: "\(String(repeating: "M", count: 32)) / HTTP/1.1\r\nHost: a\r\n\r\n").method == .other)
        let safe: [HTTP.Method] = [.get, .head, .options, .trace]
        for raw in HTTP.Method.get.rawValue...HTTP.Method.other.rawValue {
            guard let method = HTTP.Method(rawValue: raw) else { continue }
            #expect(method.isSafe == safe.contains(method))
            #expect(method.isIdempotent == (safe.contains(method) || method == .put || method == .delete))
        }
    }

    private func framing(_ lines: String) -> Framing? {
        guard case .complete = request("POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n") else { return nil }
        return head(of: "POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n").framing
    }

    @Test("Framing")
    func framings() {
        #expect(framing("") == Framing.none)
        #expect(framing("Content-Length: 0\r\n") == .length(0))
        #expect(framing("content-LENGTH:5\r\n") == .length(5))
        #expect(framing("Content-Length: \t5\t \r\n") == .length(5))
        #expect(framing("Content-Length: 0000000000000000005\r\n") == .length(5))
        #expect(framing("Content-Length: 2147483648\r\n") == .length(2_147_483_648))
        #expect(framing("Content-Length: 9223372036854775807\r\n") == .length(9_223_372_036_854_775_807))
        #expect(framing("Transfer-Encoding: chunked\r\n") == .chunked)
        #expect(framing("transfer-encoding:\tCHUNKED\t\r\n") == .chunked)
        #expect(!Framing.none.hasBody && !Framing.length(0).hasBody && Framing.length(1).hasBody)
    }

    @Test("Persistence and connection options")
    func persistence() {
        func check(_ version: String, _ lines: String) -> (Bool, ConnectionOptions) {
            let sample = "GET / HTTP/\(version)\r\nHost: a\r\n\(lines)\r\n"
            _ = request(sample)
            let head = head(of: sample)
            return (head.isPersistent, head.connection)
        }
        #expect(check("1.1", "") == (true, []))
        #expect(check("1.1", "Connection: Close\r\n") == (false, .close))
        #expect(check("1.1", "Connection: keep-alive\r\nConnection: close\r\n") == (false, [.close, .keepAlive]))
        #expect(check("1.1", "Connection: , ,TE ,\tclosex,\r\n") == (true, [.te, .namesOthers]))
        #expect(check("1.1", "Connection:\r\n") == (true, []))
        #expect(check("1.0", "") == (false, []))
        #expect(check("1.0", "Connection: Keep-Alive\r\n") == (true, .keepAlive))
        #expect(check("1.0", "Connection: keep-alive, close\r\n") == (false, [.close, .keepAlive]))
        #expect(check("1.1", "Connection: X-Forwarded-For\r\n") == (true, .namesOthers))
    }

    @Test("Expect")
    func expect() {
        #expect(head(of: "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue \r\n\r\n").expectsContinue == true)
        #expect(head(of: "PUT / HTTP/1.1\r\nHost: a\r\n\r\n").expectsContinue == false)
        #expect(head(of: "PUT / HTTP/1.0\r\nHost: a\r\nExpect: what\r\n\r\n").expectsContinue == false)
    }

    @Test("Upgrade counts only when Connection names it, in HTTP/1.1, once, and for nothing that carries requests")
    func upgrade() {
        func check(_ lines: String, _ version: String = "1.1") -> Upgrade {
            let head = head(of: "GET / HTTP/\(version)\r\nHost: a\r\n\(lines)\r\n")
            #expect(head.hasForwardableUpgrade == (head.upgrade == .forwardable))
            return head.upgrade
        }
        #expect(check("Connection: upgrade\r\nUpgrade: websocket\r\n") == .forwardable)
        #expect(check("Upgrade: foo/2, bar\r\nConnection: close, Upgrade\r\n") == .forwardable)
        #expect(check("Upgrade: websocket\r\n") == .none)
        #expect(check("Connection: upgrade\r\n") == .none)
        #expect(check("Connection: upgrade\r\nUpgrade:\r\n") == .none)
        #expect(check("Connection: upgrade\r\nUpgrade: websocket\r\n", "1.0") == .none)
        for name in ["H2C", "h2c-14", "h2", "H3", "HTTP/2.0", "http", "https", "TLS/1.0", "tls", "TLS/1.3, HTTP/1.1"] {
            #expect(check("Connection: upgrade\r\nUpgrade: \(name)\r\n") == .carriesRequests)
            #expect(check("Connection: upgrade\r\nUpgrade: websocket, \(name)\r\n") == .carriesRequests)
        }
        for name in ["h", "hx2", "httpx/1", "tlsx", "IRC/6.9", "h1"] {
            #expect(check("Connection: upgrade\r\nUpgrade: \(name)\r\n") == .forwardable)
        }
        #expect(check("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n") == .none)
        #expect(check("Connection: upgrade\r\nUpgrade: a/b/c\r\n") == .none)
        #expect(check("Connection: upgrade\r\nUpgrade: /b\r\n") == .none)
        #expect(check("Connection: upgrade\r\nUpgrade: a b\r\n") == .none)
    }

    @Test("A head that is used again holds nothing of the one before")
    func reuse() {
        var head = RequestHead()
        let first = latin1(
            "POST http://x/y?z HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
                + "Connection: upgrade\r\nUpgrade: u\r\n\r\n")
        let second = latin1("GET / HTTP/1.0\r\n\r\n")
        _ = parseRequest(first, head: &head)
        var fresh = RequestHead()
        #expect(parseRequest(second, head: &head) == parseRequest(second, head: &fresh))
    }
}

@Suite("Limits of heads") struct Limits {
    private let line = HeadLimits(headBytes: 1_000, lineBytes: 100, fields: 3)

    private func target(_ length: Int) -> String {
        "GET /\(String(repeating: "a", count: length - 16)) HTTP/1.1\r\nHost: a\r\n\r\n"
    }
    private func field(_ length: Int) -> String {
        "GET / HTTP/1.1\r\nHost: a\r\nA: \(String(repeating: "a", count: length - 5))\r\n\r\n"
    }

    @Test("The request line, at the limit and one byte above")
    func requestLine() {
        #expect(reason(request(target(100), limits: line)) == nil)
        #expect(reason(request(target(101), limits: line)) == .lineTooLong)
        #expect(reason(request(String(repeating: "a", count: 100), limits: line)) == nil)
        #expect(reason(request(String(repeating: "a", count: 101), limits: line)) == .lineTooLong)
    }

    @Test("A field line, at the limit and one byte above")
    func fieldLine() {
        #expect(reason(request(field(100), limits: line)) == nil)
        #expect(reason(request(field(101), limits: line)) == .fieldLineTooLong)
    }

    @Test("The head, at the limit and one byte above")
    func headBytes() {
        let limits = HeadLimits(headBytes: 100, lineBytes: 100, fields: 100)
        // 16 + 9 + line + 2
        #expect(reason(request(field(73), limits: limits)) == nil)
        #expect(reason(request(field(74), limits: limits)) == .headTooLarge)
        #expect(reason(request(field(200), limits: limits)) == .headTooLarge)
    }

    @Test("The number of fields, at the limit and one above")
    func fields() {
        let start = "GET / HTTP/1.1\r\nHost: a\r\n"
        #expect(reason(request(start + "A: b\r\nA: b\r\n\r\n", limits: line)) == nil)
        #expect(reason(request(start + "A: b\r\nA: b\r\nA: b\r\n\r\n", limits: line)) == .tooManyFields)
        let many = String(repeating: "A: b\r\n", count: 99)
        #expect(reason(request(start + many + "\r\n")) == nil)
        #expect(reason(request(start + many + "A: b\r\n\r\n")) == .tooManyFields)
    }

    @Test("Limits are brought into their ranges")
    func ranges() {
        let limits = HeadLimits(headBytes: .max, lineBytes: .min, fields: 1_000)
        #expect((limits.headBytes, limits.lineBytes, limits.fields) == (65_535, 16, 100))
        #expect(HeadLimits(headBytes: 1, lineBytes: 1, fields: -1).fields == 0)
    }

    @Test("A head of 65,535 bytes keeps its offsets")
    func largest() {
        let limits = HeadLimits(headBytes: .max, lineBytes: .max)
        let rest = 65_535 - 16 - 9 - 5 - 2
        let sample = latin1("GET / HTTP/1.1\r\nHost: a\r\nA: \(String(repeating: "a", count: rest))\r\n\r\n")
        var head = RequestHead()
        guard case .complete = parseRequest(sample, limits: limits, head: &head) else {
            Issue.record("refused")
            return
        }
        #expect(head.length == 65_535)
        #expect(head.fields[1].valueRange == 28..<65_531)
    }
}
