// SPDX-License-Identifier: Apache-2.0
// Wrong listeners and pools, with the lines that tell of them.

extension WrongFiles {
    static let places: [WrongFile] = [
        WrongFile(
            "port out of range",
            "listeners: [65536]",
            [
                "1:13: listeners: expected a whole number from 0 to 65535; found \"65536\""
            ]),
        WrongFile(
            "listener without port",
            "listeners: [127.0.0.1]",
            [
                "1:13: listeners: expected a port or an address with one, such as 8080, 127.0.0.1:8080 or "
                    + "[::1]:8080; found \"127.0.0.1\""
            ]),
        WrongFile(
            "listener with a name",
            "listeners: [\"localhost:8080\"]",
            [
                "1:13: listeners: expected a numeric address, such as 127.0.0.1 or ::1; found \"localhost\" (did you "
                    + "mean 127.0.0.1 or ::1?)"
            ]),
        WrongFile(
            "listener without brackets",
            "listeners: [\"::1:8080\"]",
            [
                "1:13: listeners: an IPv6 address needs brackets: [::1]:8080; found \"::1:8080\""
            ]),
        WrongFile(
            "listener twice",
            "listeners:\n  - 8080\n  - {address: \"0:0:0:0:0:0:0:0\"}",
            [
                "3:5: listeners: [::]:8080 is given twice; the first time in line 2"
            ]),
        WrongFile(
            "listener with an unknown key",
            "listeners: [{adress: \"::1\", port: 80}]",
            [
                "1:14: listeners: unknown key 'adress'; did you mean 'address'?"
            ]),
        WrongFile(
            "no listeners",
            "listeners: []",
            [
                "1:12: listeners: expected at least one listener, such as 8080"
            ]),
        WrongFile(
            "empty pool",
            "pools: {app: []}",
            [
                "1:9: pools.app: the pool has no servers"
            ]),
        WrongFile(
            "pool name",
            "pools: {\"my app\": [\"http://a\"]}",
            [
                "1:9: pools: a pool's name has 1 to 64 letters, digits, '-', '_' and '.'; found \"my app\""
            ]),
        WrongFile(
            "server without scheme",
            "pools: {app: [\"127.0.0.1:9001\"]}",
            [
                "1:15: pools.app: expected the URL of a server, such as http://127.0.0.1:9001; found "
                    + "\"127.0.0.1:9001\" (did you mean http://127.0.0.1:9001?)"
            ]),
        WrongFile(
            "server twice, once over TLS",
            "pools: {app: [\"https://a\", \"http://a:443\"]}",
            [
                "1:28: pools.app: a:443 is given twice; the first time in line 1"
            ]),
        WrongFile(
            "server with another scheme",
            "pools: {app: [\"ftp://a\"]}",
            [
                "1:15: pools.app: the scheme must be http or https; found \"ftp\""
            ]),
        WrongFile(
            "server with a path",
            "pools: {app: [\"http://a/b\"]}",
            [
                "1:15: pools.app: a server's URL has no path; found \"/b\" (a route's rewrite changes paths)"
            ]),
        WrongFile(
            "server with a password",
            "pools: {app: [\"http://u:p@a\"]}",
            [
                "1:15: pools.app: a server's URL has no user or password"
            ]),
        WrongFile(
            "server with a wrong address",
            "pools: {app: [\"http://300.1.1.1\"]}",
            [
                "1:15: pools.app: expected a host name or an address; found \"300.1.1.1\""
            ]),
        WrongFile(
            "server without brackets",
            "pools: {app: [\"http://::1:80\"]}",
            [
                "1:15: pools.app: an IPv6 address needs brackets: http://[::1]:9001; found \"::1:80\""
            ]),
        WrongFile(
            "server on port 0",
            "pools: {app: [\"http://a:0\"]}",
            [
                "1:15: pools.app: the port must be a whole number from 1 to 65535; found \"0\""
            ]),
        WrongFile(
            "server with options of a flag",
            "pools: {app: [\"http://a,weight=2\"]}",
            [
                "1:15: pools.app: in a file, options stand beside the URL: {url: \"http://…\", weight: 3, backup: "
                    + "true}"
            ]),
        WrongFile(
            "weight 0",
            "pools: {app: [{url: \"http://a\", weight: 0}]}",
            [
                "1:41: pools.app: weight must be a whole number from 1 to 256, found \"0\""
            ]),
        WrongFile(
            "weight 257",
            "pools: {app: [{url: \"http://a\", weight: 257}]}",
            [
                "1:41: pools.app: weight must be a whole number from 1 to 256, found \"257\""
            ]),
        WrongFile(
            "backup is no word",
            "pools: {app: [{url: \"http://a\", backup: maybe}]}",
            [
                "1:41: pools.app.backup: expected true or false; found \"maybe\""
            ]),
        WrongFile(
            "server without url",
            "pools: {app: [{weight: 2}]}",
            [
                "1:15: pools.app: a server needs a url"
            ]),
        WrongFile(
            "server twice",
            "pools:\n  app:\n    - http://a\n    - http://A:80/",
            [
                "4:7: pools.app: a:80 is given twice; the first time in line 3"
            ]),
    ]
}
