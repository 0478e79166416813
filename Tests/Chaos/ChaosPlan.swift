// SPDX-License-Identifier: Apache-2.0
// What one exchange of the chaos test does, drawn from a seed: which kind of exchange it is, what breaks on which side at which
// byte, and what a client that gets a whole response must then have got.

import TestSupport

/// What somebody does at a byte.
enum Fault: String, CaseIterable {
    /// Closes with a reset.
    case reset
    /// Closes in order.
    case close
    /// Ends its sending side and goes on receiving.
    case halfClose
    /// Does nothing for a while, then goes on.
    case stall
    /// Sends what is no HTTP.
    case garbage
}

/// A fault, and the byte at which it happens.
struct Breaking {
    var fault: Fault
    var at: Int

    /// As a field's value: the gateway passes it on, and it is no part of a cache's key.
    var text: String { "\(fault.rawValue),\(at)" }

    init(_ fault: Fault, at byte: Int) {
        self.fault = fault
        at = byte
    }

    /// Does nothing for a while: about every second time for longer than a gateway waits that is not patient.
    func stall() { pause(milliseconds: 5 + at % 7 * 40) }

    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ",")
        guard parts.count == 2, let fault = Fault(rawValue: String(parts[0])), let at = Int(parts[1]) else {
            return nil
        }
        self.init(fault, at: at)
    }
}

/// One exchange.
struct ChaosPlan {
    enum Kind: String, CaseIterable {
        /// A body of a known length, one in chunks, one that ends with the connection.
        case plain, chunked, untilClose
        /// A body that the gateway compresses on its way.
        case gzip
        /// Stored by the cache; several clients ask for the same, so that it is filled, followed, hit and read in parts.
        case stored, storedGzip, ranged
        /// Stored, and to be validated each time.
        case validated
        /// Bytes both ways after a change of protocols.
        case tunnel
        /// A request with a body of a known length, and one in chunks.
        case upload, uploadChunked
        case head
    }

    var kind: Kind
    /// What content it is about: objects of the cache are few, so that exchanges meet.
    var object: Int
    var length: Int
    var isSecure: Bool
    var server: Breaking?
    /// What the client does at a byte of its request, and at one of the response.
    var sending: Breaking?
    var receiving: Breaking?
    /// Whether a second request follows in the same segment.
    var isPipelined: Bool
    var takesGzip: Bool
    /// The part that `ranged` asks for.
    var range: Range<Int>

    init(_ numbers: inout SeededGenerator) {
        kind = Kind.allCases[numbers.below(Kind.allCases.count)]
        object = numbers.below(Self.objects)
        let sizes = [0, 1, 100, 1_500, 4_096, 15_000, 16_384, 40_000, 65_536, 70_000, 200_000]
        let size = sizes[numbers.below(sizes.count)]
        isSecure = numbers.below(4) == 0
        isPipelined = numbers.below(5) == 0
        takesGzip = kind == .gzip || numbers.below(2) == 0
        switch kind {
        // The length of an object that others know too.
        case .stored, .storedGzip, .ranged, .validated: length = sizes[object % sizes.count]
        case .tunnel: length = 1 + size
        default: length = size
        }
        func breaking(_ numbers: inout SeededGenerator, within bytes: Int) -> Breaking {
            let fault = Fault.allCases[numbers.below(Fault.allCases.count)]
            // Near the start and the end of a message, where most states change, as often as in between.
            let near = numbers.below(3) == 0 ? numbers.below(64) : numbers.below(bytes + 1)
            return Breaking(fault, at: numbers.below(4) == 0 ? bytes : near)
        }
        let isUpload = kind == .upload || kind == .uploadChunked || kind == .tunnel
        if numbers.below(3) == 0 {
            var broken = breaking(&numbers, within: 200 + (isUpload ? 64 : length))
            // Within a body nothing tells it from content, and behind one it is the answer to whoever asks next.
            if broken.fault == .garbage { broken.at %= 17 }
            server = broken
        }
        if kind == .tunnel { isPipelined = false }
        if numbers.below(4) == 0 { sending = breaking(&numbers, within: 150 + (isUpload ? length : 0)) }
        if numbers.below(3) == 0 { receiving = breaking(&numbers, within: 300 + (isUpload ? 64 : length)) }
        // So that the gateway waits for somebody who takes nothing.
        if receiving?.fault == .stall, kind == .plain || kind == .untilClose { length = Self.huge }
        let start = numbers.below(max(1, length))
        range = start..<min(length, start + 1 + numbers.below(5_000))
    }

    /// How many objects there are.
    private static let objects = 12
    /// More than the kernel keeps for a client that takes nothing.
    private static let huge = 6_000_000

    /// The letters of each object, made once: under a sanitizer that takes longer than a hundred exchanges. A longer content
    /// has them several times.
    private static let letters: [[UInt8]] = (0..<objects).map { object in
        (0..<200_003).map { index -> UInt8 in
            let mixed: Int = index &* 31 &+ index / 97 &+ object &* 7
            return UInt8(97 + mixed % 26)
        }
    }

    /// The content of an object: letters, so that it is worth compressing.
    static func content(_ object: Int, _ length: Int) -> [UInt8] {
        var content: [UInt8] = []
        content.reserveCapacity(length)
        while content.count < length { content += letters[object].prefix(length - content.count) }
        return content
    }

    /// Whether it is about more than anybody is going to read.
    var isHuge: Bool { length == Self.huge }

    var content: [UInt8] { Self.content(object, length) }

    /// The request as its client sends it.
    var request: [UInt8] {
        // Who asks for the same at the same time may share a response, and so another's fault: not with those who behave.
        var fields = "Host: \(isPeaceful ? "peace" : "chaos").test\r\n"
        if let server { fields += "X-Fault: \(server.text)\r\n" }
        if takesGzip { fields += "Accept-Encoding: gzip\r\n" }
        var method = "GET"
        var body: [UInt8] = []
        switch kind {
        case .head: method = "HEAD"
        case .ranged: if !range.isEmpty { fields += "Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)\r\n" }
        case .tunnel:
            fields += "Connection: Upgrade\r\nUpgrade: echo\r\n"
        case .upload:
            method = "POST"
            fields += "Content-Length: \(length)\r\n"
            body = content
        case .uploadChunked:
            method = "POST"
            fields += "Transfer-Encoding: chunked\r\n"
            for start in stride(from: 0, to: length, by: 7_000) {
                let piece = content[start..<min(length, start + 7_000)]
                body += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10]
            }
            body += Array("0\r\n\r\n".utf8)
        default: break
        }
        let head = "\(method) /\(kind.rawValue)/\(object)/\(length) HTTP/1.1\r\n\(fields)\r\n"
        return Array(head.utf8) + body
    }

    /// Whether the server may end what it sends without anybody being able to tell.
    var hidesItsFault: Bool { kind == .untilClose && (server?.fault == .close || server?.fault == .halfClose) }

    /// Whether both sides behave, and nobody else's exchange has a part in it.
    var isPeaceful: Bool {
        guard server == nil, sending == nil, receiving == nil else { return false }
        switch kind {
        case .plain, .chunked, .gzip, .head: return true
        default: return false
        }
    }
}
