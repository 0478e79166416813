// SPDX-License-Identifier: Apache-2.0
// The paths of an origin:
//
//   /whoami         which origin this is, and who asks
//   /headers        the request's head, as it arrived
//   /echo           the request's body, sent back as it comes
//   /delay/MS       an answer after so many milliseconds
//   /status/CODE    an answer with this status
//   /bytes/N        N bytes with a length
//   /chunked/N      N bytes without one
//   /cache/SECONDS  an answer that may be kept for so long, with validators
//   everything else a static file below the root; without a root, `/` is a page that says who answers

import Bytes
import Engine
import HTTP
import Serving

/// One request to an origin, and its response.
final class OriginExchange: Exchange {
    unowned let service: OriginService  // Every connection that uses an exchange holds it.

    /// What the body is made from.
    private enum Source {
        case none
        /// So many bytes of the pattern still to come.
        case pattern(UInt64)
        case file(Root.File, Range<UInt64>)
        case echo
    }
    private var source = Source.none
    private lazy var pump = Pump(self)
    private let page = Block(capacity: 32 << 10)
    /// The start of the pattern of `/bytes`.
    private static let patternBytes = 32 << 10
    /// A long body lets others have their turn after so many bytes.
    private static let turnBytes = 1 << 20

    init(service: OriginService) {
        self.service = service
        super.init()
    }

    // MARK: Told by the stream

    override func requestReceived() {
        source = .none
        page.clear()
        let bytes = headBytes
        let path = bytes.extracting(head.pathRange)
        if head.method == .connect {
            stream?.rejectRequest()
            answer(405, "text/plain")
        } else if path.equals("/whoami") || path.equals("/") && service.root == nil {
            answerWhoAmI(asPage: path.equals("/"))
        } else if path.equals("/headers") {
            page.append(bytes.extracting(head.methodRange.lowerBound..<head.length))
            answer(200, "text/plain; charset=utf-8")
        } else if path.equals("/echo") {
            answerEcho()
        } else if let milliseconds = number(path, after: "/delay/") {
            service.loop.register(pump)
            service.loop.setDeadline(pump, in: Int(clamping: min(milliseconds, 600_000)))
        } else if let status = number(path, after: "/status/"), status >= 200, status <= 599 {
            page.append(decimal: status)
            page.append("\n")
            answer(UInt16(status), "text/plain")
        } else if let count = number(path, after: "/bytes/") {
            answerPattern(count, .length(count))
        } else if let count = number(path, after: "/chunked/") {
            answerPattern(count, .unknown)
        } else if let seconds = number(path, after: "/cache/") {
            answerCacheable(seconds)
        } else {
            answerFile(path)
        }
    }

    override func requestBody(_ bytes: Span<UInt8>) {
        guard case .echo = source, let stream else { return }
        stream.send(bytes)
        if stream.isBlocked { stream.pauseBody() } else { stream.flush() }
    }

    override func requestEnded(trailers: Trailers?) {
        if case .echo = source { stream?.finish(trailers: nil) }
    }

    override func requestRefused(_ refusal: Refusal) {
        page.clear()
        page.append(refusal.sentence)
        page.append("\n")
        answer(refusal.status, "text/plain; charset=utf-8")
    }

    override func responseDrained() {
        if case .echo = source { stream?.readBody() } else { produce() }
    }

    override func ended(_ ending: Ending) {
        service.loop.unregister(pump)
        source = .none
    }

    // MARK: Answers

    private func begin(_ status: UInt16, _ type: StaticString) -> ServerStream? {
        guard let stream, !stream.hasBegun else { return nil }
        stream.begin(status: status)
        stream.dateField()
        stream.field("Server", "origin")
        let name = Array(service.name.utf8)
        stream.field("X-Origin", name.span)
        if type.utf8CodeUnitCount > 0, status != 204, status != 304 { stream.field("Content-Type", type) }
        return stream
    }

    /// Answers with what is on the page.
    private func answer(_ status: UInt16, _ type: StaticString) {
        guard let stream = begin(status, type) else { return }
        let page = page
        if status == 204 || status == 304 {
            stream.endHead(.none)
        } else {
            stream.endHead(.length(UInt64(page.count)))
            stream.send(page.readable)
        }
        stream.finish(trailers: nil)
    }

    private func answerWhoAmI(asPage: Bool) {
        guard let stream else { return }
        if asPage {
            page.append("<!doctype html><title>origin ")
            page.append(text: service.name)
            page.append("</title>\n<h1>This is origin ")
            page.append(text: service.name)
            page.append("</h1>\n<p>Reload, and another one answers: the gateway takes them in turn.\n")
            answer(200, "text/html; charset=utf-8")
            return
        }
        page.append("origin ")
        page.append(text: service.name)
        page.append("\nclient ")
        stream.client.address.appendHost(to: page)
        page.append("\n")
        answer(200, "text/plain; charset=utf-8")
    }

    private func answerEcho() {
        if head.expectsContinue, let stream {
            stream.begin(status: 100)
            stream.endInterim()
        }
        guard let stream = begin(200, head.fields.first(.contentType) == nil ? "application/octet-stream" : "") else {
            return
        }
        if let field = head.fields.first(.contentType) {
            stream.field("Content-Type", headBytes.extracting(field.valueRange))
        }
        source = .echo
        stream.readsWhileResponding = true
        switch head.framing {
        case .none, .untilClose:
            stream.endHead(.length(0))
            stream.finish(trailers: nil)
        case .length(let length):
            stream.endHead(.length(length))
            stream.readBody()
            self.stream?.flush()
        case .chunked:
            stream.endHead(.unknown)
            stream.readBody()
            self.stream?.flush()
        }
    }

    private func answerPattern(_ count: UInt64, _ body: ResponseBody) {
        guard let stream = begin(200, "application/octet-stream") else { return }
        stream.endHead(body)
        source = .pattern(head.method == .head ? 0 : count)
        produce()
    }

    private func answerCacheable(_ seconds: UInt64) {
        page.append("cacheable for ")
        page.append(decimal: seconds)
        page.append(" s, made by ")
        page.append(text: service.name)
        page.append("\n")
        let tag: StaticString = "\"cacheable\""
        let isMatch = head.fields.first(.ifNoneMatch).map {
            ETagList.matches(headBytes.extracting($0.valueRange), tag.span, .weak)
        }
        let value = Block(capacity: 64)
        value.append("public, max-age=")
        value.append(decimal: seconds)
        guard let stream = begin(isMatch == true ? 304 : 200, "text/plain") else { return }
        stream.field("Cache-Control", value.readable)
        stream.field("ETag", tag)
        let page = page
        if isMatch == true {
            stream.endHead(.none)
        } else {
            stream.endHead(.length(UInt64(page.count)))
            stream.send(page.readable)
        }
        stream.finish(trailers: nil)
    }

    // MARK: Files

    private func answerFile(_ path: Span<UInt8>) {
        guard head.method == .get || head.method == .head else {
            guard let stream = begin(405, "text/plain") else { return }
            stream.field("Allow", "GET, HEAD")
            stream.endHead(.length(0))
            stream.finish(trailers: nil)
            return
        }
        let normal = Block(capacity: path.count + 16)
        guard let root = service.root, PathNormaliser.normalise(path, into: normal) else {
            answerMissing()
            return
        }
        switch root.find(normal.readable) {
        case .missing: answerMissing()
        case .forbidden:
            page.append("forbidden\n")
            answer(403, "text/plain")
        case .directory:
            guard let stream = begin(301, "text/plain") else { return }
            let location = Block(capacity: path.count + 1)
            location.append(path)
            location.append(UInt8(ascii: "/"))
            stream.field("Location", location.readable)
            stream.endHead(.length(0))
            stream.finish(trailers: nil)
        case .file(let file):
            send(file, Root.mediaType(normal.readable))
        }
    }

    private func answerMissing() {
        page.append("not found\n")
        answer(404, "text/plain")
    }

    private func send(_ file: Root.File, _ type: StaticString) {
        let tag = Block(capacity: 64)
        tag.append("\"")
        tag.append(hexadecimal: file.size)
        tag.append("-")
        tag.append(hexadecimal: UInt64(bitPattern: file.modified &* 1_000_000_000 &+ file.modifiedNanoseconds))
        tag.append("\"")
        let date = Block(capacity: 64)
        HTTPDate.append(file.modified, to: date)
        let conditions = FileConditions(
            head, headBytes, tag: tag.readable, modified: file.modified, now: now, size: file.size)
        guard let stream = begin(conditions.status, type) else { return }
        stream.field("ETag", tag.readable)
        stream.field("Last-Modified", date.readable)
        stream.field("Accept-Ranges", "bytes")
        switch conditions.status {
        case 304:
            stream.endHead(.none)
            stream.finish(trailers: nil)
        case 412:
            stream.endHead(.length(0))
            stream.finish(trailers: nil)
        case 416:
            addContentRange(stream, nil, file.size)
            stream.endHead(.length(0))
            stream.finish(trailers: nil)
        default:
            if conditions.status == 206 { addContentRange(stream, conditions.range, file.size) }
            let range = conditions.range
            stream.endHead(.length(range.upperBound - range.lowerBound))
            source = .file(file, head.method == .head ? 0..<0 : range)
            produce()
        }
    }

    private var now: Int64 { Int64(service.loop.wallNanoseconds / 1_000_000_000) }

    private func addContentRange(_ stream: ServerStream, _ range: Range<UInt64>?, _ size: UInt64) {
        let value = Block(capacity: 96)
        value.append("bytes ")
        if let range {
            value.append(decimal: range.lowerBound)
            value.append("-")
            value.append(decimal: range.upperBound - 1)
        } else {
            value.append("*")
        }
        value.append("/")
        value.append(decimal: size)
        stream.field("Content-Range", value.readable)
    }

    // MARK: Producing

    /// Sends what the source has while the client takes it.
    fileprivate func produce() {
        guard let stream else { return }
        var sent = 0
        let block = service.loop.largeBlocks.take()
        defer { service.loop.largeBlocks.give(block) }
        while !stream.isBlocked {
            guard sent < Self.turnBytes else {
                stream.flush()
                service.loop.schedule(pump)
                return
            }
            block.clear()
            switch source {
            case .none, .echo:
                return
            case .pattern(let rest):
                let count = Int(min(rest, UInt64(Self.patternBytes)))
                if count == 0 {
                    source = .none
                    stream.finish(trailers: nil)
                    return
                }
                for _ in 0..<(count + 63) / 64 {
                    block.append("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n")
                }
                block.truncate(to: count)
                source = .pattern(rest - UInt64(count))
            case .file(let file, let range):
                if range.isEmpty {
                    source = .none
                    stream.finish(trailers: nil)
                    return
                }
                let limit = Int(min(range.upperBound - range.lowerBound, UInt64(block.capacity)))
                let count = file.read(into: block, from: range.lowerBound, limit: limit)
                guard count > 0 else {
                    // The file has shrunk: fewer bytes than announced are never passed off as the whole.
                    stream.abort()
                    return
                }
                source = .file(file, range.lowerBound + UInt64(count)..<range.upperBound)
            }
            sent += block.count
            stream.send(block.readable)
            if self.stream == nil { return }
        }
    }

    fileprivate func delayEnded() {
        service.loop.unregister(pump)
        page.append("late, by ")
        page.append(text: service.name)
        page.append("\n")
        answer(200, "text/plain")
    }

    /// The number behind `prefix` that ends the path.
    private func number(_ path: Span<UInt8>, after prefix: StaticString) -> UInt64? {
        let length = prefix.utf8CodeUnitCount
        guard path.count > length, path.count <= length + 15, path.extracting(0..<length).equals(prefix) else {
            return nil
        }
        var value: UInt64 = 0
        for index in length..<path.count {
            guard path[index].isDigit else { return nil }
            value = value * 10 + UInt64(path[index] & 15)
        }
        return value
    }
}

/// Brings an exchange back: after a delay, and after others had their turn.
private final class Pump: Watcher {
    private weak var exchange: OriginExchange?

    init(_ exchange: OriginExchange) {
        self.exchange = exchange
        super.init()
    }

    override func deadlineReached() { exchange?.delayEnded() }
    override func resume() { exchange?.produce() }
}
