// SPDX-License-Identifier: Apache-2.0
// The reference page `docs/settings.md`. What is said of single settings comes from the table; the text here is only what
// a table cannot say. A test compares the page with the file, byte for byte.

enum Reference {
    static func page() -> String {
        var lines = opening
        for group in Setting.Group.allCases {
            lines += ["", "## \(group.rawValue)"]
            for setting in SettingTable.all where setting.group == group { lines += entry(setting) }
        }
        lines += ["", "## Other flags", "", "| Flag | Meaning |", "|---|---|"]
        for command in Command.all {
            let short = command.short.map { "`-\($0)`, " } ?? ""
            let placeholder = command.placeholder.map { " \($0)" } ?? ""
            lines.append("| \(short)`--\(command.flag)\(placeholder)` | \(command.summary) |")
        }
        return (lines + parts).joined(separator: "\n") + "\n"
    }

    private static func entry(_ setting: Setting) -> [String] {
        [
            "", "### `\(setting.flagText)`", "", setting.summary, "", "| | |", "|---|---|",
            "| Flag | `\(setting.usage.replacing("|", with: "\\|"))` |",
            "| Variable | `\(setting.variable)` |",
            "| File | \(setting.keys.isEmpty ? inFile(setting) : "`\(setting.key)`") |",
            "| Values | \(setting.rangeText) |",
            "| Default | \(setting.defaultText) |",
        ]
    }

    private static func inFile(_ setting: Setting) -> String {
        switch setting.kind {
        case .servers: "see [Pools](#pools)"
        case .certificates, .keys: "see [Certificates](#certificates)"
        default: "see [Listeners](#listeners)"
        }
    }

    private static let opening = [
        "# Settings",
        "",
        "<!-- Made from the table of settings; a test compares it. Change the table and run the tests with UPDATE_DOCS=1. -->",
        "",
        "Every setting has a flag, a variable and a place in the settings file. A flag wins over a variable, a variable over",
        "the file, the file over the default. `gateway --check --dump` prints what is in effect and where it came from.",
        "",
        "- **Durations** have a unit: `250ms`, `15s`, `5m`, `1h`, `1d`. A number without one is refused.",
        "- **Sizes** are bytes, or have a unit that is a power of 1024: `512`, `32k`, `10m`, `1g`, `1t`.",
        "- **Flags** are written `--name value` or `--name=value`. One that is not repeatable may be given once.",
        "- **Yes or no**: `--name` alone means `--name=true`; a variable may also be `1` or `0`. What a flag `--no-name` turns",
        "  off is `true` or `false` in the file the other way round: `--no-cache` is `cache: {enabled: false}`.",
        "- **Variables** that are empty count as not set. `GATEWAY_UPSTREAM`, `GATEWAY_CERT` and `GATEWAY_KEY` hold servers or",
        "  paths separated by spaces.",
        "- **Repeatable** settings add up within one source; a stronger source replaces the whole list.",
        "",
        "Settings that are wrong end the gateway with status 64, after one line for each mistake.",
        "",
        "**Secrets** are printed nowhere: `--check --dump` says only that one is set, and messages do not quote them. Secrets are",
        "`--sticky-secret` and, in `request_fields` and `response_fields` of routes, the values of fields that carry credentials.",
        "Other users of the machine can see flags (`ps`), so a secret belongs into the file or a variable.",
    ]

    private static let parts = [
        "",
        "## The file",
        "",
        "A regular file of YAML in UTF-8, not larger than 1m: the one that `--config` or `GATEWAY_CONFIG` names, else",
        "`\(SettingsReader.standardFile)` where there is one. An empty file means defaults. Unknown keys, keys given twice",
        "and values of a wrong type are refused.",
        "",
        "### Listeners",
        "",
        "`listeners` is a list; each element is a port (on every address of both families), `address:port`, or",
        "`{address: …, port: …, tls: true or false}`. With neither a listener in the file nor `--port` nor `--tls-port`, plain",
        "HTTP is accepted on port \(FileReader.defaultPort). Whoever names a listener gets no other: with `--tls-port` alone, plain HTTP is",
        "accepted nowhere. A listener that cannot be opened ends the gateway with status 1.",
        "",
        "`--port` and `--bind` replace the file's plain listeners, `--tls-port` and `--bind` those with TLS. One of them alone",
        "keeps the other half of the file's only listener of that kind; when the file has several, both are needed.",
        "",
        "### Certificates",
        "",
        "`tls.certificates` is a list of `{cert: …, key: …, ocsp: …}`: the paths of a chain in PEM with the server's own",
        "certificate first, of its private key in PEM (left out when it is in the same file), and of an OCSP response in DER to",
        "staple (left out for none). Without any certificate, a self-signed one is made at start.",
        "",
        "`--cert` and `--key` replace the whole list. The nth `--key` belongs to the nth `--cert`; without any `--key`, each key",
        "is in its certificate's file.",
        "",
        "### Pools",
        "",
        "`pools` holds lists of servers by name. A server is `http://host:port` (port 80 when left out), `https://host:port`",
        "(port 443 when left out) or `{url: …, weight: 1 to 256, backup: true or false}`; a backup is used only while no other",
        "server can be. A pool with settings of its own is `{servers: […], …}`: it may have every setting whose place in the",
        "file begins with `upstream.`, under the key behind the dot; what it says holds whatever flags say for all pools.",
        "",
        "`--upstream` makes a pool named `\(FileReader.flagPool)`, which routes of the file may name. With a file that has",
        "pools it is refused, for it would be unclear which of them it joins.",
        "",
        "### Routes",
        "",
        "`routes` is a list. The most specific route wins: an exact host before a longer wildcard before a shorter one",
        "before none; then the longest path; then one that names methods; then the order in the file. Without routes,",
        "everything goes to the first pool.",
        "",
        "| Key | Meaning |",
        "|---|---|",
        "| `host` | A host without port, or `*.example.org` for its subdomains; left out for every host. |",
        "| `path` | A prefix of whole segments; `/` when left out. |",
        "| `methods` | In upper case; left out for all. GET stands for HEAD too. |",
        "| `pool` | Forward to the pool of this name. |",
        "| `redirect` | `{to: …, status: …}` with 301, 302 (default), 303, 307 or 308; in `to`, `{path}` stands for the path, "
            + "`{query}` for `?` and the query or nothing, `{host}` for the host. |",
        "| `answer` | `{status: …, type: …, body: …}` with 200 to 599 (default 200), a media type "
            + "(default `text/plain; charset=utf-8`) and a text. |",
        "| `rewrite` | With `pool`: replaces the matched `path` in what is forwarded. |",
        "| `request_fields` | With `pool`: `{set: {Name: value}, remove: [Name]}`, before forwarding. |",
        "| `response_fields` | The same for the response, before delivery. |",
        "| `cache` | With `pool`: `off`, or `{ttl: …, set_cookie: …, gzip_private: true or false}` in place of `--cache-ttl`, "
            + "`--cache-set-cookie` and `--gzip-private`. |",
        "",
        "A route has exactly one of `pool`, `redirect` and `answer`. `Connection`, `Content-Length`, `Keep-Alive`,",
        "`Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding` and `Upgrade` are written by the gateway itself and cannot",
        "be changed; `Host` can be set in `request_fields`.",
    ]
}
