// SPDX-License-Identifier: Apache-2.0
import Engine
import Testing

@testable import Upstream

/// Messages as a name server writes them.
struct Answer {
    var id: UInt16 = 7
    var flags: UInt16 = 0x8180
    var questions: UInt16 = 1
    var kind: DNSQuestion.Kind = .a
    var name = "app.example"
    var records: [[UInt8]] = []

    /// A name, uncompressed.
    static func wire(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    static func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }

    /// A record; the owner is the question's name, by a pointer, unless another is given.
    static func record(_ kind: Int, _ data: [UInt8], ttl: UInt32 = 60, owner: [UInt8] = [0xC0, 12]) -> [UInt8] {
        owner + word(kind) + word(1) + word(Int(ttl >> 16)) + word(Int(ttl & 0xFFFF)) + word(data.count) + data
    }

    var bytes: [UInt8] {
        var bytes = Self.word(Int(id)) + Self.word(Int(flags)) + Self.word(Int(questions)) + Self.word(records.count)
        bytes += [0, 0, 0, 0]
        if questions > 0 { bytes += Self.wire(name) + Self.word(Int(kind.rawValue)) + Self.word(1) }
        return bytes + records.flatMap { $0 }
    }
}

private func name(_ text: String) -> DNSName {
    guard let name = DNSName(text) else { preconditionFailure("a constant name is a name") }
    return name
}

private func parse(_ bytes: [UInt8], kind: DNSQuestion.Kind = .a, id: UInt16 = 7) throws(DNSProblem) -> DNSAnswer {
    try DNSAnswer(bytes.span, id: id, to: DNSQuestion(name: name("app.example"), kind: kind))
}

@Suite("Messages of the domain name system") struct DNSTests {
    @Test("a question is written as RFC 1035 has it")
    func question() {
        let question = DNSQuestion(name: name("App.Example."), kind: .aaaa)
        #expect(
            question.message(id: 0x1234)
                == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3] + Array("app".utf8) + [7] + Array("example".utf8)
                + [0, 0, 28, 0, 1])
    }

    @Test("names that cannot be asked for are none")
    func names() {
        #expect(DNSName("") == nil)
        #expect(DNSName(".") == nil)
        #expect(DNSName("a..b") == nil)
        #expect(DNSName(String(repeating: "a", count: 64)) == nil)
        #expect(DNSName(String(repeating: "a", count: 63))?.bytes.count == 65)
        let long = (0..<127).map { _ in "a" }.joined(separator: ".")
        #expect(DNSName(long)?.bytes.count == 255)
        #expect(DNSName(long + ".a") == nil)
        #expect(DNSName("_http._tcp.App.example")?.text == "_http._tcp.app.example")
    }

    @Test("addresses are read, with the least of their lifetimes; the same twice counts once")
    func addresses() throws {
        var answer = Answer()
        answer.records = [
            Answer.record(1, [192, 0, 2, 1], ttl: 60), Answer.record(1, [192, 0, 2, 2], ttl: 30),
            Answer.record(1, [192, 0, 2, 1], ttl: 90), Answer.record(16, Array("text".utf8), ttl: 1),
            Answer.record(1, [192, 0, 2, 9], owner: Answer.wire("other.example")),
        ]
        let found = try parse(answer.bytes)
        #expect(found.addresses == [[192, 0, 2, 1], [192, 0, 2, 2]])
        #expect(found.lifetime == 30)
        #expect(found.code == 0 && !found.isTruncated)
    }

    @Test("a name in capitals is the same name")
    func capitals() throws {
        var answer = Answer()
        answer.name = "APP.Example"
        answer.records = [Answer.record(1, [192, 0, 2, 1], owner: Answer.wire("aPP.example"))]
        #expect(try parse(answer.bytes).addresses == [[192, 0, 2, 1]])
    }

    @Test("aliases are followed, in any order, and their lifetimes count; a circle of them ends")
    func aliases() throws {
        var answer = Answer()
        answer.records = [
            Answer.record(1, [192, 0, 2, 3], ttl: 50, owner: Answer.wire("c.example")),
            Answer.record(5, Answer.wire("c.example"), ttl: 20, owner: Answer.wire("b.example")),
            Answer.record(5, Answer.wire("b.example"), ttl: 40),
        ]
        let found = try parse(answer.bytes)
        #expect(found.addresses == [[192, 0, 2, 3]])
        #expect(found.lifetime == 20)
        answer.records = [
            Answer.record(5, Answer.wire("b.example")),
            Answer.record(5, Answer.wire("app.example"), owner: Answer.wire("b.example")),
        ]
        #expect(try parse(answer.bytes).addresses.isEmpty)
    }

    @Test("SRV records are read")
    func services() throws {
        var answer = Answer()
        answer.kind = .srv
        answer.records = [
            Answer.record(33, Answer.word(10) + Answer.word(5) + Answer.word(8080) + Answer.wire("n1.example")),
            Answer.record(33, Answer.word(20) + Answer.word(0) + Answer.word(81) + [1] + Array("m".utf8) + [0xC0, 16]),
        ]
        #expect(
            try parse(answer.bytes, kind: .srv).services == [
                ServiceRecord(priority: 10, weight: 5, port: 8080, target: name("n1.example")),
                ServiceRecord(priority: 20, weight: 0, port: 81, target: name("m.example")),
            ])
    }

    @Test("codes, truncation and a lifetime with the highest bit are understood")
    func codes() throws {
        var answer = Answer()
        answer.flags = 0x8183
        #expect(try parse(answer.bytes).code == 3)
        answer.flags = 0x8182
        answer.questions = 0
        #expect(try parse(answer.bytes).code == 2)
        answer = Answer()
        answer.flags = 0x8380
        #expect(try parse(answer.bytes).isTruncated)
        answer = Answer()
        answer.records = [Answer.record(1, [192, 0, 2, 1], ttl: 0x8000_0001)]
        #expect(try parse(answer.bytes).lifetime == 0)
    }

    @Test("what answers another question, or is none, is not ours")
    func notOurs() {
        #expect(throws: DNSProblem.notOurs) { try parse(Answer().bytes, id: 8) }
        #expect(throws: DNSProblem.notOurs) { try parse(Answer().bytes, kind: .aaaa) }
        for (flags, questions) in [(0x0100, 1), (0x8980, 1), (0x8180, 0), (0x8180, 2)] {
            var answer = Answer()
            answer.flags = UInt16(flags)
            answer.questions = UInt16(questions)
            #expect(throws: DNSProblem.notOurs) { try parse(answer.bytes) }
        }
        var other = Answer()
        other.name = "other.example"
        #expect(throws: DNSProblem.notOurs) { try parse(other.bytes) }
    }

    @Test("broken messages are refused")
    func malformed() {
        var answer = Answer()
        let bad: [[UInt8]] = [
            Answer.record(1, [192, 0, 2]), Answer.record(28, [UInt8](repeating: 0, count: 16)).dropLast(),
            // A pointer to itself, one forward, a label type that is not known.
            Answer.record(1, [192, 0, 2, 1], owner: [0xC0, 29]), Answer.record(1, [192, 0, 2, 1], owner: [0xC0, 200]),
            Answer.record(1, [192, 0, 2, 1], owner: [0x80, 0]),
            // An alias whose name ends beyond its data.
            Answer.record(5, [3, 97, 98]) + [99, 0],
        ]
        for record in bad {
            answer.records = [record]
            let bytes = answer.bytes
            #expect(throws: DNSProblem.self) { try parse(bytes) }
        }
        // A name that grows by pointers beyond 255 bytes: 63 bytes, four times over.
        var chain: [UInt8] = []
        let label = [63] + [UInt8](repeating: 97, count: 63)
        chain += label + [0]
        let start = 29
        var previous = start
        for _ in 0..<4 {
            let here = start + chain.count
            chain += label + [0xC0 | UInt8(previous >> 8), UInt8(previous & 0xFF)]
            previous = here
        }
        answer.records = [
            Answer.record(1, [192, 0, 2, 1], owner: [0xC0 | UInt8(previous >> 8), UInt8(previous & 0xFF)])
        ]
        var bytes = answer.bytes
        bytes.insert(contentsOf: chain, at: start)
        #expect(throws: DNSProblem.self) { try parse(bytes) }
    }

    /// Every message cut at every place, and with every byte changed: an answer or a refusal, never more.
    @Test("nothing that is cut or changed does harm")
    func damaged() {
        var answer = Answer()
        answer.kind = .srv
        answer.records = [
            Answer.record(5, Answer.wire("b.example")),
            Answer.record(
                33, Answer.word(1) + Answer.word(2) + Answer.word(3) + [1, 97, 0xC0, 16],
                owner: Answer.wire("b.example")),
        ]
        let whole = answer.bytes
        for end in 0..<whole.count {
            #expect(throws: DNSProblem.self) { try parse(Array(whole[..<end]), kind: .srv) }
        }
        var random = LoopRandom(seed: 3)
        for position in whole.indices {
            for value in stride(from: UInt8(0), through: 252, by: 7) {
                var copy = whole
                copy[position] = value
                if random.next() % 8 == 0 {
                    copy[Int(random.next() % UInt64(copy.count))] ^= UInt8(truncatingIfNeeded: random.next())
                }
                if let found = try? parse(copy, kind: .srv) {
                    #expect(found.services.count <= 1)
                    #expect(found.services.allSatisfy { $0.target.bytes.count <= DNSName.limit })
                }
            }
        }
        for _ in 0..<5_000 {
            var copy = whole
            for _ in 0..<(1 + random.next() % 6) {
                copy[12 + Int(random.next() % UInt64(copy.count - 12))] = UInt8(truncatingIfNeeded: random.next())
            }
            copy[6] = UInt8(truncatingIfNeeded: random.next())
            _ = try? parse(copy, kind: .srv)
        }
    }
}

@Suite("What SRV records mean") struct ServiceSelectionTests {
    private func record(_ priority: Int, _ weight: Int, _ host: String, port: Int = 80) -> ServiceRecord {
        ServiceRecord(priority: UInt16(priority), weight: UInt16(weight), port: UInt16(port), target: name(host))
    }

    @Test("the lowest priority takes the requests by weight, the others are backups")
    func priorities() {
        let targets = ServiceSelection.targets([
            record(20, 1, "c.example"), record(10, 3, "b.example"), record(10, 1, "a.example"),
            record(30, 9, "a.example"),
        ])
        #expect(targets.map(\.host) == ["a.example", "b.example", "c.example"])
        #expect(targets.map(\.weight) == [1, 3, 1])
        #expect(targets.map(\.isBackup) == [false, false, true])
    }

    @Test("the order in which they come does not matter, nor does a record that comes twice")
    func order() {
        let records = [record(1, 2, "a.example"), record(1, 2, "b.example"), record(2, 2, "c.example")]
        #expect(ServiceSelection.targets(records) == ServiceSelection.targets(records.reversed() + records))
    }

    @Test("weights are scaled to those of a pool")
    func weights() {
        let targets = ServiceSelection.targets([
            record(1, 65_535, "a.example"), record(1, 32_768, "b.example"), record(1, 0, "c.example"),
        ])
        #expect(targets.map(\.weight) == [256, 128, 1])
        #expect(
            ServiceSelection.targets([record(1, 0, "a.example"), record(1, 0, "b.example")]).map(\.weight) == [1, 1])
    }

    @Test("the root as target says that the service is not offered")
    func none() throws {
        var offset = 0
        let root = try DNSName(in: [0 as UInt8].span, at: &offset)
        let not = ServiceRecord(priority: 0, weight: 0, port: 80, target: root)
        #expect(ServiceSelection.targets([not]).isEmpty)
        #expect(ServiceSelection.targets([]).isEmpty)
        #expect(ServiceSelection.targets([record(1, 1, "a.example", port: 0)]).isEmpty)
    }
}

@Suite("What is known of a name") struct NameRecordTests {
    private func v4(_ last: Int) -> SocketAddress { SocketAddress(ipv4: 0xC000_0200 + UInt32(last), port: 0) }
    private let v6 = SocketAddress(bytes: [UInt8](repeating: 1, count: 16), port: 0) ?? SocketAddress(ipv4: 0, port: 0)

    @Test("an answer replaces the one before, for as long as it holds")
    func answers() {
        var record = NameRecord()
        #expect(
            record.take(v4: .found([v4(1), v4(2)], lifetime: 20), v6: .none, ceiling: 30_000)
                == .init(wait: 20_000, trouble: nil))
        #expect(
            record.take(v4: .found([v4(3)], lifetime: 90), v6: .found([v6], lifetime: 5), ceiling: 30_000)
                == .init(wait: 5_000, trouble: nil))
        #expect(record.addresses == [v4(3), v6])
        #expect(record.take(v4: .none, v6: .found([v6], lifetime: 0), ceiling: 30_000).wait == RefreshTime.floor)
        #expect(record.addresses == [v6])
        #expect(record.take(v4: .found([v4(1)], lifetime: nil), v6: .none, ceiling: 30_000).wait == 30_000)
    }

    @Test("a family that nobody can tell of keeps its addresses, and is asked for again soon, then less and less often")
    func failures() {
        var record = NameRecord()
        _ = record.take(v4: .found([v4(1)], lifetime: 60), v6: .found([v6], lifetime: 60), ceiling: 8_000)
        var waits: [Int] = []
        for _ in 0..<5 {
            let step = record.take(v4: .found([v4(2)], lifetime: 60), v6: .failed("no"), ceiling: 8_000)
            #expect(step.trouble == "does not resolve: no")
            waits.append(step.wait)
        }
        #expect(waits == [1_000, 2_000, 4_000, 8_000, 8_000])
        #expect(record.addresses == [v4(2), v6])
        #expect(record.take(v4: .found([v4(2)], lifetime: 60), v6: .none, ceiling: 8_000).trouble == nil)
        #expect(record.failures == 0)
        #expect(record.addresses == [v4(2)])
    }

    @Test("a name that has no address any more keeps its last ones")
    func gone() {
        var record = NameRecord()
        #expect(record.take(v4: .none, v6: .none, ceiling: 8_000).trouble == "does not resolve: it has no address")
        #expect(record.addresses.isEmpty)
        _ = record.take(v4: .found([v4(1)], lifetime: 60), v6: .none, ceiling: 8_000)
        _ = record.take(v4: .none, v6: .none, ceiling: 8_000)
        _ = record.take(v4: .failed("x"), v6: .none, ceiling: 8_000)
        #expect(record.addresses == [v4(1)])
        #expect(record.failures == 2)
    }

    @Test("a change says who goes and who comes, whatever the order of the answer")
    func changes() {
        func server(_ last: Int, weight: Int = 1) -> DiscoveredServer {
            .init(host: "a", port: 80, weight: weight, isBackup: false, addresses: [v4(last)])
        }
        var change = DiscoveredChange.between([server(1), server(2)], [server(2), server(1)])
        #expect(change.leaving.isEmpty && change.coming.isEmpty)
        change = DiscoveredChange.between([server(1), server(2)], [server(3), server(2), server(3)])
        #expect(change.leaving == [server(1)])
        #expect(change.coming == [server(3)])
        change = DiscoveredChange.between([server(1)], [server(1, weight: 2)])
        #expect(change.leaving == [server(1)] && change.coming == [server(1, weight: 2)])
        #expect(
            DiscoveredServer(host: "a", port: 80, weight: 1, isBackup: false, addresses: [v4(1), v6])
                == DiscoveredServer(host: "a", port: 80, weight: 1, isBackup: false, addresses: [v6, v4(1)]))
    }

    @Test("the system's name servers are read from its file")
    func system() {
        let text =
            "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 x\nnameserver bad\n"
        #expect(NameServers.ofSystem(text).map(\.description) == ["192.0.2.1:53", "[2001:db8::1]:53"])
    }
}
