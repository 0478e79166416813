// SPDX-License-Identifier: Apache-2.0
// How many connections each client has. Asked when a connection comes and when it goes, not for a request, so a lock for a
// part of the table is cheap enough; there are no more entries than connections.

import Bytes
import Engine
import Synchronization

/// Connections of each client, of all loops. IPv6 clients count by their /64.
public final class ClientConnections: Sendable {
    /// Connections of one client that are served; nil for any number.
    public let limit: Int?
    private let exempt: [(bytes: [UInt8], prefix: Int)]
    private let parts: [Part]

    private final class Part: Sendable {
        let counts = Lock<[UInt64: Int]>([:])
    }

    /// - Parameters:
    ///   - limit: At least 1, or nil for no limit.
    ///   - exempt: Blocks of addresses that may have any number: proxies, behind which there are many clients.
    public init(limit: Int? = nil, exempt: [(bytes: [UInt8], prefix: Int)] = []) {
        self.limit = limit
        self.exempt = exempt
        parts = (0..<64).map { _ in Part() }
    }

    /// What becomes of a connection.
    enum Admission: Equatable {
        /// It counts, and is served.
        case served
        /// It counts, but its first request is answered with 429, so that the client learns why.
        case crowded
        /// There are as many again of those: it is closed at once.
        case refused
        /// The client has its share of the places: it waits for one that becomes free.
        case beyondShare
        /// It does not count.
        case exempt
    }

    /// A single client comes to seven eighths of all places, however hard it tries, and whoever has none finds one in the last eighth.
    static let share = ClientShare(7, of: 8)

    /// Counts a connection of `peer`, for which one of `left` places is there.
    func take(_ peer: SocketAddress, left: Int) -> Admission {
        for block in exempt where peer.isIn(block.bytes, prefix: block.prefix) { return .exempt }
        let client = peer.clientNetwork
        return part(of: client).counts.withLock { counts in
            let count = counts[client, default: 0]
            if let limit, count >= limit, count - limit >= limit { return .refused }
            guard Self.share.allows(held: count, free: left) else { return .beyondShare }
            counts[client] = count + 1
            return count < limit ?? .max ? .served : .crowded
        }
    }

    /// Whether this client might have the last place that is free. True of those that have any number, since they are not counted.
    func mayHaveLast(_ client: UInt64) -> Bool {
        part(of: client).counts.withLock { Self.share.allows(held: $0[client, default: 0], free: 1) }
    }

    func give(_ peer: SocketAddress) {
        let client = peer.clientNetwork
        part(of: client).counts.withLock { counts in
            guard let count = counts[client] else { return }
            counts[client] = count > 1 ? count - 1 : nil
        }
    }

    /// Clients that have a connection.
    var clients: Int { parts.reduce(0) { $0 + $1.counts.withLock { $0.count } } }

    private func part(of client: UInt64) -> Part {
        // The top bits of a product with an odd constant: neighbours come to different parts.
        parts[Int((client &* 0x9E37_79B9_7F4A_7C15) >> 58)]
    }
}
