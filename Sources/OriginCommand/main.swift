// SPDX-License-Identifier: Apache-2.0
// The `origin` command: one small web server.

import ArgumentParser
import Dispatch
import Engine
import Glibc
import Origin

struct Command: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "origin",
        abstract: "A small web server to stand behind the gateway.",
        discussion: """
            Serves the files below --root, and beside them: /whoami, /headers, /echo, /delay/MS, /status/CODE, /bytes/N, \
            /chunked/N and /cache/SECONDS.
            """)

    @Option(help: "Port to listen on, 0 to 65535; 0 lets the system choose.")
    var port: UInt16 = 9001

    @Option(help: "Address to listen on.")
    var bind = "127.0.0.1"

    @Option(help: "The name that the answers give.")
    var name = "one"

    @Option(help: "Directory of static files.")
    var root: String?

    func validate() throws {
        guard SocketAddress(numeric: bind, port: port) != nil else {
            throw ValidationError("--bind \(bind): not a numeric IPv4 or IPv6 address")
        }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3C }) else {
            throw ValidationError("--name \(name): a word of printable ASCII without \"<\"")
        }
    }

    func run() throws {
        guard let address = SocketAddress(numeric: bind, port: port) else { return }
        signal(SIGPIPE, SIG_IGN)
        do throws(SystemFailure) {
            let loop = try Loop(index: 0)
            loop.start()
            let server = try OriginServer(name: name, root: root, at: address, on: loop) { complain($0) }
            say("origin \(name) listens on http://\(server.address)/" + (root.map { " and serves \($0)" } ?? ""))
            stopOnSignal(server)
        } catch {
            complain(
                error.call.description == "open"
                    ? "--root \(root ?? ""): \(error.reason)"
                    : "--port \(port): cannot listen on \(address): \(error.reason)")
            Glibc.exit(1)
        }
        dispatchMain()
    }
}

/// SIGTERM and SIGINT end the process once nothing is in flight, or after ten seconds.
func stopOnSignal(_ server: OriginServer) {
    for number in [SIGTERM, SIGINT] {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .main)
        source.setEventHandler {
            server.stop()
            var waited = 0
            while server.openConnections > 0, waited < 10_000 {
                _ = poll(nil, 0, 20)
                waited += 20
            }
            exit(0)
        }
        source.activate()
        unsafe sources.append(source)
    }
}

/// Signal sources live as long as the process. `nonisolated(unsafe)` is safe because only the main thread, before
/// `dispatchMain`, appends.
nonisolated(unsafe) var sources: [any DispatchSourceSignal] = []

func say(_ text: String) { _ = unsafe (text + "\n").withCString { unsafe write(STDOUT_FILENO, $0, strlen($0)) } }
func complain(_ text: String) {
    _ = unsafe ("origin: " + text + "\n").withCString { unsafe write(STDERR_FILENO, $0, strlen($0)) }
}

Command.main()
