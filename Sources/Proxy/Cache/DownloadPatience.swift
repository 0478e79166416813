// SPDX-License-Identifier: Apache-2.0

/// How long a download that is to be stored goes on when its client and all who joined it have left. It does, because the next
/// client is served from it; but no server may hold a connection, a file and room in the cache for nobody without end. Pure.
///
/// One whose length the server has said, which is within the largest that is stored, goes on as long as it makes progress; of
/// one of unknown length nobody can say that it ends, so after its last reader has left it gets as much more as a page takes.
/// One that never had a reader, since it only brings up to date what is stored, is for the next client in any case: the least
/// rate, ten minutes and the largest body that is stored bound it. Silence is the upstream connection's to bound.
struct DownloadPatience {
    /// Bytes that one of unknown length may still bring when those who read it have left.
    static let unknownBytes = 1 << 20
    /// What is progress: so many bytes in a second, on average since nobody reads.
    static let leastRate = 4096
    /// Milliseconds before that is asked for.
    static let grace: UInt64 = 10_000
    /// Milliseconds for which it goes on at most when nobody reads.
    static let longest: UInt64 = 600_000

    /// Whether the server has said how long it is.
    let isLengthKnown: Bool
    /// Whether somebody has read it, or asked for it to do so.
    private var wasRead: Bool
    /// Since when nobody reads it, in monotonic milliseconds, and how many bytes had come.
    private var unread: (since: UInt64, received: Int)?

    /// - Parameter isRefresh: Whether nobody waits for it. A client that leaves before the first byte counts as a reader: else it
    ///   could have servers send without end by asking and leaving.
    init(isLengthKnown: Bool, isRefresh: Bool) {
        self.isLengthKnown = isLengthKnown
        wasRead = !isRefresh
    }

    /// Whether it goes on. To be asked whenever something has come.
    ///
    /// - Parameters:
    ///   - received: Bytes of it that have come.
    ///   - isRead: Whether somebody reads it.
    ///   - now: Monotonic milliseconds.
    mutating func goesOn(received: Int, isRead: Bool, now: UInt64) -> Bool {
        guard !isRead else {
            unread = nil
            wasRead = true
            return true
        }
        guard let unread else {
            unread = (now, received)
            return true
        }
        let bytes = received - unread.received
        if !isLengthKnown, wasRead, bytes > Self.unknownBytes { return false }
        let time = now - min(now, unread.since)
        guard time < Self.longest else { return false }
        return time < Self.grace || UInt64(max(0, bytes)) >= time / 1000 * UInt64(Self.leastRate)
    }
}
