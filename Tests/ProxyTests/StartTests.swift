// SPDX-License-Identifier: Apache-2.0
// The built command at its start: what cannot be opened ends it.

import Foundation
import TestSupport
import Testing

@Suite("At the start") struct StartTests {
    /// Runs the gateway that was built beside these tests until it ends.
    private func run(_ arguments: [String]) throws -> (status: Int32, errors: String) {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let folder = TemporaryFolder()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("gateway")
        process.arguments = ["--no-cache", "--no-health-check", "--upstream=http://127.0.0.1:1", "--bind=127.0.0.1"]
        process.arguments? += arguments
        process.environment = ["HOME": folder.path, "PATH": "/usr/bin:/bin"]
        let errors = folder.file("errors")
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
        process.standardError = FileHandle(forWritingAtPath: errors)
        try process.run()
        // One that serves never ends by itself.
        let isOver = comesTrue { !process.isRunning }
        if !isOver { process.terminate() }
        process.waitUntilExit()
        return (isOver ? process.terminationStatus : -1, contents(of: errors))
    }

    @Test(
        "a listener that cannot be opened ends the gateway with status 1 and a sentence",
        arguments: [
            (["--port=P"], "--port P"), (["--tls-port=P"], "--tls-port P"),
            (["--port=0", "--tls-port=P"], "--tls-port P"), (["--port=P", "--tls-port=0"], "--port P"),
            (["--port=0", "--admin=P"], "--admin 127.0.0.1:P"),
        ])
    func taken(_ flags: [String], _ named: String) throws {
        let other = ScriptedServer.answering(ok("not the gateway"))
        let port = "\(other.port)"
        let result = try run(flags.map { $0.replacing("P", with: port) })
        #expect(result.status == 1)
        let line = result.errors.split(separator: "\n").last { !$0.contains("no certificate was given") } ?? ""
        #expect(line.hasPrefix("gateway: \(named.replacing("P", with: port)): cannot listen"))
        #expect(line.hasSuffix(": Address already in use"))
    }
}
