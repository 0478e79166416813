// SPDX-License-Identifier: Apache-2.0
// Pages that are for one person are not compressed unless the operator says so: the length of a page that repeats what was asked
// beside a secret tells the secret (BREACH).

import Foundation
import Settings
import TestSupport
import Testing

@Suite("Gzip and secrets") struct GzipPrivacyTests {
    private let body = text(3_000)

    /// Whether the answer to a request with these fields is compressed; by default, with the cache and without.
    private func isCompressed(
        _ response: String, _ request: String, method: String = "GET", hasCache: Bool,
        _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> Bool {
        let body = body
        let origin = server { head in
            let whole = ProxyTests.response("Content-Type: text/html\n" + response, body)
            return head.hasPrefix("HEAD") ? Array(whole[..<(whole.count - body.count)]) : whole
        }
        let gateway = try RunningGateway(
            upstreams: [origin.port], cachingIn: hasCache ? TemporaryFolder() : nil, configure)
        let reply = gateway.get("/", method: method, "Accept-Encoding: gzip", request)
        if method != "HEAD" { #expect(reply.content == body) }
        if !reply.isGzip { #expect(reply["content-length"] == "3000") }
        return reply.isGzip
    }

    /// Fields of the response, a field of the request, the method; and whether a stranger may learn the length.
    private static let cases: [(response: String, request: String, method: String, isCompressed: Bool)] = [
        ("", "Accept: */*", "GET", true),
        ("", "Accept: */*", "POST", true),
        ("ETag: \"v1\"", "Accept: */*", "HEAD", true),
        ("Cache-Control: max-age=60", "Cookie: a=b", "GET", true),
        ("Cache-Control: max-age=60", "Cookie: a=b", "HEAD", true),
        ("Cache-Control: public, max-age=60", "Authorization: Basic YTpi", "GET", true),
        ("Cache-Control: private, no-store\nCDN-Cache-Control: max-age=60", "Cookie: a=b", "GET", true),
        ("", "Cookie: a=b", "GET", false),
        ("", "Cookie: a=b", "HEAD", false),
        ("", "Cookie: a=b", "POST", false),
        ("Cache-Control: max-age=60", "Cookie: a=b", "POST", false),
        ("", "Authorization: Basic YTpi", "GET", false),
        ("Cache-Control: max-age=60", "Authorization: Basic YTpi", "GET", false),
        ("Cache-Control: private, no-store", "Cookie: a=b", "GET", false),
        ("Cache-Control: private, no-store", "Accept: */*", "GET", false),
        ("Cache-Control: private", "Accept: */*", "GET", false),
        ("Cache-Control: no-store", "Accept: */*", "GET", false),
        ("Cache-Control: no-store", "Accept: */*", "POST", false),
        ("Set-Cookie: a=b", "Accept: */*", "GET", false),
        ("Set-Cookie: a=b", "Accept: */*", "POST", false),
        ("Set-Cookie: a=b\nCache-Control: max-age=60", "Accept: */*", "GET", false),
        ("Set-Cookie: a=b\nCache-Control: public, max-age=60", "Accept: */*", "GET", false),
    ]

    @Test("what is for one person is not compressed unasked")
    func whatIsForOnePersonIsNotCompressedUnasked() throws {
        for (response, request, method, wanted) in Self.cases {
            for hasCache in [false, true] {
                let found = try isCompressed(response, request, method: method, hasCache: hasCache)
                #expect(found == wanted, "\(method), \(request), \(response), cache: \(hasCache)")
            }
        }
    }

    @Test("the operator may have it compressed here or there")
    func theOperatorMayHaveItCompressedHereOrThere() throws {
        for (everywhere, onRoute, wanted) in [
            (true, nil, true), (false, true, true), (true, false, false), (false, false, false),
        ] as [(Bool, Bool?, Bool)] {
            let found = try isCompressed("Cache-Control: private, no-store", "Cookie: a=b", hasCache: true) {
                $0.cache.compressesPrivate = everywhere
                var route = Configuration.Route(action: .pool("default"))
                route.cache = .init(compressesPrivate: onRoute)
                $0.routes = [route]
            }
            #expect(found == wanted)
        }
    }
}
