// SPDX-License-Identifier: Apache-2.0

/// All certificates of a server at one time. Never changes; another takes its place.
public struct CertificateSet: Sendable {
    /// In the order in which they were given. Never empty.
    public let pairs: [CertificatePair]
    /// Which pairs serve together: for one name at most one of each kind of key, so that OpenSSL picks by what the client
    /// can verify. The first serves clients that ask for no name or for an unknown one.
    let groups: [[Int]]
    /// From a name to its group.
    let table: NameTable

    /// A set of `pairs`; nil when there are none.
    public init?(_ pairs: [CertificatePair]) {
        guard let first = pairs.first else { return nil }
        self.pairs = pairs
        var byName: [String: [Int]] = [:]
        for (index, pair) in pairs.enumerated() {
            for name in pair.names {
                let others = byName[name, default: []]
                if !others.contains(where: { pairs[$0].key.kind == pair.key.kind }) { byName[name] = others + [index] }
            }
        }
        var fallback = [0]
        let names = Set(first.names)
        for (index, pair) in pairs.enumerated() where Set(pair.names) == names {
            if !fallback.contains(where: { pairs[$0].key.kind == pair.key.kind }) { fallback.append(index) }
        }
        var groups = [fallback]
        var numbers = [fallback: 0]
        var entries: [(name: String, value: Int)] = []
        for (name, members) in byName.sorted(by: { $0.key < $1.key }) {
            let number = numbers[members] ?? groups.count
            if number == groups.count {
                groups.append(members)
                numbers[members] = number
            }
            entries.append((name, number))
        }
        self.groups = groups
        table = NameTable(entries)
    }

    /// The group for the name that a client asks for; 0 when it asks for none or nobody has it.
    func group(for name: Span<UInt8>) -> Int { table.value(for: name) ?? 0 }
}
