// SPDX-License-Identifier: Apache-2.0
// What the tests of settings share: reading without a real environment, and files that go away again.

import Foundation
import Settings
import TestSupport
import Testing

/// Reads settings with nothing from outside.
func read(
    _ arguments: [String], variables: [String: String] = [:], defaultFile: String? = nil
) throws -> Invocation {
    try SettingsReader.read(arguments: arguments, environment: variables, defaultFile: defaultFile, cores: 2)
}

/// The configuration that the gateway would run with.
func configuration(
    _ arguments: [String], variables: [String: String] = [:], defaultFile: String? = nil
) throws -> Configuration {
    guard case .run(let configuration) = try read(arguments, variables: variables, defaultFile: defaultFile) else {
        throw UnexpectedInvocation()
    }
    return configuration
}

/// The lines that would be printed, none when the settings are right.
func complaints(_ arguments: [String], variables: [String: String] = [:]) -> [String] {
    do {
        _ = try SettingsReader.read(arguments: arguments, environment: variables, defaultFile: nil, cores: 2)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

struct UnexpectedInvocation: Error {}

/// Calls `body` with the path of a file of this text.
func withFile<Result>(_ bytes: some Sequence<UInt8>, _ body: (String) throws -> Result) throws -> Result {
    let folder = TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    return try body(folder.write(Array(bytes), to: "gateway.yaml"))
}

/// The repository's root.
let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The files in `config/`.
let examples = ["gateway.yaml", "minimal.yaml", "routes.yaml", "three-origins.yaml"]
