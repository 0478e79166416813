// SPDX-License-Identifier: Apache-2.0
// One request and its response over a connection of its own, with blocking reads and writes: a command-line client waits
// for nothing else.

import Bytes
public import Engine
import Glibc
import HTTP
import TLS

/// What to ask for.
public struct ClientRequest: Sendable {
    /// Case-sensitive, as on the wire.
    public var method: String
    /// What is asked for.
    public var url: HTTPURL
    /// Name and value; an empty value with `removes` takes a default field away.
    public var fields: [(name: String, value: String)]
    /// Nil for none, which is not the same as an empty one.
    public var body: [UInt8]?

    /// A request.
    public init(method: String, url: HTTPURL, fields: [(name: String, value: String)] = [], body: [UInt8]? = nil) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
    }
}

/// Where a response goes.
public protocol ResponseReceiver {
    /// The final head, as it came.
    mutating func head(_ bytes: Span<UInt8>, status: UInt16) throws(ClientFailure)
    /// A piece of the body.
    mutating func body(_ bytes: Span<UInt8>) throws(ClientFailure)
}

/// Why a transfer failed, with curl's exit status and a sentence for people.
public struct ClientFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// curl's exit status for the same trouble.
    public let exitStatus: Int32
    /// What went wrong, and what to look at.
    public let description: String

    /// A failure.
    public init(_ exitStatus: Int32, _ description: String) {
        self.exitStatus = exitStatus
        self.description = description
    }

    static func noSuchHost(_ host: String, _ reason: String) -> ClientFailure {
        ClientFailure(6, "cannot find the address of \(host): \(reason); check the spelling")
    }
    static func cannotConnect(_ authority: String, _ reason: String) -> ClientFailure {
        ClientFailure(7, "cannot connect to \(authority): \(reason); is a server running there?")
    }
    /// curl's: 60 for a certificate, 35 for anything else about the handshake.
    static func secure(_ url: HTTPURL, _ failure: TLSFailure) -> ClientFailure {
        var isCertificate = false
        if case .certificate = failure.kind { isCertificate = true }
        let hint =
            isCertificate
            ? "; --cacert FILE names the authority that issued it, --insecure connects without knowing who answers" : ""
        return ClientFailure(
            isCertificate ? 60 : 35, "no secure connection to \(url.authority): \(failure.sentence)\(hint)")
    }
    static let partial = ClientFailure(18, "the connection ended before the response was complete")
    static let empty = ClientFailure(52, "the server closed the connection without an answer")
    static func receive(_ reason: String) -> ClientFailure { ClientFailure(56, "receiving failed: \(reason)") }
    static func send(_ reason: String) -> ClientFailure { ClientFailure(55, "sending failed: \(reason)") }
    static func malformed(_ failure: ParseFailure) -> ClientFailure {
        // curl's: 1 for what is no HTTP/1 at all, 56 within a body, 8 for a head.
        let status: Int32
        switch failure.reason {
        case .badStatus, .badVersion, .unsupportedVersion: status = 1
        case .badChunkSize, .chunkSizeOverflow, .badChunkEnd, .badChunkExtension, .chunkExtensionsTooLarge: status = 56
        default: status = 8
        }
        return ClientFailure(status, "the server's response is not valid HTTP: \(failure.sentence)")
    }
    /// A write of the response failed.
    public static func write(_ path: String, _ reason: String) -> ClientFailure {
        ClientFailure(23, "cannot write to \(path): \(reason)")
    }
}

/// What a transfer came to, for the log.
public struct TransferReport: Sendable {
    /// 0 before there was one.
    public var status: UInt16 = 0
    /// Bytes of the response's body.
    public var bodyBytes: UInt64 = 0
    /// The server's address, once connected.
    public var peer: SocketAddress?
    /// The version of TLS, once secured; empty in the clear.
    public var protocolName = ""
    /// Nothing has happened yet.
    public init() {}
}

/// Carries requests out.
public enum Transfer {
    private static let limits = HeadLimits(headBytes: 60 << 10, lineBytes: 60 << 10, fields: 100)

    /// Sends `request` and passes the response to `receiver`. An `https` URL is secured by `security`, or verified against
    /// the system's certificates when that is nil. `report` tells how far it came even when it fails.
    public static func run(
        _ request: ClientRequest, security: ClientSecurity? = nil, to receiver: inout some ResponseReceiver,
        report: inout TransferReport
    ) throws(ClientFailure) {
        signal(SIGPIPE, SIG_IGN)
        var security = security
        if request.url.isSecure, security == nil { security = try ClientSecurity() }
        let connection = try Connection(
            to: request.url, security: request.url.isSecure ? security : nil, report: &report)
        let bytes = head(of: request) + (request.body ?? [])
        try connection.send(bytes.span)
        try receive(Method(named: request.method), on: connection, to: &receiver, report: &report)
    }

    private static func head(of request: ClientRequest) -> [UInt8] {
        var lines = ["\(request.method) \(request.url.target) HTTP/1.1"]
        func isGiven(_ name: String) -> Bool { request.fields.contains { $0.name.lowercased() == name } }
        if !isGiven("host") { lines.append("Host: \(request.url.authority)") }
        if !isGiven("user-agent") { lines.append("User-Agent: gateway-client") }
        if !isGiven("accept") { lines.append("Accept: */*") }
        if !isGiven("connection") { lines.append("Connection: close") }
        if let body = request.body {
            if !isGiven("content-type") { lines.append("Content-Type: application/x-www-form-urlencoded") }
            if !isGiven("content-length") { lines.append("Content-Length: \(body.count)") }
        }
        for field in request.fields where !field.value.isEmpty { lines.append("\(field.name): \(field.value)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    private static func receive(
        _ method: Method, on connection: Connection, to receiver: inout some ResponseReceiver,
        report: inout TransferReport
    ) throws(ClientFailure) {
        let block = Block(capacity: 128 << 10)
        var parser = ResponseParser()
        var head = ResponseHead()
        while true {
            guard try connection.fill(block) else {
                throw block.isEmpty ? .empty : .partial
            }
            guard try parse(&parser, block, method, &head) else { continue }
            guard head.status >= 200 else {
                block.consume(head.length)
                parser.reset()
                // Another head may have come along.
                guard !block.isEmpty, try parse(&parser, block, method, &head), head.status >= 200 else { continue }
                break
            }
            break
        }
        report.status = head.status
        try receiver.head(block.readable.extracting(0..<head.length), status: head.status)
        block.consume(head.length)
        var body = BodyDecoder(head.framing)
        if body.isEnded { return }
        while true {
            var offset = 0
            while offset < block.count {
                let step: BodyDecoder.Step
                do throws(ParseFailure) {
                    step = try body.next(block.readable, from: &offset)
                } catch { throw .malformed(error) }
                if case .data(let range) = step {
                    report.bodyBytes += UInt64(range.count)
                    try receiver.body(block.readable.extracting(range))
                }
                if step == .end || body.isEnded { return }
            }
            block.clear()
            guard try connection.fill(block) else {
                guard body.peerClosed() else { throw .partial }
                return
            }
        }
    }

    private static func parse(
        _ parser: inout ResponseParser, _ block: Block, _ method: Method, _ head: inout ResponseHead
    ) throws(ClientFailure) -> Bool {
        do throws(ParseFailure) {
            return try parser.parse(block.readable, limits: limits, requestMethod: method, into: &head)
        } catch { throw .malformed(error) }
    }
}

extension Method {
    /// The method of this name.
    fileprivate init(named name: String) {
        switch name {
        case "GET": self = .get
        case "HEAD": self = .head
        case "POST": self = .post
        case "PUT": self = .put
        case "DELETE": self = .delete
        case "OPTIONS": self = .options
        case "TRACE": self = .trace
        case "PATCH": self = .patch
        default: self = .other
        }
    }
}
