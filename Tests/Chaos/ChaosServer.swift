// SPDX-License-Identifier: Apache-2.0
// The upstream server of the chaos test. What it answers stands in the target, what it breaks in the field X-Fault.

import TestSupport

/// Plays one connection.
func playChaosServer(_ peer: Peer) {
    while true {
        let head = peer.receiveHead()
        guard head.hasSuffix("\r\n\r\n") else { return }
        let target = head.split(separator: " ")[1].split(separator: "/").map(String.init)
        guard target.count == 3, let object = Int(target[1]), let length = Int(target[2]) else {
            guard peer.send(ok("here")) else { return }
            continue
        }
        let fault = field("x-fault", of: head).flatMap { Breaking($0) }
        let kind = ChaosPlan.Kind(rawValue: target[0])
        if kind == .upload || kind == .uploadChunked {
            // One that answers before it has read the request.
            if let fault, fault.at < 32 {
                _ = peer.send(chaosBytes: Array(ok("early").utf8), breaking: fault)
                return
            }
            let content =
                field("transfer-encoding", of: head) != nil ? peer.receiveChunks() : peer.receiveBytes(count: length)
            guard let content, content == ChaosPlan.content(object, length) else { return }
        }
        let response = chaosResponse(kind, object, length, head)
        guard peer.send(chaosBytes: response, breaking: fault) else {
            // One that has ended its side still listens.
            if fault?.fault == .halfClose { _ = peer.receive() }
            return
        }
        if kind == .untilClose {
            peer.close()
            return
        }
        if kind == .tunnel {
            while true {
                let piece = peer.receive()
                if piece.isEmpty || !peer.send(piece) { break }
            }
            peer.finishSending()
            return
        }
    }
}

private func chaosResponse(_ kind: ChaosPlan.Kind?, _ object: Int, _ length: Int, _ head: String) -> [UInt8] {
    let content = ChaosPlan.content(object, length)
    let sized = "Content-Length: \(length)\r\n"
    func answer(_ fields: String, _ body: [UInt8]) -> [UInt8] { Array("HTTP/1.1 200 OK\r\n\(fields)\r\n".utf8) + body }
    switch kind {
    case .head: return answer(sized, [])
    case .chunked:
        var body: [UInt8] = []
        for start in stride(from: 0, to: length, by: 3_000) {
            let piece = content[start..<min(length, start + 3_000)]
            body += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10]
        }
        return answer("Transfer-Encoding: chunked\r\n", body + Array("0\r\n\r\n".utf8))
    case .untilClose: return answer("", content)
    case .gzip: return answer("Content-Type: text/html\r\nCache-Control: no-store\r\n" + sized, content)
    case .stored, .ranged:
        return answer("Content-Type: image/png\r\nCache-Control: max-age=\(object % 3)\r\n" + sized, content)
    case .storedGzip:
        return answer("Content-Type: text/plain\r\nCache-Control: max-age=\(object % 3)\r\n" + sized, content)
    case .validated:
        let fields = "Cache-Control: max-age=0, stale-if-error=\(object % 2)\r\nETag: \"v\(object)\"\r\n"
        guard field("if-none-match", of: head) == nil else {
            return Array("HTTP/1.1 304 Not Modified\r\n\(fields)\r\n".utf8)
        }
        return answer(fields + sized, content)
    case .tunnel:
        return Array("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".utf8)
    default: return answer(sized, content)
    }
}

/// The value of a field in a head.
func field(_ name: String, of head: String) -> String? {
    for line in head.split(separator: "\r\n").dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].lowercased() == name { return String(parts[1].drop { $0 == " " }) }
    }
    return nil
}

extension Peer {
    /// Sends a message and does what the fault says at its byte. False when the connection is not to be used again.
    func send(chaosBytes bytes: [UInt8], breaking: Breaking?) -> Bool {
        guard let breaking else { return send(bytes) }
        let cut = min(breaking.at, bytes.count)
        guard cut == 0 || send(Array(bytes[..<cut])) else { return false }
        let rest = Array(bytes[cut...])
        switch breaking.fault {
        case .reset: reset()
        case .close: close()
        case .halfClose: finishSending()
        case .stall:
            breaking.stall()
            return rest.isEmpty || send(rest)
        case .garbage:
            send("\u{0}\r\nHTTP/9.9 what\r\n\r\n" + String(repeating: "x", count: breaking.at % 300))
            return false
        }
        return false
    }
}
