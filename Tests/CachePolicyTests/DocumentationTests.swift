// SPDX-License-Identifier: Apache-2.0
// docs/caching.md names a test for every line, and every test of a clause stands there.

import Foundation
import Testing

@Suite("The page on caching") struct DocumentationTests {
    private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// The words of `text` that are names of tests, each where it occurs.
    private func tests(in text: some StringProtocol) -> [String] {
        String(text).split(whereSeparator: { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")) })
            .map { String($0) }.filter { $0.hasPrefix("test_") }
    }

    @Test("names tests that exist, and every test of a clause")
    func everyTestThatThePageNamesExistsAndTheOtherWayRound() throws {
        let page = try String(contentsOf: folder.appendingPathComponent("../../docs/caching.md"), encoding: .utf8)
        var lines = 0
        var named: [String] = []
        for line in page.split(separator: "\n") where line.hasPrefix("| ") && !line.hasSuffix("| test |") {
            let tests = tests(in: line)
            #expect(!tests.isEmpty, "a line without a test: \(line)")
            named += tests
            lines += 1
        }
        #expect(lines > 100)

        var existing: [String] = []
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        where file.pathExtension == "swift" {
            let source = try String(contentsOf: file, encoding: .utf8)
            for line in source.split(separator: "\n") where line.drop(while: { $0 == " " }).hasPrefix("func test_") {
                existing += tests(in: line)
            }
        }
        for name in Set(named) where !existing.contains(name) {
            Issue.record("docs/caching.md names \(name), which does not exist")
        }
        for name in existing where !named.contains(name) { Issue.record("docs/caching.md does not name \(name)") }
        #expect(Set(existing).count == existing.count, "two tests have one name")
    }
}
