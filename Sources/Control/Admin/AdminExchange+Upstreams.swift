// SPDX-License-Identifier: Apache-2.0
// Pools and their servers: how they are, and what an operator changes while the gateway runs. Changes last until it ends; the
// settings are what the next start goes by.

import Engine
import Proxy
import Serving
import Settings
import Upstream

extension AdminExchange {
    private var pools: [ServerPool] { service.snapshot.pools }
    private var now: UInt64 { service.loop.milliseconds }

    func upstreams() -> JSONText {
        var text = JSONText()
        let now = now
        text.object { text in
            text.array("pools") { text in
                for pool in pools {
                    text.object { text in
                        text.add("name", pool.name)
                        text.add("panic", pool.present.members.isPanicking)
                        text.array("servers") { text in
                            for server in pool.describe() { Self.tell(server, now, &text) }
                        }
                    }
                }
            }
        }
        return text
    }

    private static func tell(_ server: ServerDescription, _ now: UInt64, _ text: inout JSONText) {
        text.object { text in
            text.add("server", server.authority)
            text.array("addresses") { text in
                for address in server.addresses { text.add("", address) }
            }
            text.add("state", server.state.rawValue)
            text.add("for_seconds", now > server.since ? (now - server.since) / 1_000 : 0)
            if let check = server.lastCheck { text.add("last_check", check) }
            text.add("weight", server.weight)
            if server.tenths < 10 { text.add("share_percent", server.tenths * 10) }
            if server.isBackup { text.add("backup", true) }
            text.add("in_flight", server.inFlight)
            text.add("connections", server.connections)
            text.add("idle", server.idle)
            text.add("requests", server.picked)
            text.add("succeeded", server.succeeded)
            text.add("failed", server.failures)
            text.add("ejections", server.ejections)
        }
    }

    private func pool(_ name: String) throws(AdminCall.Problem) -> ServerPool {
        guard let pool = pools.first(where: { $0.name == name }) else {
            throw AdminCall.Problem(
                404, "There is no pool \(name); there is \(pools.map(\.name).joined(separator: ", ")).")
        }
        return pool
    }

    /// Does something with a server, named as in the settings or by one of its addresses: with all of them, if several are meant.
    func change(
        _ name: String, of poolName: String, _ change: AdminCall.Change
    ) throws(AdminCall.Problem) -> JSONText {
        let pool = try pool(poolName)
        let meant = pool.servers.filter { server in
            server.authority == name || server.addresses.contains { $0.description == name }
        }
        guard !meant.isEmpty else {
            throw AdminCall.Problem(404, "There is no server \(name) in pool \(poolName); /upstreams lists them.")
        }
        for server in meant {
            switch change {
            case .drain: pool.drain(server, at: now)
            case .undrain: pool.undrain(server, at: now)
            case .remove: pool.remove(server, at: now)
            case .weight(let weight): pool.setWeight(weight, of: server, at: now)
            }
        }
        return upstreams()
    }

    func add(_ text: String, to poolName: String) throws(AdminCall.Problem) -> JSONText {
        let pool = try pool(poolName)
        let read = Configuration.Server.read(text)
        guard let settings = read.server else { throw AdminCall.Problem(400, "No server: \(read.problem)") }
        guard let address = SocketAddress(numeric: settings.host, port: settings.port) else {
            throw AdminCall.Problem(400, "A server is added by its numeric address; names are for the settings.")
        }
        guard !pool.servers.contains(where: { $0.authority == settings.authority }) else {
            throw AdminCall.Problem(409, "\(settings.authority) is in pool \(poolName) already.")
        }
        var security: ServerSecurity?
        if settings.isTLS {
            guard let tls = service.snapshot.tls else {
                throw AdminCall.Problem(409, "No server of the settings is https, so nothing says whom to trust.")
            }
            security = ServerSecurity(tls, settings, of: pool.settings)
        }
        pool.add(UpstreamServer(settings, addresses: [address], security: security), at: now)
        return upstreams()
    }
}
