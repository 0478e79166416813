// SPDX-License-Identifier: Apache-2.0
// How many places each client has at a server, without a lock and without an entry for each client: a count-min sketch
// (Cormode and Muthukrishnan: "An Improved Data Stream Summary", 2005). Each client counts in one cell of each of two rows;
// the smaller of the two is what it has, and perhaps more, never less. That another client with many places counts in both of
// one's cells has a chance of one in a million.

import Bytes
public import Engine
import Synchronization

/// Who asks for a place: a client's cells in every `ClientCounts` of the process.
public struct Claimant: Sendable, Equatable {
    let first: UInt16
    let second: UInt16

    /// The client with this address; IPv6 clients are one by their /64.
    public init(_ client: SocketAddress) { self.init(network: client.clientNetwork) }

    /// The client that `SocketAddress.clientNetwork` stands for.
    init(network: UInt64) {
        let hash = Self.key.hash(word: network).low
        first = UInt16(truncatingIfNeeded: hash) & ClientCounts.mask
        second = UInt16(truncatingIfNeeded: hash >> 32) & ClientCounts.mask
    }

    /// Secret, so that nobody can choose addresses that count in another's cells.
    private static let key: HashKey = {
        var generator = SystemRandomNumberGenerator()
        return HashKey(generator.next(), generator.next())
    }()

    /// One number for each pair of cells.
    var lane: UInt32 { UInt32(first) << 16 | UInt32(second) }
}

/// The places of all clients at one server. Shared by the loops.
///
/// `@unchecked Sendable` is safe because what `cells` points to is only used through atomics, and lives as long as the object.
///
/// `@safe` because every index into the memory is reduced by the number of cells.
@safe final class ClientCounts: @unchecked Sendable {
    /// Cells of a row: a power of 2.
    static let size = 1 << 10
    static let mask = UInt16(size - 1)

    private let cells: UnsafeMutablePointer<Atomic<Int32>>

    init() {
        unsafe cells = .allocate(capacity: 2 * Self.size)
        for index in 0..<2 * Self.size { unsafe (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe cells.deinitialize(count: 2 * Self.size)
        unsafe cells.deallocate()
    }

    /// The client has one more.
    func take(_ client: Claimant) { add(1, client) }

    /// The client has one less.
    func give(_ client: Claimant) { add(-1, client) }

    /// What the client has at most.
    func held(by client: Claimant) -> Int {
        unsafe Int(
            min(
                cells[Int(client.first)].load(ordering: .relaxed),
                cells[Self.size + Int(client.second)].load(ordering: .relaxed)))
    }

    private func add(_ change: Int32, _ client: Claimant) {
        // As many places as fit a server's limit, so it does not overflow.
        unsafe cells[Int(client.first)].wrappingAdd(change, ordering: .relaxed)
        unsafe cells[Self.size + Int(client.second)].wrappingAdd(change, ordering: .relaxed)
    }
}
