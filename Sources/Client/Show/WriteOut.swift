// SPDX-License-Identifier: Apache-2.0
// `-w`: a line about a transfer, as the user words it.

import Bytes
import Engine

/// Fills in a format such as `%{http_code} %{time_total}\n`.
public struct WriteOut: Sendable {
    /// The format.
    public let format: String

    /// A format, or `@FILE` for one from a file.
    public init(_ text: String) throws(ClientFailure) {
        guard text.hasPrefix("@") else {
            format = text
            return
        }
        format = String(decoding: try FileContents.all(of: String(text.dropFirst())), as: UTF8.self)
    }

    /// What goes to standard output and what to standard error.
    public struct Output: Equatable, Sendable {
        /// For standard output.
        public var output = ""
        /// For standard error.
        public var error = ""
    }

    /// The format with what a report says in place of the variables. `fileName`: where the body went.
    public func text(_ report: TransferReport, fileName: String) -> Output {
        var result = Output()
        var isError = false
        var rest = format[...]
        func append(_ text: some StringProtocol) {
            if isError { result.error += text } else { result.output += text }
        }
        while let first = rest.first {
            if first == "\\", let next = rest.dropFirst().first {
                rest = rest.dropFirst(2)
                switch next {
                case "n": append("\n")
                case "r": append("\r")
                case "t": append("\t")
                default: append("\\\(next)")
                }
            } else if rest.hasPrefix("%%") {
                rest = rest.dropFirst(2)
                append("%")
            } else if rest.hasPrefix("%header{"), let end = rest.firstIndex(of: "}") {
                let name = rest[..<end].dropFirst(8)
                append(Escaping.visible(report.field(String(name)) ?? ""))
                rest = rest[rest.index(after: end)...]
            } else if rest.hasPrefix("%{"), let end = rest.firstIndex(of: "}") {
                let name = String(rest[..<end].dropFirst(2))
                rest = rest[rest.index(after: end)...]
                switch name {
                case "stderr": isError = true
                case "stdout": isError = false
                case "json": append(Self.json(report, fileName))
                default: append(Self.value(name, report, fileName)?.text ?? "")
                }
            } else {
                append(String(first))
                rest = rest.dropFirst()
            }
        }
        return result
    }

    /// A variable's value, and whether it is a number.
    private static func value(
        _ name: String, _ report: TransferReport, _ fileName: String
    ) -> (text: String, isNumber: Bool)? {
        let timings = report.timings
        func text(_ value: String) -> (String, Bool) { (value, false) }
        func number(_ value: some BinaryInteger) -> (String, Bool) { ("\(value)", true) }
        func seconds(_ nanoseconds: UInt64) -> (String, Bool) { (Self.seconds(nanoseconds), true) }
        func rate(_ bytes: UInt64) -> (String, Bool) {
            number(UInt64(Double(bytes) / max(Double(timings.total) / 1e9, 1e-6)))
        }
        func code(_ status: UInt16) -> (String, Bool) {
            (String(repeating: "0", count: max(0, 3 - "\(status)".count)) + "\(status)", true)
        }
        switch name {
        case "http_code", "response_code": return code(report.status)
        case "http_version": return text(report.httpVersion)
        case "method": return text(report.method)
        case "url", "url_effective": return text(report.url)
        case "scheme": return text(report.url.hasPrefix("https:") ? "HTTPS" : "HTTP")
        case "content_type": return text(Escaping.visible(report.field("content-type") ?? ""))
        case "redirect_url": return text(report.redirectURL)
        case "num_redirects": return number(report.redirects)
        case "num_connects": return number(report.connections)
        case "num_retries": return number(report.retries)
        case "size_download": return number(report.bodyBytes)
        case "size_upload": return number(report.sentBytes)
        case "size_header": return number(report.headBytes)
        case "size_request": return number(report.requestBytes)
        case "speed_download": return rate(report.bodyBytes)
        case "speed_upload": return rate(report.sentBytes)
        case "time_namelookup": return seconds(timings.lookup)
        case "time_connect": return seconds(timings.connect)
        case "time_appconnect": return seconds(timings.secured)
        case "time_pretransfer": return seconds(timings.request)
        case "time_starttransfer": return seconds(timings.firstByte)
        case "time_redirect": return seconds(timings.redirect)
        case "time_total": return seconds(timings.total)
        case "remote_ip": return text(report.peer?.host ?? "")
        case "remote_port": return number(report.peer?.port ?? 0)
        case "local_ip": return text(report.local?.host ?? "")
        case "local_port": return number(report.local?.port ?? 0)
        case "ssl_version": return text(report.protocolName)
        case "cache": return text(report.cache.rawValue)
        case "exitcode": return number(report.failure?.exitStatus ?? 0)
        case "errormsg": return text(report.failure?.description ?? "")
        case "filename_effective": return text(fileName)
        default: return nil
        }
    }

    /// Every variable's name, for `%{json}` and the manual page.
    static let names = [
        "http_code", "http_version", "method", "url", "url_effective", "scheme", "content_type", "redirect_url",
        "num_redirects", "num_connects", "num_retries", "size_download", "size_upload", "size_header", "size_request",
        "speed_download", "speed_upload", "time_namelookup", "time_connect", "time_appconnect", "time_pretransfer",
        "time_starttransfer", "time_redirect", "time_total", "remote_ip", "remote_port", "local_ip", "local_port",
        "ssl_version", "cache", "exitcode", "errormsg", "filename_effective",
    ]

    private static func json(_ report: TransferReport, _ fileName: String) -> String {
        let parts = names.compactMap { name -> String? in
            guard let found = value(name, report, fileName) else { return nil }
            // 000 and 040 are no numbers in JSON.
            let shown =
                found.isNumber
                ? name == "http_code" ? "\(report.status)" : found.text : "\"\(JSONString.escaped(found.text))\""
            return "\"\(name)\":\(shown)"
        }
        return "{\(parts.joined(separator: ","))}"
    }

    /// `0.001234`.
    private static func seconds(_ nanoseconds: UInt64) -> String {
        let micro = nanoseconds / 1_000
        let part = "\(micro % 1_000_000)"
        return "\(micro / 1_000_000)." + String(repeating: "0", count: 6 - part.count) + part
    }
}
