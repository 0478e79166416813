// SPDX-License-Identifier: Apache-2.0
// One spelling of an authority for all that mean the same (RFC 9110 §4.2.3): the host in lower case, no default port, no zeros
// before a port. It is what keys of caches are made of, and what is forwarded.

public import Bytes

extension Authority {
    /// Whether the bytes, which are an authority, are in that form.
    public static func isCanonical(_ bytes: Span<UInt8>) -> Bool {
        // A port is worth a closer look; most have none. The colons of an IPv6 address are in brackets.
        var offset = bytes.isEmpty || bytes[0] != 0x5B ? 0 : bytes.firstIndex(of: 0x5D) ?? 0
        if offset > 0 {
            for inner in 0..<offset where bytes[inner] != bytes[inner].lowercased { return false }
        }
        while offset < bytes.count {
            if bytes[offset] == 0x3A || bytes[offset] != bytes[offset].lowercased { return false }
            offset &+= 1
        }
        return true
    }

    /// Appends the authority `bytes` in that form; as it is when it is none. Needs room for its length.
    public static func appendCanonical(_ bytes: Span<UInt8>, defaultPort: UInt16, to block: Block) {
        guard let parsed = parse(bytes) else {
            block.append(bytes)
            return
        }
        for offset in parsed.hostRange { block.append(bytes[offset].lowercased) }
        guard let port = parsed.port, port != defaultPort else { return }
        block.append(0x3A)
        block.append(decimal: UInt64(port))
    }

    /// Whether two authorities mean the same.
    public static func areSame(_ one: Span<UInt8>, _ other: Span<UInt8>, defaultPort: UInt16) -> Bool {
        guard let first = parse(one), let second = parse(other) else { return one.equals(other) }
        return (first.port ?? defaultPort) == (second.port ?? defaultPort)
            && one.extracting(first.hostRange).equalsIgnoringCase(other.extracting(second.hostRange))
    }
}
