// SPDX-License-Identifier: Apache-2.0
// The first of a request's body, before the application has anywhere to send it: it is received behind the head and stays there,
// so a client that sends its body slowly, or not at all, holds nothing but its own connection.

import Bytes
import Engine
import HTTP

extension HTTP1Connection {
    /// Begins to await the body; true when there is nothing to wait for.
    func beginAwaiting() -> Bool {
        guard phase == .exchange, !isBodyHere else { return true }
        awaitsBody = true
        bodyStarted = loop.milliseconds
        armBodyDeadline()
        loop.schedule(self)
        return false
    }

    /// Bytes behind the head, framing included.
    var bodyAhead: Int { max(0, (input?.count ?? 0) - inputUsed) }

    /// Whether all of a small body is here, or the first bytes of a larger one, or of one that does not say how large it is.
    private var isBodyHere: Bool {
        if bodyDone || bodyReceived > 0 || bodyLeftInput { return true }
        return bodyAhead >= smallBody ?? 1
    }

    /// The length of a body that fits behind its head.
    private var smallBody: Int? {
        guard let exchange, case .length(let length) = exchange.head.framing,
            length <= UInt64(max(0, loop.smallBlocks.blockSize - exchange.head.length))
        else { return nil }
        return Int(length)
    }

    /// Receives behind the head, and tells the exchange when that is enough.
    func receiveAhead() {
        guard let room = makeRoomAhead() else { return }
        var limit = room.free
        if let rest = body.remainingLength { limit = Int(min(UInt64(limit), rest - min(rest, UInt64(bodyAhead)))) }
        guard limit > 0 else {
            bodyArrived()
            return
        }
        switch transport.receive(into: room, limit: limit) {
        case .bytes(_, let mayHaveMore):
            isReadable = mayHaveMore || peerClosed
            armBodyDeadline()
            if isBodyHere {
                bodyArrived()
            } else if isBodyTooSlow {
                refuse(.bodyTimeout)
            } else {
                waitAhead()
            }
        case .wouldBlock:
            isReadable = false
            waitAhead()
        case .closed:
            isReadable = false
            peerClosed = true
            // The request is incomplete and can never be completed (RFC 9112 section 8).
            end(.clientGone)
        case .cut, .failed:
            end(.clientGone)
        }
    }

    /// A block with room behind the head; nil when there is none, and the connection has ended for that.
    private func makeRoomAhead() -> Block? {
        guard let block = input else { return nil }
        if !isPooled(block) {
            replaceInput(by: (block.count < loop.smallBlocks.blockSize ? loop.smallBlocks : loop.largeBlocks).take())
        } else if block.free == 0, !makeRoom() {
            return nil
        }
        return input
    }

    /// What is here holds no more memory than it has bytes while it waits for more.
    private func waitAhead() { if hasLargeHead, !isReadable { loop.schedule(self) } }

    private func bodyArrived() {
        awaitsBody = false
        loop.clearDeadline(self)
        exchange?.requestBodyArrived()
    }
}
