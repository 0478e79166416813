// SPDX-License-Identifier: Apache-2.0
// A server of the configuration whose host is a name: the servers that the name stands for at the moment, kept in its pool.

import Bytes
import Engine
public import Settings
import Synchronization

/// A name that is followed through its changes. `refresh` is called by one thread; everything else by any.
public final class FollowedName: Sendable {
    /// As configured.
    public let settings: Configuration.Server
    private let makeSecurity: @Sendable () -> ServerSecurity?
    private let report: @Sendable (String) -> Void
    private let state = Lock(State())

    private struct State {
        var records: [String: NameRecord] = [:]
        var targets: [ServiceSelection.Target] = []
        var serviceFailures = 0
        var servers: [(key: DiscoveredServer, server: UpstreamServer)] = []
        var pool: ServerPool?
        var isTroubled = false
        /// When it is to be asked for again; monotonic milliseconds.
        var due: UInt64 = 0
    }

    /// Servers that one name stands for at most.
    static let serverLimit = 256

    /// - Parameters:
    ///   - settings: Its host is a name; one that begins with `_` is that of SRV records, and the port is theirs.
    ///   - report: Told in a sentence when the name changes, or cannot be looked up.
    ///   - makeSecurity: How connections to one of its servers are secured, nil in the clear. It depends on nothing that a name server
    ///     says: who can forge its answers could otherwise choose whose certificate is right (RFC 9525 section 6.1).
    public init(
        _ settings: Configuration.Server, report: @escaping @Sendable (String) -> Void,
        makeSecurity: @escaping @Sendable () -> ServerSecurity?
    ) {
        self.settings = settings
        self.report = report
        self.makeSecurity = makeSecurity
    }

    /// Whether the name is that of SRV records (RFC 2782: `_service._protocol.name`).
    var isService: Bool { settings.host.hasPrefix("_") }

    /// The servers it stands for now.
    public var servers: [UpstreamServer] { state.withLock { $0.servers.map(\.server) } }

    var due: UInt64 { state.withLock { $0.due } }

    /// From now on the pool, which was made with the servers `given`, has what the name stands for.
    public func join(_ pool: ServerPool, given: [UpstreamServer]) {
        state.withLock { state in
            state.pool = pool
            for (_, server) in state.servers where !given.contains(where: { $0 === server }) {
                pool.add(server, at: MonotonicClock.milliseconds)
            }
            for server in given where !state.servers.contains(where: { $0.server === server }) {
                pool.remove(server, at: MonotonicClock.milliseconds)
            }
        }
    }

    /// Looks the name up and has the pool take what has changed. Blocks.
    ///
    /// - Parameter ceiling: The longest that an answer is used, in milliseconds.
    func refresh(_ resolver: NameResolver, ceiling: Int) {
        let (wanted, wait, trouble) = isService ? services(resolver, ceiling) : addresses(resolver, ceiling)
        take(Array(wanted.prefix(Self.serverLimit)), trouble)
        state.withLock { $0.due = MonotonicClock.milliseconds + UInt64(wait) }
    }

    // MARK: Looking up

    private typealias Found = (servers: [DiscoveredServer], wait: Int, trouble: String?)

    private func addresses(_ resolver: NameResolver, _ ceiling: Int) -> Found {
        let target = ServiceSelection.Target(
            host: settings.host, port: settings.port, weight: settings.weight, isBackup: settings.isBackup)
        return addresses([target], resolver, ceiling)
    }

    private func services(_ resolver: NameResolver, _ ceiling: Int) -> Found {
        var wait = ceiling
        var trouble: String?
        switch resolver.services(of: settings.host) {
        case .success(let found) where !found.records.isEmpty:
            let backup = settings.isBackup
            let targets = ServiceSelection.targets(Array(found.records.prefix(Self.serverLimit))).map { target in
                var target = target
                target.isBackup = target.isBackup || backup
                return target
            }
            if targets.isEmpty {
                trouble = "does not resolve: no SRV record of it names a server"
                break
            }
            state.withLock {
                $0.targets = targets
                $0.serviceFailures = 0
            }
            wait = RefreshTime.afterAnswer(lifetime: found.lifetime, ceiling: ceiling)
        case .success: trouble = "does not resolve: it has no SRV record"
        case .failure(let failure): trouble = "does not resolve: \(failure.reason)"
        }
        if trouble != nil {
            let failures = state.withLock { state in
                state.serviceFailures += 1
                return state.serviceFailures
            }
            wait = RefreshTime.afterFailures(failures, ceiling: ceiling)
        }
        let targets = state.withLock { $0.targets }
        let found = addresses(targets, resolver, ceiling)
        return (found.servers, min(wait, found.wait), trouble ?? found.trouble)
    }

    private func addresses(
        _ targets: [ServiceSelection.Target], _ resolver: NameResolver, _ ceiling: Int
    ) -> Found {
        let known = state.withLock { $0.records }
        var records: [String: NameRecord] = [:]
        var found: Found = ([], ceiling, nil)
        for target in targets {
            var record = known[target.host] ?? NameRecord()
            if records[target.host] == nil {
                let (v4, v6) = resolver.addresses(of: target.host)
                let step = record.take(v4: v4, v6: v6, ceiling: ceiling)
                found.wait = min(found.wait, step.wait)
                if let trouble = step.trouble {
                    found.trouble = target.host == settings.host ? trouble : "leads to \(target.host), which \(trouble)"
                }
                records[target.host] = record
            } else {
                record = records[target.host] ?? record
            }
            for group in AddressGroups.of(record.addresses) {
                found.servers.append(
                    DiscoveredServer(
                        host: target.host, port: target.port, weight: target.weight, isBackup: target.isBackup,
                        addresses: group))
            }
        }
        state.withLock { $0.records = records }
        return found
    }

    // MARK: Changing the pool

    private func take(_ wanted: [DiscoveredServer], _ trouble: String?) {
        let sentences = state.withLock { state in change(&state, wanted, trouble) }
        for sentence in sentences { report(sentence) }
    }

    private func change(_ state: inout State, _ wanted: [DiscoveredServer], _ trouble: String?) -> [String] {
        let hadServers = !state.servers.isEmpty
        let (leaving, coming) = DiscoveredChange.between(state.servers.map(\.key), wanted)
        // Those that come are there before those that leave are gone.
        for key in coming {
            var own = settings
            own.host = key.host
            own.port = key.port
            own.weight = key.weight
            own.isBackup = key.isBackup
            let server = UpstreamServer(own, addresses: key.addresses, security: makeSecurity())
            state.servers.append((key, server))
            state.pool?.add(server, at: MonotonicClock.milliseconds)
        }
        for key in leaving {
            guard let index = state.servers.firstIndex(where: { $0.key == key }) else { continue }
            state.pool?.remove(state.servers[index].server, at: MonotonicClock.milliseconds)
            state.servers.remove(at: index)
        }
        var sentences: [String] = []
        if hadServers, !(coming.isEmpty && leaving.isEmpty) {
            let came = coming.isEmpty ? "" : ", \(Self.list(coming)) new"
            let left = leaving.isEmpty ? "" : ", \(Self.list(leaving)) gone"
            sentences.append("upstream \(settings.url): the name has changed\(came)\(left)")
        }
        if let trouble, !state.isTroubled {
            let rest =
                state.servers.isEmpty
                ? "it has no server until it does"
                : "going on with \(Self.list(state.servers.map(\.key)))"
            sentences.append("upstream \(settings.url): the name \(trouble); \(rest)")
        } else if trouble == nil, state.isTroubled {
            sentences.append("upstream \(settings.url): the name resolves again, to \(Self.list(wanted))")
        }
        state.isTroubled = trouble != nil
        return sentences
    }

    private static func list(_ servers: [DiscoveredServer]) -> String {
        let shown = servers.prefix(8).map { $0.addresses.map(\.description).joined(separator: " or ") }
        let more = servers.count > shown.count ? " and \(servers.count - shown.count) more" : ""
        return shown.joined(separator: ", ") + more
    }
}
