// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Client

@Suite("What a transfer does next") struct MachineTests {
    private func machine(
        _ url: String = "http://a.example/", hasCache: Bool = true, resumesAt: UInt64? = nil,
        _ configure: (inout TransferSettings) -> Void = { _ in }
    ) throws -> TransferMachine {
        var settings = TransferSettings()
        configure(&settings)
        return TransferMachine(try HTTPURL(url), settings, hasCache: hasCache, resumesAt: resumesAt, now: 0)
    }

    private func status(_ step: TransferMachine.Step) -> Int32 {
        if case .fail(let failure, _) = step { return failure.exitStatus }
        return 0
    }

    @Test("is to look into the cache only where that can answer")
    func looksUp() throws {
        var plain = try machine()
        #expect(plain.begin() == .lookUp)
        var without = try machine(hasCache: false)
        #expect(without.begin() == .send(validating: false))
        var posting = try machine { $0.body = .bytes([1]) }
        #expect(posting.begin() == .send(validating: false))
        var resuming = try machine(resumesAt: 5)
        #expect(resuming.begin() == .send(validating: false))
        var unstored = try machine { $0.cacheMode = .noStore }
        #expect(unstored.begin() == .send(validating: false))
    }

    @Test(
        "follows the Fetch standard's cache modes",
        arguments: [
            (CacheMode.standard, ["send", "hit", "stale", "validate"]), (.reload, ["send", "send", "send", "send"]),
            (.noCache, ["send", "validate", "validate", "validate"]), (.forceCache, ["send", "hit", "stale", "stale"]),
            (.onlyIfCached, ["4", "hit", "stale", "stale"]),
        ])
    func modes(_ mode: CacheMode, _ expected: [String]) throws {
        let stored: [TransferMachine.Stored] = [
            .none, .usable(isStale: false), .usable(isStale: true), .needsValidation(hasValidator: true),
        ]
        for (found, expectation) in zip(stored, expected) {
            var machine = try machine { $0.cacheMode = mode }
            _ = machine.begin()
            let said: String
            switch machine.found(found) {
            case .send(let validating): said = validating ? "validate" : "send"
            case .serve(.hit(let isStale)): said = isStale ? "stale" : "hit"
            case .fail(let failure, _): said = "\(failure.exitStatus)"
            default: said = "?"
            }
            #expect(said == expectation)
        }
    }

    @Test("is to ask anew, without conditions, when a 304 is about something else")
    func strange304() throws {
        var machine = try machine()
        _ = machine.begin()
        #expect(machine.found(.needsValidation(hasValidator: true)) == .send(validating: true))
        #expect(machine.received(.init(status: 304, freshens: false), now: 1) == .send(validating: false))
        #expect(machine.received(.init(status: 304), now: 1) == .deliver)
    }

    @Test("is to let what is stored stand in for a server that fails, after the attempts it has")
    func staleIfError() throws {
        var machine = try machine { $0.retry.attempts = 1 }
        _ = machine.begin()
        _ = machine.found(.needsValidation(hasValidator: true))
        let answer = TransferMachine.Answer(status: 503, mayServeStale: true)
        #expect(machine.received(answer, now: 0) == .pause(1_000))
        _ = machine.begin()
        _ = machine.found(.needsValidation(hasValidator: true))
        #expect(machine.received(answer, now: 1_000) == .serve(.staleIfError))
    }

    @Test("follows redirects to their limit, and 1000 where there is none")
    func redirects() throws {
        for (limit, expected) in [(3, 3), (0, 0), (nil, 1_000)] as [(Int?, Int)] {
            var machine = try machine(hasCache: false) {
                $0.followsRedirects = true
                $0.redirectLimit = limit
            }
            var followed = 0
            var step = machine.begin()
            while step == .send(validating: false) {
                step = machine.received(.init(status: 302, location: "/next"), now: 0)
                if status(step) == 0 { followed += 1 }
            }
            #expect(followed == expected)
            #expect(status(step) == 47)
        }
        var unasked = try machine(hasCache: false)
        _ = unasked.begin()
        #expect(unasked.received(.init(status: 302, location: "/next"), now: 0) == .deliver)
    }

    @Test(
        "changes a redirected request as RFC 9110 section 15.4 has it",
        arguments: [
            (301, "POST", "GET", false), (302, "POST", "GET", false), (303, "POST", "GET", false),
            (303, "PUT", "GET", false), (303, "HEAD", "HEAD", false), (307, "POST", "POST", true),
            (308, "PUT", "PUT", true), (301, "PUT", "PUT", true), (302, "GET", "GET", true),
        ] as [(UInt16, String, String, Bool)])
    func methods(_ status: UInt16, _ before: String, _ after: String, _ keeps: Bool) {
        let change = RedirectRule.method(status, before, isForced: false, keepsPostAfter: [])
        #expect(change.method == after && change.keepsContent == keeps)
    }

    @Test(
        "does not follow what is no http URL",
        arguments: [
            ("file:///etc/passwd", 1), ("ftp://a/", 1), ("javascript:alert(1)", 1), ("data:,x", 1), ("http://", 3),
            ("http://a:99999/", 3), ("/a\tb", 3), ("//a<b/", 3),
        ] as [(String, Int32)])
    func strangeLocations(_ location: String, _ expected: Int32) throws {
        var machine = try machine(hasCache: false) { $0.followsRedirects = true }
        _ = machine.begin()
        #expect(status(machine.received(.init(status: 302, location: location), now: 0)) == expected)
    }

    @Test("neither repeats nor redirects what cannot be sent again")
    func unrepeatable() throws {
        for code in [307, 503] as [UInt16] {
            var machine = try machine {
                $0.followsRedirects = true
                $0.retry.attempts = 5
                $0.body = .file("-")
            }
            _ = machine.begin()
            let step = machine.received(.init(status: code, location: "/next", isRepeatable: false), now: 0)
            #expect(code == 307 ? status(step) == 65 : step == .deliver)
        }
    }

    @Test("waits 1, 2, 4 seconds, or as long as the server says, and no longer than it may")
    func pauses() {
        var rule = RetryRule()
        #expect(rule.pause(done: 0, elapsed: 0, asked: nil) == nil)
        rule.attempts = 3
        #expect((0...3).map { rule.pause(done: $0, elapsed: 0, asked: nil) } == [1_000, 2_000, 4_000, nil])
        #expect(rule.pause(done: 0, elapsed: 0, asked: 7_000) == 7_000)
        #expect(rule.pause(done: 0, elapsed: 0, asked: .max) == RetryRule.longestPause)
        rule.maxTime = 5_000
        #expect(rule.pause(done: 0, elapsed: 4_500, asked: nil) == nil)
        rule.delay = 5
        #expect(rule.pause(done: 2, elapsed: 0, asked: nil) == 5)
    }

    @Test("repeats a request on a kept connection that was closed once, and only if its content can be sent again")
    func reconnects() throws {
        func step(wasKept: Bool, saw: Bool, repeatable: Bool) throws -> TransferMachine.Step {
            var machine = try machine(hasCache: false)
            _ = machine.begin()
            return machine.failed(
                .empty, sawBytes: saw, wasKept: wasKept, isRepeatable: repeatable, delivered: false,
                mayServeStale: false, now: 0)
        }
        #expect(try step(wasKept: true, saw: false, repeatable: true) == .send(validating: false))
        #expect(status(try step(wasKept: false, saw: false, repeatable: true)) == 52)
        #expect(status(try step(wasKept: true, saw: true, repeatable: true)) == 52)
        #expect(status(try step(wasKept: true, saw: false, repeatable: false)) == 52)
        for (method, expected) in [("POST", 52), ("PATCH", 52), ("PUT", 0), ("DELETE", 0)] as [(String, Int32)] {
            var machine = try machine(hasCache: false) {
                $0.method = method
                $0.body = .bytes([1])
            }
            _ = machine.begin()
            let step = machine.failed(
                .empty, sawBytes: false, wasKept: true, isRepeatable: true, delivered: false, mayServeStale: false,
                now: 0)
            #expect(status(step) == expected, "\(method)")
        }
    }

    @Test("lets what is stored stand in where the server failed, and nowhere else")
    func standIns() throws {
        for (exit, expected) in [
            (5, true), (6, true), (7, true), (18, true), (28, true), (52, true), (55, true), (56, true), (60, false),
            (61, false), (63, false), (35, false), (8, false), (23, false),
        ] as [(Int32, Bool)] {
            var machine = try machine()
            _ = machine.begin()
            let step = machine.failed(
                ClientFailure(exit, "x"), sawBytes: false, wasKept: false, isRepeatable: true, delivered: false,
                mayServeStale: true, now: 0)
            #expect((step == .serve(.staleIfError)) == expected, "\(exit)")
        }
    }

    @Test("continues a download with nothing but the part that was asked for")
    func continues() throws {
        func step(_ answer: TransferMachine.Answer, fails: Bool = false) throws -> TransferMachine.Step {
            var machine = try machine(resumesAt: 5) {
                $0.failsOnError = fails
                $0.failsWithBody = fails
            }
            _ = machine.begin()
            return machine.received(answer, now: 0)
        }
        #expect(try step(.init(status: 206, rangeStart: 5)) == .deliver)
        #expect(try step(.init(status: 416, wholeLength: 5)) == .done)
        #expect(try step(.init(status: 416)) == .done)
        #expect(try step(.init(status: 416, wholeLength: 5), fails: true) == .done)
        for answer in [
            .init(status: 206, rangeStart: 4), .init(status: 206), .init(status: 200), .init(status: 404),
            .init(status: 302), .init(status: 500), .init(status: 416, wholeLength: 4),
        ] as [TransferMachine.Answer] {
            for fails in [false, true] {
                guard case .fail(let failure, let delivers) = try step(answer, fails: fails) else {
                    Issue.record("\(answer.status) is delivered")
                    continue
                }
                #expect(!delivers && failure.exitStatus == (fails && answer.status >= 400 ? 22 : 33))
            }
        }
    }

    @Test("reads Retry-After as seconds or as a date")
    func retryAfter() {
        let now: Int64 = 1_764_001_321_000
        #expect(RetryAfter.milliseconds("3", now: now) == 3_000)
        #expect(RetryAfter.milliseconds("Mon, 24 Nov 2025 16:22:11 GMT", now: now) == 10_000)
        #expect(RetryAfter.milliseconds("Mon, 24 Nov 2025 16:21:11 GMT", now: now) == 0)
        #expect(RetryAfter.milliseconds("99999999999", now: now) == 86_400_000)
        #expect(RetryAfter.milliseconds("soon", now: now) == nil)
    }

    @Test(
        "resolves references as RFC 3986 section 5.4 does",
        arguments: [
            ("g", "/b/c/g"), ("./g", "/b/c/g"), ("g/", "/b/c/g/"), ("/g", "/g"), ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"), ("#s", "/b/c/d;p?q"), (";x", "/b/c/;x"), ("", "/b/c/d;p?q"), (".", "/b/c/"),
            ("./", "/b/c/"), ("..", "/b/"), ("../g", "/b/g"), ("../..", "/"), ("../../../g", "/g"),
            ("/../g", "/g"), ("g.", "/b/c/g."), ("./../g", "/b/g"), ("g;x=1/../y", "/b/c/y"), ("a b", "/b/c/a%20b"),
        ])
    func references(_ reference: String, _ target: String) throws {
        let base = try HTTPURL("http://a/b/c/d;p?q")
        #expect(try base.resolving(reference).target == target)
        #expect(try base.resolving("//g/x").host == "g")
    }
}
