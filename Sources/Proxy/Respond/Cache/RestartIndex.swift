// SPDX-License-Identifier: Apache-2.0
// Stored gzip is inflated from its start, unless it has places to begin at: every 256 KiB of the identity form the encoder forgets
// what came before (a full flush), and where that is in the stored form is written behind it. So a range costs what it delivers
// and 256 KiB at most. The stored form becomes a hundredth larger by it (docs/measurements.md). Pure.

import Bytes

/// The places of stored gzip at which inflating can begin.
struct RestartIndex {
    /// Bytes of the identity form from one to the next.
    static let interval: UInt64 = 256 << 10
    /// How many there are at most: 16 GiB of the identity form. Of what is longer, parts are not sent.
    static let limit = 65_536
    /// A place takes a word, which does not lie in two chunks of a file.
    private static let entryBytes = MemoryLayout<UInt64>.size

    /// Bytes of the stored form before each.
    private(set) var places: ContiguousArray<UInt64> = []

    /// How many bytes of the identity form may follow `received` before there is to be a place.
    static func bytesLeft(after received: UInt64) -> Int { Int(interval - received % interval) }

    /// Inflating can begin behind so many bytes of the stored form.
    mutating func add(_ place: UInt64) { if places.count < Self.limit { places.append(place) } }

    /// How many places a body of that length in its identity form has.
    static func count(_ identityLength: UInt64) -> Int { Int(min(UInt64(limit), identityLength / interval)) }

    /// Bytes between the gzip, of that length, and the first entry.
    static func padding(behind length: Int) -> Int { -length & (entryBytes - 1) }

    /// Bytes of all entries.
    static func length(_ identityLength: UInt64) -> Int { count(identityLength) * entryBytes }

    /// What is written behind gzip of that length; nothing when there are no places.
    func image(behind length: Int) -> [UInt8] {
        guard !places.isEmpty else { return [] }
        var image = [UInt8](repeating: 0, count: Self.padding(behind: length))
        image.reserveCapacity(image.count + places.count * Self.entryBytes)
        for place in places {
            for shift in 0..<UInt64(Self.entryBytes) { image.append(UInt8(truncatingIfNeeded: place >> (8 * shift))) }
        }
        return image
    }

    /// The entry at `offset`: bytes of the stored form. Beyond all when there is none.
    static func place(in body: Span<UInt8>, at offset: Int) -> UInt64 {
        guard offset >= 0, offset <= body.count - entryBytes else { return .max }
        return (0..<entryBytes).reduce(0) { $0 | UInt64(body[offset + $1]) << UInt64(8 * $1) }
    }

    /// Where to begin for a byte of the identity form.
    struct Start: Equatable {
        /// Bytes of the identity form before it.
        let identity: UInt64
        /// Where its entry is in the stored body.
        let entry: Int
    }

    /// The last place before a byte of the identity form; nil when that is the start. `first`: where the first entry is.
    static func start(for offset: UInt64, of identityLength: UInt64, first: Int) -> Start? {
        let number = min(UInt64(count(identityLength)), offset / interval)
        guard number > 0 else { return nil }
        return Start(identity: number * interval, entry: first + Int(number - 1) * entryBytes)
    }
}
