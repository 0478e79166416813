// SPDX-License-Identifier: Apache-2.0
// The running gateway: its loops, listeners and log, from start to an orderly stop.
//
// `start` opens everything that can fail (names, ports, the log) before anything is served, so nothing starts half. `stop`
// closes the listeners first, lets what is in flight finish until the drain deadline, and returns when the log is written.

import CachePolicy
import CacheStore
import Dispatch
public import Engine
import Glibc
public import Proxy
import Serving
public import Settings
import Synchronization
import TLS
import Upstream

/// A gateway that serves until it is stopped. Made and stopped on one thread that is not a loop's.
public final class Gateway {
    /// The configuration that it runs with.
    public let configuration: Configuration
    /// Where it really listens, ports chosen by the system included, and whether through TLS.
    public private(set) var listening: [(address: SocketAddress, isTLS: Bool)] = []
    private var loops: [RunningLoop] = []
    private let log: LogFile?
    private let places: ClientPlaces
    private let handshakes: ConnectionBudget
    private let cache: ResponseCache?
    /// Where the admin address really is; nil without one.
    public var adminAddress: SocketAddress? { admin?.address }
    private let admin: AdminServer?
    private let discovery: Discovery
    /// On the first loop.
    private let checks: [HealthWatch]
    /// Nil when no listener has TLS.
    private let tls: TLSCertificates?

    /// What belongs to one loop.
    ///
    /// `@unchecked Sendable` is safe because `service`, `log`, `listeners` and `desk` are only used on `loop`, to which this
    /// is handed by `perform`, or before it is started.
    private final class RunningLoop: @unchecked Sendable {
        let loop: Loop
        let service: ProxyService
        let log: LogBatcher?
        let counters: Counters
        var listeners: [Listener] = []
        var desk: HandshakeDesk?

        init(loop: Loop, service: ProxyService, log: LogBatcher?, counters: Counters) {
            self.loop = loop
            self.service = service
            self.log = log
            self.counters = counters
        }
    }

    /// Opens everything and begins to serve.
    ///
    /// - Parameters:
    ///   - configuration: Checked settings, with at least one pool and one listener.
    ///   - descriptorsPerClient: Descriptors that a client may need in this process: its connection, one to an upstream
    ///     server, and what the process itself does as such a server.
    ///   - report: Told in a sentence what goes wrong while running; called from any thread.
    public init(
        _ configuration: Configuration, descriptorsPerClient: Int = 2, report: @escaping @Sendable (String) -> Void
    ) throws(StartFailure) {
        self.configuration = configuration
        // A peer that went away is an outcome of `send`, not a signal.
        signal(SIGPIPE, SIG_IGN)
        let descriptors = DescriptorLimit.raise()
        try Self.checkRoom(descriptors, configuration)
        let snapshot = try Snapshot(configuration, report: report)
        discovery = snapshot.discovery
        log = try configuration.logPath.map { path throws(StartFailure) in try LogFile(path: path, report: report) }
        places = ClientPlaces(
            limit: configuration.limits.connections, clients: Self.clientConnections(configuration))
        handshakes = ConnectionBudget(limit: configuration.limits.handshakes)
        tls =
            configuration.listeners.contains(where: \.isTLS)
            ? try TLSCertificates(configuration.tls, report: report) : nil

        let cacheDescriptors = CacheDescriptors(descriptors: descriptors)
        cache = try Self.openCache(configuration, cacheDescriptors, report)
        admin = try configuration.admin.map { [cache] endpoint throws(StartFailure) in
            try AdminServer(
                endpoint, cache: cache, snapshot: snapshot, loopIndex: configuration.workers, report: report)
        }
        let rates = TokenBucket(configuration.clients).map { ClientRates($0) }
        for index in 0..<configuration.workers {
            loops.append(try Self.makeLoop(index, snapshot, configuration.workers, log, cache, rates, report))
        }
        let first = loops[0].loop
        let options = UpstreamOptions(configuration, loops: 1, report: report)
        checks = snapshot.pools.map { HealthWatch($0, loop: first, options: options) }
        try listen(report)
        if let secure = listening.first(where: { $0.isTLS }) { snapshot.redirect(toPort: secure.address.port) }
        tls?.watch()
        try admin?.start()
        for running in loops { running.loop.start() }
        // Before the first request, so that a server that is not there is known of soon.
        startChecks()
        let isOnDisk = cache?.store.options.path != nil
        let plan = DescriptorPlan(
            descriptors: descriptors,
            used: DescriptorLimit.used() + Self.laterDescriptors + (isOnDisk ? cacheDescriptors.total : 0),
            perConnection: descriptorsPerClient + (isOnDisk ? CacheDescriptors.perConnection : 0),
            loops: configuration.workers, wanted: configuration.limits.connections)
        places.lower(to: max(1, plan.connections), waiting: plan.waiting)
        if plan.isTight {
            report(
                "the descriptor limit (ulimit -n) of \(descriptors) leaves room for \(places.limit) client connections: "
                    + "raise it")
        }
        let all = loops
        for running in loops {
            try running.loop.begin("a listener cannot be watched") { () throws(SystemFailure) in
                running.log?.start()
                running.loop.blockMemory = configuration.limits.bodyMemory / all.count
                running.loop.closeSpare = { Self.closeIdle(all, from: running) }
                for listener in running.listeners { try listener.start() }
            }
        }
    }

    /// The process has no descriptor left: idle connections to upstream servers are closed, on this loop at once, on the others soon.
    private static func closeIdle(_ loops: [RunningLoop], from asking: RunningLoop) {
        asking.service.view.closeIdle()
        for other in loops where other !== asking { other.loop.submit { other.service.view.closeIdle() } }
    }

    /// Fails when the process may not have as many descriptors as it takes to serve anybody. Told before anything is opened, since
    /// the libraries that this stands on end the process when they cannot open what they need.
    private static func checkRoom(_ descriptors: Int, _ configuration: Configuration) throws(StartFailure) {
        let listeners = 2 * configuration.listeners.count
        let needed = DescriptorLimit.used() + configuration.workers * (2 + listeners) + Self.ownDescriptors
        let plan = DescriptorPlan(
            descriptors: descriptors, used: needed, loops: configuration.workers, wanted: 1)
        guard plan.connections > 0 else {
            throw StartFailure(
                "the descriptor limit (ulimit -n) of \(descriptors) leaves no room for a client: at least "
                    + "\(needed + DescriptorPlan.least(loops: configuration.workers)) are needed")
        }
    }

    /// What is opened once everything stands: for signals and their timers.
    private static let laterDescriptors = 8
    /// What Dispatch opens for timers and signals, the cache for its folder and journals, the log and the admin address.
    private static let ownDescriptors = 22

    private func startChecks() {
        let checks = checks
        loops[0].loop.perform { for check in checks { check.start() } }
    }

    private static func makeLoop(
        _ index: Int, _ snapshot: Snapshot, _ count: Int, _ log: LogFile?, _ cache: ResponseCache?,
        _ rates: ClientRates?, _ report: @escaping @Sendable (String) -> Void
    ) throws(StartFailure) -> RunningLoop {
        let loop: Loop
        do throws(SystemFailure) {
            loop = try Loop(index: index)
        } catch {
            throw StartFailure("--workers \(count): an event loop cannot be made: \(error)")
        }
        let batcher = log.map { LogBatcher($0, on: loop) }
        let counters = Counters()
        let view = LoopView(snapshot, loop: loop, loops: count, report: report)
        let service = ProxyService(view: view, loop: loop, log: batcher, counters: counters, cache: cache, rates: rates)
        return RunningLoop(loop: loop, service: service, log: batcher, counters: counters)
    }

    private static func clientConnections(_ configuration: Configuration) -> ClientConnections {
        let limit = configuration.clients.connections
        return ClientConnections(
            limit: limit > 0 ? limit : nil, exempt: configuration.trustedProxies.map { ($0.bytes, $0.prefix) })
    }

    /// Opens every listening socket once for each loop; with port 0 the first loop's choice is the others' port.
    ///
    /// `::` stands for every address of both families, by a socket for each: an IPv4 connection that comes in through an IPv6
    /// socket costs the kernel more.
    private func listen(_ report: @escaping @Sendable (String) -> Void) throws(StartFailure) {
        for listener in configuration.listeners {
            guard var address = SocketAddress(numeric: listener.address, port: listener.port) else {
                throw StartFailure("--bind \(listener.address): not a numeric IPv4 or IPv6 address")
            }
            let any = SocketAddress(ipv4: 0, port: listener.port)
            if listener.address == "::" {
                // A machine without IPv6 has only the other one.
                if let port = try open(address, listener, report, mayBeMissing: true) {
                    _ = try open(any.with(port: port), listener, report, mayBeMissing: true)
                } else {
                    address = any
                    _ = try open(address, listener, report, mayBeMissing: false)
                }
            } else {
                _ = try open(address, listener, report, mayBeMissing: false)
            }
        }
        guard !listening.isEmpty else { throw StartFailure("nothing to listen on: name a port (--port, --tls-port)") }
    }

    /// Opens one address on every loop and returns its port; nil when the machine does not have the family and that is allowed.
    private func open(
        _ wanted: SocketAddress, _ listener: Configuration.Listener, _ report: @escaping @Sendable (String) -> Void,
        mayBeMissing: Bool
    ) throws(StartFailure) -> UInt16? {
        let flag = listener.isTLS ? "--tls-port" : "--port"
        if let reason = Self.takenReason(wanted) {
            throw StartFailure("\(flag) \(wanted.port): cannot listen on \(wanted): \(reason)")
        }
        var address = wanted
        for (index, running) in loops.enumerated() {
            let opened: Listener
            do throws(SystemFailure) {
                opened = Listener(
                    try Sockets.listen(on: address, shared: true), service: running.service, places: places,
                    security: listener.isTLS ? desk(for: running) : nil, report: report)
            } catch {
                if mayBeMissing, error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL { return nil }
                throw StartFailure("\(flag) \(wanted.port): cannot listen on \(address): \(error.reason)")
            }
            if index == 0 {
                address = address.with(port: opened.address.port)
                listening.append((address, listener.isTLS))
            }
            running.listeners.append(opened)
        }
        return address.port
    }

    /// `SO_REUSEPORT` lets a second process of the same user bind a port that is in use, and the kernel then gives each
    /// a share of the connections. Nobody wants that by accident, so the port is first asked for without it.
    private static func takenReason(_ address: SocketAddress) -> String? {
        guard address.port != 0 else { return nil }
        do throws(SystemFailure) {
            _ = try Sockets.listen(on: address, shared: false)
            return nil
        } catch {
            guard error.code != EAFNOSUPPORT, error.code != EADDRNOTAVAIL else { return nil }
            return error.reason
        }
    }

    private func desk(for running: RunningLoop) -> HandshakeDesk? {
        guard let tls else { return nil }
        if let desk = running.desk { return desk }
        let desk = HandshakeDesk(
            tls.server, on: running.loop, inProgress: handshakes, timeout: configuration.timeouts.handshake)
        running.desk = desk
        return desk
    }

    /// Reads certificates and keys anew (SIGHUP); a bad pair is reported, and the old one stays.
    public func reloadCertificates() { tls?.reload() }

    /// Nil without a cache. When the folder cannot be used, that is said, and the cache is in memory only. One that was named and that
    /// another gateway has is the operator's mistake.
    private static func openCache(
        _ configuration: Configuration, _ descriptors: CacheDescriptors, _ report: @escaping @Sendable (String) -> Void
    ) throws(StartFailure) -> ResponseCache? {
        let settings = configuration.cache
        guard settings.isOn else { return nil }
        var environment: [String: String] = [:]
        for name in ["XDG_CACHE_HOME", "HOME"] {
            if let value = unsafe getenv(name) { environment[name] = unsafe String(cString: value) }
        }
        let path = settings.directory ?? Configuration.Cache.defaultDirectory(environment: environment)
        var options = StoreOptions(path: path, diskBytes: settings.diskBytes)
        options.memoryBytes = settings.memoryBytes
        options.largestBody = settings.largestStoredBody
        options.openFiles = descriptors.files
        options.keepsFolders = descriptors.keepsFolders
        let rules = CacheRules(
            defaultLifetime: UInt32(clamping: settings.defaultLifetime), guessesLifetimes: settings.guessesLifetimes,
            honoursReload: settings.honoursReload, setCookie: SetCookieRule(settings.setCookie))
        func open(_ options: StoreOptions) throws(CacheFolderError) -> ResponseCache {
            try ResponseCache(
                options, rules: rules, wait: settings.lockTimeout, writesStatus: settings.statusField, report: report)
        }
        do throws(CacheFolderError) {
            return try open(options)
        } catch {
            if settings.directory != nil, case .inUse = error { throw StartFailure("--cache-dir: \(error)") }
            report(
                "\(error); the cache is in memory only, within --cache-memory, and lost when this process ends (--cache-dir "
                    + "names another folder)")
            options.path = nil
            return try? open(options)
        }
    }

    /// Opens the log anew (logrotate).
    public func reopenLog() {
        for running in loops { running.loop.perform { running.log?.flush() } }
        log?.reopen()
    }

    /// Stops accepting, lets what is in flight finish, and writes the log out. Blocks; returns how many connections were still
    /// open when the deadline passed.
    ///
    /// - Parameter isUrgent: asked again and again; once true, nothing more is waited for.
    public func stop(isUrgent: () -> Bool) -> Int {
        discovery.stop()
        let drain = configuration.timeouts.drain
        // A client that has sent its next request just now gets an answer rather than a reset.
        let grace = min(1_000, drain / 2)
        for running in loops {
            running.loop.perform {
                for listener in running.listeners { listener.stop() }
                running.service.drain(grace: grace)
            }
        }
        var waited = 0
        var open = openConnections
        while open > 0, waited < drain, !isUrgent() {
            _ = poll(nil, 0, 20)
            waited += 20
            open = openConnections
        }
        let checks = checks
        loops[0].loop.perform { for check in checks { check.stop() } }
        for running in loops {
            running.loop.perform {
                running.service.cut()
                running.service.stop()
                running.service.cutDownloads()
                running.service.view.closeIdle()
                running.loop.closeSpare = nil
                running.log?.flush()
            }
        }
        admin?.stop()
        cache?.stop()
        log?.drain(isUrgent: isUrgent)
        return open
    }

    /// Requests that have waited for a place at a server so far.
    package var waitedRequests: Int { loops.reduce(0) { $0 + $1.counters.waited.load(ordering: .relaxed) } }

    /// Responses that its cache has written so far, those that were brought up to date included.
    package var storedResponses: Int { cache?.store.counters.stores.load(ordering: .relaxed) ?? 0 }

    /// Runs `work` on every loop, one after the other, and waits for it.
    package func onEveryLoop(_ work: @Sendable (Loop) -> Void) {
        for running in loops {
            let loop = running.loop
            loop.perform { work(loop) }
        }
    }

    /// Client connections that are open now.
    public var openConnections: Int { places.count }

    /// What each loop has counted.
    public var counters: [Counters] { loops.map(\.counters) }
}
