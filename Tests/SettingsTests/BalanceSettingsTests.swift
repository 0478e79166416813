// SPDX-License-Identifier: Apache-2.0
import Settings
import Testing

@Suite("Settings of balancing, discovery and limits of clients") struct BalanceSettingsTests {
    @Test("are read from flags")
    func flags() throws {
        let result = try configuration([
            "--upstream=http://a", "--balance=hash", "--hash-key=header:X-User", "--sticky-cookie=srv",
            "--sticky-secret=sixteen letters.", "--upstream-warm=3", "--resolver=192.0.2.1,[2001:db8::1]:5353",
            "--resolver=2001:db8::2", "--resolve-interval=1m", "--rate-limit=30r/m", "--rate-burst=7",
            "--client-connections=20",
        ])
        let balance = result.pools[0].settings.balance
        #expect(balance.method == .hash)
        #expect(balance.hashKey == "header:X-User")
        #expect(balance.stickyCookie == "srv")
        #expect(balance.stickySecret == "sixteen letters.")
        #expect(balance.warm == 3)
        #expect(
            result.discovery.resolvers == [
                .init(address: "192.0.2.1", port: 53), .init(address: "2001:db8::1", port: 5353),
                .init(address: "2001:db8::2", port: 53),
            ])
        #expect(result.discovery.interval == 60_000)
        #expect(result.clients.rate == 30)
        #expect(result.clients.burst == 7)
        #expect(result.clients.connections == 20)
        #expect(try configuration(["--rate-limit=50r/s"]).clients.rate == 3_000)
        #expect(try configuration(["--rate-limit=none"]).clients.rate == 0)
    }

    @Test("are read from the file, for all pools and for one, and the dump gives the same again")
    func file() throws {
        let text = """
            upstream: {balance: p2c}
            discovery: {resolver: ["127.0.0.1:5353"], interval: 5s}
            limits: {client_rate: 90r/m, client_burst: 3, connections_per_client: 4}
            pools:
              a: {balance: hash, hash_key: "cookie:u", servers: ["http://a"]}
              b: ["http://_http._tcp.b.example"]
            """
        try withFile(text.utf8) { path in
            let result = try configuration(["--config", path])
            #expect(result.pools.map(\.settings.balance.method) == [.hash, .powerOfTwo])
            #expect(result.pools[1].servers[0].host == "_http._tcp.b.example")
            #expect(result.clients.rate == 90)
            guard case .dump(let dump) = try read(["--config", path, "--check", "--dump"]) else {
                Issue.record("no dump")
                return
            }
            #expect(dump.contains("client_rate: 90r/m"))
            try withFile(dump.utf8) { copy in
                let again = try configuration(["--config", copy])
                #expect(again.pools == result.pools)
                #expect(again.discovery == result.discovery)
                #expect(again.clients == result.clients)
            }
        }
    }

    @Test(
        "that are wrong are told",
        arguments: [
            ("--balance=leastconn", "expected one of round-robin, least-conn, p2c, hash; found \"leastconn\""),
            ("--hash-key=uri", "expected address, path, header:NAME or cookie:NAME; found \"uri\""),
            ("--hash-key=cookie:", "expected address, path, header:NAME or cookie:NAME; found \"cookie:\""),
            ("--sticky-cookie=a b", "expected a cookie's name of 1 to 64 letters, digits and -_.; found \"a b\""),
            (
                "--rate-limit=50",
                "a rate from 1r/m to 1000000r/s, such as 50r/s, or the word none; found \"50\" (did you mean 50r/s?)"
            ),
            ("--rate-limit=0r/s", "a rate from 1r/m to 1000000r/s, such as 50r/s, or the word none; found \"0r/s\""),
            (
                "--resolver=dns.example",
                "a numeric address, such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53; found \"dns.example\""
            ),
            (
                "--resolver=192.0.2.1:0",
                "a numeric address, such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53; found \"192.0.2.1:0\""
            ),
            (
                "--resolver=192.0.2.1,",
                "a numeric address, such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53; found \"\""
            ),
            ("--resolve-interval=10ms", "a duration between 1s and 1d, such as 30s; found \"10ms\""),
        ])
    func wrong(_ flag: String, _ complaint: String) {
        let told = complaints(["--upstream=http://a", flag])
        #expect(told.count == 1)
        #expect(told.first?.hasPrefix("gateway: \(flag): ") == true)
        #expect(told.first?.contains(complaint) == true)
    }
}
