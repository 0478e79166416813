// SPDX-License-Identifier: Apache-2.0
// The request's way out: head, body in pieces, end. Framing and connection fields are written here alone.

public import Bytes
import Engine
public import HTTP

extension UpstreamConnection {
    /// Begins a request: `method` decides how the response is framed.
    public func beginRequest(_ method: Method, name: Span<UInt8>, target: Span<UInt8>, prefix: Span<UInt8>) {
        self.method = method
        isChunked = false
        asksUpgrade = false
        requestDone = false
        sendFailure = nil
        sentBefore = outbox.sentBytes
        parser.reset()
        patience = HeadPatience()
        reading = .head
        interims = 0
        hasReceived = false
        isPaused = false
        let block = outbox.block(room: name.count + target.count + prefix.count + 16)
        block.append(name)
        block.append(UInt8(ascii: " "))
        block.append(prefix)
        block.append(target)
        block.append(" HTTP/1.1\r\n")
    }

    /// Adds a field. Framing and connection fields are the connection's own and must not be given.
    public func field(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        outbox.block(room: name.count + value.count + 4).appendField(name: name, value: value)
    }

    /// Adds a field whose name is fixed.
    public func field(_ name: StaticString, _ value: Span<UInt8>) { field(name.span, value) }

    /// A block with room to write a field's line into.
    public func fieldBlock(room: Int) -> Block { outbox.block(room: room) }

    /// No other request is to follow this one on the connection: its server may take whoever sends it for this client.
    public func endAfterResponse() { isLast = true }

    /// Ends the head. `upgrade` is the value of an `Upgrade` field to ask for, or nil.
    public func endHead(_ framing: Framing, upgrade: Span<UInt8>?, wantsTrailers: Bool) {
        let block = outbox.block(room: 160 + (upgrade?.count ?? 0))
        switch framing {
        case .none, .untilClose: break
        case .length(let length): block.appendField("Content-Length", decimal: length)
        case .chunked:
            isChunked = true
            block.append("Transfer-Encoding: chunked\r\n")
        }
        if let upgrade {
            asksUpgrade = true
            block.append("Connection: upgrade\r\n")
            block.appendField("Upgrade", upgrade)
        } else if wantsTrailers {
            // RFC 9110 section 10.1.4: TE is for the next hop only, so it is named in Connection.
            block.append("Connection: TE\r\nTE: trailers\r\n")
        }
        block.append("\r\n")
    }

    /// Sends a piece of the request's body, or stages it until `flush`.
    public func send(_ bytes: Span<UInt8>) {
        guard phase == .active, sendFailure == nil, bytes.count > 0 else { return }
        if isChunked {
            outbox.block(room: 20).appendChunkSize(bytes.count)
            handle(outbox.send(bytes, tail: "\r\n", to: transport))
        } else {
            handle(outbox.send(bytes, to: transport))
        }
    }

    /// The request is complete.
    public func finishRequest(trailers: Trailers?) {
        guard phase == .active else { return }
        if isTunnel {
            requestDone = true
            flush()
            if outbox.isEmpty { transport.finishSending() }
            return
        }
        if isChunked {
            outbox.block(room: Block.lastChunkLimit(trailers)).appendLastChunk(trailers)
        }
        requestDone = true
    }

    /// Sends what is staged.
    public func flush() {
        guard phase == .active, sendFailure == nil else { return }
        handle(outbox.flush(to: transport))
    }

    func handle(_ outcome: Outbox.Outcome) {
        switch outcome {
        case .sent: awaitResponse()
        case .blocked: awaitResponse()
        case .failed(let code):
            // A server may answer early and close: its response, if there is one, is worth more than our error.
            sendFailure = code
            outbox.releaseAll()
            isReadable = true
            loop.setDeadline(self, in: pool.options.readTimeout)
            loop.schedule(self)
        }
    }
}
