// SPDX-License-Identifier: Apache-2.0
// Questions and answers of the domain name system (RFC 1035 section 4), as much as is needed to find servers: A, AAAA and
// SRV, with the aliases on the way. Pure: bytes in, bytes out. Without EDNS, since a message that does not fit in 512 bytes
// comes through TCP, and every name server understands that.

/// A question.
struct DNSQuestion: Sendable, Equatable {
    /// What is asked for (RFC 1035 section 3.2.2, RFC 3596, RFC 2782).
    enum Kind: UInt16, Sendable { case a = 1, aaaa = 28, srv = 33 }

    let name: DNSName
    let kind: Kind

    /// The message that asks it, recursion desired.
    func message(id: UInt16) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(id >> 8), UInt8(id & 0xFF), 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]
        bytes += name.bytes
        bytes += [0, UInt8(kind.rawValue), 0, 1]
        return bytes
    }
}

/// What an SRV record says (RFC 2782).
struct ServiceRecord: Sendable, Equatable, Hashable {
    var priority: UInt16
    var weight: UInt16
    var port: UInt16
    var target: DNSName
}

/// An answer, understood.
struct DNSAnswer: Sendable, Equatable {
    /// The response code (RFC 1035 section 4.1.1): 0, 2 for a failed server, 3 for no such name.
    var code: UInt8
    /// It did not fit: ask again through TCP.
    var isTruncated = false
    /// Addresses, 4 or 16 bytes each.
    var addresses: [[UInt8]] = []
    var services: [ServiceRecord] = []
    /// Seconds for which it holds: the least of the records used, aliases included. 0 without records.
    var lifetime: UInt32 = 0

    /// Records that are used at most, the first.
    static let recordLimit = 256
    /// Aliases that are followed at most.
    static let aliasLimit = 16

    /// Takes apart the answer to `question` that was asked with this id.
    init(_ message: Span<UInt8>, id: UInt16, to question: DNSQuestion) throws(DNSProblem) {
        var reader = DNSReader(message)
        guard try reader.word() == id else { throw .notOurs }
        let flags = try reader.word()
        // A response (QR) to a standard query (opcode 0).
        guard flags & 0xF800 == 0x8000 else { throw .notOurs }
        code = UInt8(flags & 0x0F)
        isTruncated = flags & 0x0200 != 0
        let questions = try reader.word()
        let records = try reader.word()
        _ = try reader.word()
        _ = try reader.word()
        // A server that cannot read the question may leave it out; then there is nothing but the code.
        guard questions == 1 || questions == 0 && code != 0 else { throw .notOurs }
        if questions == 1 {
            guard try reader.name() == question.name, try reader.word() == question.kind.rawValue,
                try reader.word() == 1
            else { throw .notOurs }
        }
        guard code == 0, !isTruncated else { return }
        var aliases: [DNSName: (target: DNSName, lifetime: UInt32)] = [:]
        var found: [Found] = []
        for _ in 0..<records {
            let owner = try reader.name()
            let kind = try reader.word()
            let network = try reader.word()
            let lifetime = try reader.lifetime()
            let length = Int(try reader.word())
            let end = try reader.end(after: length)
            if network == 1, kind == 5, aliases.count < Self.recordLimit {
                aliases[owner] = (try reader.name(), lifetime)
            } else if network == 1, kind == question.kind.rawValue, found.count < Self.recordLimit {
                found.append(try Found(owner, lifetime, question.kind, length, &reader))
            }
            try reader.finish(at: end)
        }
        use(found, of: question.name, aliases)
    }

    /// A record of the kind that was asked for.
    private struct Found {
        var owner: DNSName
        var lifetime: UInt32
        var address: [UInt8] = []
        var service: ServiceRecord?

        init(
            _ owner: DNSName, _ lifetime: UInt32, _ kind: DNSQuestion.Kind, _ length: Int, _ reader: inout DNSReader
        ) throws(DNSProblem) {
            self.owner = owner
            self.lifetime = lifetime
            switch kind {
            case .a: address = try reader.bytes(4, of: length)
            case .aaaa: address = try reader.bytes(16, of: length)
            case .srv:
                service = ServiceRecord(
                    priority: try reader.word(), weight: try reader.word(), port: try reader.word(),
                    target: try reader.name())
            }
        }
    }

    /// Takes the records of the name, or of the name that it is an alias of.
    private mutating func use(
        _ found: [Found], of asked: DNSName, _ aliases: [DNSName: (target: DNSName, lifetime: UInt32)]
    ) {
        var name = asked
        var least = UInt32.max
        for _ in 0...Self.aliasLimit {
            for record in found where record.owner == name {
                if let service = record.service {
                    services.append(service)
                } else if !addresses.contains(record.address) {
                    addresses.append(record.address)
                }
                least = min(least, record.lifetime)
            }
            if !addresses.isEmpty || !services.isEmpty {
                lifetime = least
                return
            }
            guard let alias = aliases[name] else { return }
            least = min(least, alias.lifetime)
            name = alias.target
        }
    }
}

/// Reads a message from its start to its end; every read is checked against the end.
private struct DNSReader: ~Escapable {
    let message: Span<UInt8>
    var offset = 0

    @_lifetime(copy message)
    init(_ message: Span<UInt8>) { self.message = message }

    mutating func word() throws(DNSProblem) -> UInt16 {
        guard offset + 2 <= message.count else { throw .malformed(offset) }
        defer { offset += 2 }
        return UInt16(message[offset]) << 8 | UInt16(message[offset + 1])
    }

    /// Seconds; a number with the highest bit set means 0 (RFC 2181 section 8).
    mutating func lifetime() throws(DNSProblem) -> UInt32 {
        let value = UInt32(try word()) << 16 | UInt32(try word())
        return value >> 31 == 1 ? 0 : value
    }

    mutating func name() throws(DNSProblem) -> DNSName { try DNSName(in: message, at: &offset) }

    /// So many bytes, which must be the whole of the record's data.
    mutating func bytes(_ count: Int, of length: Int) throws(DNSProblem) -> [UInt8] {
        guard length == count, offset + count <= message.count else { throw .malformed(offset) }
        var bytes: [UInt8] = []
        for index in offset..<offset + count { bytes.append(message[index]) }
        offset += count
        return bytes
    }

    /// Where data of this length end.
    func end(after length: Int) throws(DNSProblem) -> Int {
        guard offset + length <= message.count else { throw .malformed(offset) }
        return offset + length
    }

    /// Goes on behind the data, which must not have been read beyond their end.
    mutating func finish(at end: Int) throws(DNSProblem) {
        guard offset <= end else { throw .malformed(offset) }
        offset = end
    }
}
