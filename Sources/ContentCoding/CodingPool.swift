// SPDX-License-Identifier: Apache-2.0

/// Encoders and decoders, kept for use again, because each allocates much memory once. Belongs to one loop.
///
/// An exchange or a download has one at most. Decoders are as many as connections that need one, and each takes less than the
/// blocks that such a connection holds; encoders take more, so there is a limit to them.
public final class CodingPool {
    /// Encoders in use at a time, at most: 70 MB. Without one a body goes on as it is.
    public static let encoderLimit = 256
    /// Spare ones of each kind that are kept.
    public static let spareLimit = 16

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

    /// Takes an encoder back.
    public func give(_ encoder: GzipEncoder) {
        encodersInUse -= 1
        guard encoders.count < Self.spareLimit else { return }
        encoder.reset()
        encoders.append(encoder)
    }

    /// A decoder that is ready for a body of at most `limit` bytes, to be given back.
    public func takeDecoder(limit: UInt64 = .max) -> GzipDecoder {
        let decoder = decoders.popLast() ?? GzipDecoder()
        decoder.reset(limit: limit)
        return decoder
    }

    /// Takes a decoder back.
    public func give(_ decoder: GzipDecoder) {
        if decoders.count < Self.spareLimit { decoders.append(decoder) }
    }
}
