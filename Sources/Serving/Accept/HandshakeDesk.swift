// SPDX-License-Identifier: Apache-2.0
import CLinux
import Dispatch
public import Engine
import Glibc
public import TLS

/// Where the TLS handshakes of one loop begin, and what keeps them from taking the loop for themselves.
///
/// A handshake costs a private-key operation: 0.1 ms with ECDSA, 1 ms with RSA. So within one batch of events only
/// `turn` is spent on them; those that come later wait for the next batch, and connections that have work have it done in
/// between.
public final class HandshakeDesk {
    let tls: ServerTLS
    private let loop: Loop
    private let inProgress: ConnectionBudget
    let timeout: Int
    /// The batch in which `spent` was counted, by its time.
    private var batch: UInt64 = 0
    private var spent: UInt64 = 0
    /// Handshakes of this loop, now and at most since the last flood.
    private var count = 0
    private var highest = 0

    /// So many handshakes at once on one loop are a flood.
    private static let flood = 256
    /// Nanoseconds of a batch that handshakes may take.
    private static let turn: UInt64 = 2_000_000

    /// A desk for one loop.
    ///
    /// - Parameters:
    ///   - tls: Certificates and policy.
    ///   - inProgress: Counts the handshakes of all loops.
    ///   - timeout: For a whole handshake, in milliseconds.
    public init(_ tls: ServerTLS, on loop: Loop, inProgress: ConnectionBudget, timeout: Int) {
        self.tls = tls
        self.loop = loop
        self.inProgress = inProgress
        self.timeout = timeout
    }

    /// Begins a handshake with a connection that has been accepted. Beyond the limit it is closed.
    func begin(_ descriptor: consuming Descriptor, place: Place, service: Service) {
        guard inProgress.take() != nil else {
            place.give()
            return
        }
        count += 1
        highest = max(highest, count)
        guard
            let session = tls.makeSession(
                fd: descriptor.number, smallBlocks: loop.smallBlocks, largeBlocks: loop.largeBlocks)
        else {
            ended()
            place.give()
            return
        }
        let handshake = Handshake(descriptor, session, place: place, desk: self, service: service)
        handshake.start()
    }

    /// A handshake is over, whatever came of it.
    ///
    /// OpenSSL takes some 40 KB for each while it lasts, and the allocator keeps what is freed in between other things: after
    /// a flood it is asked to give that back, once.
    func ended() {
        inProgress.give()
        count -= 1
        guard highest >= Self.flood, count <= highest / 8 else { return }
        highest = 0
        DispatchQueue.global(qos: .utility).async { gw_return_memory() }
    }

    /// Whether there is time left for a step in this batch.
    var hasTime: Bool {
        if batch != loop.nanoseconds {
            batch = loop.nanoseconds
            spent = 0
        }
        return spent < Self.turn
    }

    /// Counts what a step took.
    func spend(_ nanoseconds: UInt64) { spent &+= nanoseconds }
}
