// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc

/// The client's log: one line for each request, appended whole, so that clients that run side by side can share a file.
public struct RequestLog: ~Copyable {
    private let descriptor: Descriptor
    private let path: String

    /// Opens `path` for appending, readable by its owner only: URLs may hold secrets.
    public init(path: String) throws(ClientFailure) {
        let number = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .write(path, SystemFailure.reason(errno)) }
        descriptor = Descriptor(adopting: number)
        self.path = path
    }

    /// What a line says, in its order.
    public struct Entry: Sendable {
        /// Seconds since 1970.
        public var seconds: Int
        /// As sent.
        public var method: String
        /// As given on the command line.
        public var url: String
        /// 0 when no response came.
        public var status: UInt16
        /// Of the response's body.
        public var bytes: UInt64
        /// From the start to the last byte.
        public var milliseconds: Int
        /// The server's address, or nil when no connection stood.
        public var peer: String?
        /// 0 for success, else the exit status.
        public var exitStatus: Int32

        /// An entry.
        public init(
            seconds: Int, method: String, url: String, status: UInt16, bytes: UInt64, milliseconds: Int, peer: String?,
            exitStatus: Int32
        ) {
            self.seconds = seconds
            self.method = method
            self.url = url
            self.status = status
            self.bytes = bytes
            self.milliseconds = milliseconds
            self.peer = peer
            self.exitStatus = exitStatus
        }

        /// `2026-11-24 16:22:01 GET http://localhost/ 200 1024 12ms 127.0.0.1:80 exit=0`, times in UTC.
        public var line: String {
            var broken = tm()
            var time = time_t(seconds)
            gmtime_r(&time, &broken)
            func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
            let date = "\(broken.tm_year + 1900)-\(two(broken.tm_mon + 1))-\(two(broken.tm_mday))"
            let clock = "\(two(broken.tm_hour)):\(two(broken.tm_min)):\(two(broken.tm_sec))"
            let shown = status == 0 ? "-" : "\(status)"
            return "\(date) \(clock) \(Self.plain(method)) \(Self.plain(url)) \(shown) \(bytes) \(milliseconds)ms "
                + "\(peer ?? "-") exit=\(exitStatus)"
        }

        /// Nothing typed into a URL can end the line or reach a terminal.
        private static func plain(_ text: String) -> String {
            var result = ""
            for byte in text.utf8 {
                if byte > 0x20, byte < 0x7F {
                    result.unicodeScalars.append(Unicode.Scalar(byte))
                } else {
                    let digits = String(byte, radix: 16)
                    result += "\\x" + (digits.count < 2 ? "0" : "") + digits
                }
            }
            return result
        }
    }

    /// Appends a line with a single `write`.
    public func append(_ entry: Entry) throws(ClientFailure) {
        let bytes = Array((entry.line + "\n").utf8)
        let written = bytes.withUnsafeBufferPointer { write(descriptor.number, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw .write(path, SystemFailure.reason(errno)) }
    }
}
