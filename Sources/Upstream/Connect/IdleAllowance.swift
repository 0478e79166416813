// SPDX-License-Identifier: Apache-2.0

/// How long connections to a server may idle, learned from what it does: pure. A server that closes idle connections sooner
/// than the settings expect, and does not say so in `Keep-Alive`, would now and then close one just as a request is sent.
struct IdleAllowance: Sendable, Equatable {
    /// What is always allowed, in milliseconds: a server that closes at random must not end all reuse.
    static let floor = 250
    /// For how long after the last such close it counts, in milliseconds: a restart closes connections too, and is over then.
    static let memory: UInt64 = 60_000

    /// Milliseconds, if it counts.
    var milliseconds = Int.max
    /// When the server closed an idle connection last (monotonic milliseconds), or 0.
    var closed: UInt64 = 0

    /// How long a connection may idle now.
    func limit(at now: UInt64) -> Int { closed > 0 && now < closed + Self.memory ? milliseconds : .max }

    /// The server closed a connection that had idled so long: others shall end before that.
    mutating func closedIdle(after idled: Int, at now: UInt64) {
        milliseconds = min(limit(at: now), max(Self.floor, idled / 4 * 3))
        closed = max(1, now)
    }
}
