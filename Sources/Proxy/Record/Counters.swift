// SPDX-License-Identifier: Apache-2.0
public import Synchronization

/// What one loop has counted. Written by its loop only, read by anybody.
public final class Counters: Sendable {
    /// Exchanges that have ended.
    public let requests = Atomic<Int>(0)
    /// Requests refused for their bytes, their size or their pace.
    public let refused = Atomic<Int>(0)
    /// Requests written to an upstream server, repetitions included.
    public let forwarded = Atomic<Int>(0)
    /// TLS handshakes of clients that came to nothing.
    public let handshakesFailed = Atomic<Int>(0)
    /// Attempts that failed.
    public let upstreamFailures = Atomic<Int>(0)
    /// Attempts made because an earlier one failed.
    public let retries = Atomic<Int>(0)
    /// Those among them of requests that waited on a server when it was taken out.
    public let moved = Atomic<Int>(0)
    /// Requests that waited because every server of their pool had as many connections as it may have.
    public let waited = Atomic<Int>(0)

    /// Requests of clients that sent more of them, or had more connections, than they may.
    public let limited = Atomic<Int>(0)

    /// Requests that had been here before, and ended.
    public let loops = Atomic<Int>(0)
    /// Requests made to bring a stale response up to date that its client has already.
    public let refreshes = Atomic<Int>(0)

    /// All zero.
    package init() {}
}
