// SPDX-License-Identifier: Apache-2.0
// The `gateway` command: settings in, a running gateway, signals, an exit status.
//
//   0   stopped in order, or --check, --help, --version
//   1   something could not be opened at start: a port, the log, an upstream server's name
//   2   stopped with exchanges cut, by a second signal or because the drain deadline passed
//   64  the settings are wrong

import Dispatch
import Engine
import Glibc
import Control
import Proxy
import Settings

let version = "0.1.0"

/// Writes a line for people.
func say(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
    _ = unsafe (text + "\n").withCString { unsafe write(descriptor, $0, strlen($0)) }
}

func readSettings() -> Configuration {
    var environment: [String: String] = [:]
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
        let parts = unsafe String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 { environment[String(parts[0])] = String(parts[1]) }
        unsafe entry += 1
    }
    do throws(SettingsFailure) {
        let invocation = try SettingsReader.read(
            arguments: Array(CommandLine.arguments.dropFirst()), environment: environment,
            defaultFile: SettingsReader.standardFile, cores: Engine.availableCores)
        switch invocation {
        case .run(let configuration): return configuration
        case .check(_, let notes):
            for note in notes { say(note) }
            say("The settings are right.")
        case .dump(let text), .help(let text): say(text)
        case .version: say("gateway \(version)")
        }
        exit(0)
    } catch {
        for problem in error.problems { say("\(problem)", to: STDERR_FILENO) }
        exit(SettingsFailure.exitStatus)
    }
}

var configuration = readSettings()
DescriptorLimit.raise()
let reporter = Reporter()
do throws(StartFailure) {
    var embedded: EmbeddedOrigins?
    if configuration.pools.isEmpty {
        let origins = try EmbeddedOrigins { reporter.report($0) }
        var pool = origins.pool
        pool.settings = configuration.upstream
        configuration.pools = [pool]
        embedded = origins
    }
    // A client of the embedded origins is one of theirs, too.
    let gateway = try Gateway(configuration, descriptorsPerClient: embedded == nil ? 2 : 3) { reporter.report($0) }
    Banner.print(gateway, embedded: embedded != nil)
    Signals.serve(gateway, reporter)
} catch {
    say("gateway: \(error)", to: STDERR_FILENO)
    exit(1)
}
dispatchMain()
