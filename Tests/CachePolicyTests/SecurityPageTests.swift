// SPDX-License-Identifier: Apache-2.0
// docs/security.md names a test for every promise, in any of the tests' folders.

import Foundation
import Testing

@Suite("The page on security") struct SecurityPageTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        .standardized

    /// `Suite.test` of all tests in `Tests`, of both kinds.
    private func existing() throws -> Set<String> {
        var names: Set<String> = []
        let walk = FileManager.default.enumerator(
            at: root.appendingPathComponent("Tests"), includingPropertiesForKeys: nil)
        while let file = walk?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            var type = ""
            var isMarked = false
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let words = line.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "_") }).map(String.init)
                isMarked = isMarked || line.contains("@Test")
                for (word, name) in zip(words, words.dropFirst()) {
                    // Types within types are indented.
                    if ["struct", "class"].contains(word), line.first != " " { type = name }
                    guard word == "func" else { continue }
                    if isMarked || name.hasPrefix("test") { names.insert("\(type).\(name)") }
                    isMarked = false
                }
            }
        }
        return names
    }

    @Test("names a test that exists for every promise")
    func everyPromiseNamesATestThatExists() throws {
        let page = try String(contentsOf: root.appendingPathComponent("docs/security.md"), encoding: .utf8)
        let existing = try existing()
        #expect(existing.count > 500)
        var promises = 0
        for line in page.split(separator: "\n") where line.hasPrefix("| ") && !line.hasSuffix("| test |") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let tests = (cells.last ?? "").split(separator: ",").map {
                $0.trimmingCharacters(in: CharacterSet(charactersIn: " `"))
            }
            #expect(line.split(separator: "|", omittingEmptySubsequences: false).count == 6, "not four cells: \(line)")
            for test in tests { #expect(existing.contains(test), "there is no test \(test)") }
            promises += 1
        }
        #expect(promises > 10)
    }
}
