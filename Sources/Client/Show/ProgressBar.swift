// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A line on a terminal that says how far a transfer is. It appears once a transfer takes longer than a second.
struct ProgressBar {
    /// Nanoseconds before it appears, and between two changes.
    private static let patience: UInt64 = 1_000_000_000
    private static let interval: UInt64 = 200_000_000
    private let fd: Int32
    private let start: UInt64
    private var shownAt: UInt64 = 0

    init(fd: Int32) {
        self.fd = fd
        start = MonotonicClock.nanoseconds
    }

    /// So many bytes of so many are through.
    mutating func update(_ bytes: UInt64, of total: UInt64?, isUpload: Bool) {
        let now = MonotonicClock.nanoseconds
        guard now - start > Self.patience, now - shownAt > Self.interval else { return }
        shownAt = now
        var size = winsize()
        let width = unsafe ioctl(fd, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        let line = Self.line(bytes, of: total, nanoseconds: now - start, width: width, isUpload: isUpload)
        put("\r\u{1B}[K" + line)
    }

    /// Takes it away.
    mutating func clear() {
        guard shownAt > 0 else { return }
        put("\r\u{1B}[K")
        shownAt = 0
    }

    private func put(_ text: String) {
        var text = text
        text.withUTF8 { _ = unsafe write(fd, $0.baseAddress, $0.count) }
    }

    /// `[======>      ]  45%  12.3 MiB  4.1 MiB/s  0:04 left`, at most so many columns.
    static func line(_ bytes: UInt64, of total: UInt64?, nanoseconds: UInt64, width: Int, isUpload: Bool) -> String {
        let seconds = max(Double(nanoseconds) / 1e9, 0.001)
        let rate = Double(bytes) / seconds
        var tail = "\(size(Double(bytes))) \(isUpload ? "sent" : "received")  \(size(rate))/s"
        guard let total, total > 0 else { return String(tail.prefix(max(0, width - 1))) }
        let part = min(1, Double(bytes) / Double(total))
        if rate > 0, bytes < total {
            tail += "  \(time(Double(total - bytes) / rate)) left"
        }
        let percent = Int(part * 100)
        tail = "\(percent < 10 ? "  " : percent < 100 ? " " : "")\(percent)%  " + tail
        let room = min(40, width - tail.count - 5)
        guard room >= 10 else { return String(tail.prefix(max(0, width - 1))) }
        let filled = Int(part * Double(room))
        let bar = String(repeating: "=", count: filled) + (filled < room ? ">" : "")
        return "[" + bar + String(repeating: " ", count: max(0, room - filled - 1)) + "] " + tail
    }

    /// `12.3 MiB`.
    static func size(_ bytes: Double) -> String {
        var value = bytes
        for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
            if value < 1024 || unit == "TiB" {
                if unit == "B" { return "\(Int(value)) B" }
                let tenths = Int(value * 10)
                return "\(tenths / 10).\(tenths % 10) \(unit)"
            }
            value /= 1024
        }
        return ""
    }

    /// `1:02:03` or `2:03`.
    static func time(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 359_999))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let minutes = "\(whole / 60 % 60)"
        return whole >= 3600
            ? "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))" : "\(minutes):\(two(whole % 60))"
    }
}
