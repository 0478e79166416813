// SPDX-License-Identifier: Apache-2.0
// A body into gzip (RFC 1952), a piece at a time: zlib's deflate with its memory. What it needs, about 270 KB, is allocated once;
// `reset` makes it ready for the next body, which is why encoders are kept in a `CodingPool`.

public import Bytes
internal import CZlib

/// Compresses one body after the other. Belongs to one loop.
///
/// `@safe` because it owns the `z_stream`, and lends zlib pointers for the length of a call only.
@safe public final class GzipEncoder {
    /// Of 1 to 9: what JSON and HTML gain beyond costs more time than it saves bytes (docs/measurements.md).
    static let level: Int32 = 5
    /// A window of 32 KiB,
    static let window: Int32 = 15
    /// and 16 for the framing of gzip.
    static let windowBits: Int32 = window + 16
    /// 128 KiB for the tables.
    static let memoryLevel: Int32 = 8
    /// Bytes that must be free in the output block of a flush, as deflate asks for; else the block counts as full.
    public static let flushRoom = 16

    /// What comes after the input of a call.
    public enum Following: Sendable {
        /// More input; bytes may be held back for it.
        case more
        /// More input, but nobody knows when: all that came so far is written, so that the other end can decode it.
        case pause
        /// More input. All that came so far is written, and what comes refers to nothing of it, so decoding can begin here.
        case restart
        /// Nothing: the body is complete.
        case end
    }

    /// At a fixed address, which zlib remembers.
    private let stream: UnsafeMutablePointer<z_stream>

    /// One that is ready for its first body.
    public init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let code = unsafe gw_deflate_init(stream, Self.level, Self.windowBits, Self.memoryLevel)
        precondition(code == Z_OK, "no memory for a compressor")
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Makes it ready for another body, whatever became of the last.
    public func reset() { unsafe deflateReset(stream) }

    /// Encodes as much of `input` as there is room for, and appends what comes of it to `output`. Called again with the rest of
    /// the input and the same `following` until it says `needsInput`, or `ended` after `.end`.
    public func encode(_ input: Span<UInt8>, _ following: Following, into output: Block) -> CodingStep {
        let flush: Int32
        switch following {
        case .more: flush = Z_NO_FLUSH
        case .pause, .restart:
            // With less room deflate would write the mark of a flush again and again.
            guard output.free >= Self.flushRoom else { return CodingStep(.outputFull) }
            flush = following == .pause ? Z_SYNC_FLUSH : Z_FULL_FLUSH
        case .end: flush = Z_FINISH
        }
        let stream = unsafe stream
        let count = uInt(clamping: input.count)
        // The pointers are used within the two closures only.
        let code = unsafe input.withUnsafeBufferPointer { source in
            unsafe output.fill { room in
                let available = uInt(clamping: room.count)
                unsafe stream.pointee.next_in = unsafe UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.pointee.avail_in = count
                unsafe stream.pointee.next_out = unsafe room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                unsafe stream.pointee.avail_out = available
                let code = unsafe deflate(stream, flush)
                return unsafe (Int(available - stream.pointee.avail_out), code)
            }
        }
        let consumed = unsafe Int(count - stream.pointee.avail_in)
        unsafe stream.pointee.next_in = nil
        switch code {
        case Z_STREAM_END: return CodingStep(.ended, consumed: consumed)
        // Z_BUF_ERROR: there was nothing to do, or no room to do it.
        case Z_OK, Z_BUF_ERROR:
            let isFull = unsafe stream.pointee.avail_out == 0 || consumed < input.count || following == .end
            return CodingStep(isFull ? .outputFull : .needsInput, consumed: consumed)
        default: return CodingStep(.damaged, consumed: consumed)
        }
    }
}
