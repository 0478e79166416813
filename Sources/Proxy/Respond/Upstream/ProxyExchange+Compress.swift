// SPDX-License-Identifier: Apache-2.0
// Responses that are not stored, compressed on their way to the client. An encoder holds bytes back; what came is flushed
// whenever the upstream server pauses, so that a log or a feed that trickles in is not held up.

import Bytes
import ContentCoding
import Engine
import HTTP
import Serving
import Upstream

/// The compressing of one response.
struct Compression {
    let encoder: GzipEncoder
    /// Whether the encoder may hold bytes that the client has not been sent.
    var holdsBytes = false
    /// What may still be encoded in this turn of the loop.
    var budget = CodingTurn.compressedBytes
}

extension ProxyExchange {
    /// What is done to the content of this response, which is not stored. An encoder is there when it is to be compressed.
    func chooseForm(for connection: UpstreamConnection) -> ContentForm {
        // Who asked for a part, or repairs a copy, means the bytes that the upstream server's validators are about.
        guard compresses, head.version == .http11, head.fields.first(.range) == nil,
            Compressible.decide(connection.head, connection.headBytes), mayCompress(connection)
        else { return .asItCame }
        guard prefersGzip else { return .identity }
        // The head of what a GET would get.
        if head.method == .head { return .gzip }
        guard let encoder = service.codings.takeEncoder(worthwhileFor: connection.firstContent) else {
            return .identity
        }
        compression = Compression(encoder: encoder)
        return .gzip
    }

    /// A piece of the body, for an encoder.
    func deliverCompressed(_ bytes: Span<UInt8>) {
        compression?.budget -= bytes.count
        compression?.holdsBytes = true
        compress(bytes, .more)
        guard let connection, let stream, let left = compression else { return }
        if stream.isBlocked {
            connection.pauseReading()
        } else if left.budget <= 0 {
            connection.pauseReading()
            awaitCodingTurn()
        }
    }

    /// The upstream server pauses: the client gets all that came.
    func flushCompressed() {
        guard let compression, compression.holdsBytes, let stream, !stream.isBlocked else { return }
        self.compression?.holdsBytes = false
        compress(Span(), .pause)
    }

    /// The body is complete.
    func finishCompressed() {
        guard compression != nil else { return }
        compress(Span(), .end)
        endCompression()
    }

    private func compress(_ bytes: Span<UInt8>, _ following: GzipEncoder.Following) {
        guard let encoder = compression?.encoder else { return }
        let block = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(block) }
        var offset = 0
        while let stream, compression != nil {
            block.clear()
            let step = encoder.encode(bytes.extracting(offset...), following, into: block)
            offset += step.consumed
            if !block.isEmpty { stream.send(block.readable) }
            guard step.state == .outputFull else { return }
        }
    }

    /// The loop has served others: reads on, unless the client is what is waited for.
    func compressionTurnCame() {
        guard compression != nil else { return }
        compression?.budget = CodingTurn.compressedBytes
        guard let stream, !stream.isBlocked else { return }
        connection?.resumeReading()
    }

    /// Gives the encoder back. Whatever becomes of the exchange, this is called.
    func endCompression() {
        guard let ended = compression else { return }
        compression = nil
        service.codings.give(ended.encoder)
    }
}
