// SPDX-License-Identifier: Apache-2.0
// A small name server on loopback, whose records a test changes as it likes. It writes its own messages, with none of the
// project's functions.

import Bytes
import Foundation
import Glibc
import Synchronization

/// A name server for tests, through UDP and TCP on one port.
public final class NameServer: Sendable {
    /// What it answers to one question.
    public enum Reply: Sendable {
        /// Addresses as numbers (`0x7F00_0001` is 127.0.0.1), and seconds that they hold.
        case addresses([UInt32], ttl: UInt32)
        /// SRV records: priority, weight, port, target.
        case services([(Int, Int, Int, String)], ttl: UInt32)
        /// A code without records: 0 for none of this kind, 2 for a failure, 3 for no such name.
        case code(Int)
        /// Nothing at all.
        case silence
        /// Through UDP an answer that does not fit; through TCP this one.
        indirect case truncated(Reply)
        /// Before this one, answers that are wrong: another id, another name, no message.
        indirect case afterForgeries(Reply)
    }

    /// Where it listens on 127.0.0.1.
    public let port: UInt16
    private let datagrams: Int32
    private let listener: Int32
    private let records = Lock<[String: Reply]>([:])
    private let asked = Lock<[String]>([])
    private let sources = Lock<[UInt16]>([])

    /// Begins to listen, with no records.
    public init() {
        signal(SIGPIPE, SIG_IGN)
        datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (datagrams, listener) = (datagrams, listener)
        unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe bind(listener, $0, length)
                _ = listen(listener, 16)
                _ = unsafe getsockname(listener, $0, &length)
                _ = unsafe bind(datagrams, $0, length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [weak self] in
            while let self, self.answerDatagram() {}
        }
        Thread.detachNewThread { [weak self] in
            while true {
                let fd = accept(listener, nil, nil)
                guard fd >= 0 else { return }
                self?.answerStream(Peer(adopting: fd))
            }
        }
    }

    deinit { stop() }

    /// Answers no more.
    public func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        shutdown(datagrams, Int32(SHUT_RDWR))
    }

    /// From now on, questions of this kind (`A`, `AAAA`, `SRV`) for the name have this answer. Without one there is no such
    /// name, or nothing of that kind where there is something else.
    public func set(_ name: String, kind: String = "A", _ reply: Reply) {
        records.withLock { $0["\(kind) \(name)"] = reply }
    }

    /// Questions so far, such as `A app.test`.
    public var questions: [String] { asked.withLock { $0 } }
    /// The ports that they came from.
    public var ports: [UInt16] { sources.withLock { $0 } }

    private func answerDatagram() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 2_048)
        var from = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = unsafe withUnsafeMutablePointer(to: &from) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe recvfrom(datagrams, &buffer, buffer.count, 0, $0, &length)
            }
        }
        guard count > 0 else { return false }
        sources.withLock { $0.append(UInt16(bigEndian: from.sin_port)) }
        for answer in answers(to: Array(buffer[..<count]), isStream: false) {
            unsafe withUnsafePointer(to: &from) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = unsafe sendto(datagrams, answer, answer.count, 0, $0, length)
                }
            }
        }
        return true
    }

    private func answerStream(_ peer: Peer) {
        let length = peer.receiveBytes(count: 2)
        guard length.count == 2 else { return }
        let question = peer.receiveBytes(count: Int(length[0]) << 8 | Int(length[1]))
        for answer in answers(to: question, isStream: true) {
            let framed = [UInt8(answer.count >> 8), UInt8(answer.count & 0xFF)] + answer
            // In two pieces, as a network may have it.
            peer.send(Array(framed[..<1]))
            peer.send(Array(framed[1...]))
        }
    }

    private func answers(to question: [UInt8], isStream: Bool) -> [[UInt8]] {
        guard question.count > 16 else { return [] }
        var name: [String] = []
        var offset = 12
        while offset < question.count, question[offset] > 0 {
            let end = offset + 1 + Int(question[offset])
            guard end < question.count else { return [] }
            name.append(String(decoding: question[offset + 1..<end], as: UTF8.self))
            offset = end
        }
        let kind = [1: "A", 28: "AAAA", 33: "SRV"][Int(question[offset + 2])] ?? "?"
        let host = name.joined(separator: ".")
        asked.withLock { $0.append("\(kind) \(host)") }
        let (found, isKnown) = records.withLock { records in
            (records["\(kind) \(host)"], records.keys.contains { $0.hasSuffix(" \(host)") })
        }
        return messages(question, Array(question[12...]), found ?? .code(isKnown ? 0 : 3), isStream)
    }

    private func messages(_ question: [UInt8], _ asked: [UInt8], _ reply: Reply, _ isStream: Bool) -> [[UInt8]] {
        func message(code: Int, records: [[UInt8]] = [], isTruncated: Bool = false) -> [UInt8] {
            let flags: [UInt8] = [isTruncated ? 0x83 : 0x81, 0x80 | UInt8(code)]
            return Array(question[..<2]) + flags + [
                0, 1, UInt8(records.count >> 8), UInt8(records.count & 0xFF), 0, 0, 0, 0,
            ]
                + asked + records.flatMap { $0 }
        }
        func record(_ kind: UInt8, _ ttl: UInt32, _ data: [UInt8]) -> [UInt8] {
            let time = [24, 16, 8, 0].map { UInt8(ttl >> UInt32($0) & 0xFF) }
            return [0xC0, 12, 0, kind, 0, 1] + time + [UInt8(data.count >> 8), UInt8(data.count & 0xFF)] + data
        }
        func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
        switch reply {
        case .addresses(let addresses, let ttl):
            return [
                message(
                    code: 0,
                    records: addresses.map { address in
                        record(1, ttl, [24, 16, 8, 0].map { UInt8(address >> UInt32($0) & 0xFF) })
                    })
            ]
        case .services(let services, let ttl):
            return [
                message(
                    code: 0,
                    records: services.map { priority, weight, port, target in
                        let labels = target.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
                        return record(33, ttl, word(priority) + word(weight) + word(port) + labels + [0])
                    })
            ]
        case .code(let code): return [message(code: code)]
        case .silence: return []
        case .truncated(let reply):
            return isStream ? messages(question, asked, reply, isStream) : [message(code: 0, isTruncated: true)]
        case .afterForgeries(let reply):
            var strange = message(code: 0, records: [record(1, 9, [203, 0, 113, 1])])
            strange[0] ^= 0xFF
            var other = message(code: 0, records: [record(1, 9, [203, 0, 113, 2])])
            other[13] ^= 1
            return [strange, other, [1, 2, 3]] + messages(question, asked, reply, isStream)
        }
    }
}
