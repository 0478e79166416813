// SPDX-License-Identifier: Apache-2.0
// Routes of the file, and the checks of what they name. The checks of single words are in `RouteText`.

import Yams

extension FileReader {
    static let actionKeys = ["pool", "redirect", "answer"]
    static let routeKeys =
        ["host", "path", "methods"] + actionKeys + ["rewrite", "request_fields", "response_fields", "cache"]

    mutating func readRoutes(_ node: Node) {
        guard Self.isNull(node) || node.sequence != nil else {
            report(node, "routes", "expected a list; found \(Self.kind(of: node))")
            return
        }
        var seen: [String: Int] = [:]
        for element in list(node) {
            guard case .mapping = element else {
                report(element, "routes", "expected keys with values; found \(Self.kind(of: element))")
                continue
            }
            guard let route = route(element) else { continue }
            let methods = route.methods.sorted().joined(separator: ",")
            let identity = "\(route.host ?? "*") \(route.path) \(methods)"
            if let line = seen[identity] {
                report(element, "routes", "the same host, path and methods as the route in line \(line)")
                continue
            }
            seen[identity] = Self.line(element)
            draft.configuration.routes.append(route)
        }
    }

    private mutating func route(_ node: Node) -> Configuration.Route? {
        let before = problems.count
        let entries = mapping(node, label: "routes", known: Self.routeKeys)
        let actions = entries.filter { Self.actionKeys.contains($0.key) }
        if actions.count > 1 {
            let extra = actions[1]
            report(
                extra.keyNode, "routes", "a route has one of pool, redirect and answer; this one has \(actions.count)")
        }
        guard let chosen = actions.first else {
            // An unknown key may have been meant for the action; then that was told already.
            if problems.count == before { report(node, "routes", "a route needs one of pool, redirect and answer") }
            return nil
        }
        var route = Configuration.Route(action: .pool(""))
        if let action = action(chosen) { route.action = action }
        for entry in entries where !Self.actionKeys.contains(entry.key) { read(entry, into: &route) }
        if let rewrite = entries.first(where: { $0.key == "rewrite" }), chosen.key != "pool" {
            report(rewrite.keyNode, "routes.rewrite", "only a route with a pool rewrites paths")
        }
        if let fields = entries.first(where: { $0.key == "request_fields" }), chosen.key != "pool" {
            report(fields.keyNode, "routes.request_fields", "only a route with a pool forwards request fields")
        }
        if let cache = entries.first(where: { $0.key == "cache" }), chosen.key != "pool" {
            report(cache.keyNode, "routes.cache", "only a route with a pool has responses to store")
        }
        return problems.count == before ? route : nil
    }

    private mutating func read(_ entry: Entry, into route: inout Configuration.Route) {
        let label = "routes.\(entry.key)"
        switch entry.key {
        case "methods":
            for element in list(entry.value) {
                guard let text = scalar(element, at: entry.keyNode, label: label) else { continue }
                attempt(element, label) { _ throws(Refusal) in
                    let method = try RouteText.method(text)
                    guard !route.methods.contains(method) else { throw Refusal("\(method) is given twice") }
                    route.methods.append(method)
                }
            }
        case "cache": route.cache = cacheRule(entry)
        case "request_fields": route.requestFields = changes(entry, isRequest: true)
        case "response_fields": route.responseFields = changes(entry, isRequest: false)
        default:
            guard let text = scalar(entry, in: "routes") else { return }
            attempt(entry.value, label) { _ throws(Refusal) in
                switch entry.key {
                case "host": route.host = try RouteText.host(text)
                case "path": route.path = try RouteText.path(text)
                default: route.rewritePrefix = try RouteText.path(text)
                }
            }
        }
    }

    // MARK: Actions

    private mutating func action(_ entry: Entry) -> Configuration.Route.Action? {
        switch entry.key {
        case "pool":
            guard let name = scalar(entry, in: "routes") else { return nil }
            let known = draft.configuration.pools.map(\.name) + outsidePools
            guard known.contains(name) else {
                let near = suggestion(for: name, among: known)
                let message = known.isEmpty ? "; the file has no pools" : near
                report(entry.value, "routes.pool", "there is no pool '\(name)'\(message)")
                return nil
            }
            return .pool(name)
        case "redirect": return redirect(entry)
        default: return answer(entry)
        }
    }

    private mutating func redirect(_ entry: Entry) -> Configuration.Route.Action? {
        let label = "routes.redirect"
        var status = 302
        var location: String?
        let before = problems.count
        for inner in mapping(entry.value, label: label, known: ["to", "status"]) {
            guard let text = scalar(inner, in: label) else { continue }
            attempt(inner.value, "\(label).\(inner.key)") { _ throws(Refusal) in
                switch inner.key {
                case "to": location = try RouteText.location(text)
                default:
                    guard let number = Quantities.digits(text), [301, 302, 303, 307, 308].contains(number) else {
                        throw Refusal("expected one of 301, 302, 303, 307 and 308; found \(quoted(text))")
                    }
                    status = number
                }
            }
        }
        guard problems.count == before else { return nil }
        guard let location else {
            report(entry.keyNode, label, "a redirect needs a target: {to: \"https://example.org{path}{query}\"}")
            return nil
        }
        return .redirect(status: status, location: location)
    }

    private mutating func answer(_ entry: Entry) -> Configuration.Route.Action? {
        let label = "routes.answer"
        var status = 200
        var type = "text/plain; charset=utf-8"
        var body = ""
        let before = problems.count
        for inner in mapping(entry.value, label: label, known: ["status", "type", "body"]) {
            guard let text = scalar(inner, in: label) else { continue }
            attempt(inner.value, "\(label).\(inner.key)") { _ throws(Refusal) in
                switch inner.key {
                case "status": status = try Quantities.whole(text, in: 200...599)
                case "type": type = try RouteText.mediaType(text)
                default: body = text
                }
            }
        }
        if problems.count == before && !body.isEmpty && [204, 205, 304].contains(status) {
            report(entry.keyNode, label, "an answer with status \(status) has no body")
        }
        return problems.count == before ? .answer(status: status, contentType: type, body: body) : nil
    }

    // MARK: Fields

    private mutating func changes(_ entry: Entry, isRequest: Bool) -> [Configuration.FieldChange] {
        let label = "routes.\(entry.key)"
        var changes: [Configuration.FieldChange] = []
        var seen: [String: Int] = [:]
        for part in mapping(entry.value, label: label, known: ["set", "remove"]) {
            let partLabel = "\(label).\(part.key)"
            if part.key == "set" {
                for field in mapping(part.value, label: partLabel, known: nil) {
                    attempt(field.keyNode, partLabel) { reader throws(Refusal) in
                        try RouteText.checkField(field.key, isRequest: isRequest, isRemoved: false)
                        try Self.checkOnce(field.key, field.keyNode, &seen)
                        guard let value = reader.fieldValue(field, label: partLabel) else { return }
                        changes.append(.set(name: field.key, value: value))
                    }
                }
            } else {
                for element in list(part.value) {
                    guard let name = scalar(element, at: part.keyNode, label: partLabel) else { continue }
                    attempt(element, partLabel) { _ throws(Refusal) in
                        try RouteText.checkField(name, isRequest: isRequest, isRemoved: true)
                        try Self.checkOnce(name, element, &seen)
                        changes.append(.remove(name: name))
                    }
                }
            }
        }
        return changes
    }

    private static func checkOnce(_ name: String, _ node: Node, _ seen: inout [String: Int]) throws(Refusal) {
        if let line = seen[name.lowercased()] {
            throw Refusal("\(name) is named twice; the first time in line \(line)")
        }
        seen[name.lowercased()] = line(node)
    }

    private mutating func fieldValue(_ field: Entry, label: String) -> String? {
        guard let text = scalar(field, in: label) else { return nil }
        do throws(Refusal) {
            return try RouteText.fieldValue(text, isSecret: RouteText.isSecret(field: field.key))
        } catch {
            report(field.value, "\(label).\(field.key)", error.message)
            return nil
        }
    }
}
