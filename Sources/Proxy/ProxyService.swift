// SPDX-License-Identifier: Apache-2.0
import Bytes
import CachePolicy
import CacheStore
import ContentCoding
package import Engine
import Glibc
import HTTP
package import Serving
import Settings
import Synchronization
package import TLS
import Upstream

/// What one loop's proxy exchanges share: the configuration's view, the log's batch, request ids, spare exchanges.
package final class ProxyService: Service {
    /// For exchanges that begin from now on.
    package var view: LoopView
    let log: LogBatcher?
    let counters: Counters
    /// Nil when nothing is cached.
    let cache: ResponseCache?
    /// Nil when clients may send as many requests as they like.
    let rates: ClientRates?
    private var spares: ContiguousArray<ProxyExchange> = []
    private static let sparesLimit = 256
    private var isStopped = false
    private var identifiers: IdentifierSource
    /// Room to write a path's normal form into, however long a line may be; used within one call.
    let pathScratch = Block(capacity: 65 << 10)
    /// Room for the key that an exchange is looked up by, until it has to wait.
    let keyScratch = Block(capacity: CacheKey.limit)
    /// Room for a host in the form in which it is forwarded; used within one call.
    let hostScratch = Block(capacity: 65 << 10)
    /// Room for a few fields; used within one call.
    let fieldScratch = Block(capacity: 4096)
    /// What `parseStoredHead` understood last.
    private(set) var storedHead = ResponseHead()
    /// What nobody has to wait for, because it will not be stored.
    var refusals = RecentRefusals()
    /// What is brought up to date in the background now.
    var refreshing: Set<ObjectID> = []
    /// Encoders and decoders for use again.
    let codings = CodingPool()
    /// Where bodies wait for the next piece to be coded.
    let coding: CodingDesk
    /// Bodies that clients without gzip ask for.
    let inflated = InflatedBodies()
    private var storedParser = ResponseParser()

    package init(
        view: LoopView, loop: Loop, log: LogBatcher?, counters: Counters, cache: ResponseCache?, rates: ClientRates?
    ) {
        self.view = view
        self.log = log
        self.counters = counters
        self.cache = cache
        self.rates = rates
        identifiers = IdentifierSource()
        coding = CodingDesk(on: loop)
        super.init(loop: loop, options: ServingOptions(view.snapshot.configuration))
    }

    package override func handshakeFailed(_ failure: TLSFailure, peer: SocketAddress) {
        counters.handshakesFailed.add(1, ordering: .relaxed)
        recordFailedHandshake(failure, peer: peer)
    }

    package override func makeExchange() -> Exchange {
        let exchange = spares.popLast() ?? ProxyExchange(service: self)
        exchange.begin(view)
        return exchange
    }

    package override func recycle(_ exchange: Exchange) {
        guard let exchange = exchange as? ProxyExchange else { return }
        exchange.retired()
        if !isStopped, spares.count < Self.sparesLimit { spares.append(exchange) }
    }

    /// Keeps no spare exchanges, which hold it, from now on.
    package func stop() {
        isStopped = true
        spares = []
    }

    /// Ends the downloads that go on without a client, and what refreshes stored responses.
    package func cutDownloads() { loop.forEachWatcher { ($0 as? UpstreamConnection)?.cut() } }

    /// Takes a stored head apart, into `storedHead`. False when it is none, which no checksum has noticed.
    func parseStoredHead(_ metadata: Span<UInt8>) -> Bool {
        storedParser.reset()
        let limits = HeadLimits(headBytes: StoredHead.metadataLimit, lineBytes: StoredHead.metadataLimit, fields: 100)
        return (try? storedParser.parse(metadata, limits: limits, requestMethod: .get, into: &storedHead)) == true
    }

    /// 32 hexadecimal digits that no other request has.
    func nextIdentifier(into block: Block) {
        let (high, low) = identifiers.next()
        block.append(hexadecimal: high, digits: 16)
        block.append(hexadecimal: low, digits: 16)
    }
}

/// Random 128-bit numbers (xorshift128+, seeded by the kernel): unique, not secret.
struct IdentifierSource {
    private var a: UInt64 = 0
    private var b: UInt64 = 0

    init() {
        var generator = SystemRandomNumberGenerator()
        a = generator.next() | 1
        b = generator.next()
    }

    mutating func next() -> (UInt64, UInt64) { (step(), step()) }

    private mutating func step() -> UInt64 {
        var x = a
        let y = b
        a = y
        x ^= x << 23
        b = x ^ y ^ (x >> 17) ^ (y >> 26)
        return b &+ y
    }
}

extension ServingOptions {
    /// The client's side of a configuration.
    init(_ configuration: Configuration) {
        self.init()
        let timeouts = configuration.timeouts
        let limits = configuration.limits
        headerTimeout = timeouts.header
        bodyTimeout = timeouts.body
        writeTimeout = timeouts.write
        idleTimeout = timeouts.idle
        halfCloseTimeout = timeouts.halfClose
        head = HeadLimits(headBytes: limits.headBytes, lineBytes: limits.lineBytes, fields: limits.fields)
        bodyBytes = limits.bodyBytes
        bodyRate = limits.bodyRate
        requestsPerConnection = limits.requestsPerConnection
    }
}
