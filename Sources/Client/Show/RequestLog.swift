// SPDX-License-Identifier: Apache-2.0
import Bytes
import Engine
import Glibc

/// The client's log: one record for each request, appended whole, so that clients that run side by side can share a file.
public final class RequestLog: Sendable {
    /// How records look.
    public enum Format: String, CaseIterable, Sendable {
        case text, json
    }

    private let descriptor: Descriptor
    private let path: String
    private let format: Format

    /// Opens `path` for appending, readable by its owner only: URLs may hold secrets.
    public init(path: String, format: Format = .text) throws(ClientFailure) {
        let number = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .write(path, SystemFailure.reason(errno)) }
        descriptor = Descriptor(adopting: number)
        self.path = path
        self.format = format
    }

    /// What a record says, in its order.
    public struct Entry: Sendable {
        /// Seconds since 1970.
        public var seconds: Int
        /// As sent.
        public var method: String
        /// Without credentials.
        public var url: String
        /// 0 when no response came.
        public var status: UInt16
        /// Of the response's body.
        public var bytes: UInt64
        /// From the start to the last byte.
        public var milliseconds: Int
        /// What the cache had to do with it.
        public var cache = CacheState.off
        /// The version of TLS; empty in the clear.
        public var protocolName = ""
        /// The server's address, or nil when no connection stood.
        public var peer: String?
        /// 0 for success, else the exit status.
        public var exitStatus: Int32
        /// The request's head, where heads are logged; secrets in it are not.
        public var requestHead: [UInt8] = []
        /// The response's.
        public var responseHead: [UInt8] = []

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

        /// What became of a request that began at `seconds`.
        public init(_ report: TransferReport, seconds: Int, withHeads: Bool) {
            self.init(
                seconds: seconds, method: report.method, url: report.url, status: report.status,
                bytes: report.bodyBytes, milliseconds: Int(clamping: report.timings.total / 1_000_000),
                peer: report.peer?.description, exitStatus: report.failure?.exitStatus ?? 0)
            cache = report.cache
            protocolName = report.protocolName
            if withHeads {
                requestHead = report.requestHead
                responseHead = report.head
            }
        }

        private var when: (date: String, clock: String) {
            var broken = unsafe tm()
            var time = time_t(seconds)
            unsafe gmtime_r(&time, &broken)
            func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
            return (
                unsafe "\(broken.tm_year + 1900)-\(two(broken.tm_mon + 1))-\(two(broken.tm_mday))",
                unsafe "\(two(broken.tm_hour)):\(two(broken.tm_min)):\(two(broken.tm_sec))"
            )
        }

        /// `2026-11-24 16:22:01 GET http://localhost/ 200 1024 12ms miss - 127.0.0.1:80 exit=0`, times in UTC; behind it, each on
        /// a line of its own, the fields that were sent (`>`) and that came (`<`).
        public var line: String {
            let (date, clock) = when
            let shown = status == 0 ? "-" : "\(status)"
            let first =
                "\(date) \(clock) \(Escaping.plain(method)) \(Escaping.plain(url)) \(shown) \(bytes) \(milliseconds)ms "
                + "\(cache.rawValue) \(protocolName.isEmpty ? "-" : protocolName) \(peer ?? "-") exit=\(exitStatus)"
            let fields =
                SecretFields.lines(requestHead).map { "> " + $0 } + SecretFields.lines(responseHead).map { "< " + $0 }
            return ([first] + fields).joined(separator: "\n")
        }

        /// The same as one object of JSON.
        public var json: String {
            let (date, clock) = when
            func text(_ value: String) -> String { "\"\(JSONString.escaped(value))\"" }
            var parts = [
                "\"time\":\"\(date)T\(clock)Z\"", "\"method\":\(text(method))", "\"url\":\(text(url))",
                "\"status\":\(status == 0 ? "null" : "\(status)")", "\"bytes\":\(bytes)",
                "\"milliseconds\":\(milliseconds)", "\"cache\":\(cache == .off ? "null" : text(cache.rawValue))",
                "\"tls\":\(protocolName.isEmpty ? "null" : text(protocolName))",
                "\"peer\":\(peer.map(text) ?? "null")", "\"exit\":\(exitStatus)",
            ]
            if !requestHead.isEmpty || !responseHead.isEmpty {
                parts.append("\"request\":[\(SecretFields.lines(requestHead).map(text).joined(separator: ","))]")
                parts.append("\"response\":[\(SecretFields.lines(responseHead).map(text).joined(separator: ","))]")
            }
            return "{\(parts.joined(separator: ","))}"
        }
    }

    /// Appends a record with a single `write`.
    public func append(_ entry: Entry) throws(ClientFailure) {
        let bytes = Array(((format == .json ? entry.json : entry.line) + "\n").utf8)
        let written = unsafe bytes.withUnsafeBufferPointer { unsafe write(descriptor.number, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw .write(path, SystemFailure.reason(errno)) }
    }
}

/// Fields whose values are nobody's business.
enum SecretFields {
    private static let names: Set<String> = [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "authentication-info",
    ]

    /// The lines of a head, control bytes visible, secrets left out.
    static func lines(_ head: [UInt8]) -> [String] {
        head.split(separator: 0x0A).compactMap { line in
            let bytes = line.last == 0x0D ? line.dropLast() : line
            guard !bytes.isEmpty else { return nil }
            let text = Escaping.visible(String(decoding: bytes, as: UTF8.self))
            guard let colon = text.firstIndex(of: ":"), names.contains(text[..<colon].lowercased()) else { return text }
            return text[...colon] + " (left out)"
        }
    }
}
