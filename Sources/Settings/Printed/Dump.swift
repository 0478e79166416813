// SPDX-License-Identifier: Apache-2.0
// The effective settings as a settings file: read again, it gives the same configuration. A comment after each value says
// where it came from. Secrets are left out: a comment says where one is set.

enum Dump {
    static func text(of draft: Draft) -> String {
        let configuration = draft.configuration
        var lines = ["# The effective settings of the gateway; a settings file itself."]
        let listenerSource = draft.sources["port"] ?? draft.sources["bind"] ?? draft.sources["listeners"]
        lines.append("listeners:  # \(describe(listenerSource))")
        for listener in configuration.listeners {
            let address = "address: \(YAMLText.string(listener.address)), port: \(listener.port)"
            let source = draft.sources["tls-port"].map { "  # \(describe($0))" } ?? ""
            lines.append(listener.isTLS ? "  - {\(address), tls: true}\(source)" : "  - {\(address)}")
        }
        var groups: [String] = []
        for setting in SettingTable.all where !setting.keys.isEmpty && !groups.contains(setting.keys[0]) {
            groups.append(setting.keys[0])
        }
        for group in groups {
            let settings = SettingTable.all.filter { $0.keys.first == group }
            if settings.contains(where: { $0.keys.count > 1 }) { lines.append("\(group):") }
            if group == "tls" { lines += certificates(of: draft) }
            for setting in settings {
                guard let value = setting.fileText(in: configuration) else { continue }
                let indent = setting.keys.count > 1 ? "  " : ""
                // Said without roots it would be refused when it is read again.
                let isMoot = setting.flag == "client-cert" && configuration.tls.clientCA == nil
                lines.append(
                    "\(indent)\(isMoot ? "# " : "")\(line(setting, value))  # \(describe(draft.sources[setting.flag]))")
            }
        }
        lines += pools(of: draft)
        lines += routes(of: draft)
        return lines.joined(separator: "\n") + "\n"
    }

    private static let notShown = "a secret, not shown"

    /// The setting with its value; a comment where that is a secret.
    private static func line(_ setting: Setting, _ value: String) -> String {
        let key = setting.keys.last ?? ""
        return setting.isSecret && value != "null" ? "# \(key): \(notShown)" : "\(key): \(value)"
    }

    private static func describe(_ source: SettingsProblem.Source?) -> String {
        switch source {
        case nil: "default"
        // A file's name may hold anything, a line break included.
        case .file(let name, let line, _): YAMLText.string(name).dropFirst().dropLast() + ":\(line)"
        case .wholeFile(let name): String(YAMLText.string(name).dropFirst().dropLast())
        case .flag(let text): "flag \(text.prefix { $0 != " " && $0 != "=" })"
        case .variable(let name): "variable \(name)"
        }
    }

    private static func certificates(of draft: Draft) -> [String] {
        let source = describe(draft.sources["cert"] ?? draft.sources[FileReader.certificates])
        let pairs = draft.configuration.tls.certificates
        guard !pairs.isEmpty else { return ["  certificates: []  # \(source)"] }
        return ["  certificates:  # \(source)"]
            + pairs.map { pair in
                let ocsp = pair.ocsp.map { ", ocsp: \(YAMLText.string($0))" } ?? ""
                return "    - {cert: \(YAMLText.string(pair.certificate)), key: \(YAMLText.string(pair.key))\(ocsp)}"
            }
    }

    private static func pools(of draft: Draft) -> [String] {
        let source = describe(draft.sources["upstream"] ?? draft.sources["pools"])
        guard !draft.configuration.pools.isEmpty else { return ["pools: {}  # \(source)"] }
        var lines = ["pools:  # \(source)"]
        let configuration = draft.configuration
        for pool in configuration.pools {
            lines.append("  \(YAMLText.string(pool.name)):")
            let own = values(of: pool, beside: configuration)
            lines += own.map { "    " + $0 }
            if !own.isEmpty { lines.append("    servers:") }
            let indent = own.isEmpty ? "    " : "      "
            for server in pool.servers {
                let scheme = server.isTLS ? "https" : "http"
                lines.append(
                    "\(indent)- {url: \(YAMLText.string("\(scheme)://\(server.authority)")), weight: \(server.weight), "
                        + "backup: \(server.isBackup)}")
            }
        }
        return lines
    }

    /// What a pool has other than all.
    private static func values(of pool: Configuration.Pool, beside configuration: Configuration) -> [String] {
        var own = configuration
        own.upstream = pool.settings
        return SettingTable.all.filter(\.isOfPools).compactMap { setting in
            guard let text = setting.fileText(in: own), text != setting.fileText(in: configuration) else { return nil }
            return line(setting, text)
        }
    }

    private static func routes(of draft: Draft) -> [String] {
        let source = describe(draft.sources["routes"])
        guard !draft.configuration.routes.isEmpty else { return ["routes: []  # \(source)"] }
        return ["routes:  # \(source)"] + draft.configuration.routes.flatMap(lines)
    }

    private static func lines(of route: Configuration.Route) -> [String] {
        var lines: [String] = []
        if let host = route.host { lines.append("host: \(YAMLText.string(host))") }
        lines.append("path: \(YAMLText.string(route.path))")
        if !route.methods.isEmpty { lines.append("methods: [\(list(route.methods))]") }
        switch route.action {
        case .pool(let name): lines.append("pool: \(YAMLText.string(name))")
        case .redirect(let status, let location):
            lines.append("redirect: {to: \(YAMLText.string(location)), status: \(status)}")
        case .answer(let status, let type, let body):
            lines.append(
                "answer: {status: \(status), type: \(YAMLText.string(type)), body: \(YAMLText.string(body))}")
        }
        if let rewrite = route.rewritePrefix { lines.append("rewrite: \(YAMLText.string(rewrite))") }
        lines += fields("request_fields", route.requestFields)
        lines += fields("response_fields", route.responseFields)
        if let rule = route.cache { lines.append("cache: \(text(of: rule))") }
        lines += secrets("request_fields", route.requestFields) + secrets("response_fields", route.responseFields)
        return lines.enumerated().map { ($0.offset == 0 ? "  - " : "    ") + $0.element }
    }

    /// In quotes, for other readers of YAML take the word for `false`.
    private static func text(of rule: Configuration.Route.CacheRule) -> String {
        guard rule.isOn else { return YAMLText.string("off") }
        var parts: [String] = []
        if let seconds = rule.defaultLifetime { parts.append("ttl: " + Quantities.text(ofDuration: seconds * 1_000)) }
        if let isOn = rule.compressesPrivate { parts.append("gzip_private: \(isOn)") }
        if let cookie = rule.setCookie { parts.append("set_cookie: " + cookie.rawValue) }
        return "{\(parts.joined(separator: ", "))}"
    }

    /// Sets before removals would change their order; `set` and `remove` are told in the order of the first of each.
    private static func fields(_ key: String, _ changes: [Configuration.FieldChange]) -> [String] {
        var sets: [String] = []
        var removals: [String] = []
        var removesFirst = false
        for change in changes {
            switch change {
            case .set(let name, _) where RouteText.isSecret(field: name): continue
            case .set(let name, let value): sets.append("\(YAMLText.string(name)): \(YAMLText.string(value))")
            case .remove(let name):
                removesFirst = removesFirst || sets.isEmpty
                removals.append(name)
            }
        }
        guard !(sets.isEmpty && removals.isEmpty) else { return [] }
        var parts = ["set: {\(sets.joined(separator: ", "))}", "remove: [\(list(removals))]"]
        if removesFirst { parts.reverse() }
        return ["\(key): {\(parts.joined(separator: ", "))}"]
    }

    /// The fields of a route whose values are credentials.
    private static func secrets(_ key: String, _ changes: [Configuration.FieldChange]) -> [String] {
        changes.compactMap { change in
            guard case .set(let name, _) = change, RouteText.isSecret(field: name) else { return nil }
            return "# \(key): {set: {\(YAMLText.string(name)): \(notShown)}}"
        }
    }

    private static func list(_ texts: [String]) -> String {
        texts.map(YAMLText.string).joined(separator: ", ")
    }
}
