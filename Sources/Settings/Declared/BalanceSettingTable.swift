// SPDX-License-Identifier: Apache-2.0
// The settings of `BalanceSettings`.

extension SettingTable {
    static let balancing: [Setting] = [
        Setting(
            flag: "balance", keys: ["upstream", "balance"], group: .balancing,
            kind: .choice(\.upstream.balance.method),
            summary: "How the next server is chosen; p2c is the less loaded of two picked by chance."),
        Setting(
            flag: "hash-key", keys: ["upstream", "hash_key"], group: .balancing,
            kind: .text(hashKey, \.upstream.balance.hashKey),
            summary: "What decides with --balance hash; by default the client's address."),
        Setting(
            flag: "sticky-cookie", keys: ["upstream", "sticky_cookie"], group: .balancing,
            kind: .text(cookie, \.upstream.balance.stickyCookie),
            summary: "Cookie that leads a client back to the server that answered it first."),
        Setting(
            flag: "sticky-secret", keys: ["upstream", "sticky_secret"], group: .balancing,
            kind: .text(secret, \.upstream.balance.stickySecret),
            summary: "What the cookie's values depend on; without one they are forgotten when the gateway ends."),
        Setting(
            flag: "upstream-warm", keys: ["upstream", "warm"], group: .balancing,
            kind: .whole(0...10_000, \.upstream.balance.warm),
            summary: "Idle connections to each server that are kept open before anybody asks for them."),
        Setting(
            flag: "resolver", keys: ["discovery", "resolver"], group: .balancing,
            kind: .endpoints(\.discovery.resolvers),
            summary: "Name servers that are asked for the servers' names, instead of the system's resolver."),
        Setting(
            flag: "resolve-interval", keys: ["discovery", "interval"], group: .balancing,
            kind: .duration(1_000...86_400_000, \.discovery.interval),
            summary: "How long an answer is used at most; less where a name server of --resolver says so."),
    ]

    static let clients: [Setting] = [
        Setting(
            flag: "rate-limit", keys: ["limits", "client_rate"], group: .limits, kind: .rate(\.clients.rate),
            summary: "Requests that one client may send; beyond them it gets 429."),
        Setting(
            flag: "rate-burst", keys: ["limits", "client_burst"], group: .limits,
            kind: .whole(0...1_000_000, \.clients.burst),
            summary: "Requests that it may send at once; 0 for as many as the rate allows in a second."),
        Setting(
            flag: "client-connections", keys: ["limits", "connections_per_client"], group: .limits,
            kind: .whole(0...1_000_000, \.clients.connections),
            summary:
                "Connections that one client may have, trusted proxies apart; beyond them it gets 429; 0 for no limit."),
    ]

    private static let hashKey = Setting.Text(
        placeholder: "KEY", expected: "address, path, header:NAME or cookie:NAME",
        isRight: { text in
            if ["address", "path"].contains(text) { return true }
            for kind in ["header:", "cookie:"] where text.hasPrefix(kind) {
                return isToken(text.dropFirst(kind.count))
            }
            return false
        })

    private static let cookie = Setting.Text(
        placeholder: "NAME", expected: "a cookie's name of 1 to 64 letters, digits and -_.",
        isRight: { isToken($0[...]) })

    private static let secret = Setting.Text(
        placeholder: "TEXT", expected: "a text of 16 to 256 bytes", isSecret: true,
        isRight: { (16...256).contains($0.utf8.count) })

    private static func isToken(_ text: Substring) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }
}
