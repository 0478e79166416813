// SPDX-License-Identifier: Apache-2.0
// What `--port`, `--tls-port` and `--bind` make of the file's listeners.

extension Assembly {
    /// A port replaces the file's listeners of its kind, plain or TLS, and an address those of both kinds. One of them alone
    /// keeps the other half of the only listener, so that a port given on the command line never opens to the world what
    /// the file opens to one address.
    static func finishListeners(_ draft: inout Draft) -> [SettingsProblem] {
        let inFile = draft.configuration.listeners
        var problems: [SettingsProblem] = []
        var listeners: [Configuration.Listener] = []
        for isTLS in [false, true] where (isTLS ? draft.tlsPort : draft.port) != nil || draft.address != nil {
            do throws(SettingsProblem) {
                if let listener = try listener(isTLS: isTLS, draft) { listeners.append(listener) }
            } catch { problems.append(error) }
        }
        if draft.address == nil {
            let kept = inFile.filter { ($0.isTLS ? draft.tlsPort : draft.port) == nil }
            // In the order of the file, plain ones of flags before them and TLS ones behind.
            listeners = listeners.filter { !$0.isTLS } + kept + listeners.filter(\.isTLS)
        }
        // Whoever names a listener, plain or TLS, gets no other: the usual one would let clients past what that one asks of them.
        if inFile.isEmpty && draft.port == nil && draft.tlsPort == nil && draft.refused.isDisjoint(with: ["tls-port"]) {
            let address = draft.address ?? FileReader.everyAddress
            listeners = [Configuration.Listener(address: address, port: FileReader.defaultPort)]
        }
        if problems.isEmpty, let problem = collision(in: listeners, draft) { problems.append(problem) }
        draft.configuration.listeners = listeners
        if !problems.isEmpty { draft.refused.insert("listeners") }
        return problems
    }

    /// The one listener of a kind, when flags or variables say something about it.
    private static func listener(
        isTLS: Bool, _ draft: Draft
    ) throws(SettingsProblem) -> Configuration.Listener? {
        let flag = isTLS ? "tls-port" : "port"
        let port = isTLS ? draft.tlsPort : draft.port
        let inFile = draft.configuration.listeners
        let alike = inFile.filter { $0.isTLS == isTLS }
        if let port, let address = draft.address {
            return Configuration.Listener(address: address, port: port, isTLS: isTLS)
        }
        let source = draft.sources[port == nil ? "bind" : flag] ?? .flag("")
        guard alike.count <= 1 else {
            let kind = isTLS ? "TLS " : alike.count == inFile.count ? "" : "plain "
            let message =
                "the file has \(alike.count) \(kind)listeners; give --bind and --\(flag) together to replace them"
            throw SettingsProblem(source: source, message: message)
        }
        if let address = draft.address {
            return alike.first.map { Configuration.Listener(address: address, port: $0.port, isTLS: isTLS) }
        }
        guard let port else { return nil }
        let addresses = Set((alike.isEmpty ? inFile : alike).map(\.address))
        guard addresses.count <= 1 else {
            let message =
                "the file's listeners have \(addresses.count) addresses, of which this one has to be told; add it to the file"
            throw SettingsProblem(source: source, message: message)
        }
        return Configuration.Listener(address: addresses.first ?? FileReader.everyAddress, port: port, isTLS: isTLS)
    }

    /// A port of flags or variables that another listener has; the file has been looked through for such already.
    private static func collision(in listeners: [Configuration.Listener], _ draft: Draft) -> SettingsProblem? {
        for (index, listener) in listeners.enumerated() {
            guard listeners[..<index].contains(where: { collide($0, listener) }) else { continue }
            let source = draft.sources["tls-port"] ?? draft.sources["port"] ?? draft.sources["bind"] ?? .flag("")
            let message = "\(FileReader.text(of: listener)) cannot be plain and TLS at the same time"
            return SettingsProblem(source: source, message: message)
        }
        return nil
    }

    private static func collide(_ one: Configuration.Listener, _ other: Configuration.Listener) -> Bool {
        one.port != 0 && one.port == other.port && one.address == other.address
    }
}
