// SPDX-License-Identifier: Apache-2.0
// The last step: what flags and variables say about listeners, certificates and servers is put together with what the file
// says, and settings that limit each other are compared.

enum Assembly {
    static func finish(_ draft: inout Draft) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        problems += finishListeners(&draft)
        problems += finishTLS(&draft)
        if let problem = finishPools(&draft) { problems.append(problem) }
        finishPoolSettings(&draft)
        if let problem = finishLimits(&draft) { problems.append(problem) }
        return problems
    }

    /// Servers of flags are a pool of their own. With pools in the file it would be unclear which of them they join or
    /// replace, so that is refused.
    private static func finishPools(_ draft: inout Draft) -> SettingsProblem? {
        guard !draft.servers.isEmpty else { return nil }
        if !draft.configuration.pools.isEmpty, let source = draft.sources["upstream"] {
            var place = ""
            if case .file(let name, let line, _) = draft.sources["pools"] { place = " (\(name):\(line))" }
            let message = "the file has pools\(place); add the server to one of them, or leave pools out of the file"
            return SettingsProblem(source: source, message: message)
        }
        draft.configuration.pools = [Configuration.Pool(name: FileReader.flagPool, servers: draft.servers)]
        return nil
    }

    /// A pool has what it says itself, whatever flags say for all of them.
    private static func finishPoolSettings(_ draft: inout Draft) {
        let common = draft.configuration.upstream
        for index in draft.configuration.pools.indices {
            var own = Draft(configuration: Configuration())
            own.configuration.upstream = common
            for (setting, text) in index < draft.poolValues.count ? draft.poolValues[index] : [] {
                setting.clear(in: &own)
                // It has been checked when it was read.
                if let text { try? setting.store(text, ofFile: true, in: &own) }
            }
            draft.configuration.pools[index].settings = own.configuration.upstream
        }
    }

    /// A line is never longer than the head it is in. The default gives way silently, a given value is told.
    private static func finishLimits(_ draft: inout Draft) -> SettingsProblem? {
        let head = draft.configuration.limits.headBytes
        let line = draft.configuration.limits.lineBytes
        guard line > head else { return nil }
        guard let source = draft.sources["max-line-bytes"] else {
            draft.configuration.limits.lineBytes = head
            return nil
        }
        let message =
            "limits.line_bytes: a line of \(Quantities.text(ofSize: line)) is longer than a whole head, "
            + "limits.head_bytes: \(Quantities.text(ofSize: head))"
        return SettingsProblem(source: source, message: message)
    }

    /// What an operator may want to know about settings that are right.
    static func notes(on configuration: Configuration, cores: Int) -> [String] {
        var notes: [String] = []
        if configuration.pools.isEmpty && !configuration.routes.contains(where: forwards) {
            notes.append("no upstream servers: the embedded origins answer what no route answers")
        }
        if configuration.workers > max(cores, 1) {
            notes.append("\(configuration.workers) workers share \(max(cores, 1)) cores")
        }
        if configuration.logPath == nil { notes.append("no access log is written") }
        let isTLS = configuration.listeners.contains(where: \.isTLS)
        if isTLS && configuration.tls.certificates.isEmpty {
            notes.append("no certificate for the TLS listener: a self-signed one is made at start")
        }
        if !isTLS && !configuration.tls.certificates.isEmpty {
            notes.append("no listener has TLS: certificates are not used")
        }
        if configuration.tls.clientCA != nil, !configuration.tls.redirectsPlain,
            let plain = configuration.listeners.first(where: { !$0.isTLS })
        {
            notes.append("clients of \(FileReader.text(of: plain)), which is plain HTTP, are asked for no certificate")
        }
        if !configuration.upstreamTLS.verifies { notes.append("certificates of upstream servers are not verified") }
        if configuration.trustedProxies.contains(where: { $0.prefix == 0 }) {
            notes.append("every peer is trusted to say for whom it forwards")
        }
        notes += cacheNotes(on: configuration.cache)
        for pool in configuration.pools where !configuration.routes.isEmpty && !names(pool, in: configuration) {
            notes.append("no route names the pool '\(pool.name)'")
        }
        return notes
    }

    private static func cacheNotes(on cache: Configuration.Cache) -> [String] {
        guard cache.isOn else { return [] }
        var notes: [String] = []
        if cache.largestStoredBody < cache.largestBody {
            notes.append(
                "bodies larger than \(Quantities.text(ofSize: cache.largestStoredBody)) are not stored: that is a quarter of "
                    + "the cache's size")
        }
        if cache.purgers.contains(where: { $0.prefix == 0 }) { notes.append("every client may purge the cache") }
        return notes
    }

    private static func forwards(_ route: Configuration.Route) -> Bool {
        if case .pool = route.action { true } else { false }
    }

    private static func names(_ pool: Configuration.Pool, in configuration: Configuration) -> Bool {
        configuration.routes.contains { $0.action == .pool(pool.name) }
    }
}
