// SPDX-License-Identifier: Apache-2.0
// The text of `--help`, made from the table.

enum Help {
    static func text() -> String {
        var lines = [
            "Usage: gateway [--port N] [--upstream http://HOST:PORT]... [--config FILE] ...",
            "",
            "An HTTP edge gateway. A flag wins over a variable (--header-timeout is",
            "GATEWAY_HEADER_TIMEOUT), a variable over the settings file, and the file over",
            "the default. Durations have a unit: 250ms, 15s, 5m, 1h, 1d. Sizes may have",
            "one: 32k, 10m, 1g, 1t.",
        ]
        for group in Setting.Group.allCases {
            lines += ["", "\(group.rawValue):"]
            for setting in SettingTable.all where setting.group == group {
                lines.append("  \(setting.usage)")
                lines += wrapped("\(setting.summary) Default: \(setting.defaultText).")
            }
        }
        lines += ["", "Other:"]
        for command in Command.all {
            let short = command.short.map { "-\($0), " } ?? ""
            let placeholder = command.placeholder.map { " \($0)" } ?? ""
            lines.append("  \(short)--\(command.flag)\(placeholder)")
            lines += wrapped(command.summary)
        }
        lines += [
            "", "Without --config, \(SettingsReader.standardFile) is read where there is one.",
            "Settings that are wrong end the gateway with status \(SettingsFailure.exitStatus).",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// Lines of at most 79 columns, indented under their flag.
    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        var line = "     "
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count > 79 {
                lines.append(line)
                line = "     "
            }
            line += " " + word
        }
        return lines + [line]
    }
}
