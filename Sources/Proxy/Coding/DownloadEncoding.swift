// SPDX-License-Identifier: Apache-2.0
// Compressing what is stored, once, on its way into the cache.

import Bytes
import CacheStore
import ContentCoding
import Engine
import Serving
import Upstream

/// The encoder of one download. A deadline of its own flushes what it holds back when the upstream server pauses: later than
/// for a response that is not stored, because what is flushed often is stored larger.
final class DownloadEncoding: CodingWork {
    /// Milliseconds for which those who read the download wait for a piece at most.
    private static let patience = 20

    private let encoder: GzipEncoder
    private let fill: Fill
    private let connection: UpstreamConnection
    private let leader: CacheReader
    private let service: ProxyService
    private var record: StoredRecord
    /// Bytes of the body in its identity form.
    private var received: UInt64 = 0
    /// Bytes of it as they are stored.
    private var stored = 0
    private var restarts = RestartIndex()
    /// What may still be encoded in this turn of the loop.
    private var budget = CodingTurn.compressedBytes
    private var holdsBytes = false
    private var isFlushing = false
    /// Whether the disk is behind.
    private var isBlocked = false
    /// Whether nobody reads it, and it is not stored either.
    private var isUnwanted = false
    private var isOver = false

    init(
        _ encoder: GzipEncoder, _ record: StoredRecord, into fill: Fill, from connection: UpstreamConnection,
        leader: CacheReader, _ service: ProxyService
    ) {
        self.encoder = encoder
        self.record = record
        self.fill = fill
        self.connection = connection
        self.leader = leader
        self.service = service
        super.init()
    }

    /// Stores a piece of the body. Blocked as well when others are to have their turn: then it reads on by itself.
    func append(_ bytes: Span<UInt8>) -> FillRoom {
        holdsBytes = true
        var rest = bytes
        while !rest.isEmpty {
            let room = RestartIndex.bytesLeft(after: received)
            let piece = rest.extracting(0..<min(room, rest.count))
            encode(piece, .more)
            received &+= UInt64(piece.count)
            rest = rest.extracting(piece.count...)
            guard piece.count == room else { break }
            encode(Span(), .restart)
            restarts.add(UInt64(stored))
        }
        budget -= bytes.count
        if isUnwanted { return .unwanted }
        if isBlocked { return .blocked }
        guard budget <= 0 else { return .room }
        service.coding.wait(self)
        return .blocked
    }

    /// Nothing more comes for now.
    func paused() {
        guard holdsBytes, !isFlushing, !isOver else { return }
        isFlushing = true
        if slot < 0 { service.loop.register(self) }
        service.loop.setDeadline(self, in: Self.patience)
    }

    override func deadlineReached() {
        isFlushing = false
        guard holdsBytes, !isOver else { return }
        holdsBytes = false
        encode(Span(), .pause)
        leader.fillProgressed()
    }

    /// Others have had their turn.
    override func resume() {
        budget = CodingTurn.compressedBytes
        if !isBlocked, !isOver { connection.resumeReading() }
    }

    /// The disk has caught up.
    func drained() {
        isBlocked = false
        connection.resumeReading()
    }

    /// The body is complete: now its length is known.
    func complete() {
        encode(Span(), .end)
        record.coding.identityLength = received
        record.coding.setIndex(behind: stored)
        fill.complete(record: record.packed, hiding: restarts.image(behind: stored))
        over()
    }

    /// Gives the encoder back.
    func over() {
        guard !isOver else { return }
        isOver = true
        if slot >= 0 { service.loop.unregister(self) }
        service.codings.give(encoder)
    }

    private func encode(_ bytes: Span<UInt8>, _ following: GzipEncoder.Following) {
        let block = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(block) }
        var offset = 0
        while true {
            block.clear()
            let step = encoder.encode(bytes.extracting(offset...), following, into: block)
            offset += step.consumed
            if !block.isEmpty {
                stored += block.count
                switch fill.append(block.readable) {
                case .room: break
                case .blocked: isBlocked = true
                case .unwanted: isUnwanted = true
                }
            }
            guard step.state == .outputFull else { return }
        }
    }
}
