// SPDX-License-Identifier: Apache-2.0
// The way of a body from the connection or the cache to whoever asked: decoded where that was wished, and never more of it
// than one can have meant.

import Bytes
import ContentCoding
import Engine

/// Passes a body on. Belongs to one thread.
final class ContentDecoder {
    private let decoder: GzipDecoder?
    private let output = Block(capacity: 64 << 10)
    private var hasEnded = false
    private var guarded: BombGuard
    private let listener: TransferListener
    /// Bytes passed on.
    private(set) var delivered: UInt64 = 0

    /// - Parameters:
    ///   - coding: The value of Content-Encoding when it is to be undone; nil when not.
    ///   - limit: Bytes that may be passed on; nil for no limit of the user's.
    init(coding: String?, limit: UInt64?, listener: TransferListener) throws(ClientFailure) {
        self.listener = listener
        guarded = BombGuard(limit: limit)
        switch coding?.lowercased() {
        case nil, "", "identity": decoder = nil
        case "gzip", "x-gzip": decoder = GzipDecoder()
        case let other:
            throw ClientFailure(
                61,
                "the server sent the content coding \"\(Escaping.visible(other ?? ""))\", which was not asked for; without --compressed it is left as it is"
            )
        }
    }

    /// A piece as it came.
    func take(_ bytes: Span<UInt8>) throws(ClientFailure) {
        guard let decoder else {
            try pass(bytes, came: bytes.count)
            return
        }
        let output = output
        var offset = 0
        while true {
            if hasEnded {
                // Behind the end nothing may come: somebody would see it and somebody else not.
                guard offset == bytes.count else { throw Self.damaged }
                return
            }
            let step = decoder.decode(bytes.extracting(offset...), into: output)
            offset += step.consumed
            if step.state == .damaged || step.state == .tooLong { throw Self.damaged }
            if step.state == .ended { hasEnded = true }
            try pass(output.readable, came: step.consumed)
            output.clear()
            if step.state == .needsInput, offset == bytes.count { return }
        }
    }

    /// Nothing more comes.
    func finish() throws(ClientFailure) {
        if decoder != nil, !hasEnded { throw Self.damaged }
    }

    private static let damaged = ClientFailure(61, "the server's gzip is damaged or cut short")

    private func pass(_ bytes: Span<UInt8>, came: Int) throws(ClientFailure) {
        try guarded.count(came: came, passed: bytes.count)
        guard bytes.count > 0 else { return }
        delivered += UInt64(bytes.count)
        try listener.body(bytes)
    }
}

/// Notices a body that is far larger than what came for it. Pure.
struct BombGuard {
    /// Below so many bytes anything may be: 64 MiB.
    static let harmless: UInt64 = 64 << 20
    /// A body that gzip made so many times smaller was made to be that.
    static let ratio: UInt64 = 200
    private let limit: UInt64?
    private var came: UInt64 = 0
    private var passed: UInt64 = 0

    init(limit: UInt64?) { self.limit = limit }

    mutating func count(came: Int, passed: Int) throws(ClientFailure) {
        self.came += UInt64(came)
        self.passed += UInt64(passed)
        if let limit {
            guard self.passed > limit else { return }
            throw ClientFailure(63, "the body is longer than the \(limit) bytes that --max-filesize allows")
        }
        guard self.passed > Self.harmless, self.passed / Self.ratio > self.came else { return }
        throw ClientFailure(
            63,
            "\(self.came) bytes of gzip have become \(self.passed): this looks like a gzip bomb; --max-filesize BYTES allows as many as you want"
        )
    }
}
