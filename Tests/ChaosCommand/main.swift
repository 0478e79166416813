// SPDX-License-Identifier: Apache-2.0
// The chaos test as a command of its own, for the sanitizers: nothing runs in it but the gateway and those who maltreat it.
//
// It runs the kept seeds and then new ones, for CHAOS_SECONDS in all. With CHAOS_SEED=NUMBER it runs that seed alone, again and again,
// since how threads meet is not part of a seed. Exit status 1 says that something was found; a sanitizer that finds something ends
// the process with a status of its own.

import Chaos
import Foundation
import Glibc

struct Command {
    private var seeds = 0
    private var findings = 0
    private var ends: [String: Int] = [:]

    /// Runs what the environment says. Whether nothing was found.
    mutating func run() throws -> Bool {
        let start = ContinuousClock.now
        let chosen = number("CHAOS_SEED")
        for seed in chosen.map({ [$0] }) ?? ChaosRun.keptSeeds { try run(seed) }
        let megabytes = residentMegabytes
        let limit = number("CHAOS_SECONDS") ?? 0
        while ContinuousClock.now - start < .seconds(limit) { try run(chosen ?? UInt64.random(in: 1...(.max))) }
        let seconds = (ContinuousClock.now - start).components.seconds
        say(
            "\(seeds) seeds in \(seconds) s, \(findings) findings, \(megabytes) MB at first and \(residentMegabytes) MB now"
        )
        let ordered = ends.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        say("requests by how they ended: " + ordered.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        return findings == 0
    }

    private mutating func run(_ seed: UInt64) throws {
        // Said before, since a process that dies says nothing.
        say("CHAOS_SEED=\(seed)")
        let outcome = try ChaosRun.outcome(of: seed)
        for sentence in outcome.findings {
            say("FOUND with CHAOS_SEED=\(seed): \(sentence)")
            findings += 1
        }
        seeds += 1
        ends.merge(outcome.ends) { $0 + $1 }
    }

    private func number(_ name: String) -> UInt64? {
        unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    private func say(_ text: String) { FileHandle.standardError.write(Data("chaos: \(text)\n".utf8)) }

    /// What this process has in memory.
    private var residentMegabytes: Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        let kilobytes = line.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0
        return kilobytes / 1_024
    }
}

var command = Command()
exit(try command.run() ? 0 : 1)
