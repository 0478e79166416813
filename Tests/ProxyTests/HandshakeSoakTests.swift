// SPDX-License-Identifier: Apache-2.0
// Very many handshakes, good ones and such as break off anywhere, for a checker of memory to look at what they leave behind.
// Run by Tests/Bench/handshakes.sh.

import Glibc
import Settings
import TestSupport
import Testing

/// How many to do: `GATEWAY_HANDSHAKES`, or nil.
private let wanted = unsafe getenv("GATEWAY_HANDSHAKES").flatMap { unsafe Int(String(cString: $0)) }

/// How a connection goes.
private enum Course: Int, CaseIterable {
    case request, resumed, idle, cut, reset, partOfHello, helloOnly, partOfFinish, flippedByte, garbage, plainHTTP
}

@Suite("A soak of handshakes", .enabled(if: wanted != nil), .serialized) struct HandshakeSoakTests {
    @Test("leaves no connection behind")
    func soak() throws {
        let total = wanted ?? 0
        let clients = CertificateAuthority("Clients")
        let folder = TemporaryFolder()
        let roots = folder.write(clients.pem, to: "clients.pem")
        let gateway = try RunningGateway(upstreams: [1], workers: 2, certificates: [localhost]) {
            $0.routes = [.init(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
            $0.tls.clientCA = roots
            $0.tls.clientCertificate = .optional
            $0.logPath = nil
        }
        let shown = clients.issue([], subject: "soak", usage: "clientAuth")
        let sides = TLSSide.Version.allCases.flatMap { [TLSSide.client($0), TLSSide.client($0, showing: shown)] }
        var counts: [Course: Int] = [:]
        var served = 0
        var resumed = 0
        var sessions = [SecurePeer.Session?](repeating: nil, count: sides.count)
        for number in 0..<total {
            let which = number % sides.count
            // Every course with every side in turn.
            let course = Course.allCases[number / sides.count % Course.allCases.count]
            counts[course, default: 0] += 1
            switch course {
            case .request, .resumed, .idle, .cut, .reset:
                let session = course == .resumed ? sessions[which] : nil
                let client = SecurePeer(port: gateway.tlsPort, sides[which], resuming: session)
                if client.isResumed { resumed += 1 }
                if course == .request || course == .resumed {
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    if client.receiveMessage().body == "x" { served += 1 }
                    sessions[which] = client.session
                }
                if course == .cut { client.cut() } else if course == .reset { client.reset() } else { client.close() }
            default:
                breakOff(course, Flights(sides[which]), Peer(port: gateway.tlsPort))
            }
            if number % 10_000 == 9_999 { print("\(number + 1) handshakes") }
        }
        #expect(gateway.waitForConnections(0))
        #expect(served == counts[.request, default: 0] + counts[.resumed, default: 0])
        gateway.stop()
        for course in Course.allCases { print("\(course): \(counts[course, default: 0])") }
        print("served: \(served), resumed: \(resumed), in all: \(total)")
    }

    private func breakOff(_ course: Course, _ flights: Flights, _ peer: Peer) {
        var hello = flights.next()
        switch course {
        case .partOfHello: peer.send(Array(hello.prefix(Int.random(in: 0..<hello.count))))
        case .partOfFinish:
            peer.send(hello)
            flights.take(peer.receive())
            let finish = flights.next()
            peer.send(Array(finish.prefix(Int.random(in: 0...max(0, finish.count - 1)))))
        case .flippedByte:
            hello[Int.random(in: 0..<hello.count)] ^= UInt8.random(in: 1...255)
            peer.send(hello)
            peer.finishSending()
            _ = peer.receive()
        case .garbage:
            peer.send((0..<Int.random(in: 1...500)).map { _ in UInt8.random(in: 0...255) })
            peer.finishSending()
        case .plainHTTP:
            peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = peer.receiveAll()
        default: peer.send(hello)
        }
        if Bool.random() { peer.reset() } else { peer.close() }
    }
}
