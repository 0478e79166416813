// SPDX-License-Identifier: Apache-2.0

import Bytes

/// Encoders and decoders, kept for use again, because each allocates much memory once. Belongs to one loop.
///
/// An exchange or a download has one at most. Decoders are as many as connections that need one, and each takes less than the
/// blocks that such a connection holds; encoders take more, so there is a limit to them.
public final class CodingPool {
    /// Encoders in use at a time, at most: 70 MB. Without one a body goes on as it is.
    public static let encoderLimit = 256
    /// Spare ones of each kind that are kept.
    public static let spareLimit = 16

    /// Bytes of a sample at least: in less, text finds little to repeat.
    public static let smallestSample = 512
    /// Bytes of a sample that are looked at, at most: a quarter of a millisecond.
    public static let largestSample = 8 << 10

    private lazy var scratch = Block(capacity: Self.largestSample + 1024)
    private var encoders: ContiguousArray<GzipEncoder> = []
    private var decoders: ContiguousArray<GzipDecoder> = []
    /// Encoders that are lent out now.
    public private(set) var encodersInUse = 0

    /// An empty pool.
    public init() {}

    /// An encoder that is ready for a body, to be given back; nil when too many are in use.
    public func takeEncoder() -> GzipEncoder? {
        guard encodersInUse < Self.encoderLimit else { return nil }
        encodersInUse += 1
        return encoders.popLast() ?? GzipEncoder()
    }

    /// An encoder that is ready for a body which begins with `sample`; nil when too many are in use, or when the sample does not
    /// become an eighth smaller: then the content is coded already, or encrypted, whatever its type says. A sample of less
    /// than `smallestSample` bytes proves nothing.
    public func takeEncoder(worthwhileFor sample: Span<UInt8>) -> GzipEncoder? {
        guard let encoder = takeEncoder() else { return nil }
        guard sample.count >= Self.smallestSample else { return encoder }
        let size = min(sample.count, Self.largestSample)
        scratch.clear()
        _ = encoder.encode(sample.extracting(0..<size), .pause, into: scratch)
        encoder.reset()
        if scratch.count <= size - size / 8 { return encoder }
        give(encoder)
        return nil
    }

    /// Takes an encoder back.
    public func give(_ encoder: GzipEncoder) {
        encodersInUse -= 1
        guard encoders.count < Self.spareLimit else { return }
        encoder.reset()
        encoders.append(encoder)
    }

    /// A decoder that is ready for a body of at most `limit` bytes, to be given back; or for one from a place at which the encoder was
    /// told `restart`.
    public func takeDecoder(limit: UInt64 = .max, fromRestart: Bool = false) -> GzipDecoder {
        let decoder = decoders.popLast() ?? GzipDecoder()
        decoder.reset(limit: limit, fromRestart: fromRestart)
        return decoder
    }

    /// Takes a decoder back.
    public func give(_ decoder: GzipDecoder) {
        if decoders.count < Self.spareLimit { decoders.append(decoder) }
    }
}
