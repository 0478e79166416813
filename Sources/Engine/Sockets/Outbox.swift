// SPDX-License-Identifier: Apache-2.0
// What a connection still has to send. In the common case a head and a small body are appended to one block, one `send`
// takes it all, and the block goes back to the loop: between events a healthy connection holds nothing here.
//
// A large piece of a body is not copied: it goes out together with what is staged before it, in one call, straight from
// where it was received. Only what the kernel does not take is copied, and from then on `isBlocked` asks the sender to
// wait: that is the whole of back-pressure, and why the memory of an exchange does not depend on its body's size.

public import Bytes

/// A queue of bytes for one socket. Belongs to one loop.
public struct Outbox: ~Copyable {
    /// What became of sending.
    public enum Outcome: Equatable, Sendable {
        /// The kernel has everything.
        case sent
        /// The kernel took less; the rest is kept, and the socket will be reported writable.
        case blocked
        /// The connection is broken: the `errno`.
        case failed(Int32)
    }

    private let loop: Loop
    private var blocks: ContiguousArray<Block> = []
    /// Whether the kernel has refused bytes since it last took all there were.
    public private(set) var isBlocked = false
    /// Bytes handed to the kernel so far.
    public private(set) var sentBytes: UInt64 = 0

    /// Pieces larger than this are sent from where they are rather than copied behind what is staged.
    private static let copyLimit = 4096

    /// An empty queue that takes its blocks from `loop`.
    public init(on loop: Loop) { self.loop = loop }

    /// Whether nothing waits to be sent.
    public var isEmpty: Bool { blocks.isEmpty }
    /// The block to append to, with room for `room` bytes (at most 64 KiB).
    public mutating func block(room: Int) -> Block {
        if let last = blocks.last, last.free >= room { return last }
        let pool = room <= loop.smallBlocks.blockSize ? loop.smallBlocks : loop.largeBlocks
        let block = pool.take()
        blocks.append(block)
        return block
    }

    /// Appends a copy of `bytes`.
    public mutating func append(_ bytes: Span<UInt8>) {
        var rest = bytes
        if let last = blocks.last, last.free > 0 {
            let fits = last.appendPrefix(rest)
            rest = rest.extracting(fits..<rest.count)
        }
        while rest.count > 0 {
            let fits = block(room: min(rest.count, loop.largeBlocks.blockSize)).appendPrefix(rest)
            rest = rest.extracting(fits..<rest.count)
        }
    }

    /// Appends a literal.
    public mutating func append(_ text: StaticString) { block(room: text.utf8CodeUnitCount).append(text) }

    /// Sends `bytes` and then `tail` behind what is staged: small ones are only staged, for the next `flush`; large ones go
    /// out at once without being copied.
    public mutating func send(_ bytes: Span<UInt8>, tail: StaticString = "", to transport: Transport) -> Outcome {
        if isBlocked || bytes.count <= Self.copyLimit || blocks.count > 1 {
            append(bytes)
            if tail.utf8CodeUnitCount > 0 { append(tail) }
            return isBlocked ? .blocked : bytes.count <= Self.copyLimit ? .sent : flush(to: transport)
        }
        if let layer = transport.layer { return send(bytes, tail: tail, through: layer) }
        let fd = transport.fd
        let staged = blocks.first?.count ?? 0
        let outcome: IOOutcome
        if let first = blocks.first {
            outcome = Sockets.send(fd, first.readable, bytes, tail.span)
        } else if tail.utf8CodeUnitCount > 0 {
            outcome = Sockets.send(fd, Span(), bytes, tail.span)
        } else {
            outcome = Sockets.send(fd, bytes)
        }
        var taken = 0
        switch outcome {
        case .bytes(let count): taken = count
        case .wouldBlock: taken = 0
        case .closed: return .failed(0)
        case .failed(let code): return .failed(code)
        }
        sentBytes &+= UInt64(taken)
        if taken >= staged {
            releaseAll()
            taken -= staged
        } else {
            blocks.first?.consume(taken)
            taken = 0
        }
        if taken < bytes.count {
            append(bytes.extracting(taken..<bytes.count))
            append(tail)
        } else if taken < bytes.count + tail.utf8CodeUnitCount {
            append(tail.span.extracting((taken - bytes.count)...))
        }
        isBlocked = !blocks.isEmpty
        return isBlocked ? .blocked : .sent
    }

    /// Sends what is staged. When it is `ending`, nothing more will come, and a layer's farewell goes out with it.
    public mutating func flush(to transport: Transport, ending: Bool = false) -> Outcome {
        if let layer = transport.layer { return flush(through: layer, ending: ending) }
        let fd = transport.fd
        while let first = blocks.first {
            let offered: Int
            let outcome: IOOutcome
            if blocks.count == 1 {
                offered = first.count
                outcome = Sockets.send(fd, first.readable)
            } else {
                let second = blocks[1]
                offered = first.count + second.count
                outcome = Sockets.send(fd, first.readable, second.readable, Span())
            }
            switch outcome {
            case .bytes(let taken):
                sentBytes &+= UInt64(taken)
                drop(taken)
                if taken < offered {
                    isBlocked = true
                    return .blocked
                }
            case .wouldBlock:
                isBlocked = true
                return .blocked
            case .closed: return .failed(0)
            case .failed(let code): return .failed(code)
            }
        }
        isBlocked = false
        return .sent
    }

    /// Counts bytes that went to the socket past this queue, which must be empty. When the kernel `isFull`, the socket will be
    /// reported writable, and `flush` then says that it is free again.
    public mutating func sentPast(_ count: Int, isFull: Bool) {
        precondition(blocks.isEmpty, "nothing goes past what waits")
        sentBytes &+= UInt64(count)
        isBlocked = isFull
    }

    // MARK: Through a layer

    /// Fills what is staged up to a whole record with the first of `bytes`, hands over whole records from where they are, and
    /// stages the rest: so a head, a chunk's size and its end share a record with the body, and records are full.
    private mutating func send(_ bytes: Span<UInt8>, tail: StaticString, through layer: TransportLayer) -> Outcome {
        var rest = bytes
        if let first = blocks.first {
            let room = max(0, Self.recordLimit - first.count)
            let fits = first.appendPrefix(rest.extracting(first: room))
            rest = rest.extracting(fits..<rest.count)
            if first.count >= Self.recordLimit || rest.count > 0 {
                let outcome = flush(through: layer, isLast: false)
                guard outcome == .sent else {
                    stage(rest, tail)
                    return outcome
                }
            }
        }
        let whole = rest.count - rest.count % Self.recordLimit
        if whole > 0 {
            let before = layer.sentBytes
            defer { sentBytes &+= layer.sentBytes &- before }
            switch layer.take(rest.extracting(0..<whole)) {
            case .bytes(let count):
                rest = rest.extracting(count..<rest.count)
                if count < whole { isBlocked = true }
            case .failed(let code): return .failed(code)
            }
        }
        stage(rest, tail)
        return isBlocked ? .blocked : .sent
    }

    private mutating func stage(_ bytes: Span<UInt8>, _ tail: StaticString) {
        append(bytes)
        if tail.utf8CodeUnitCount > 0 { append(tail) }
    }

    /// Hands over what is staged. Unless `isLast`, what the layer has made of it may wait there for more.
    private mutating func flush(
        through layer: TransportLayer, isLast: Bool = true, ending: Bool = false
    ) -> Outcome {
        let before = layer.sentBytes
        defer { sentBytes &+= layer.sentBytes &- before }
        if isBlocked {
            // Nothing is taken before the kernel has what was taken earlier.
            let outcome = layer.flush()
            guard outcome == .sent else { return outcome }
        }
        while let first = blocks.first {
            switch layer.take(first.readable) {
            case .bytes(let count):
                let isWhole = count == first.count
                drop(count)
                if !isWhole {
                    isBlocked = true
                    return .blocked
                }
            case .failed(let code): return .failed(code)
            }
        }
        if ending { layer.takeFarewell() }
        let outcome = isLast ? layer.flush() : .sent
        isBlocked = outcome == .blocked
        return outcome
    }

    /// Plaintext that fits a record (RFC 8446 section 5.1).
    private static let recordLimit = 16 << 10

    private mutating func drop(_ count: Int) {
        var rest = count
        while let first = blocks.first {
            if first.count > rest {
                if rest > 0 { first.consume(rest) }
                return
            }
            rest -= first.count
            loop.giveBack(blocks.removeFirst())
        }
    }

    /// Drops what waits to be sent and gives the blocks back.
    public mutating func releaseAll() {
        for block in blocks { loop.giveBack(block) }
        blocks.removeAll(keepingCapacity: true)
        isBlocked = false
    }
}
