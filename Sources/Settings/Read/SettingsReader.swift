// SPDX-License-Identifier: Apache-2.0
// The way from a command line to a checked configuration: file, then variables, then flags, each replacing what the one
// before it said; then the checks that need all of them.

/// What the command line asks for.
public enum Invocation: Sendable, Equatable {
    /// Serve with these settings.
    case run(Configuration)
    /// Say that the settings are right, print the notes, and exit with status 0.
    case check(Configuration, notes: [String])
    /// Print this settings file and exit with status 0.
    case dump(String)
    /// Print this text and exit with status 0.
    case help(String)
    /// Print the version and exit with status 0.
    case version
}

/// Reads settings.
public enum SettingsReader {
    /// The settings file that is read when none is named and there is one.
    public static let standardFile = "/etc/gateway/gateway.yaml"

    /// Reads the settings of one run.
    ///
    /// - Parameters:
    ///   - arguments: the command line after the program's name.
    ///   - environment: all variables; those that begin with `GATEWAY_` are looked at.
    ///   - defaultFile: read when neither `--config` nor `GATEWAY_CONFIG` names a file and this one exists.
    ///   - cores: cores that the process may run on; the default number of workers.
    /// - Throws: all mistakes at once; the process should print them and exit with `SettingsFailure.exitStatus`.
    public static func read(
        arguments: [String], environment: [String: String], defaultFile: String?, cores: Int
    ) throws(SettingsFailure) -> Invocation {
        let flags = Given(arguments: arguments)
        if flags.commands.contains("help") { return .help(Help.text()) }
        if flags.commands.contains("version") { return .version }
        let variables = Given(environment: environment)

        var draft = Draft(configuration: Configuration())
        draft.configuration.workers = min(max(cores, 1), 1_024)
        var problems: [SettingsProblem] = []
        let namesServers = (flags.values + variables.values).contains { $0.setting.flag == "upstream" }
        if let file = flags.file ?? variables.file ?? defaultFile.flatMap(standard) {
            do throws(Refusal) {
                let text = try FileText.load(file.path)
                var reader = FileReader(
                    name: file.path, draft: draft, outsidePools: namesServers ? [FileReader.flagPool] : [])
                reader.read(text)
                draft = reader.draft
                problems += reader.problems
            } catch {
                problems.append(SettingsProblem(source: .wholeFile(file.path), message: error.message))
            }
        }
        problems += variables.problems + variables.apply(to: &draft)
        problems += flags.problems + flags.apply(to: &draft)
        problems += Assembly.finish(&draft)
        guard problems.isEmpty else { throw SettingsFailure(problems: problems) }

        if flags.commands.contains("dump") { return .dump(Dump.text(of: draft)) }
        if flags.commands.contains("check") {
            return .check(draft.configuration, notes: Assembly.notes(on: draft.configuration, cores: cores))
        }
        return .run(draft.configuration)
    }

    /// The reference of all settings in Markdown, as it stands in `docs/settings.md`.
    public static func referencePage() -> String { Reference.page() }

    private static func standard(_ path: String) -> (path: String, source: SettingsProblem.Source)? {
        FileText.exists(path) ? (path, .wholeFile(path)) : nil
    }
}
