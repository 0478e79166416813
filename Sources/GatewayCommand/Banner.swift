// SPDX-License-Identifier: Apache-2.0
import Engine
import Control
import Settings

/// What the gateway says once it serves: what it listens on, what it balances over, where it logs, how to stop it.
enum Banner {
    static func print(_ gateway: Gateway, embedded: Bool) {
        let configuration = gateway.configuration
        var said: Set<String> = []
        for (address, isTLS) in gateway.listening where said.insert(url(address, isTLS)).inserted {
            say("gateway listens on \(url(address, isTLS))")
        }
        for pool in configuration.pools {
            let servers = pool.servers.map { server in
                (server.isTLS ? "https://" : "") + server.authority
                    + (server.weight == 1 ? "" : " (weight \(server.weight))")
                    + (server.isBackup ? " (backup)" : "")
            }
            let name = configuration.pools.count == 1 ? "" : " in pool \(pool.name)"
            say(
                "  balances over \(servers.joined(separator: ", "))\(name)"
                    + (embedded ? ": three origins of its own" : ""))
        }
        if embedded { say("  name servers of yours with --upstream http://HOST:PORT, once for each") }
        if let admin = gateway.adminAddress { say("  tells and purges at http://\(admin)/") }
        say("  logs to \(configuration.logPath ?? "nowhere (--log FILE)")")
        say(
            "  \(configuration.workers) event loop\(configuration.workers == 1 ? "" : "s"); stop with Ctrl-C or SIGTERM"
        )
    }

    private static func url(_ address: SocketAddress, _ isTLS: Bool) -> String {
        let scheme = isTLS ? "https" : "http"
        return switch address.host {
        case "::", "0.0.0.0": "\(scheme)://localhost:\(address.port)/ (every address)"
        default: "\(scheme)://\(address)/"
        }
    }
}
