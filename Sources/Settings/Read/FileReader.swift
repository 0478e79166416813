// SPDX-License-Identifier: Apache-2.0
// Walks the tree of a settings file: the groups of the table here, listeners, pools and routes in the files beside this
// one. It goes on after a mistake, so that one reading finds all of them.

import Yams

/// Reads one file into a draft.
struct FileReader {
    /// The parts of a file that are not single values of the table.
    static let parts = ["listeners", "pools", "routes"]

    let name: String
    var draft: Draft
    var problems: [SettingsProblem] = []
    /// Pools that flags or variables make, which routes may name.
    let outsidePools: [String]

    init(name: String, draft: Draft, outsidePools: [String] = []) {
        self.name = name
        self.draft = draft
        self.outsidePools = outsidePools
    }

    /// One `key: value` of a mapping.
    struct Entry {
        let key: String
        let keyNode: Node
        let value: Node
    }

    /// Reads a whole text. The problems are sorted by their places.
    mutating func read(_ text: String) {
        let tree = FileTree.compose(text, name: name)
        problems += tree.problems
        if let root = tree.root, !Self.isNull(root) { readRoot(root) }
        problems.sort { Self.place($0) < Self.place($1) }
    }

    private mutating func readRoot(_ root: Node) {
        let table = SettingTable.all.filter { !$0.keys.isEmpty }
        let groups = Self.unique(table.map { $0.keys[0] })
        let entries = mapping(root, label: "", known: groups + Self.parts)
        for entry in entries where !Self.parts.contains(entry.key) {
            if let setting = table.first(where: { $0.keys == [entry.key] }) {
                read(setting, from: entry)
            } else {
                let settings = table.filter { $0.keys[0] == entry.key }
                let known = settings.map { $0.keys[1] } + (entry.key == "tls" ? [Self.certificates] : [])
                for inner in mapping(entry.value, label: entry.key, known: known) {
                    if let setting = settings.first(where: { $0.keys[1] == inner.key }) {
                        read(setting, from: inner)
                    } else {
                        draft.sources[Self.certificates] = source(inner.keyNode)
                        readCertificates(inner.value)
                    }
                }
            }
        }
        for part in Self.parts {
            guard let entry = entries.first(where: { $0.key == part }) else { continue }
            draft.sources[part] = source(entry.keyNode)
            switch part {
            case "listeners":
                let before = problems.count
                readListeners(entry.value)
                if problems.count > before { draft.refused.insert(part) }
            case "pools": readPools(entry.value)
            default: readRoutes(entry.value)
            }
        }
    }

    private mutating func read(_ setting: Setting, from entry: Entry) {
        setting.clear(in: &draft)
        draft.sources[setting.flag] = source(entry.keyNode)
        if setting.isNullable, Self.isNull(entry.value) { return }
        let before = problems.count
        let values = setting.isRepeatable ? list(entry.value) : [entry.value]
        for value in values {
            guard let text = scalar(value, at: entry.keyNode, label: setting.key) else { continue }
            attempt(value, setting.key) { reader throws(Refusal) in
                try setting.store(text, ofFile: true, in: &reader.draft)
            }
        }
        if problems.count > before { draft.refused.insert(setting.flag) }
    }

    // MARK: Nodes

    /// The entries of a mapping with the keys that are known (nil: any); others are told. No value counts as no entries.
    mutating func mapping(_ node: Node, label: String, known: [String]?) -> [Entry] {
        if Self.isNull(node) { return [] }
        guard case .mapping(let mapping) = node else {
            report(node, label, "expected keys with values; found \(Self.kind(of: node))")
            return []
        }
        var entries: [Entry] = []
        for (keyNode, value) in mapping {
            guard case .scalar(let scalar) = keyNode else {
                report(keyNode, label, "expected a name as key; found \(Self.kind(of: keyNode))")
                continue
            }
            if scalar.string.unicodeScalars.first == FileTree.repeatedKeyMark { continue }
            if let known, !known.contains(scalar.string) {
                let shown = quoted(scalar.string, isName: true).dropFirst().dropLast()
                report(keyNode, label, "unknown key '\(shown)'\(suggestion(for: scalar.string, among: known))")
                continue
            }
            entries.append(Entry(key: scalar.string, keyNode: keyNode, value: value))
        }
        return entries
    }

    /// The elements of a list, or a single value as a list of one; nothing is an empty list.
    func list(_ node: Node) -> [Node] {
        switch node {
        case .sequence(let sequence): Array(sequence)
        default: Self.isNull(node) ? [] : [node]
        }
    }

    /// The text of a single value. A missing one is told at its key, where the eye looks for it.
    mutating func scalar(_ node: Node, at key: Node, label: String) -> String? {
        guard case .scalar(let scalar) = node else {
            report(node, label, "expected a single value; found \(Self.kind(of: node))")
            return nil
        }
        guard !Self.isNull(node) else {
            report(key, label, "has no value")
            return nil
        }
        return scalar.string
    }

    /// The text of an entry's single value.
    mutating func scalar(_ entry: Entry, in label: String) -> String? {
        scalar(entry.value, at: entry.keyNode, label: "\(label).\(entry.key)")
    }

    // MARK: Problems

    /// Runs a step, and tells why it refused.
    mutating func attempt(
        _ node: Node, _ label: String, _ step: (inout FileReader) throws(Refusal) -> Void
    ) {
        do throws(Refusal) { try step(&self) } catch { report(node, label, error.message) }
    }

    mutating func report(_ node: Node, _ label: String, _ message: String) {
        problems.append(
            SettingsProblem(source: source(node), message: label.isEmpty ? message : "\(label): \(message)"))
    }

    func source(_ node: Node) -> SettingsProblem.Source {
        .file(name, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    /// The line of a node, for messages that name a second place.
    static func line(_ node: Node) -> Int { node.mark?.line ?? 1 }

    private static func place(_ problem: SettingsProblem) -> (Int, Int) {
        guard case .file(_, let line, let column) = problem.source else { return (0, 0) }
        return (line, column)
    }

    static func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    static func kind(of node: Node) -> String {
        switch node {
        case .scalar(let scalar): isNull(node) ? "nothing" : quoted(scalar.string)
        case .sequence: "a list"
        case .mapping: "keys with values"
        case .alias: "an alias"
        }
    }

    private static func unique(_ names: [String]) -> [String] {
        names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
