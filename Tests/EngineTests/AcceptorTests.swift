// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import Engine

/// Counts who comes, and holds when it is told to.
///
/// `@unchecked Sendable` is safe because it is touched on its loop only, by `perform`.
private final class Counting: Acceptor, @unchecked Sendable {
    var accepted = 0
    var mayHave = Int.max
    override func mayAccept() -> Bool {
        if accepted < mayHave { return true }
        hold()
        return false
    }
    override func accepted(_ descriptor: consuming Descriptor, from peer: SocketAddress) { accepted += 1 }
}

@Suite("An acceptor") struct AcceptorTests {
    private func start() throws -> (Loop, Counting) {
        let loop = try Loop(index: 0)
        let acceptor = Counting(
            try Sockets.listen(on: SocketAddress(ipv4: 0x7F00_0001, port: 0), shared: false), on: loop)
        loop.start()
        return (loop, acceptor)
    }

    @Test("that is closed leaves the poller, and who had come before is accepted")
    func closing() throws {
        let (loop, acceptor) = try start()
        loop.perform { try? acceptor.start() }
        // The burst that hears of them does not run before the acceptor is stopped.
        let clients = loop.perform {
            let clients = (0..<5).map { _ in try? Holder(Sockets.connect(to: acceptor.address)) }
            acceptor.stop()
            return clients
        }
        #expect(loop.perform { acceptor.accepted } == 5)
        // A descriptor that was left in the poller would be reported in every turn of the loop from now on.
        for _ in 0..<20 {
            dawdle()
            loop.perform {}
        }
        #expect(loop.perform { loop.lateReports } <= 1)
        withExtendedLifetime(clients) {}
    }

    @Test("that holds accepts nobody until it is asked to, then one at a time, and then whoever comes")
    func holding() throws {
        let (loop, acceptor) = try start()
        loop.perform {
            acceptor.mayHave = 2
            try? acceptor.start()
        }
        let clients = try (0..<5).map { _ in try Holder(Sockets.connect(to: acceptor.address)) }
        eventually { loop.perform { acceptor.isHeld } }
        #expect(loop.perform { acceptor.accepted } == 2)
        for count in 3...5 {
            #expect(loop.perform { acceptor.acceptHeld() })
            #expect(loop.perform { acceptor.accepted } == count)
            #expect(loop.perform { acceptor.isHeld })
        }
        #expect(!loop.perform { acceptor.acceptHeld() })
        loop.perform { acceptor.mayHave = .max }
        let another = try Holder(Sockets.connect(to: acceptor.address))
        eventually { loop.perform { acceptor.accepted } == 6 }
        withExtendedLifetime((clients, another)) {}
        loop.perform { acceptor.stop() }
    }

    @Test("that is stopped while it holds accepts who waits")
    func stoppingHeld() throws {
        let (loop, acceptor) = try start()
        loop.perform {
            acceptor.mayHave = 0
            try? acceptor.start()
        }
        let client = try Holder(Sockets.connect(to: acceptor.address))
        eventually { loop.perform { acceptor.isHeld } }
        loop.perform { acceptor.stop() }
        #expect(loop.perform { acceptor.accepted } == 1)
        withExtendedLifetime(client) {}
    }

    @Test("goes past connections that failed while they waited, rests when the system has no room, and knows the end")
    func failures() {
        for code in [
            ECONNABORTED, EPROTO, EPERM, EINTR, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH,
            ECONNRESET, ETIMEDOUT,
        ] {
            #expect(AcceptOutcome(failure: code) == .lost)
        }
        for code in [EMFILE, ENFILE, ENOBUFS, ENOMEM] { #expect(AcceptOutcome(failure: code) == .exhausted(code)) }
        for code in [EBADF, EINVAL, ENOTSOCK] { #expect(AcceptOutcome(failure: code) == .broken(code)) }
        #expect(AcceptOutcome(failure: EAGAIN) == .none)
    }

    @Test("is taken out of the poller whoever forgets it, whatever becomes of its descriptor")
    func unregistering() throws {
        let (loop, acceptor) = try start()
        // A descriptor that stays open and would be reported for ever.
        let pair = try Holder(Sockets.connect(to: acceptor.address))
        loop.perform {
            let watcher = Watcher()
            try? loop.registerLevel(watcher, fd: pair.descriptor.number)
            loop.unregister(watcher)
            acceptor.stop()
        }
        for _ in 0..<20 {
            dawdle()
            loop.perform {}
        }
        #expect(loop.perform { loop.lateReports } <= 1)
    }
}

/// A descriptor that several may hold.
final class Holder: Sendable {
    let descriptor: Descriptor
    var number: Int32 { descriptor.number }
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}
