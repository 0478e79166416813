// SPDX-License-Identifier: Apache-2.0
// What a route of the file says about the cache.

import Yams

extension FileReader {
    /// `off`, or what differs for the route.
    mutating func cacheRule(_ entry: Entry) -> Configuration.Route.CacheRule? {
        let label = "routes.cache"
        guard case .mapping = entry.value else {
            guard let text = scalar(entry, in: "routes") else { return nil }
            if text == "off" { return Configuration.Route.CacheRule(isOn: false) }
            let hint = ["false", "no", "none"].contains(text.lowercased()) ? " (did you mean off?)" : ""
            report(entry.value, label, "expected off, or {ttl: 5m, set_cookie: strip}; found \(quoted(text))\(hint)")
            return nil
        }
        var rule = Configuration.Route.CacheRule()
        let before = problems.count
        for inner in mapping(entry.value, label: label, known: ["ttl", "gzip_private", "set_cookie"]) {
            guard let text = scalar(inner, in: label) else { continue }
            attempt(inner.value, "\(label).\(inner.key)") { _ throws(Refusal) in
                switch inner.key {
                case "ttl":
                    rule.defaultLifetime = try Quantities.seconds(text, in: Configuration.Cache.lifetimes, such: 300)
                case "set_cookie": rule.setCookie = try Self.setCookie(text)
                default: rule.compressesPrivate = try Quantities.truth(text)
                }
            }
        }
        guard problems.count == before else { return nil }
        guard rule != Configuration.Route.CacheRule() else {
            report(entry.keyNode, label, "expected off, or {ttl: 5m, set_cookie: strip}; found no keys")
            return nil
        }
        return rule
    }

    private static func setCookie(_ text: String) throws(Refusal) -> Configuration.Cache.SetCookie {
        guard let rule = Configuration.Cache.SetCookie(rawValue: text) else {
            throw Refusal("expected refuse, strip or keep; found \(quoted(text))")
        }
        return rule
    }
}
