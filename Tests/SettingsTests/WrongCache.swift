// SPDX-License-Identifier: Apache-2.0
// Wrong settings of the cache, with the lines that tell of them.

extension WrongFiles {
    private static let pool = "pools: {a: \"http://a\"}\n"

    static let cache: [WrongFile] = [
        WrongFile(
            "cache by a word",
            "cache: off",
            ["1:8: cache: expected keys with values; found \"off\""]),
        WrongFile(
            "unknown key in the cache",
            "cache: {enabeld: false}",
            ["1:9: cache: unknown key 'enabeld'; did you mean 'enabled'?"]),
        WrongFile(
            "flag's name in the cache",
            "cache: {no_cache: true}",
            ["1:9: cache: unknown key 'no_cache'"]),
        WrongFile(
            "cache enabled by another word",
            "cache: {enabled: off, gzip: on, status: 1, honour_reload: no}",
            [
                "1:18: cache.enabled: expected true or false; found \"off\"",
                "1:29: cache.gzip: expected true or false; found \"on\"",
                "1:41: cache.status: expected true or false; found \"1\"",
                "1:59: cache.honour_reload: expected true or false; found \"no\"",
            ]),
        WrongFile(
            "empty directory",
            "cache: {directory: \"\"}",
            ["1:20: cache.directory: expected the path of a directory; found \"\""]),
        WrongFile(
            "directory with a NUL",
            "cache: {directory: \"a\\0b\"}",
            ["1:20: cache.directory: a path has no NUL"]),
        WrongFile(
            "sizes out of range",
            "cache:\n  size: 1023k\n  memory: 2t\n  max_object: 1023",
            [
                "2:9: cache.size: expected a size between 1m and 100t, such as 1g; found \"1023k\"",
                "3:11: cache.memory: expected a size between 0 and 1t, such as 64m; found \"2t\"",
                "4:15: cache.max_object: expected a size between 1k and 100t, such as 256m; found \"1023\"",
            ]),
        WrongFile(
            "size beyond what a number holds",
            "cache: {size: 9999999t}",
            ["1:15: cache.size: expected a size between 1m and 100t, such as 1g; found \"9999999t\""]),
        WrongFile(
            "size without value",
            "cache: {size: }",
            ["1:9: cache.size: has no value"]),
        WrongFile(
            "time to live without unit",
            "cache: {ttl: 300}",
            [
                "1:14: cache.ttl: expected a duration between 0s and 365d, such as 5m; found \"300\" (did you mean "
                    + "300s?)"
            ]),
        WrongFile(
            "time to live beyond a year",
            "cache: {ttl: 366d}",
            ["1:14: cache.ttl: expected a duration between 0s and 365d, such as 5m; found \"366d\""]),
        WrongFile(
            "time to live in parts of a second",
            "cache: {ttl: 1500ms}",
            ["1:14: cache.ttl: expected whole seconds; found \"1500ms\""]),
        WrongFile(
            "wait beyond an hour",
            "cache: {wait: 61m}",
            ["1:15: cache.wait: expected a duration between 0s and 1h, such as 5s; found \"61m\""]),
        WrongFile(
            "purge from a name",
            "cache: {purge_from: [loopback, example.org]}",
            [
                "1:32: cache.purge_from: expected an address block, such as 10.0.0.0/8 or fd00::/8, or one of the "
                    + "words loopback and private; found \"example.org\""
            ]),
        WrongFile(
            "purge from bits beyond the prefix",
            "cache: {purge_from: 10.0.0.1/8}",
            [
                "1:21: cache.purge_from: \"10.0.0.1/8\" has bits beyond its prefix (did you mean 10.0.0.0/8 or "
                    + "10.0.0.1/32?)"
            ]),
        WrongFile(
            "route's cache by another word",
            pool + "routes: [{pool: a, cache: false}]",
            ["2:27: routes.cache: expected off, or {ttl: 5m, set_cookie: strip}; found \"false\" (did you mean off?)"]),
        WrongFile(
            "route's cache on",
            pool + "routes: [{pool: a, cache: on}]",
            ["2:27: routes.cache: expected off, or {ttl: 5m, set_cookie: strip}; found \"on\""]),
        WrongFile(
            "route's cache as a list",
            pool + "routes: [{pool: a, cache: [off]}]",
            ["2:27: routes.cache: expected a single value; found a list"]),
        WrongFile(
            "route's cache without value",
            pool + "routes: [{pool: a, cache: }]",
            ["2:20: routes.cache: has no value"]),
        WrongFile(
            "route's cache without keys",
            pool + "routes: [{pool: a, cache: {}}]",
            ["2:20: routes.cache: expected off, or {ttl: 5m, set_cookie: strip}; found no keys"]),
        WrongFile(
            "route's cache with an unknown key",
            pool + "routes: [{pool: a, cache: {tll: 5m}}]",
            ["2:28: routes.cache: unknown key 'tll'; did you mean 'ttl'?"]),
        WrongFile(
            "route's time to live",
            pool + "routes: [{pool: a, cache: {ttl: 5}}]",
            [
                "2:33: routes.cache.ttl: expected a duration between 0s and 365d, such as 5m; found \"5\" (did you "
                    + "mean 5s?)"
            ]),
        WrongFile(
            "cache of a route without a pool",
            "routes: [{answer: {}, cache: off}]",
            ["1:23: routes.cache: only a route with a pool has responses to store"]),
    ]
}
