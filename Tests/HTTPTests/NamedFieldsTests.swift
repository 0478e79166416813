// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import HTTP

@Suite("Fields that a list names") struct NamedFieldsTests {
    /// Names of few letters, so that many are equal, or equal but for case.
    private static let names = ["a", "A", "b", "ab", "aB", "ba", "x-a", "X-A", "close", "abcdefgh", "ABCDEFGH", "x"]

    private func parse(_ text: String) throws -> RequestHead {
        let bytes = Array(text.utf8)
        var head = RequestHead()
        var parser = RequestParser()
        let limits = HeadLimits(headBytes: 61_440, lineBytes: 61_440, fields: 100)
        #expect(try parser.parse(bytes.span, limits: limits, into: &head))
        return head
    }

    @Test("are those that stand in Connection, in whatever case, however often, and no others")
    func marks() throws {
        var random = SystemRandomNumberGenerator()
        for round in 0..<300 {
            var lines = ["Host: h"]
            var listed: [String] = []
            for _ in 0..<Int.random(in: 0..<97, using: &random) {
                lines.append("\(Self.names.randomElement(using: &random) ?? "a"): 1")
            }
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let members = (0..<Int.random(in: 0..<6, using: &random)).map { _ in
                    Self.names.randomElement(using: &random) ?? "b"
                }
                listed += members
                lines.insert("Connection: \(members.joined(separator: ", ,"))", at: Int.random(in: 0...lines.count))
            }
            let text = "GET / HTTP/1.1\r\n\(lines.joined(separator: "\r\n"))\r\n\r\n"
            let bytes = Array(text.utf8)
            let head = try parse(text)
            let known = Set(listed.map { $0.lowercased() })
            for position in 0..<head.fields.count {
                let name = String(decoding: bytes[head.fields[position].nameRange], as: UTF8.self).lowercased()
                let expected = known.contains(name) && !known.subtracting(["close"]).isEmpty
                #expect(head.namedByConnection.contains(position) == expected, "round \(round): \(name)")
            }
        }
    }

    @Test("are found in a list as long as a head may be, each group of lines once")
    func longList() throws {
        let list = (0..<9_000).map { $0 % 3 == 0 ? "aaaa" : $0 % 3 == 1 ? "bbbb" : "cccc" }.joined(separator: ",")
        let fields = (0..<97).map { $0 % 2 == 0 ? "AAAA: 1" : "dddd: 1" }.joined(separator: "\r\n")
        let head = try parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: \(list)\r\n\(fields)\r\n\r\n")
        for position in 2..<head.fields.count {
            #expect(head.namedByConnection.contains(position) == (position % 2 == 0))
        }
    }

    @Test("are forgotten with the head")
    func reset() throws {
        var head = try parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: a\r\na: 1\r\n\r\n")
        #expect(head.namedByConnection != NamedFields())
        head.reset()
        #expect(head.namedByConnection == NamedFields())
    }
}
