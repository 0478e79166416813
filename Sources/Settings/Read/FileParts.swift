// SPDX-License-Identifier: Apache-2.0
// Listeners and pools of the file.

import Yams

extension FileReader {
    /// Listens on every address of both families when only a port is named.
    static let everyAddress = "::"
    static let defaultPort: UInt16 = 8_080
    /// The pool of the servers that flags and variables name.
    static let flagPool = "default"

    mutating func readListeners(_ node: Node) {
        let elements = list(node)
        if elements.isEmpty { report(node, "listeners", "expected at least one listener, such as 8080") }
        // By address and port: one of them cannot be both plain and TLS.
        var seen: [String: Int] = [:]
        for element in elements {
            guard let listener = listener(element) else { continue }
            let text = Self.text(of: listener)
            if let line = seen[text], listener.port != 0 {
                report(element, "listeners", "\(text) is given twice; the first time in line \(line)")
                continue
            }
            seen[text] = Self.line(element)
            draft.configuration.listeners.append(listener)
        }
    }

    /// `127.0.0.1:8080` or `[::1]:8080`.
    static func text(of listener: Configuration.Listener) -> String {
        listener.address.contains(":")
            ? "[\(listener.address)]:\(listener.port)" : "\(listener.address):\(listener.port)"
    }

    private mutating func listener(_ node: Node) -> Configuration.Listener? {
        var address = Self.everyAddress
        var port = Self.defaultPort
        var isTLS = false
        let before = problems.count
        if case .mapping = node {
            let entries = mapping(node, label: "listeners", known: ["address", "port", "tls"])
            for entry in entries {
                guard let text = scalar(entry, in: "listeners") else { continue }
                attempt(entry.value, "listeners.\(entry.key)") { _ throws(Refusal) in
                    switch entry.key {
                    case "address": address = try Addresses.listen(text)
                    case "port": port = try Self.port(text)
                    default: isTLS = try Quantities.truth(text)
                    }
                }
            }
            // The default port is that of plain HTTP.
            if isTLS && !entries.contains(where: { $0.key == "port" }) {
                report(node, "listeners", "a listener with TLS needs a port, such as 8443")
            }
        } else {
            guard let text = scalar(node, at: node, label: "listeners") else { return nil }
            attempt(node, "listeners") { _ throws(Refusal) in
                if Quantities.digits(text) != nil {
                    port = try Self.port(text)
                } else {
                    guard let colon = text.lastIndex(of: ":") else {
                        throw Refusal(
                            "expected a port or an address with one, such as 8080, 127.0.0.1:8080 or [::1]:8080; "
                                + "found \(quoted(text))")
                    }
                    let host = String(text[..<colon])
                    guard !host.contains(":") || host.hasPrefix("[") else {
                        throw Refusal("an IPv6 address needs brackets: [::1]:8080; found \(quoted(text))")
                    }
                    address = try Addresses.listen(host)
                    port = try Self.port(String(text[text.index(after: colon)...]))
                }
            }
        }
        return problems.count == before ? Configuration.Listener(address: address, port: port, isTLS: isTLS) : nil
    }

    private static func port(_ text: String) throws(Refusal) -> UInt16 {
        UInt16(try Quantities.whole(text, in: 0...65_535))
    }

    // MARK: Pools

    mutating func readPools(_ node: Node) {
        for entry in mapping(node, label: "pools", known: nil) {
            let label = "pools.\(entry.key)"
            guard Self.isPoolName(entry.key) else {
                report(
                    entry.keyNode, "pools",
                    "a pool's name has 1 to 64 letters, digits, '-', '_' and '.'; found \(quoted(entry.key))")
                continue
            }
            let parts = poolParts(entry, label: label)
            draft.poolValues.append(parts.values)
            let elements = list(parts.servers)
            if elements.isEmpty { report(entry.keyNode, label, "the pool has no servers") }
            var servers: [Configuration.Server] = []
            var seen: [String: Int] = [:]
            for element in elements {
                guard let server = server(element, label: label) else { continue }
                if let line = seen[server.authority] {
                    report(element, label, "\(server.authority) is given twice; the first time in line \(line)")
                    continue
                }
                seen[server.authority] = Self.line(element)
                servers.append(server)
            }
            draft.configuration.pools.append(Configuration.Pool(name: entry.key, servers: servers))
        }
    }

    /// A pool is its servers or, with settings of its own, keys of which one is `servers`.
    private mutating func poolParts(
        _ pool: Entry, label: String
    ) -> (servers: Node, values: [(setting: Setting, text: String?)]) {
        guard case .mapping(let keys) = pool.value, !keys.contains(where: { $0.key.string == "url" }) else {
            return (pool.value, [])
        }
        let settings = SettingTable.all.filter(\.isOfPools)
        var servers = Node("", Tag(.null))
        var values: [(setting: Setting, text: String?)] = []
        for entry in mapping(pool.value, label: label, known: ["servers"] + settings.map { $0.keys[1] }) {
            guard let setting = settings.first(where: { $0.keys[1] == entry.key }) else {
                servers = entry.value
                continue
            }
            if setting.isNullable, Self.isNull(entry.value) {
                values.append((setting, nil))
                continue
            }
            guard let text = scalar(entry, in: label) else { continue }
            attempt(entry.value, "\(label).\(entry.key)") { reader throws(Refusal) in
                var trial = Draft(configuration: Configuration())
                try setting.store(text, ofFile: true, in: &trial)
                values.append((setting, text))
            }
        }
        return (servers, values)
    }

    private static func isPoolName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }

    private mutating func server(_ node: Node, label: String) -> Configuration.Server? {
        guard case .mapping = node else {
            guard let text = scalar(node, at: node, label: label) else { return nil }
            var server: Configuration.Server?
            attempt(node, label) { _ throws(Refusal) in
                guard !text.contains(",") else {
                    throw Refusal(
                        "in a file, options stand beside the URL: {url: \"http://…\", weight: 3, backup: true}")
                }
                server = try ServerText.url(text)
            }
            return server
        }
        var server: Configuration.Server?
        var weight = 1
        var isBackup = false
        let before = problems.count
        let entries = mapping(node, label: label, known: ["url", "weight", "backup"])
        for entry in entries {
            guard let text = scalar(entry, in: label) else { continue }
            attempt(entry.value, entry.key == "weight" ? label : "\(label).\(entry.key)") { _ throws(Refusal) in
                switch entry.key {
                case "url": server = try ServerText.url(text)
                case "weight": weight = try ServerText.weight(text)
                default: isBackup = try Quantities.truth(text)
                }
            }
        }
        if !entries.contains(where: { $0.key == "url" }) { report(node, label, "a server needs a url") }
        server?.weight = weight
        server?.isBackup = isBackup
        return problems.count == before ? server : nil
    }
}
