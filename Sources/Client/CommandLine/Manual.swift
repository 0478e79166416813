// SPDX-License-Identifier: Apache-2.0
// What is printed about the flags: help, the manual page, completions.

/// Texts made of the flags.
public enum Manual {
    /// What a command line looks like.
    static let examples = [
        ("client http://localhost:8080/", "print a page"),
        ("client -I http://localhost:8080/", "only its head"),
        ("client -d name=value http://…/form", "send a form; --json '{…}' sends JSON, -F file=@photo.jpg a file"),
        ("client -O -C - http://…/big.iso", "download to big.iso, continuing where it broke off"),
        ("client --insecure https://localhost:8443/", "through TLS, whoever answers"),
        ("client --log log.log http://…/", "a line in log.log for every request"),
        ("client --offline http://…/", "what the cache has, without a packet"),
        ("client flush", "empty the cache; client flush URL forgets one URL"),
        ("client cache list", "what is in it; client cache show URL, client cache stat"),
    ]

    /// What the exit statuses mean.
    static let statuses = [
        (0, "done"), (1, "not spoken here"), (2, "wrong usage"), (3, "not a URL"), (4, "not in the cache (--offline)"),
        (5, "no such proxy"), (6, "no such host"), (7, "no connection"), (8, "the answer is not HTTP"),
        (18, "the body was cut short"), (22, "-f, and the status is 400 or above"), (23, "cannot write"),
        (26, "cannot read what is to be sent"), (28, "it took too long"), (33, "cannot be continued"),
        (35, "no secure connection"), (47, "too many redirects"), (49, "--resolve is wrong"), (52, "no answer"),
        (55, "sending failed"), (56, "receiving failed"), (58, "own certificate"), (60, "the server's certificate"),
        (61, "content coding"), (63, "the body is too long"), (65, "what was sent cannot be sent again"),
        (77, "--cacert"),
    ]

    /// `--help`.
    public static func help(width: Int = 100) -> String {
        var text = """
            Fetches URLs over HTTP and writes what comes to standard output. What may be kept is kept in a cache.

            client [flags] URL…      client flush [URL…]      client cache list|show|stat


            """
        for (command, meaning) in examples { text += "  \(padded(command, 43)) \(meaning)\n" }
        for group in Flag.Group.allCases {
            text += "\n\(group.rawValue):\n"
            for flag in Flag.all where flag.group == group {
                let lines = wrapped(flag.help, width: max(30, width - 34))
                let name = padded("  " + signature(flag), 33)
                text += (name.count > 33 ? name + "\n" + String(repeating: " ", count: 34) : name + " ")
                text += lines.joined(separator: "\n" + String(repeating: " ", count: 34)) + "\n"
            }
        }
        text += "\nExit status, as curl's where curl has one:\n"
        let list = statuses.map { "\($0.0) \($0.1)" }.joined(separator: ", ") + "."
        return text + wrapped(list, width: width - 4).map { "  " + $0 + "\n" }.joined()
    }

    private static func signature(_ flag: Flag) -> String {
        (flag.letter.map { "-\($0), " } ?? "    ") + "--\(flag.name)" + (flag.argument.map { " \($0)" } ?? "")
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + word.count + 1 > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }

    /// The manual page, in the language of `man`.
    public static func page() -> String {
        func plain(_ text: String) -> String {
            let escaped = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
            return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
        }
        var text = """
            .TH CLIENT 1 "" "gateway" "User Commands"
            .SH NAME
            client \\- fetch URLs over HTTP, with a cache
            .SH SYNOPSIS
            .B client
            [\\fIflags\\fR] \\fIURL\\fR...
            .br
            .B client flush
            [\\fIURL\\fR...]
            .br
            .B client cache
            list|show \\fIURL\\fR|stat
            .SH DESCRIPTION
            Fetches URLs and writes what comes to standard output; progress and errors go to standard error. Flags and exit statuses are
            curl's where curl has them. Responses that may be kept are kept in a private cache (RFC 9111): what is fresh is used
            without the network, what is not is validated.

            """
        for group in Flag.Group.allCases {
            text += ".SH \(group.rawValue.uppercased())\n"
            for flag in Flag.all where flag.group == group {
                let names = (flag.letter.map { "\\fB\\-\($0)\\fR, " } ?? "") + "\\fB\\-\\-\(plain(flag.name))\\fR"
                text +=
                    ".TP\n\(names)" + (flag.argument.map { " \\fI\(plain($0))\\fR" } ?? "") + "\n\(plain(flag.help))\n"
            }
        }
        text += ".SH VARIABLES OF \\-\\-write\\-out\n" + plain(WriteOut.names.joined(separator: ", "))
        text += ", json, header{NAME}, stdout, stderr.\n.SH EXAMPLES\n"
        for (command, meaning) in examples { text += ".TP\n\\fB\(plain(command))\\fR\n\(plain(meaning))\n" }
        text += ".SH EXIT STATUS\n"
        for (status, meaning) in statuses { text += ".TP\n\(status)\n\(plain(meaning))\n" }
        text += """
            .SH FILES
            .TP
            $XDG_CACHE_HOME/gateway\\-client, or ~/.cache/gateway\\-client
            The cache, for its owner only.
            .SH ENVIRONMENT
            .TP
            http_proxy, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, no_proxy, NO_PROXY
            As in curl.

            """
        return text
    }

    /// A completion script; nil for a shell that is not known.
    public static func completions(for shell: String) -> String? {
        switch shell {
        case "bash":
            let flags = Flag.all.flatMap { flag in (flag.letter.map { ["-\($0)"] } ?? []) + ["--\(flag.name)"] }
            let files = Flag.all.filter { $0.argument == "FILE" || $0.argument == "FOLDER" || $0.argument == "PATH" }
            let cases = files.flatMap { flag in (flag.letter.map { ["-\($0)"] } ?? []) + ["--\(flag.name)"] }
            return """
                _client() {
                    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
                    case "$before" in
                        \(cases.joined(separator: "|"))) COMPREPLY=($(compgen -f -- "$word")); return ;;
                        --cache) COMPREPLY=($(compgen -W "\(CacheMode.allCases.map(\.rawValue).joined(separator: " "))" -- "$word")); return ;;
                        --log-format) COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
                        cache) COMPREPLY=($(compgen -W "list show stat" -- "$word")); return ;;
                    esac
                    COMPREPLY=($(compgen -W "flush cache \(flags.joined(separator: " "))" -- "$word"))
                }
                complete -o default -F _client client

                """
        case "zsh":
            let lines = Flag.all.map { flag -> String in
                let help = flag.help.replacing("'", with: "’").replacing("[", with: "(").replacing("]", with: ")")
                    .replacing(":", with: " ")
                let action = flag.argument.map { ":\($0.replacing(":", with: " ")):_files" } ?? ""
                return "    '*--\(flag.name)[\(help)]\(action)'"
            }
            return "#compdef client\n_arguments \\\n" + lines.joined(separator: " \\\n") + " \\\n    '*:URL:_urls'\n"
        case "fish":
            return Flag.all.map { flag in
                let help = flag.help.replacing("'", with: "’")
                return "complete -c client" + (flag.letter.map { " -s \($0)" } ?? "") + " -l \(flag.name)"
                    + (flag.argument == nil ? "" : " -r") + " -d '\(help)'\n"
            }.joined() + "complete -c client -n __fish_use_subcommand -a 'flush cache'\n"
        default: return nil
        }
    }
}

extension String {
    /// With every `part` replaced.
    fileprivate func replacing(_ part: Character, with other: String) -> String {
        reduce(into: "") { result, character in
            if character == part { result += other } else { result.append(character) }
        }
    }
}
