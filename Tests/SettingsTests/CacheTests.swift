// SPDX-License-Identifier: Apache-2.0
// The settings of the cache: how they are read, what flags turn off, and where the cache is when nobody says.

import Settings
import Testing

@Suite struct CacheTests {
    static let file = """
        cache:
          enabled: false
          directory: /srv/cache
          size: 2t
          memory: 0
          max_object: 1m
          ttl: 5m
          heuristic: true
          honour_reload: true
          set_cookie: strip
          gzip: false
          wait: 0s
          status: false
          purge_from: [10.0.0.0/8, "fd00::/8"]
        pools: {app: "http://a"}
        routes:
          - {path: /a, pool: app, cache: off}
          - {path: /b, pool: app, cache: {ttl: 1h}}
          - {path: /c, pool: app, cache: {ttl: 0s}}
          - {path: /d, pool: app, cache: {set_cookie: keep}}
          - {path: /e, pool: app}
        """

    private static let flags = [
        "--no-cache", "--cache-dir=/srv/cache", "--cache-size=2T", "--cache-memory=0", "--cache-max-object=1m",
        "--cache-ttl", "5m", "--cache-heuristic", "--cache-honour-reload", "--cache-set-cookie=strip",
        "--no-cache-gzip", "--cache-wait=0s", "--no-cache-status",
        "--cache-purge-from=10.0.0.0/8", "--cache-purge-from", "fd00::/8",
    ]

    private static let variables = [
        "GATEWAY_NO_CACHE": "1", "GATEWAY_CACHE_DIR": "/srv/cache", "GATEWAY_CACHE_SIZE": "2t",
        "GATEWAY_CACHE_MEMORY": "0", "GATEWAY_CACHE_MAX_OBJECT": "1m", "GATEWAY_CACHE_TTL": "300s",
        "GATEWAY_CACHE_HEURISTIC": "1", "GATEWAY_CACHE_HONOUR_RELOAD": "true", "GATEWAY_CACHE_SET_COOKIE": "strip",
        "GATEWAY_NO_CACHE_GZIP": "1", "GATEWAY_CACHE_WAIT": "0s",
        "GATEWAY_NO_CACHE_STATUS": "true", "GATEWAY_CACHE_PURGE_FROM": "10.0.0.0/8, fd00::/8",
    ]

    private static var everything: Configuration.Cache {
        var cache = Configuration.Cache()
        cache.isOn = false
        cache.directory = "/srv/cache"
        cache.diskBytes = 2_199_023_255_552
        cache.memoryBytes = 0
        cache.largestBody = 1_048_576
        cache.defaultLifetime = 300
        cache.guessesLifetimes = true
        cache.honoursReload = true
        cache.setCookie = .strip
        cache.compresses = false
        cache.lockTimeout = 0
        cache.statusField = false
        cache.purgers = [
            .init(bytes: [10, 0, 0, 0], prefix: 8), .init(bytes: [0xFD] + [UInt8](repeating: 0, count: 15), prefix: 8),
        ]
        return cache
    }

    @Test("The cache is on unless it is turned off, and nobody may PURGE unless it is said who")
    func defaults() throws {
        let cache = try configuration([]).cache
        #expect(cache.isOn && cache.compresses && cache.statusField)
        #expect(!cache.honoursReload && !cache.guessesLifetimes && cache.setCookie == .refuse)
        #expect(cache.directory == nil)
        #expect(cache.diskBytes == 1_073_741_824)
        #expect(cache.memoryBytes == 67_108_864)
        #expect(cache.largestBody == 268_435_456)
        #expect(cache.defaultLifetime == 0)
        #expect(cache.lockTimeout == 5_000)
        #expect(cache.purgers.isEmpty)
    }

    @Test("File, flags and variables say the same")
    func everySource() throws {
        try withFile(Self.file.utf8) { file throws in
            let result = try configuration(["--config", file])
            #expect(result.cache == Self.everything)
            #expect(
                result.routes.map(\.cache) == [
                    .init(isOn: false), .init(defaultLifetime: 3_600), .init(defaultLifetime: 0),
                    .init(setCookie: .keep), nil,
                ])
        }
        #expect(try configuration(Self.flags).cache == Self.everything)
        #expect(try configuration([], variables: Self.variables).cache == Self.everything)
    }

    @Test("A flag that turns off can turn on what a weaker source turned off")
    func negation() throws {
        let on = ["--no-cache=false", "--no-cache-gzip=false", "--no-cache-status=false"]
        let zero = ["GATEWAY_NO_CACHE": "0", "GATEWAY_NO_CACHE_GZIP": "0", "GATEWAY_NO_CACHE_STATUS": "0"]
        try withFile("cache: {enabled: false, gzip: false, status: false}".utf8) { file throws in
            for cache in [
                try configuration(["--config", file] + on).cache,
                try configuration(["--config", file], variables: zero).cache,
            ] {
                #expect(cache == Configuration.Cache())
            }
        }
        try withFile("cache: {enabled: true, gzip: true, status: true, honour_reload: true}".utf8) { file throws in
            let flags = ["--no-cache", "--no-cache-gzip=true", "--no-cache-status", "--cache-honour-reload=false"]
            let cache = try configuration(["--config", file] + flags).cache
            #expect(!cache.isOn && !cache.compresses && !cache.statusField && !cache.honoursReload)
        }
    }

    @Test("What a flag says of purges replaces what the file says, and none is a word for nobody")
    func purgers() throws {
        #expect(try configuration(["--cache-purge-from=none"]).cache.purgers == [])
        #expect(try configuration(["--cache-purge-from=::1"]).cache.purgers.map(\.prefix) == [128])
        #expect(try configuration([], variables: ["GATEWAY_CACHE_PURGE_FROM": "none"]).cache.purgers == [])
        for none in ["[]", "none", "[none]"] {
            try withFile("cache: {purge_from: \(none)}".utf8) { file throws in
                #expect(try configuration(["--config", file]).cache.purgers == [])
                let flags = ["--config", file, "--cache-purge-from=loopback"]
                #expect(try configuration(flags).cache.purgers.map(\.prefix) == [8, 128])
            }
        }
    }

    @Test("A directory may be left to the default in the file")
    func noDirectory() throws {
        try withFile("cache: {directory: null}".utf8) { file throws in
            #expect(try configuration(["--config", file]).cache.directory == nil)
        }
    }

    @Test(
        "No body takes more than a quarter of the cache",
        arguments: [
            ([], 268_435_456), (["--cache-size=1m"], 262_144), (["--cache-size=100t", "--cache-max-object=7k"], 7_168),
            (["--cache-max-object=100t"], 268_435_456),
        ])
    func largestStoredBody(_ flags: [String], _ bytes: Int) throws {
        #expect(try configuration(flags).cache.largestStoredBody == bytes)
    }

    static let directories: [(environment: [String: String], directory: String)] = [
        ([:], "/var/cache/gateway"),
        (["HOME": "/home/a"], "/home/a/.cache/gateway"),
        (["HOME": "/home/a", "XDG_CACHE_HOME": "/c"], "/c/gateway"),
        (["XDG_CACHE_HOME": "/c/"], "/c/gateway"),
        (["XDG_CACHE_HOME": "/"], "/gateway"),
        (["HOME": "/home/a", "XDG_CACHE_HOME": ""], "/home/a/.cache/gateway"),
        (["HOME": "/home/a", "XDG_CACHE_HOME": "c"], "/home/a/.cache/gateway"),
        (["HOME": "/home/a", "XDG_CACHE_HOME": "./c"], "/home/a/.cache/gateway"),
        (["HOME": "", "XDG_CACHE_HOME": ""], "/var/cache/gateway"),
        (["HOME": "a", "XDG_CACHE_HOME": "~/c"], "/var/cache/gateway"),
        (["HOME": "/"], "/.cache/gateway"),
    ]

    @Test("Without a directory, the cache is in the user's", arguments: directories)
    func defaultDirectory(_ environment: [String: String], _ directory: String) {
        #expect(Configuration.Cache.defaultDirectory(environment: environment) == directory)
    }

    static let wrong: [(flag: String, line: String)] = [
        ("--no-cache=off", #"expected true or false; found "off""#),
        ("--no-cache-gzip=1", #"expected true or false; found "1""#),
        ("--cache-dir=", #"expected the path of a directory; found """#),
        ("--cache-size=1023k", #"expected a size between 1m and 100t, such as 1g; found "1023k""#),
        ("--cache-size=101t", #"expected a size between 1m and 100t, such as 1g; found "101t""#),
        ("--cache-ttl=5", #"expected a duration between 0s and 365d, such as 5m; found "5" (did you mean 5s?)"#),
        ("--cache-purge-from=none,::1", words + #"found "none""#),
        ("--cache-purge-from=", words + #"found """#),
    ]
    private static let words =
        "expected an address block, such as 10.0.0.0/8 or fd00::/8, or one of the words loopback and private; "

    @Test("A wrong flag of the cache gets exactly this line", arguments: wrong)
    func wrongFlag(_ flag: String, _ line: String) {
        #expect(complaints([flag]) == ["gateway: \(flag): \(line)"])
    }

    @Test("Flags of yes or no take no next argument, and the others need one")
    func values() {
        let stray = #"gateway: unexpected argument "false"; every setting is a flag (see --help)"#
        #expect(complaints(["--no-cache", "false"]) == [stray])
        #expect(complaints(["--cache-dir"]) == ["gateway: --cache-dir: needs a value: --cache-dir DIR"])
    }

    @Test("Variables that Kubernetes makes for a service named gateway-cache are let be, mistyped ones are not")
    func variablesOfKubernetes() {
        for name in ["CACHE_PORT", "CACHE_PORT_80_TCP"] {
            #expect(complaints([], variables: ["GATEWAY_" + name: "tcp://10.0.0.1:80"]) == [], "\(name)")
        }
        for (name, value) in [
            ("CACHE_SERVICE_HOST", "10.0.0.1"), ("CACHE_SERVICE_PORT", "80"), ("CACHE_PORT_80_TCP_PROTO", "tcp"),
            ("CACHE_PORT_80_TCP_PORT", "80"), ("CACHE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ] {
            #expect(complaints([], variables: ["GATEWAY_" + name: value]) == [], "\(name)")
        }
        #expect(
            complaints([], variables: ["GATEWAY_CACHE_DRI": "/c"]) == [
                "GATEWAY_CACHE_DRI: unknown variable; did you mean GATEWAY_CACHE_DIR?"
            ])
    }

    @Test("Check tells of bodies that are too large for the cache, and of purges from everywhere")
    func notes() throws {
        func notes(_ flags: [String]) throws -> [String] {
            guard case .check(_, let notes) = try read(["-t", "--log=l", "--upstream=http://a"] + flags) else {
                throw UnexpectedInvocation()
            }
            return notes
        }
        let quarter = "bodies larger than 25m are not stored: that is a quarter of the cache's size"
        #expect(try notes([]) == [])
        #expect(try notes(["--cache-size=100m"]) == [quarter])
        #expect(try notes(["--cache-size=100m", "--cache-max-object=25m"]) == [])
        #expect(try notes(["--cache-purge-from=::/0"]) == ["every client may purge the cache"])
        #expect(try notes(["--cache-size=100m", "--cache-purge-from=::/0", "--no-cache"]) == [])
    }
}
