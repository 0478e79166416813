// SPDX-License-Identifier: Apache-2.0
import Bytes
import ContentCoding
import Foundation
import Settings
import Synchronization
import TestSupport
import Testing

/// A response as it came over the wire, taken apart.
struct CodedReply {
    let head: String
    /// The content, coded as it came, without the framing of chunks.
    let body: [UInt8]
    /// Whether the end was reached that the head announced.
    let isWhole: Bool

    /// Takes apart what came until the connection was closed.
    init(_ all: [UInt8], hasContent: Bool = true) {
        let end = all.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound ?? all.count
        head = String(decoding: all[..<end], as: UTF8.self)
        let rest = Array(all[end...])
        let fields = Self.fields(head)
        if !hasContent || head.hasPrefix("HTTP/1.1 304") {
            body = rest
            isWhole = rest.isEmpty
        } else if fields.contains(where: { $0.name == "transfer-encoding" }) {
            (body, isWhole) = Self.dechunk(rest)
        } else if let length = fields.first(where: { $0.name == "content-length" }) {
            body = rest
            isWhole = rest.count == Int(length.value)
        } else {
            body = rest
            isWhole = true
        }
    }

    var status: Int { Int(head.dropFirst(9).prefix(3)) ?? 0 }

    /// All values of a field.
    func values(_ name: String) -> [String] { Self.fields(head).filter { $0.name == name }.map(\.value) }
    /// Its one value; nil when there is none, or more.
    subscript(_ name: String) -> String? {
        let all = values(name)
        return all.count == 1 ? all[0] : nil
    }
    var isGzip: Bool { self["content-encoding"] == "gzip" }
    var isHit: Bool { self["cache-status"]?.contains("; hit") == true }
    /// The content without its coding; nil when it is not whole.
    var content: [UInt8]? {
        guard isWhole else { return nil }
        return isGzip ? gunzip(body) : body
    }

    private static func fields(_ head: String) -> [(name: String, value: String)] {
        head.components(separatedBy: "\r\n").dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            return (line[..<colon].lowercased(), value)
        }
    }

    private static func dechunk(_ bytes: [UInt8]) -> ([UInt8], Bool) {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let end = rest.firstRange(of: [13, 10]) {
            let size = Int(String(decoding: rest[..<end.lowerBound], as: UTF8.self), radix: 16) ?? 0
            if size == 0 { return (body, true) }
            rest = rest[end.upperBound...]
            guard rest.count >= size + 2 else { return (body + rest, false) }
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return (body, false)
    }
}

/// The body in gzip; nil when it is not whole.
func gunzip(_ coded: [UInt8]) -> [UInt8]? {
    let decoder = GzipDecoder()
    let block = Block(capacity: 65_536)
    var body: [UInt8] = []
    var offset = 0
    while true {
        block.clear()
        let step = decoder.decode(coded.span.extracting(offset...), into: block)
        offset += step.consumed
        unsafe block.readable.withUnsafeBufferPointer { unsafe body += $0 }
        switch step.state {
        case .outputFull: continue
        case .ended: return offset == coded.count ? body : nil
        case .needsInput, .damaged, .tooLong: return nil
        }
    }
}

extension Peer {
    /// Everything until the other end closes, slowly when it is told to.
    func receiveBytes(pausing isSlow: Bool = false) -> [UInt8] {
        var all: [UInt8] = []
        var turns = 0
        while true {
            let piece = receive()
            if piece.isEmpty { return all }
            all += piece
            turns += 1
            if isSlow, turns % 50 == 0 { dawdle() }
        }
    }
}

extension RunningGateway {
    /// One request on a connection of its own, with `Connection: close`.
    func get(
        _ path: String = "/", method: String = "GET", _ fields: String..., receiveBuffer: Int32? = nil
    ) -> CodedReply {
        let peer = connect(receiveBuffer: receiveBuffer)
        let lines = fields.map { $0 + "\r\n" }.joined()
        peer.send("\(method) \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(lines)\r\n")
        return CodedReply(peer.receiveBytes(pausing: receiveBuffer != nil), hasContent: method != "HEAD")
    }

    /// Four clients at once, of whom two are slow and two take gzip, get this content.
    func expectForSlowAndFast(_ content: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        let clients = (0..<4).map { index in
            let client = connect(receiveBuffer: index < 2 ? 20_000 : nil)
            let accepts = index % 2 == 0 ? "Accept-Encoding: gzip\r\n" : ""
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(accepts)\r\n")
            return client
        }
        for (index, client) in clients.enumerated() {
            let reply = CodedReply(client.receiveBytes(pausing: index < 2))
            #expect(reply.isGzip == (index % 2 == 0), sourceLocation: sourceLocation)
            #expect(reply.content == content, sourceLocation: sourceLocation)
        }
    }

    /// Asks until the answer is `wanted`, for what happens on other threads.
    func get(
        _ path: String = "/", _ fields: String, sourceLocation: SourceLocation = #_sourceLocation,
        until wanted: (CodedReply) -> Bool
    ) -> CodedReply {
        var reply = get(path, fields)
        eventually("the answer that is wanted", sourceLocation: sourceLocation) {
            if wanted(reply) { return true }
            reply = get(path, fields)
            return false
        }
        return reply
    }
}

/// A server that answers the request's head with what `answer` makes of it, on persistent connections.
func server(_ answer: @escaping @Sendable (String) -> [UInt8]) -> ScriptedServer {
    ScriptedServer { peer, _, server in
        while true {
            let request = peer.receiveMessage()
            if request.head.isEmpty { return }
            server.note(request.head)
            if !peer.send(answer(request.head)) { return }
        }
    }
}

/// 200 with these fields and that body, of a length that is said, or in chunks of 1,000 bytes.
func response(_ fields: String, _ body: [UInt8], isChunked: Bool = false, status: String = "200 OK") -> [UInt8] {
    let start = "HTTP/1.1 \(status)\r\n" + fields.split(separator: "\n").map { $0 + "\r\n" }.joined()
    guard isChunked else { return Array((start + "Content-Length: \(body.count)\r\n\r\n").utf8) + body }
    var all = Array((start + "Transfer-Encoding: chunked\r\n\r\n").utf8)
    for first in stride(from: 0, to: body.count, by: 1_000) {
        let piece = body[first..<min(first + 1_000, body.count)]
        all += Array((String(piece.count, radix: 16) + "\r\n").utf8) + piece + [13, 10]
    }
    return all + Array("0\r\n\r\n".utf8)
}

/// Text of that length that becomes about half as long.
func text(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SeededGenerator(seed)
    return (0..<count).map { _ in UInt8(hexadecimalDigit: UInt8(truncatingIfNeeded: random.next()) & 15) }
}
