// SPDX-License-Identifier: Apache-2.0
// A client of the chaos test: sends what its plan says, breaks where it says, and looks at what it got.

import Bytes
import ContentCoding
import TestSupport

/// A response as far as it came.
struct ChaosReply {
    var status = 0
    /// Nil when the message is not complete.
    var body: [UInt8]?
    var isGzip = false
    /// Bytes of the message; 0 while it is not complete.
    var length = 0

    /// Takes the first final response apart. Nil while its head is incomplete.
    init?(_ bytes: [UInt8], toHead: Bool) {
        var start = 0
        while true {
            guard let end = Self.endOfHead(bytes, from: start) else { return nil }
            let head = String(decoding: bytes[start..<end], as: UTF8.self)
            status = Int(head.dropFirst(9).prefix(3)) ?? 0
            start = end
            if status >= 200 || status == 101 {
                isGzip = field("content-encoding", of: head) == "gzip"
                read(bytes, head, from: end, toHead: toHead)
                return
            }
        }
    }

    private mutating func read(_ bytes: [UInt8], _ head: String, from start: Int, toHead: Bool) {
        if toHead || status == 304 || status == 204 || status == 101 {
            body = []
            length = start
        } else if let size = field("content-length", of: head).flatMap({ Int($0) }) {
            guard bytes.count - start >= size else { return }
            body = Array(bytes[start..<start + size])
            length = start + size
        } else if field("transfer-encoding", of: head) == "chunked" {
            readChunks(bytes, from: start)
        }
    }

    private mutating func readChunks(_ bytes: [UInt8], from start: Int) {
        var offset = start
        var content: [UInt8] = []
        while let end = bytes[offset...].firstIndex(of: 10) {
            guard let size = Int(String(decoding: bytes[offset..<max(offset, end - 1)], as: UTF8.self), radix: 16)
            else { return }
            offset = end + 1
            guard bytes.count - offset >= size + 2 else { return }
            content += bytes[offset..<offset + size]
            offset += size + 2
            if size == 0 {
                body = content
                length = offset
                return
            }
        }
    }

    private static func endOfHead(_ bytes: [UInt8], from start: Int) -> Int? {
        var index = start
        while index + 3 < bytes.count {
            if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    /// The content without its coding; nil when it is damaged.
    var content: [UInt8]? {
        guard let body, isGzip else { return body }
        let decoder = GzipDecoder()
        let block = Block(capacity: 65_536)
        var content: [UInt8] = []
        var offset = 0
        while true {
            block.clear()
            let step = decoder.decode(body.span.extracting(offset...), into: block)
            offset += step.consumed
            unsafe block.readable.withUnsafeBytes { unsafe content.append(contentsOf: $0) }
            switch step.state {
            case .outputFull: continue
            case .ended: return content
            case .needsInput, .damaged, .tooLong: return nil
            }
        }
    }
}

extension ChaosPlan {
    /// Connects and carries it out. What is wrong with what came, in a sentence; nil when nothing is.
    func run(_ gateway: ChaosGateway, receiveBuffer: Int32?) -> String? {
        let start = ContinuousClock.now
        let peer =
            isSecure
            ? SecurePeer(
                port: gateway.tlsPort, .client(), receiveBuffer: receiveBuffer, waiting: ChaosGateway.longest)
            : Peer(port: gateway.port, receiveBuffer: receiveBuffer, waiting: ChaosGateway.longest)
        defer { peer.close() }
        // A deadline that is not over is no excuse. One that may be is, where deadlines are so short that a busy machine
        // cannot always keep them.
        let finding = run(on: peer) {
            gateway.isPatient || ContinuousClock.now - start < .milliseconds(gateway.patience / 2)
        }
        return peer.hasWaitedInVain ? "\(self): the gateway left its client waiting" : finding
    }

    private func run(on peer: Peer, isInTime: () -> Bool) -> String? {
        var bytes = request
        if isPipelined { bytes += Array("GET /plain/1/100 HTTP/1.1\r\nHost: chaos.test\r\n\r\n".utf8) }
        guard peer.send(chaosBytes: bytes, breaking: sending) || sending?.fault == .halfClose else { return nil }
        if kind == .tunnel { return runTunnel(on: peer) }
        var received: [UInt8] = []
        var breaking = receiving
        var isFirst = true
        while true {
            if let fault = breaking, received.count >= fault.at {
                breaking = nil
                switch fault.fault {
                case .reset:
                    peer.reset()
                    return nil
                case .close, .garbage:
                    peer.close()
                    return nil
                case .halfClose: peer.finishSending()
                case .stall: fault.stall()
                }
            }
            if let reply = ChaosReply(received, toHead: isFirst && kind == .head), reply.length > 0 {
                if let wrong = isFirst ? judge(reply, isInTime()) : judgeSecond(reply) { return wrong }
                guard isFirst, isPipelined else { return nil }
                isFirst = false
                received.removeFirst(reply.length)
                continue
            }
            let piece = peer.receive()
            if piece.isEmpty {
                let isOwed = isPeaceful && isFirst && isInTime()
                return isOwed ? "\(self): no whole response, but \(received.count) bytes" : nil
            }
            received += piece
            if isHuge, received.count > 500_000 { return nil }
        }
    }

    private func judge(_ reply: ChaosReply, _ isInTime: Bool) -> String? {
        switch reply.status {
        case 200:
            if kind == .head || hidesItsFault { return nil }
            if kind == .upload || kind == .uploadChunked, let server, server.at < 32 { return nil }
            let got = reply.content
            guard got == content else {
                let same = zip(got ?? [], content).prefix { $0 == $1 }.count
                return "\(self): not \(length) bytes, but \(reply.body?.count ?? -1)\(reply.isGzip ? " of gzip" : ""), "
                    + "decoded \(got?.count ?? -1), of which \(same) are right"
            }
            return nil
        case 206:
            guard kind == .ranged else { return "\(self): a part that nobody asked for" }
            return reply.body == Array(content[range]) ? nil : "\(self): another part"
        // A server that is busy, was taken out or is slow here; what its own faults lead to.
        case 503, 504: return nil
        default: return isPeaceful && isInTime ? "\(self): status \(reply.status)" : nil
        }
    }

    /// The answer to the request that followed in the same segment.
    private func judgeSecond(_ reply: ChaosReply) -> String? {
        guard reply.status == 200 else { return nil }
        return reply.content == Self.content(1, 100) ? nil : "\(self): the second response has other content"
    }

    private func runTunnel(on peer: Peer) -> String? {
        let head = peer.receiveHead()
        guard head.hasPrefix("HTTP/1.1 101") else { return nil }
        guard peer.send(chaosBytes: content, breaking: receiving) else { return nil }
        peer.finishSending()
        var echo: [UInt8] = []
        while echo.count < content.count {
            let piece = peer.receive()
            if piece.isEmpty { break }
            echo += piece
        }
        return hidesItsFault || echo == Array(content.prefix(echo.count))
            ? nil : "\(self): the tunnel changed what went through it"
    }
}
