// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Testing

/// The same numbers in every run.
private struct Seeded: RandomNumberGenerator {
    private var state: UInt64 = 1
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 29
    }
}

@Suite("Dot segments") struct DotSegmentTests {
    /// The target of a request, and the parts of it, once its dot segments are resolved; nil when they climb.
    private func resolved(_ target: String) throws -> (target: String, path: String, query: String?)? {
        let text = "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\nbody"
        let block = Block(capacity: text.utf8.count + 2)
        // A head need not begin where its block does.
        block.append("##")
        block.append(text: text)
        block.consume(2)
        var parser = RequestParser()
        var head = RequestHead()
        guard try parser.parse(block.readable, limits: HeadLimits(), into: &head) else { return nil }
        guard head.resolveDotSegments(in: block) else {
            #expect(block.readable.string == text)
            return nil
        }
        // What is behind the target is where it was.
        #expect(block.readable.string.hasSuffix(" HTTP/1.1\r\nHost: a\r\n\r\nbody"))
        let bytes = block.readable
        return (
            bytes.extracting(head.targetRange).string, bytes.extracting(head.pathRange).string,
            head.queryRange.map { bytes.extracting($0).string }
        )
    }

    @Test("are resolved in the path and nowhere else, and the query follows it")
    func places() throws {
        let origin = try #require(try resolved("/a/../b?c=/../d"))
        #expect(origin == ("/b?c=/../d", "/b", "c=/../d"))
        let absolute = try #require(try resolved("http://h/x/./../y?"))
        #expect(absolute == ("http://h/y?", "/y", ""))
        let empty = try #require(try resolved("http://h?/../x"))
        #expect(empty == ("http://h?/../x", "", "/../x"))
        let asWritten = try #require(try resolved("/a%2F..;/b"))
        #expect(asWritten == ("/a%2F..;/b", "/a%2F..;/b", nil))
    }

    /// RFC 3986 section 5.2.4, on an array of segments; nil when they climb.
    private func reference(_ path: String) -> String? {
        var segments: [Substring] = []
        let all = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, segment) in all.enumerated() {
            switch segment {
            case ".": break
            case "..":
                guard segments.popLast() != nil else { return nil }
            default:
                segments.append(segment)
                continue
            }
            if index == all.count - 1 { segments.append("") }
        }
        return "/" + segments.joined(separator: "/")
    }

    @Test("of any path are resolved as the standard has it")
    func anyPath() throws {
        var generator = Seeded()
        let pieces = ["/", ".", "..", "/..", "/.", "a", "%2e", ";", "//", "..a"]
        for _ in 0..<20_000 {
            let path =
                "/"
                + (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                    pieces.randomElement(using: &generator) ?? ""
                }.joined()
            let found = try resolved(path)?.path
            #expect(found == reference(path), "\(path)")
            // Resolved once, there are no more of them.
            if let found { #expect(try resolved(found)?.path == found) }
        }
    }

    @Test("that only some servers see are found")
    func hidden() {
        func hides(_ path: String) -> Bool { PathNormaliser.hidesDotSegments(latin1(path).span) }
        for path in [
            "/%2e", "/%2E%2e", "/a/.%2e/b", "/..;", "/..;a/", "/;..", "/a%3b..", "/..%5c", "/%5c..", "/..%2f", "/a%2f.",
            "/.%3B", "/a;b;../c",
        ] { #expect(hides(path), "\(path)") }
        for path in [
            "", "/", "/a", "/...", "/..a", "/a..", "/%2e%2e%2e", "/a;v=1.2", "/.well-known", "/%2ehidden", "/a..;b",
            "/%252e%252e", "/..%", "/..%zz", "/;", "/a;.b", "/a.;b",
        ] { #expect(!hides(path), "\(path)") }
    }

    @Test("are not what a path behind a host is found by")
    func behindHost() {
        func rest(_ path: String) -> String? {
            let bytes = latin1(path)
            guard let rest = PathNormaliser.pathBehindHost(bytes.span) else { return nil }
            return rest.string
        }
        #expect(rest("//h/a") == "/a")
        #expect(rest("///h//a") == "//a")
        #expect(rest("//h") == "")
        #expect(rest("//") == "")
        for path in ["", "/", "/a//b", "a"] { #expect(rest(path) == nil) }
    }
}
