// SPDX-License-Identifier: Apache-2.0
// Messages are written from what was understood, never copied through. The pieces given here come from parsed heads or from
// checked settings and so hold no CR, LF or NUL; a debug build makes sure.

public import Bytes

extension Block {
    /// Appends a status line. An empty `reason` stands for the standard phrase. Needs 64 bytes beside the reason.
    public func appendStatusLine(status: UInt16, reason: Span<UInt8>) {
        append("HTTP/1.1 ")
        append(decimal: UInt64(status), digits: 3)
        append(UInt8(ascii: " "))
        if reason.count > 0 { append(reason) } else { append(StandardReason.phrase(status)) }
        append("\r\n")
    }

    /// Appends a field line. Needs 4 bytes beside name and value.
    public func appendField(name: Span<UInt8>, value: Span<UInt8>) {
        assert(Self.isClean(name) && Self.isClean(value), "a field holds no line ends")
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }

    /// Appends a field line whose name is fixed.
    public func appendField(_ name: StaticString, _ value: Span<UInt8>) { appendField(name: name.span, value: value) }

    /// Appends a field line with a number. Needs 24 bytes beside the name.
    public func appendField(_ name: StaticString, decimal value: UInt64) {
        append(name)
        append(": ")
        append(decimal: value)
        append("\r\n")
    }

    private static func isClean(_ bytes: Span<UInt8>) -> Bool {
        for index in bytes.indices where bytes[index] == 0x0D || bytes[index] == 0x0A || bytes[index] == 0 { return false }
        return true
    }
}

/// The reason phrases of the registered status codes (RFC 9110 section 15 and the registry).
public enum StandardReason {
    /// The phrase for `status`, or one for its class.
    public static func phrase(_ status: UInt16) -> StaticString {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 103: "Early Hints"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 203: "Non-Authoritative Information"
        case 204: "No Content"
        case 205: "Reset Content"
        case 206: "Partial Content"
        case 300: "Multiple Choices"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 425: "Too Early"
        case 426: "Upgrade Required"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 451: "Unavailable For Legal Reasons"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case ..<200: "Informational"
        case ..<300: "Success"
        case ..<400: "Redirection"
        case ..<500: "Client Error"
        default: "Server Error"
        }
    }
}
