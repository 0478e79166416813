// SPDX-License-Identifier: Apache-2.0
// One request and its response on one connection.

import Bytes
import Engine
import Glibc
import HTTP

/// One request on its way, then its response. Belongs to one thread.
final class Exchange {
    /// What a response's head may take up.
    static let limits = HeadLimits(headBytes: 60 << 10, lineBytes: 60 << 10, fields: 100)
    /// Interim responses before the final one: a server could send them for ever.
    private static let interimLimit = 100
    /// Milliseconds for which a server is given time to say whether it wants the content, as in curl.
    private static let expectPause: UInt64 = 1_000
    /// Bytes of an unwanted body that are read so that the connection can be used again.
    private static let drainLimit: UInt64 = 256 << 10

    let connection: Connection
    /// Whether the connection had served another request before.
    let wasKept: Bool
    private let listener: TransferListener
    private let waiting: Waiting
    /// The response's head.
    private(set) var head = ResponseHead()
    /// Its bytes.
    private(set) var headBytes: [UInt8] = []
    /// Whether anything of an answer came.
    private(set) var sawBytes = false
    /// Wall-clock milliseconds when the request was sent and the head had come.
    private(set) var requestTime: Int64 = 0
    private(set) var responseTime: Int64 = 0
    private var body = BodyDecoder(.none)
    /// Reads what comes while the request is still being sent.
    private var earlyParser = ResponseParser()
    private var earlyHead = ResponseHead()
    private var interims = 0
    private var isRequestWhole = true
    private var isOver = false

    init(_ connection: Connection, waiting: Waiting, listener: TransferListener) {
        self.connection = connection
        wasKept = connection.uses > 0
        connection.uses += 1
        self.waiting = waiting
        self.listener = listener
    }

    /// Sends the request: `head` is whole, `content` what follows it. `isChunked`: by chunks, else by its length.
    func send(
        _ bytes: [UInt8], content: BodyReader?, isChunked: Bool, expects: Bool, report: inout TransferReport
    ) throws(ClientFailure) {
        requestTime = WallClock.milliseconds
        report.timings.noteRequest()
        report.requestBytes += UInt64(bytes.count)
        guard try transmit(bytes.span, report: &report), let content else { return }
        if expects, try !mayGoOn(report: &report) {
            isRequestWhole = false
            return
        }
        // Small enough to stay in the processor's cache between the file and the socket: larger ones are slower.
        let block = Block(capacity: 64 << 10)
        while true {
            block.clear()
            guard try content.read(into: block) else { break }
            if isChunked {
                let size = Array((String(block.count, radix: 16) + "\r\n").utf8)
                guard try transmit(size.span, report: &report) else { return }
            }
            report.sentBytes += UInt64(block.count)
            guard try transmit(block.readable, report: &report) else { return }
            if isChunked {
                guard try transmit(("\r\n" as StaticString).span, report: &report) else { return }
            }
            listener.sent(report.sentBytes, of: content.length)
        }
        if isChunked { _ = try transmit(("0\r\n\r\n" as StaticString).span, report: &report) }
    }

    /// False when the server has answered, or is gone, and wants no more. An interim response is no answer.
    private func transmit(_ bytes: Span<UInt8>, report: inout TransferReport) throws(ClientFailure) -> Bool {
        var offset = 0
        while true {
            switch try connection.send(bytes, from: &offset, waiting: waiting) {
            case .sent: return true
            case .answered:
                let isOpen = connection.fillWithoutWaiting()
                if isOpen, try takeInterims(report: &report) != .final { continue }
            case .broken: break
            }
            isRequestWhole = false
            return false
        }
    }

    /// Gives a server time to say whether it wants the content; false when it has answered without it. A 100 lets it be
    /// sent, a final response makes that needless.
    private func mayGoOn(report: inout TransferReport) throws(ClientFailure) -> Bool {
        guard try connection.awaitsAnswer(milliseconds: Self.expectPause, waiting: waiting) else { return true }
        while true {
            guard try connection.fill(waiting: waiting) else { return false }
            switch try takeInterims(report: &report) {
            case .none: continue
            case .interim: return true
            case .final: return false
            }
        }
    }

    /// What `takeInterims` came upon last.
    private enum Early { case none, interim, final }

    /// Consumes the interim responses at the start of what has come; a final one, or what there is of it, stays to be read.
    private func takeInterims(report: inout TransferReport) throws(ClientFailure) -> Early {
        let block = connection.block
        var last = Early.none
        while !block.isEmpty {
            sawBytes = true
            do throws(ParseFailure) {
                guard
                    try earlyParser.parse(
                        block.readable, limits: Self.limits, requestMethod: .post, into: &earlyHead)
                else { return last }
            } catch { throw .malformed(error) }
            guard earlyHead.isInterim else { return .final }
            try noteInterim(earlyHead, report: &report)
            earlyParser.reset()
            last = .interim
        }
        return last
    }

    private func noteInterim(_ interim: borrowing ResponseHead, report: inout TransferReport) throws(ClientFailure) {
        interims += 1
        guard interims <= Self.interimLimit else {
            throw ClientFailure(56, "the server sent more than \(Self.interimLimit) interim responses")
        }
        let block = connection.block
        report.headBytes += UInt64(interim.length)
        try listener.responseHead(
            block.readable.extracting(0..<interim.length), status: interim.status, isFinal: false)
        block.consume(interim.length)
    }

    /// Reads heads up to the final one.
    func receiveHead(_ method: String, report: inout TransferReport) throws(ClientFailure) {
        let block = connection.block
        let asked = Method.named(method)
        var parser = ResponseParser()
        var mustFill = block.isEmpty
        while true {
            if mustFill {
                guard try connection.fill(waiting: waiting) else { throw sawBytes ? .partial : .empty }
            }
            mustFill = true
            if !sawBytes || report.timings.firstByte == 0 { report.timings.noteFirstByte() }
            sawBytes = true
            do throws(ParseFailure) {
                guard try parser.parse(block.readable, limits: Self.limits, requestMethod: asked, into: &head) else {
                    continue
                }
            } catch { throw .malformed(error) }
            guard head.isInterim else { break }
            try noteInterim(head, report: &report)
            parser.reset()
            mustFill = block.isEmpty
        }
        guard head.status != 101 else {
            throw ClientFailure(8, "the server changed to another protocol, which nobody asked for")
        }
        responseTime = WallClock.milliseconds
        headBytes = unsafe block.readable.extracting(0..<head.length).withUnsafeBufferPointer { unsafe Array($0) }
        block.consume(head.length)
        body = BodyDecoder(head.framing)
        report.headBytes += UInt64(headBytes.count)
        report.status = head.status
        report.head = headBytes
        report.httpVersion = head.version == .http11 ? "1.1" : "1"
        isOver = body.isEnded
    }

    /// The length of the body, when it is known.
    var bodyLength: UInt64? { body.remainingLength }

    /// Reads the body to its end, a piece at a time. `take` returns false to have no more.
    func receiveBody(
        report: inout TransferReport, _ take: (Span<UInt8>) throws(ClientFailure) -> Bool
    ) throws(ClientFailure) {
        let block = connection.block
        while !body.isEnded {
            if block.isEmpty, try !connection.fill(waiting: waiting) {
                guard body.peerClosed() else { throw .partial }
                break
            }
            var offset = 0
            while offset < block.count, !body.isEnded {
                let step: BodyDecoder.Step
                do throws(ParseFailure) {
                    step = try body.next(block.readable, from: &offset)
                } catch { throw .malformed(error) }
                if case .data(let range) = step {
                    report.bodyBytes += UInt64(range.count)
                    guard try take(block.readable.extracting(range)) else { return }
                }
            }
            block.consume(offset)
            try waiting.deadline.check()
        }
        isOver = true
    }

    /// Reads an unwanted body, if it is small. `take` sees it all the same.
    func drain(
        report: inout TransferReport, _ take: (Span<UInt8>) -> Void = { _ in }
    ) throws(ClientFailure) {
        guard !isOver else { return }
        if let length = bodyLength, length > Self.drainLimit { return }
        var left = Self.drainLimit
        try receiveBody(report: &report) { bytes in
            take(bytes)
            left -= min(left, UInt64(bytes.count))
            return left > 0
        }
    }

    /// Whether the body was read to its end.
    var isComplete: Bool { isOver }

    /// Whether the connection may carry another request.
    var leavesConnectionUsable: Bool { isOver && isRequestWhole && head.isPersistent && connection.block.isEmpty }
}

extension Method {
    /// The method of this name.
    static func named(_ name: String) -> Method { recognise(Array(name.utf8).span) }
}
