// SPDX-License-Identifier: Apache-2.0
// Wrong settings files and the exact lines that an operator reads about each.

@testable import Settings
import Testing

@Suite struct WrongFileTests {
    @Test("A wrong file gets exactly these lines", arguments: WrongFiles.all)
    func wrongFile(_ file: WrongFile) {
        var reader = FileReader(name: "gateway.yaml", draft: Draft(configuration: Configuration()))
        reader.read(file.text)
        #expect(reader.problems.map(\.description) == file.lines.map { "gateway.yaml:" + $0 }, "\(file.why)")
    }
}
