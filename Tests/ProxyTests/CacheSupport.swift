// SPDX-License-Identifier: Apache-2.0
// What the tests of the cache have in common: a gateway with a cache in a folder of its own, an origin that is scripted for each
// request, and replies taken apart. Nothing waits for a lifetime to pass: `Age` makes a response as old as a test wants it.

import Bytes
import Dispatch
import Foundation
import Settings
import Synchronization
import TestSupport
import Testing

/// A response as a client got it.
struct Reply {
    let status: Int
    let head: String
    let body: String
    /// Whether the framing's end was reached.
    let isWhole: Bool

    /// The values of all lines of that name.
    func all(_ name: String) -> [String] {
        head.split(separator: "\r\n").dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name.lowercased() else {
                return nil
            }
            return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
    }

    /// The value of the only line of that name.
    func field(_ name: String) -> String? {
        let values = all(name)
        return values.count == 1 ? values[0] : nil
    }

    /// What our cache says of it.
    var cacheStatus: String { all("Cache-Status").last ?? "-" }
    var isHit: Bool { cacheStatus.hasPrefix("gateway; hit") }
}

extension Peer {
    /// Sends a request; the reply is to be read.
    func request(
        _ target: String = "/", _ fields: String = "", method: String = "GET", host: String = "a", minor: Int = 1
    ) {
        send("\(method) \(target) HTTP/1.\(minor)\r\nHost: \(host)\r\n\(fields)\r\n")
    }

    /// Reads one response, however it is framed.
    func reply(to method: String = "GET") -> Reply {
        let head = receiveHead()
        let status = Int(head.dropFirst(9).prefix(3)) ?? 0
        let empty = Reply(status: status, head: head, body: "", isWhole: head.hasSuffix("\r\n\r\n"))
        if method == "HEAD" || status == 304 || status == 204 || !empty.isWhole { return empty }
        if let length = empty.field("Content-Length").flatMap({ Int($0) }) {
            let body = receive(count: length)
            return Reply(status: status, head: head, body: body, isWhole: body.utf8.count == length)
        }
        guard empty.field("Transfer-Encoding") == "chunked" else {
            return Reply(status: status, head: head, body: receiveAll(), isWhole: true)
        }
        var body = ""
        while true {
            var line = ""
            while !line.hasSuffix("\r\n") {
                let byte = receive(count: 1)
                if byte.isEmpty { return Reply(status: status, head: head, body: body, isWhole: false) }
                line += byte
            }
            let size = Int(line.dropLast(1), radix: 16) ?? 0
            let piece = receive(count: size + 2)
            body += piece.dropLast(1)
            if size == 0 || piece.utf8.count < size + 2 {
                return Reply(status: status, head: head, body: body, isWhole: size == 0 && piece.utf8.count == 2)
            }
        }
    }
}

/// A gateway that caches into a folder of its own.
final class CachingGateway {
    let gateway: RunningGateway
    let folder: TemporaryFolder
    /// Listens as long as the gateway runs.
    private let origin: ScriptedServer

    init(
        _ origin: ScriptedServer, in folder: TemporaryFolder = TemporaryFolder(), workers: Int = 1,
        _ configure: (inout Configuration) -> Void = { _ in }
    ) throws {
        self.folder = folder
        self.origin = origin
        gateway = try RunningGateway(upstreams: [origin.port], workers: workers, cachingIn: folder) {
            $0.cache.purgers = loopbackRange
            configure(&$0)
        }
    }

    deinit { gateway.stop() }

    /// One request on a connection of its own.
    @discardableResult func ask(
        _ target: String = "/", _ fields: String = "", method: String = "GET", host: String = "a", minor: Int = 1
    ) -> Reply {
        let peer = gateway.connect()
        peer.request(target, fields, method: method, host: host, minor: minor)
        return peer.reply(to: method)
    }

    /// Asks on a connection of its own, and waits until the origin has been asked.
    func begin(
        _ target: String = "/", _ fields: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) -> Peer {
        let before = origin.requests.count
        let peer = gateway.connect()
        peer.request(target, fields)
        eventually("the origin is asked", sourceLocation: sourceLocation) { origin.requests.count > before }
        return peer
    }

    /// Asks on a connection of its own, and reads the head of the response.
    func startReading(_ target: String = "/", _ fields: String = "") -> Peer {
        let peer = gateway.connect()
        peer.request(target, fields)
        _ = peer.receiveHead()
        return peer
    }

    /// Asks once and waits until the response is stored, stale or not, whatever writes it.
    @discardableResult func store(_ target: String = "/", _ fields: String = "", host: String = "a") -> Reply {
        let first = ask(target, fields, host: host)
        eventually("stored") {
            ask(target, fields + "Cache-Control: only-if-cached, max-stale\r\n", host: host).status != 504
        }
        return first
    }

    /// The paths of all stored files.
    var files: [String] {
        let root = folder.file("cache")
        guard let walk = FileManager.default.enumerator(atPath: root) else { return [] }
        return walk.compactMap { $0 as? String }.filter { name in
            let parts = name.split(separator: "/")
            return parts.last.map { $0.count > 30 } == true && parts.count > 1 && !name.contains("tmp")
        }.map { "\(root)/\($0)" }
    }
}

/// The addresses that tests come from.
let loopbackRange = [Configuration.AddressRange(bytes: [127, 0, 0, 0], prefix: 8)]

/// An origin that answers request after request: `answer` gets the head and the request's number from 0.
func origin(_ answer: @escaping @Sendable (_ head: String, _ number: Int) -> String) -> ScriptedServer {
    let number = Lock(0)
    return ScriptedServer { peer, _, server in
        while true {
            let request = peer.receiveMessage()
            if request.head.isEmpty { return }
            let mine = number.withLock { value in
                defer { value += 1 }
                return value
            }
            server.note(request.head)
            if !peer.send(answer(request.head, mine)) { return }
        }
    }
}

/// A response, 200 unless said otherwise.
func response(_ body: String, _ fields: String, status: String = "200 OK") -> String {
    "HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

let notModified = "HTTP/1.1 304 Not Modified\r\n"

/// Something that one thread opens for others, who give up after thirty seconds.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func open(for count: Int = 1) { for _ in 0..<count { semaphore.signal() } }
    /// Whether it was opened.
    @discardableResult func pass() -> Bool { semaphore.wait(timeout: .now() + 30) == .success }
}

/// Text of which no part is like another at a multiple of 16 bytes.
func letters(_ count: Int) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 16)
    var line = 0
    while bytes.count < count {
        var rest = line
        for shift in 0..<15 {
            _ = shift
            bytes.append(UInt8(48 + rest % 10))
            rest /= 10
        }
        bytes.append(10)
        line += 1
    }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}
