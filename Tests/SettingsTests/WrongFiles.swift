// SPDX-License-Identifier: Apache-2.0
// Wrong values and wrong YAML, with the lines that tell of them.

/// A wrong file, why it is, and what is said of it: `line:column: message`.
struct WrongFile: Sendable {
    let why: String
    let text: String
    let lines: [String]
    init(_ why: String, _ text: String, _ lines: [String]) {
        self.why = why
        self.text = text
        self.lines = lines
    }
}

enum WrongFiles {
    static let all = settings + places + tls + cache + routes

    static let settings: [WrongFile] = [
        WrongFile(
            "unknown key",
            "tiemouts: {header: 15s}",
            [
                "1:1: unknown key 'tiemouts'; did you mean 'timeouts'?"
            ]),
        WrongFile(
            "unknown key in a group",
            "timeouts: {haeder: 15s}",
            [
                "1:12: timeouts: unknown key 'haeder'; did you mean 'header'?"
            ]),
        WrongFile(
            "unknown key near nothing",
            "zzzzzzzz: 1",
            [
                "1:1: unknown key 'zzzzzzzz'"
            ]),
        WrongFile(
            "duration without unit",
            "timeouts: {header: 90}",
            [
                "1:20: timeouts.header: expected a duration between 1ms and 1h, such as 15s; found \"90\" (did you "
                    + "mean 90s?)"
            ]),
        WrongFile(
            "duration out of range",
            "timeouts: {header: 2h}",
            [
                "1:20: timeouts.header: expected a duration between 1ms and 1h, such as 15s; found \"2h\""
            ]),
        WrongFile(
            "duration of an unknown unit",
            "timeouts: {idle: 5min}",
            [
                "1:18: timeouts.idle: expected a duration between 1ms and 1d, such as 75s; found \"5min\""
            ]),
        WrongFile(
            "negative duration",
            "timeouts: {idle: -5s}",
            [
                "1:18: timeouts.idle: expected a duration between 1ms and 1d, such as 75s; found \"-5s\""
            ]),
        WrongFile(
            "fraction",
            "timeouts: {idle: 1.5s}",
            [
                "1:18: timeouts.idle: expected a duration between 1ms and 1d, such as 75s; found \"1.5s\""
            ]),
        WrongFile(
            "huge duration",
            "timeouts: {idle: 99999999999999999999s}",
            [
                "1:18: timeouts.idle: expected a duration between 1ms and 1d, such as 75s; found "
                    + "\"99999999999999999999s\""
            ]),
        WrongFile(
            "no value",
            "timeouts: {header: }",
            [
                "1:12: timeouts.header: has no value"
            ]),
        WrongFile(
            "list for a duration",
            "timeouts: {header: [15s]}",
            [
                "1:20: timeouts.header: expected a single value; found a list"
            ]),
        WrongFile(
            "keys for a duration",
            "timeouts: {header: {a: 1}}",
            [
                "1:20: timeouts.header: expected a single value; found keys with values"
            ]),
        WrongFile(
            "group is a value",
            "timeouts: 15s",
            [
                "1:11: timeouts: expected keys with values; found \"15s\""
            ]),
        WrongFile(
            "group is a list",
            "limits: [1]",
            [
                "1:9: limits: expected keys with values; found a list"
            ]),
        WrongFile(
            "size out of range",
            "limits: {head_bytes: 1m}",
            [
                "1:22: limits.head_bytes: expected a size between 1k and 60k, such as 32k; found \"1m\""
            ]),
        WrongFile(
            "size unit",
            "limits: {head_bytes: 32kb}",
            [
                "1:22: limits.head_bytes: expected a size between 1k and 60k, such as 32k; found \"32kb\""
            ]),
        WrongFile(
            "fields over 100",
            "limits: {fields: 101}",
            [
                "1:18: limits.fields: expected a whole number from 1 to 100; found \"101\""
            ]),
        WrongFile(
            "no number",
            "workers: two",
            [
                "1:10: workers: expected a whole number from 1 to 1024; found \"two\""
            ]),
        WrongFile(
            "zero workers",
            "workers: 0",
            [
                "1:10: workers: expected a whole number from 1 to 1024; found \"0\""
            ]),
        WrongFile(
            "body size",
            "limits: {body_bytes: much}",
            [
                "1:22: limits.body_bytes: expected a size, such as 10m, or the word none; found \"much\""
            ]),
        WrongFile(
            "log format",
            "log: {format: combnied}",
            [
                "1:15: log.format: expected one of common, combined, json; found \"combnied\"; did you mean "
                    + "'combined'?"
            ]),
        WrongFile(
            "empty path",
            "log: {path: \"\"}",
            [
                "1:13: log.path: expected the path of a file; found \"\""
            ]),
        WrongFile(
            "trusted proxies word",
            "trusted_proxies: [everyone]",
            [
                "1:19: trusted_proxies: expected an address block, such as 10.0.0.0/8 or fd00::/8, or one of the "
                    + "words loopback and private; found \"everyone\""
            ]),
        WrongFile(
            "trusted proxies bits",
            "trusted_proxies: [10.0.0.1/8]",
            [
                "1:19: trusted_proxies: \"10.0.0.1/8\" has bits beyond its prefix (did you mean 10.0.0.0/8 or "
                    + "10.0.0.1/32?)"
            ]),
        WrongFile(
            "trusted proxies prefix",
            "trusted_proxies: [10.0.0.0/33]",
            [
                "1:19: trusted_proxies: expected a prefix length from 0 to 32 after the slash; found "
                    + "\"10.0.0.0/33\""
            ]),
        WrongFile(
            "key twice",
            "workers: 1\nlog: {format: json}\nworkers: 2",
            [
                "3:1: key 'workers' is given twice; the first time in line 1"
            ]),
        WrongFile(
            "key twice in a group",
            "timeouts:\n  header: 1s\n  idle: 1s\n  header: 2s",
            [
                "4:3: key 'header' is given twice; the first time in line 2"
            ]),
        WrongFile(
            "key twice in a line",
            "limits: {fields: 10, fields: 20}",
            [
                "1:22: key 'fields' is given twice; the first time in line 1"
            ]),
        WrongFile(
            "two keys twice, and another mistake",
            "workers: 1\nworkers: 2\nlog: {format: x}\nlog: {format: json}",
            [
                "2:1: key 'workers' is given twice; the first time in line 1",
                "3:15: log.format: expected one of common, combined, json; found \"x\"",
                "4:1: key 'log' is given twice; the first time in line 3",
            ]),
        WrongFile(
            "several mistakes sorted",
            "routes: [{pool: app}]\nworkers: x\ntimeouts: {header: 90}",
            [
                "1:17: routes.pool: there is no pool 'app'; the file has no pools",
                "2:10: workers: expected a whole number from 1 to 1024; found \"x\"",
                "3:20: timeouts.header: expected a duration between 1ms and 1h, such as 15s; found \"90\" (did you "
                    + "mean 90s?)",
            ]),
        WrongFile(
            "tab",
            "timeouts:\n\theader: 15s",
            [
                "2:1: not YAML: a tab or a reserved character (@ or `) cannot stand here"
            ]),
        WrongFile(
            "not closed",
            "limits: {fields: 10",
            [
                "2:1: not YAML: while parsing a flow mapping: did not find expected ',' or '}'"
            ]),
        WrongFile(
            "control character",
            "workers: 1\nlog: {path: \"a\u{1}\"}",
            [
                "2:15: the character U+0001 cannot stand in YAML"
            ]),
        WrongFile(
            "undefined alias",
            "workers: *n",
            [
                "1:10: not YAML: found undefined alias"
            ]),
        WrongFile(
            "second document",
            "workers: 1\n---\nworkers: 2",
            [
                "2:1: not YAML: a settings file has one document; found another"
            ]),
        WrongFile(
            "root is a list",
            "- workers",
            [
                "1:1: expected keys with values; found a list"
            ]),
        WrongFile(
            "root is a text",
            "workers",
            [
                "1:1: expected keys with values; found \"workers\""
            ]),
        WrongFile(
            "list as key",
            "? [a, b]\n: 1",
            [
                "1:3: expected a name as key; found a list"
            ]),
        WrongFile(
            "key twice, in quotes of two kinds",
            "'log': {}\n\"log\": {}",
            ["2:2: key 'log' is given twice; the first time in line 1"]),
        WrongFile(
            "key twice, and once in a comment",
            "workers: 1 # workers: 3\n# workers: 2\nworkers: 2",
            ["3:1: key 'workers' is given twice; the first time in line 1"]),
        WrongFile(
            "key three times",
            "workers: 1\nworkers: 2\nworkers: 3",
            [
                "2:1: key 'workers' is given twice; the first time in line 1",
                "3:1: key 'workers' is given twice; the first time in line 1",
            ]),
        WrongFile(
            "key twice in braces above an innocent line",
            "routes:\n  - {answer: {status: 200, status: 201}}\n  - {answer: {status: 404}, path: /a}",
            ["2:28: key 'status' is given twice; the first time in line 2"]),
        WrongFile(
            "key twice with question marks",
            "? workers\n: 1\n? workers\n: 2",
            ["1:3: key 'workers' is given twice"]),
        WrongFile(
            "quotes not closed",
            "log: {path: 'a}",
            ["1:16: not YAML: while scanning a quoted scalar: found unexpected end of stream"]),
        WrongFile(
            "merge key",
            "<<: {workers: 1}",
            ["1:1: unknown key '<<'"]),
        WrongFile(
            "control character in a path",
            "log: {path: \"\\0\"}",
            ["1:13: log.path: a path has no NUL"]),
        WrongFile(
            "body size beyond all",
            "limits: {body_bytes: 99999999999g}",
            ["1:22: limits.body_bytes: expected a size, such as 10m, or the word none; found \"99999999999g\""]),
    ]
}
