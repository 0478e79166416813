// SPDX-License-Identifier: Apache-2.0
// The settings that every pool may have for itself: in the file `upstream` holds them for all pools, and a pool names its own by
// the same key.

extension SettingTable {
    private static let hour = 3_600_000

    static let health: [Setting] = [
        Setting(
            flag: "no-health-check", keys: ["upstream", "health_check"], group: .health,
            kind: .negated(\.upstream.check.isOn),
            summary: "Ask the servers nothing; only requests tell how they are."),
        Setting(
            flag: "health-check-path", keys: ["upstream", "health_check_path"], group: .health,
            kind: .text(target, \.upstream.check.path),
            summary: "Path that is asked for to see whether a server is well; without one, connecting to it is enough."),
        Setting(
            flag: "health-check-host", keys: ["upstream", "health_check_host"], group: .health,
            kind: .text(host, \.upstream.check.host),
            summary: "Host that is asked for; by default the server's own."),
        Setting(
            flag: "health-check-method", keys: ["upstream", "health_check_method"], group: .health,
            kind: .choice(\.upstream.check.method),
            summary: "Method of the question."),
        Setting(
            flag: "health-check-status", keys: ["upstream", "health_check_status"], group: .health,
            kind: .statuses(\.upstream.check.statuses),
            summary: "Statuses of a server that is well."),
        Setting(
            flag: "health-check-body", keys: ["upstream", "health_check_body"], group: .health,
            kind: .text(content, \.upstream.check.body),
            summary: "Text that must stand in the first 64k of the answer."),
        Setting(
            flag: "health-check-interval", keys: ["upstream", "health_check_interval"], group: .health,
            kind: .duration(100...hour, \.upstream.check.interval),
            summary: "Between two checks of a server; one that fails is asked again each second, if that is sooner."),
        Setting(
            flag: "health-check-timeout", keys: ["upstream", "health_check_timeout"], group: .health,
            kind: .duration(50...hour, \.upstream.check.timeout),
            summary: "For a check as a whole."),
        Setting(
            flag: "health-check-rise", keys: ["upstream", "health_check_rise"], group: .health,
            kind: .whole(1...100, \.upstream.check.rise),
            summary: "Checks in a row that bring a server back."),
        Setting(
            flag: "health-check-fall", keys: ["upstream", "health_check_fall"], group: .health,
            kind: .whole(1...100, \.upstream.check.fall),
            summary: "Checks in a row whose failure takes a server out."),
        Setting(
            flag: "max-fails", keys: ["upstream", "max_fails"], group: .health,
            kind: .whole(0...1_000_000, \.upstream.ejection.failures),
            summary: "Failed requests in a row that take a server out; 0 for never."),
        Setting(
            flag: "max-fail-percent", keys: ["upstream", "max_fail_percent"], group: .health,
            kind: .whole(0...100, \.upstream.ejection.rate),
            summary: "Failures in a hundred requests, of 20 or more within --fail-timeout, that do so; 0 for never."),
        Setting(
            flag: "fail-timeout", keys: ["upstream", "fail_timeout"], group: .health,
            kind: .duration(100...hour, \.upstream.ejection.time),
            summary: "How long such a server is out; the nth time in a row it is n times as long."),
        Setting(
            flag: "fail-timeout-max", keys: ["upstream", "fail_timeout_max"], group: .health,
            kind: .duration(100...24 * hour, \.upstream.ejection.longest),
            summary: "How long it is out at most."),
        Setting(
            flag: "slow-start", keys: ["upstream", "slow_start"], group: .health,
            kind: .duration(0...hour, \.upstream.slowStart),
            summary: "How long a server that comes back takes a growing part of its share."),
    ]

    static let retries: [Setting] = [
        Setting(
            flag: "retries", keys: ["upstream", "retries"], group: .retries,
            kind: .whole(0...7, \.upstream.retries.count),
            summary: "Other servers that one request may be sent to, when that is safe."),
        Setting(
            flag: "retry-status", keys: ["upstream", "retry_status"], group: .retries,
            kind: .statuses(\.upstream.retries.statuses),
            summary: "Statuses for which a request with a safe method is sent to another server."),
        Setting(
            flag: "retry-budget", keys: ["upstream", "retry_budget"], group: .retries,
            kind: .whole(0...100, \.upstream.retries.budget),
            summary: "Repetitions in a hundred requests, so that a bad moment does not become a storm."),
        Setting(
            flag: "retry-min", keys: ["upstream", "retry_min"], group: .retries,
            kind: .whole(0...1_000_000, \.upstream.retries.least),
            summary: "Repetitions per second that are always allowed."),
        Setting(
            flag: "upstream-queue", keys: ["upstream", "queue"], group: .retries,
            kind: .whole(0...1_000_000, \.upstream.queue),
            summary: "Requests of a pool that wait for a connection when every server has --upstream-connections."),
        Setting(
            flag: "upstream-queue-timeout", keys: ["upstream", "queue_timeout"], group: .retries,
            kind: .duration(1...hour, \.upstream.queueTimeout),
            summary: "How long they wait; then they get 503."),
    ]

    private static let target = Setting.Text(
        placeholder: "PATH", expected: "a path that begins with /, without spaces",
        isRight: { text in text.utf8.first == 0x2F && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x23 } })

    private static let host = Setting.Text(
        placeholder: "HOST", expected: "a host, with or without a port",
        isRight: { text in
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/?#@,".utf8.contains($0) }
        })

    private static let content = Setting.Text(
        placeholder: "TEXT", expected: "a text of 1 to 1024 bytes", isRight: { (1...1_024).contains($0.utf8.count) })
}
