// SPDX-License-Identifier: Apache-2.0
// Asking name servers: through UDP, and through TCP when the answer does not fit. Every question has an id and a port that
// nobody can foresee (RFC 5452), and only an answer from the server that was asked, to the question that was asked, counts.
// Blocks: for threads that may wait.

import Engine
import Glibc

/// Name servers, asked in their order.
struct NameServers: Sendable {
    /// Where they listen.
    let addresses: [SocketAddress]
    /// For one question to one server, in milliseconds.
    var timeout = 2_000
    /// How often all of them are asked in vain before that is a failure.
    var rounds = 2
    /// Bytes of an answer through UDP; more than 512 only when a server does not keep to RFC 1035.
    private static let datagramLimit = 4_096

    /// The answer of the first server that gives one: records, or that there are none.
    func ask(_ question: DNSQuestion) throws(LookupFailure) -> DNSAnswer {
        var failure = LookupFailure(reason: "there is no name server to ask")
        for _ in 0..<rounds {
            for address in addresses {
                do throws(LookupFailure) {
                    let answer = try ask(question, at: address)
                    // 3 means that there is no such name, which is an answer.
                    if answer.code == 0 || answer.code == 3 { return answer }
                    failure = LookupFailure(reason: "the name server \(address) answers \(Self.word(answer.code))")
                } catch {
                    failure = error
                }
            }
        }
        throw failure
    }

    private func ask(_ question: DNSQuestion, at address: SocketAddress) throws(LookupFailure) -> DNSAnswer {
        let id = UInt16.random(in: 0 ... .max)
        let answer = try exchangeDatagrams(question, id, at: address)
        return answer.isTruncated ? try exchangeStream(question, id, at: address) : answer
    }

    // MARK: UDP

    private func exchangeDatagrams(
        _ question: DNSQuestion, _ id: UInt16, at address: SocketAddress
    ) throws(LookupFailure) -> DNSAnswer {
        let number = socket(
            address.family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { throw LookupFailure(address, SystemFailure("socket").reason) }
        let descriptor = Descriptor(adopting: number)
        // Connected, so that the kernel lets through only what that server sends, and chooses a port at random.
        guard unsafe address.withSockaddr({ unsafe connect(descriptor.number, $0, $1) }) == 0 else {
            throw LookupFailure(address, SystemFailure("connect").reason)
        }
        let message = question.message(id: id)
        guard unsafe send(descriptor.number, message, message.count, Int32(MSG_NOSIGNAL)) == message.count else {
            throw LookupFailure(address, SystemFailure("send").reason)
        }
        let end = Wait(timeout)
        var buffer = [UInt8](repeating: 0, count: Self.datagramLimit)
        while true {
            try end.wait(for: POLLIN, descriptor.number, address)
            let count = unsafe recv(descriptor.number, &buffer, buffer.count, 0)
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw LookupFailure(address, SystemFailure("recv").reason)
            }
            // Whatever is no answer to this question may be anybody's: the server's own may still come.
            if let answer = try? DNSAnswer(buffer.span.extracting(first: count), id: id, to: question) { return answer }
        }
    }

    // MARK: TCP

    /// RFC 1035 section 4.2.2: the same messages, each behind its length.
    private func exchangeStream(
        _ question: DNSQuestion, _ id: UInt16, at address: SocketAddress
    ) throws(LookupFailure) -> DNSAnswer {
        let descriptor: Descriptor
        do throws(SystemFailure) {
            descriptor = try Sockets.connect(to: address)
        } catch {
            throw LookupFailure(address, error.reason)
        }
        let end = Wait(timeout)
        try end.wait(for: POLLOUT, descriptor.number, address)
        let code = Sockets.pendingError(descriptor.number)
        guard code == 0 else { throw LookupFailure(address, SystemFailure.reason(code)) }
        let message = question.message(id: id)
        let framed = [UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
        // A fresh connection takes a few hundred bytes at once.
        guard unsafe send(descriptor.number, framed, framed.count, Int32(MSG_NOSIGNAL)) == framed.count else {
            throw LookupFailure(address, SystemFailure("send").reason)
        }
        let head = try receive(2, descriptor.number, end, address)
        let body = try receive(Int(head[0]) << 8 | Int(head[1]), descriptor.number, end, address)
        do throws(DNSProblem) {
            let answer = try DNSAnswer(body.span, id: id, to: question)
            guard !answer.isTruncated else { throw DNSProblem.malformed(2) }
            return answer
        } catch {
            throw LookupFailure(address, "its answer through TCP is not one to the question")
        }
    }

    private func receive(
        _ count: Int, _ number: Int32, _ end: Wait, _ address: SocketAddress
    ) throws(LookupFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while bytes.count < count {
            try end.wait(for: POLLIN, number, address)
            let received = unsafe recv(number, &buffer, min(buffer.count, count - bytes.count), 0)
            if received < 0, errno == EINTR || errno == EAGAIN { continue }
            guard received > 0 else { throw LookupFailure(address, "it closed the connection early") }
            bytes += buffer[..<received]
        }
        return bytes
    }

    /// A deadline for several waits.
    private struct Wait {
        let end: UInt64

        init(_ milliseconds: Int) { end = MonotonicClock.milliseconds + UInt64(milliseconds) }

        func wait(for events: Int32, _ number: Int32, _ address: SocketAddress) throws(LookupFailure) {
            while true {
                let now = MonotonicClock.milliseconds
                guard now < end else { throw LookupFailure(address, "it does not answer in time") }
                var entry = pollfd(fd: number, events: Int16(events), revents: 0)
                let count = unsafe poll(&entry, 1, Int32(clamping: end - now))
                if count > 0 { return }
                guard count == 0 || errno == EINTR else {
                    throw LookupFailure(address, SystemFailure("poll").reason)
                }
            }
        }
    }

    /// RFC 1035 section 4.1.1.
    private static func word(_ code: UInt8) -> String {
        switch code {
        case 1: "that it cannot read the question (FORMERR)"
        case 2: "that it failed (SERVFAIL)"
        case 4: "that it does not do that (NOTIMP)"
        case 5: "that it will not (REFUSED)"
        default: "with code \(code)"
        }
    }

    /// Those of the system, from `/etc/resolv.conf`.
    static func ofSystem(_ text: String) -> [SocketAddress] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count >= 2, words[0] == "nameserver" else { return nil }
            return SocketAddress(numeric: String(words[1]), port: 53)
        }
    }
}

/// Why a name could not be looked up, in words that follow "because" or a colon.
struct LookupFailure: Error, Equatable, Sendable {
    let reason: String
    init(reason: String) { self.reason = reason }
    init(_ server: SocketAddress, _ reason: String) { self.reason = "asking the name server \(server): \(reason)" }
}

/// Time for threads that are not loops.
public enum MonotonicClock {
    /// Since some moment in the past, as `Loop.milliseconds` (`CLOCK_MONOTONIC`).
    public static var milliseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
