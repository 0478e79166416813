// SPDX-License-Identifier: Apache-2.0
// Temporary bench entry; replaced by the settings reader.
import Dispatch
import Engine
import Glibc
import Origin
import Proxy
import Settings

var configuration = Configuration()
var servers: [Configuration.Server] = []
var arguments = Array(CommandLine.arguments.dropFirst())
configuration.workers = 1
var port: UInt16 = 8080
while !arguments.isEmpty {
    let name = arguments.removeFirst()
    let value = arguments.removeFirst()
    switch name {
    case "--port": port = UInt16(value)!
    case "--log": configuration.logPath = value
    case "--workers": configuration.workers = Int(value)!
    case "--upstream":
        let rest = value.dropFirst(7).split(separator: ":")
        servers.append(.init(host: String(rest[0]), port: UInt16(rest[1])!))
    default: break
    }
}
configuration.listeners = [.init(address: "::", port: port)]
configuration.pools = [.init(name: "default", servers: servers)]
let gateway = try Gateway(configuration) { print($0) }
print("listening on \(gateway.addresses)")
signal(SIGTERM, SIG_IGN)
let s = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .main)
s.setEventHandler { let n = gateway.stop { false }; print("cut", n); exit(0) }
s.activate()
dispatchMain()
