// SPDX-License-Identifier: Apache-2.0
// Wrong routes, with the lines that tell of them.

extension WrongFiles {
    static let routes: [WrongFile] = [
        WrongFile(
            "unknown pool",
            "pools: {app: [\"http://a\"]}\nroutes: [{pool: ap}]",
            [
                "2:17: routes.pool: there is no pool 'ap'; did you mean 'app'?"
            ]),
        WrongFile(
            "no pools at all",
            "routes: [{pool: app}]",
            [
                "1:17: routes.pool: there is no pool 'app'; the file has no pools"
            ]),
        WrongFile(
            "routes are no list",
            "routes: {pool: app}",
            [
                "1:9: routes: expected a list; found keys with values"
            ]),
        WrongFile(
            "route without action",
            "routes: [{path: /a}]",
            [
                "1:10: routes: a route needs one of pool, redirect and answer"
            ]),
        WrongFile(
            "route with two actions",
            "routes: [{answer: {}, redirect: {to: /a}}]",
            [
                "1:23: routes: a route has one of pool, redirect and answer; this one has 2"
            ]),
        WrongFile(
            "misspelt action",
            "routes: [{path: /a, anser: {}}]",
            [
                "1:21: routes: unknown key 'anser'; did you mean 'answer'?"
            ]),
        WrongFile(
            "path without slash",
            "routes: [{path: a, answer: {}}]",
            [
                "1:17: routes.path: a path starts with '/'; found \"a\""
            ]),
        WrongFile(
            "path with dots",
            "routes: [{path: /a/../b, answer: {}}]",
            [
                "1:17: routes.path: a path has no '.' or '..' segments; found \"/a/../b\""
            ]),
        WrongFile(
            "path with a query",
            "routes: [{path: \"/a?b\", answer: {}}]",
            [
                "1:17: routes.path: a path has no '?' or '#'; found \"/a?b\""
            ]),
        WrongFile(
            "host with a port",
            "routes: [{host: \"example.org:80\", answer: {}}]",
            [
                "1:17: routes.host: a route's host has no port; found \"example.org:80\""
            ]),
        WrongFile(
            "host with a space",
            "routes: [{host: \"exam ple\", answer: {}}]",
            [
                "1:17: routes.host: expected a host, such as example.org or *.example.org; found \"exam ple\""
            ]),
        WrongFile(
            "wildcard in the middle",
            "routes: [{host: \"a.*.org\", answer: {}}]",
            [
                "1:17: routes.host: expected a host, such as example.org or *.example.org; found \"a.*.org\""
            ]),
        WrongFile(
            "method in lower case",
            "routes: [{methods: [get], answer: {}}]",
            [
                "1:21: routes.methods: methods are in upper case; found \"get\" (did you mean GET?)"
            ]),
        WrongFile(
            "method twice",
            "routes: [{methods: [GET, GET], answer: {}}]",
            [
                "1:26: routes.methods: GET is given twice"
            ]),
        WrongFile(
            "no method",
            "routes: [{methods: [\"G T\"], answer: {}}]",
            [
                "1:21: routes.methods: expected a method, such as GET; found \"G T\""
            ]),
        WrongFile(
            "redirect status",
            "routes: [{redirect: {to: /a, status: 200}}]",
            [
                "1:38: routes.redirect.status: expected one of 301, 302, 303, 307 and 308; found \"200\""
            ]),
        WrongFile(
            "redirect without target",
            "routes: [{redirect: {status: 301}}]",
            [
                "1:11: routes.redirect: a redirect needs a target: {to: \"https://example.org{path}{query}\"}"
            ]),
        WrongFile(
            "unknown placeholder",
            "routes: [{redirect: {to: \"/a{paht}\"}}]",
            [
                "1:26: routes.redirect.to: unknown placeholder \"{paht}\"; there are {path}, {query} and {host}"
            ]),
        WrongFile(
            "redirect to nowhere",
            "routes: [{redirect: {to: example.org}}]",
            [
                "1:26: routes.redirect.to: expected a target that starts with http://, https:// or /; found "
                    + "\"example.org\""
            ]),
        WrongFile(
            "answer status",
            "routes: [{answer: {status: 100}}]",
            [
                "1:28: routes.answer.status: expected a whole number from 200 to 599; found \"100\""
            ]),
        WrongFile(
            "answer without room for a body",
            "routes: [{answer: {status: 204, body: x}}]",
            [
                "1:11: routes.answer: an answer with status 204 has no body"
            ]),
        WrongFile(
            "answer type",
            "routes: [{answer: {type: text}}]",
            [
                "1:26: routes.answer.type: expected a media type, such as text/plain; found \"text\""
            ]),
        WrongFile(
            "rewrite without pool",
            "routes: [{answer: {}, rewrite: /}]",
            [
                "1:23: routes.rewrite: only a route with a pool rewrites paths"
            ]),
        WrongFile(
            "framing field",
            "pools: {a: [\"http://a\"]}\nroutes: [{pool: a, request_fields: {set: {Content-Length: 1}, remove: "
                + "[connection]}}]",
            [
                "2:43: routes.request_fields.set: Content-Length is written by the gateway itself",
                "2:72: routes.request_fields.remove: connection is written by the gateway itself",
            ]),
        WrongFile(
            "host removed",
            "pools: {a: [\"http://a\"]}\nroutes: [{pool: a, request_fields: {remove: [Host]}}]",
            [
                "2:46: routes.request_fields.remove: Host can be set, but not removed"
            ]),
        WrongFile(
            "host in a response",
            "routes: [{answer: {}, response_fields: {set: {Host: a}}}]",
            [
                "1:47: routes.response_fields.set: Host is not a field of responses"
            ]),
        WrongFile(
            "field name",
            "routes: [{answer: {}, response_fields: {set: {\"X Y\": a}}}]",
            [
                "1:47: routes.response_fields.set: expected a field name, such as X-Env; found \"X Y\""
            ]),
        WrongFile(
            "field value with a line break",
            "routes: [{answer: {}, response_fields: {set: {X-Y: \"a\\nb: c\"}}}]",
            [
                "1:52: routes.response_fields.set.X-Y: a field value has no control characters; found \"a\\x0ab: "
                    + "c\""
            ]),
        WrongFile(
            "field twice",
            "routes: [{answer: {}, response_fields: {set: {X-Y: a}, remove: [x-y]}}]",
            [
                "1:65: routes.response_fields.remove: x-y is named twice; the first time in line 1"
            ]),
        WrongFile(
            "same route twice",
            "routes:\n  - {host: Example.org, answer: {}}\n  - {host: example.org, path: /, answer: {status: "
                + "404}}",
            [
                "3:5: routes: the same host, path and methods as the route in line 2"
            ]),
    ]
}
