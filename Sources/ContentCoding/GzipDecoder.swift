// SPDX-License-Identifier: Apache-2.0
// A body out of gzip (RFC 1952), a piece at a time. Its memory, about 40 KB, does not depend on what comes; how long a body may
// become is for the caller to say, since a thousand zeros need but one byte.

public import Bytes
internal import CZlib

/// Decompresses one body after the other. Belongs to one loop.
///
/// `@safe` because it owns the `z_stream`, and lends zlib pointers for the length of a call only.
@safe public final class GzipDecoder {
    /// At a fixed address, which zlib remembers.
    private let stream: UnsafeMutablePointer<z_stream>
    /// Bytes of the body that may still come.
    private var left = UInt64.max
    private var last: CodingStep.State?

    /// One that is ready for its first body, of any length.
    public init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let code = unsafe gw_inflate_init(stream, GzipEncoder.windowBits)
        precondition(code == Z_OK, "no memory for a decompressor")
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Makes it ready for another body, whatever became of the last.
    ///
    /// - Parameters:
    ///   - limit: Bytes that the decoded body may have; beyond, the step is `tooLong`.
    ///   - fromRestart: Whether what comes begins where the encoder was told `restart`, not with the head of gzip. Then the checksum
    ///     at its end is not looked at, since it is of the whole.
    public func reset(limit: UInt64 = .max, fromRestart: Bool = false) {
        unsafe inflateReset2(stream, fromRestart ? -GzipEncoder.window : GzipEncoder.windowBits)
        left = limit
        last = nil
    }

    /// Decodes as much of `input` as there is room for, and appends what comes of it to `output`. Called again with the rest of
    /// the input, be it empty, as long as it says `outputFull`. What follows the end of the body is not consumed.
    public func decode(_ input: Span<UInt8>, into output: Block) -> CodingStep {
        if let last { return CodingStep(last) }
        // At the limit one byte of room tells whether more would come.
        var beyond: UInt8 = 0
        let isAtLimit = left == 0
        let count = uInt(clamping: input.count)
        unsafe stream.pointee.avail_in = count
        let stream = unsafe stream
        let left = left
        // The pointers are used within the closures only.
        let (written, code) = unsafe input.withUnsafeBufferPointer { source -> (Int, Int32) in
            unsafe stream.pointee.next_in = unsafe UnsafeMutablePointer(mutating: source.baseAddress)
            guard !isAtLimit else {
                return unsafe withUnsafeMutablePointer(to: &beyond) { unsafe Self.inflate(stream, $0, 1) }
            }
            return unsafe output.fill { room in
                let target = unsafe room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                let outcome = unsafe Self.inflate(stream, target, uInt(clamping: min(UInt64(room.count), left)))
                return (outcome.written, outcome)
            }
        }
        let consumed = unsafe Int(count - stream.pointee.avail_in)
        unsafe stream.pointee.next_in = nil
        if isAtLimit, written > 0 {
            last = .tooLong
            return CodingStep(.tooLong, consumed: consumed)
        }
        self.left = left &- UInt64(isAtLimit ? 0 : written)
        switch code {
        case Z_STREAM_END:
            last = .ended
            return CodingStep(.ended, consumed: consumed)
        case Z_OK, Z_BUF_ERROR:
            let isFull = unsafe stream.pointee.avail_out == 0 || consumed < input.count
            return CodingStep(isFull ? .outputFull : .needsInput, consumed: consumed)
        default:
            last = .damaged
            return CodingStep(.damaged, consumed: consumed)
        }
    }

    private static func inflate(
        _ stream: UnsafeMutablePointer<z_stream>, _ target: UnsafeMutablePointer<UInt8>?, _ room: uInt
    ) -> (written: Int, code: Int32) {
        unsafe stream.pointee.next_out = unsafe target
        unsafe stream.pointee.avail_out = room
        let code = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
        unsafe stream.pointee.next_out = nil
        return unsafe (Int(room - stream.pointee.avail_out), code)
    }
}
