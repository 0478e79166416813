// SPDX-License-Identifier: Apache-2.0
// Flags and environment variables, as texts with their sources; what they mean is the table's affair. The flags are read
// here rather than by a library that wants each of them declared once more.

/// A flag that is not a setting.
struct Command: Sendable {
    let flag: String
    let short: String?
    let placeholder: String?
    let summary: String

    static let all: [Command] = [
        Command(
            flag: "config", short: nil, placeholder: "FILE",
            summary: "Settings file in YAML (variable GATEWAY_CONFIG)."),
        Command(
            flag: "check", short: "t", placeholder: nil,
            summary: "Check the settings and exit: status 0 when they are right, 64 when not."),
        Command(
            flag: "dump", short: nil, placeholder: nil,
            summary: "With --check: print the effective settings as a settings file, with the source of each."),
        Command(flag: "help", short: "h", placeholder: nil, summary: "Print this help and exit."),
        Command(flag: "version", short: "V", placeholder: nil, summary: "Print the version and exit."),
    ]
}

/// What flags or variables gave.
struct Given {
    /// The text of a setting and where it stood, in order.
    struct Value {
        let setting: Setting
        let text: String
        let source: SettingsProblem.Source
    }

    var values: [Value] = []
    /// The settings file, when one is named.
    var file: (path: String, source: SettingsProblem.Source)?
    /// `check`, `dump`, `help` and `version`, as far as they were given.
    var commands: Set<String> = []
    var problems: [SettingsProblem] = []
    /// Flags of settings that were given without the value they need.
    private var withoutValue: Set<String> = []

    /// Reads the arguments after the program's name.
    init(arguments: [String]) {
        var rest = arguments[...]
        var seen: Set<String> = []
        var isBehindSecret = false
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-", argument != "--" else {
                // It may be the rest of a secret with spaces in it.
                let shown = isBehindSecret ? "" : " " + quoted(argument)
                refuse("", "unexpected argument\(shown); every setting is a flag (see --help)")
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            let command = Command.all.first { name == "--" + $0.flag || name == $0.short.map { "-" + $0 } }
            let setting = name.hasPrefix("--") ? SettingTable.setting(flag: String(name.dropFirst(2))) : nil
            isBehindSecret = setting?.isSecret == true
            if let command, command.placeholder == nil {
                if parts.count > 1 { refuse(name, "takes no value") }
                commands.insert(command.flag)
                continue
            }
            guard command != nil || setting != nil else {
                let known = (SettingTable.all.map(\.flag) + Command.all.map(\.flag)).map { "--" + $0 }
                let near = nearest(to: name, among: known).map { "; did you mean \($0)?" } ?? "; see --help"
                // The next argument may be this flag's value: it would only be a second complaint about the same thing.
                if parts.count == 1, let next = rest.first, !next.hasPrefix("-") { rest.removeFirst() }
                refuse("", "unknown flag \(quoted(name, isName: true))\(near)")
                continue
            }
            var value = parts.count > 1 ? String(parts[1]) : nil
            if setting?.isTruth == true, value == nil { value = "true" }
            // `--log --check` forgot a value, `--workers -1` has a wrong one.
            if value == nil, let next = rest.first, !next.hasPrefix("-") || Quantities.digits(next.dropFirst()) != nil {
                value = next
                rest.removeFirst()
            }
            // A secret may begin as flags do, and must not be told as one that nobody knows.
            if value == nil, isBehindSecret, let next = rest.first, !Self.isKnown(next) {
                value = next
                rest.removeFirst()
            }
            guard let value else {
                refuse(name, "needs a value: \(name) \(setting?.placeholder ?? command?.placeholder ?? "")")
                if let setting { withoutValue.insert(setting.flag) }
                continue
            }
            var shown = Self.printable(parts.count > 1 ? argument : "\(name) \(value)")
            if setting?.isTruth == true && parts.count == 1 || setting?.hides(value) == true { shown = name }
            guard seen.insert(name).inserted || setting?.isRepeatable == true else {
                refuse(shown, "\(name) is given twice")
                continue
            }
            if let setting {
                values.append(Value(setting: setting, text: value, source: .flag(shown)))
            } else {
                file = (value, .flag(shown))
            }
        }
        if commands.contains("dump") && !commands.contains("check") { refuse("--dump", "goes with --check") }
    }

    /// Reads the variables that begin with `GATEWAY_`. An empty one counts as not set, as in files of `docker compose`.
    /// An unknown one is refused when it is nearly a known one, and else let be: the variables that Kubernetes makes for
    /// a service named `gateway` begin the same way, and GATEWAY_CACHE_PORT, of a service named `gateway-cache`, is near
    /// GATEWAY_CACHE_DIR; no setting has a value like theirs.
    init(environment: [String: String]) {
        let known = SettingTable.all.map(\.variable) + ["GATEWAY_CONFIG"]
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("GATEWAY_") && !text.isEmpty {
            if name == "GATEWAY_CONFIG" {
                file = (text, .variable(name))
            } else if let setting = SettingTable.all.first(where: { $0.variable == name }) {
                var texts = [text]
                switch setting.kind {
                case .servers, .certificates, .keys: texts = text.split(separator: " ").map(String.init)
                case .truth, .negated: texts = [["1": "true", "0": "false"][text] ?? text]
                default: break
                }
                values += texts.map { Value(setting: setting, text: $0, source: .variable(name)) }
            } else if !text.hasPrefix("tcp://"),
                let near = nearest(to: String(name.dropFirst(8)), among: known.map { String($0.dropFirst(8)) })
            {
                let message = "unknown variable; did you mean GATEWAY_\(near)?"
                problems.append(SettingsProblem(source: .variable(name), message: message))
            }
        }
    }

    /// Keeps the values in a draft; those of a repeatable setting replace what it had.
    func apply(to draft: inout Draft) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        var cleared: Set<String> = []
        draft.refused.formUnion(withoutValue)
        for value in values {
            if cleared.insert(value.setting.flag).inserted { value.setting.clear(in: &draft) }
            do throws(Refusal) {
                try value.setting.store(value.text, ofFile: false, in: &draft)
                draft.sources[value.setting.flag] = value.source
            } catch {
                problems.append(SettingsProblem(source: value.source, message: error.message + Self.hint(for: value)))
                draft.refused.insert(value.setting.flag)
            }
        }
        return problems
    }

    /// Whether an argument is a flag that there is, with its value or without.
    private static func isKnown(_ argument: String) -> Bool {
        let name = argument.prefix { $0 != "=" }
        return SettingTable.all.contains { $0.flagText == name }
            || Command.all.contains { "--" + $0.flag == name || $0.short.map { "-" + $0 } == argument }
    }

    private static func hint(for value: Value) -> String {
        guard case .variable = value.source, value.text.hasPrefix("tcp://") else { return "" }
        let service: String
        switch value.setting.kind {
        case .port: service = "gateway"
        case .tlsPort: service = "gateway-tls"
        default: return ""
        }
        return " (Kubernetes sets this for a service named \(service); enableServiceLinks: false prevents it)"
    }

    private mutating func refuse(_ flag: String, _ message: String) {
        problems.append(SettingsProblem(source: .flag(flag), message: message))
    }

    /// Without control characters, so that a message stays on its line.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}
