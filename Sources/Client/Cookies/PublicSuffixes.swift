// SPDX-License-Identifier: Apache-2.0
// Names under which strangers register names of their own (publicsuffix.org). The system's list is used where there is one
// (Debian: publicsuffix); it is read only when a server names a domain for its cookie.

/// The public suffixes.
enum PublicSuffixes {
    /// Where systems have the list.
    private static let paths = [
        "/usr/share/publicsuffix/public_suffix_list.dat", "/usr/share/publicsuffix/effective_tld_names.dat",
    ]
    /// The largest list that is read, in bytes.
    private static let limit = 8 << 20

    /// Without the list: second levels that countries hand out, below which names belong to strangers.
    private static let usual: Set<String> = ["ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"]

    private static let rules: Set<String> = load()

    private static func load() -> Set<String> {
        for path in paths {
            guard let bytes = try? FileContents.all(of: path), bytes.count <= limit else { continue }
            var rules: Set<String> = []
            for line in bytes.split(separator: 0x0A) where !line.starts(with: [0x2F, 0x2F]) {
                rules.insert(String(decoding: line.prefix { $0 > 0x20 }, as: UTF8.self))
            }
            return rules
        }
        return []
    }

    /// Whether `domain` (lower case) is a public suffix itself.
    static func contains(_ domain: String) -> Bool { contains(domain, rules) }

    static func contains(_ domain: String, _ rules: Set<String>) -> Bool {
        let labels = domain.split(separator: ".")
        guard !rules.isEmpty else {
            return labels.count == 2 && labels[1].count == 2 && usual.contains(String(labels[0]))
        }
        if rules.contains("!" + domain) { return false }
        return rules.contains(domain) || rules.contains("*." + labels.dropFirst().joined(separator: "."))
    }
}
