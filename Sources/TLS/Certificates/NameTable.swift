// SPDX-License-Identifier: Apache-2.0
// Which certificate for which name (RFC 6066 section 3, RFC 9525 section 6.3). Looked up for every handshake, so nothing is
// allocated for it.

/// Numbers by host name: an exact name before a wildcard, a wildcard for exactly one label.
struct NameTable: Sendable {
    private var names: [(name: [UInt8], value: Int)] = []

    /// Longer names are none (RFC 1035 section 2.3.4).
    static let nameLimit = 253

    /// A table of names in lower case; of equal names the first counts.
    init(_ entries: [(name: String, value: Int)]) {
        var seen: Set<String> = []
        names = entries.filter { seen.insert($0.name).inserted }
            .map { (Array($0.name.utf8), $0.value) }
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// The number for a name as a client sends it, in any case and perhaps with a dot at its end; nil when there is none.
    func value(for name: Span<UInt8>) -> Int? {
        let count = name.count > 0 && name[name.count - 1] == 0x2E ? name.count - 1 : name.count
        guard count > 0, count <= Self.nameLimit else { return nil }
        let plain = name.extracting(first: count)
        if let exact = find(isWildcard: false, plain) { return exact }
        var dot = 0
        while dot < count, plain[dot] != 0x2E { dot += 1 }
        guard dot > 0, dot < count else { return nil }
        return find(isWildcard: true, plain.extracting(dot..<count))
    }

    /// Searches for `key`, or for `*` followed by it.
    private func find(isWildcard: Bool, _ key: Span<UInt8>) -> Int? {
        var low = 0
        var high = names.count
        while low < high {
            let middle = (low + high) / 2
            let order = compare(names[middle].name, isWildcard: isWildcard, key)
            if order == 0 { return names[middle].value }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    private func compare(_ name: [UInt8], isWildcard: Bool, _ key: Span<UInt8>) -> Int {
        let count = key.count + (isWildcard ? 1 : 0)
        for index in 0..<min(name.count, count) {
            let byte: UInt8 =
                isWildcard
                ? (index == 0 ? 0x2A : key[index - 1] | caseBit(key[index - 1])) : key[index] | caseBit(key[index])
            if name[index] != byte { return Int(name[index]) - Int(byte) }
        }
        return name.count - count
    }

    private func caseBit(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? 0x20 : 0 }
}
