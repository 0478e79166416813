// SPDX-License-Identifier: Apache-2.0
// What one exchange has to do with the cache, and those who tell it of disks, downloads and time.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving
import Upstream

/// The cache's part of an exchange's state.
struct CacheUse {
    var request: CacheRequest?
    /// What it is found by.
    var id = ObjectID(key: .none)
    /// The key, copied once the exchange has to wait for something.
    var key: CachedBody?
    /// Whether a stored object says what responses vary on, so that `id` names a variant.
    var isVariant = false
    /// What becomes of the client's conditions in the request to the upstream server.
    var conditions = ForwardedConditions.asTheyCame
    /// A stale response that is being validated.
    var candidate: StoredResponse?
    /// The download that this exchange's request makes.
    var leading: Fill?
    /// Whether its answer may begin a download that it did not lead from the start.
    var later: LateLead?
    /// The download that its response is read from.
    var reading: Fill?
    var reader: ExchangeReader?
    var wait: WaitTimer?
    /// Whether it may wait for another's request for the same thing; else it goes forward beside that.
    var mayWait = true
    /// The stored body that is being sent, and what is left of it.
    var serving: StoredResponse?
    var position = 0
    var end = 0
    /// The form of it that the client gets.
    var form = ProxyExchange.ContentForm.asItCame
    /// The inflating of that body, or of a download's, for a client that does not take gzip.
    var inflation: Inflation?
    /// That body in the identity form, where it has been inflated before.
    var inflated: CachedBody?
    /// Whether a disk thread reads for it now.
    var isReading = false
    /// What goes on with a long body after others have had their turn.
    var turn: SendingTurn?
    /// When the present attempt began, in wall-clock milliseconds.
    var requestTime: Int64 = 0
    /// Whether the exchange has no client and only brings a stored response up to date.
    var isRefresh = false
    /// What it brings up to date then.
    var refreshed: ObjectID?
    /// How often it has begun anew because another's download came to nothing.
    var restarts = 0
    var status: CacheStatus?
    /// How the log spells it.
    var word: StaticString = "-"
}

/// Tells an exchange of what happens elsewhere: on disk threads, in downloads. One for each thing that is waited for, so what
/// comes too late reaches nobody.
///
/// `@unchecked Sendable` is inherited: everything is used on the loop only.
final class ExchangeReader: CacheReader, @unchecked Sendable {
    /// Nil once the exchange waits no more.
    private(set) var exchange: ProxyExchange?
    /// The download that is to go on when the disk has caught up.
    var download: CacheDownload?

    init(_ exchange: ProxyExchange) {
        self.exchange = exchange
        super.init(on: exchange.service.loop)
    }

    /// The exchange wants to hear nothing more.
    func detach() { exchange = nil }

    override func opened(_ opening: Opening) { exchange?.objectOpened(opening) }
    override func fillProgressed() { exchange?.fillProgressed() }
    override func fillDrained() { download?.resume() }

    override func chunkRead(_ outcome: ChunkOutcome, _ block: Block) {
        exchange?.chunkRead(outcome, block)
        loop.giveBack(block)
    }
}

/// Ends the waiting for another's download, or for a disk.
final class WaitTimer: Watcher {
    private var exchange: ProxyExchange?
    private let loop: Loop

    init(_ exchange: ProxyExchange, in milliseconds: Int) {
        self.exchange = exchange
        loop = exchange.service.loop
        super.init()
        loop.register(self)
        loop.setDeadline(self, in: milliseconds)
    }

    func cancel() {
        exchange = nil
        loop.unregister(self)
    }

    override func deadlineReached() { exchange?.waitedTooLong() }
}

/// Goes on with a body when others on the loop have had their turn.
final class SendingTurn: CodingWork {
    private var exchange: ProxyExchange?

    init(_ exchange: ProxyExchange) {
        self.exchange = exchange
        super.init()
    }

    func cancel() { exchange = nil }

    override func resume() { exchange?.continueBody() }
}

/// The rest of an upstream server's response on its way into the cache. Holds on to the connection instead of the exchange that
/// asked, so that it goes on when that client leaves.
final class CacheDownload: Attempt {
    private let fill: Fill
    private let connection: UpstreamConnection
    private let leader: ExchangeReader
    private let encoding: DownloadEncoding?
    private var patience: DownloadPatience
    /// Bytes that have come.
    private var received = 0

    init(
        _ fill: Fill, _ connection: UpstreamConnection, leader: ExchangeReader, encoding: DownloadEncoding?
    ) {
        self.fill = fill
        self.connection = connection
        self.leader = leader
        self.encoding = encoding
        var isLengthKnown = false
        if case .length = connection.head.framing { isLengthKnown = true }
        let isRefresh = leader.exchange?.use.isRefresh == true
        patience = DownloadPatience(isLengthKnown: isLengthKnown, isRefresh: isRefresh)
        super.init()
        leader.download = self
    }

    override func responseBody(_ bytes: Span<UInt8>) {
        received &+= bytes.count
        guard patience.goesOn(received: received, isRead: fill.isRead, now: leader.loop.milliseconds) else {
            giveUp()
            return
        }
        switch encoding?.append(bytes) ?? fill.append(bytes) {
        case .room: break
        case .blocked: connection.pauseReading()
        case .unwanted: giveUp()
        }
    }

    /// Who comes just now begins anew.
    private func giveUp() {
        fill.leave()
        connection.cancel()
        over()
    }

    override func batchEnded() {
        encoding?.paused()
        leader.fillProgressed()
    }

    override func responseEnded(trailers: Trailers?) {
        if let encoding { encoding.complete() } else { fill.complete() }
        over()
    }

    override func failed(_ failure: UpstreamFailure) {
        fill.fail()
        over()
    }

    /// The disk has caught up.
    func resume() {
        if let encoding { encoding.drained() } else { connection.resumeReading() }
    }

    private func over() {
        encoding?.over()
        leader.download = nil
        leader.fillProgressed()
    }
}
