// SPDX-License-Identifier: Apache-2.0
// A request's head, from the settings and what a transfer has come to: which hop it is, what is to be left out.

import Bytes
import HTTP

/// One request to be sent. Pure.
struct OutgoingRequest: Sendable {
    /// The method, as on the wire.
    var method: String
    /// Whom it asks for what.
    var url: HTTPURL
    /// How many bytes follow; nil for none.
    var content: Content?
    /// Whether credentials that were given for the first host are left out.
    var withholdsCredentials = false
    /// `Cookie`, from the jar.
    var cookies: String?
    /// Behind `bytes=`.
    var range: String?
    /// `Content-Range`, of an upload that is continued.
    var contentRange: String?

    /// How the content is framed.
    enum Content: Equatable, Sendable {
        case length(UInt64)
        case chunked

        /// How content of that length, or of one that only its end will tell, is framed: by a Transfer-Encoding of the
        /// user's too (RFC 9112 section 6.3), and never in two ways.
        static func framing(_ length: UInt64?, _ settings: TransferSettings) -> Content {
            guard let length, OutgoingRequest.coding(settings) == nil else { return .chunked }
            return .length(length)
        }
    }

    /// The Transfer-Encoding that the user gives, with the coding at its end that frames the content (RFC 9112 section 6.1).
    private static func coding(_ settings: TransferSettings) -> String? {
        let given = settings.fields.compactMap { $0.isNamed("transfer-encoding") ? $0.value : nil }
        guard let value = given.first(where: { !$0.isEmpty }) else { return nil }
        let last = value.split(separator: ",").last.map { $0.drop { $0 == " " || $0 == "\t" }.lowercased() }
        return last == "chunked" ? value : value + ", chunked"
    }

    /// Bytes of content from which the server is asked first whether it wants it (RFC 9110 section 10.1.1), as curl does.
    static let expectLimit: UInt64 = 1 << 20

    /// How the request is addressed.
    enum Form { case origin, absolute }

    /// The head's bytes, up to the empty line.
    func head(_ settings: TransferSettings, form: Form = .origin, expects: Bool = false) -> [UInt8] {
        var lines = ["\(method) \(form == .absolute ? url.text : url.target) HTTP/1.1"]
        let given = settings.fields.filter { !(withholdsCredentials && Self.isCredential($0)) }
        func add(_ name: String, _ value: String?) {
            guard let value, !given.contains(where: { $0.isNamed(name.lowercased()) }) else { return }
            lines.append("\(name): \(value)")
        }
        let isOwnHost = !withholdsCredentials
        // A Host by hand is for the first server only.
        if let host = given.first(where: { $0.isNamed("host") }), let value = host.value, isOwnHost {
            lines.append("Host: \(value)")
        } else {
            lines.append("Host: \(url.authority)")
        }
        if let authorization = authorization(settings) { add("Authorization", authorization) }
        if form == .absolute { add("Proxy-Authorization", Self.proxyAuthorization(settings, url)) }
        add("User-Agent", settings.userAgent ?? "gateway-client")
        add("Accept", "*/*")
        add("Referer", settings.referer)
        add("Range", range.map { "bytes=\($0)" })
        if settings.acceptsCompressed { add("Accept-Encoding", "gzip") }
        add("Cookie", cookies)
        switch content {
        case .length(let length):
            lines.append("Content-Length: \(length)")
            if expects { add("Expect", "100-continue") }
        case .chunked:
            lines.append("Transfer-Encoding: \(Self.coding(settings) ?? "chunked")")
            if expects { add("Expect", "100-continue") }
        case nil: break
        }
        add("Content-Range", contentRange)
        if content != nil { add("Content-Type", settings.contentType) }
        switch settings.cacheMode {
        // The Fetch standard, "HTTP-network-or-cache fetch", 8.17 and 8.18.
        case .noCache: add("Cache-Control", "max-age=0")
        case .noStore, .reload:
            add("Cache-Control", "no-cache")
            add("Pragma", "no-cache")
        case .standard, .forceCache, .onlyIfCached: break
        }
        for field in given where !field.isNamed("host") {
            // How the content is framed is said above, once.
            if field.isNamed("content-length") || field.isNamed("transfer-encoding") { continue }
            if let value = field.value { lines.append(value.isEmpty ? "\(field.name):" : "\(field.name): \(value)") }
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }

    private func authorization(_ settings: TransferSettings) -> String? {
        if let own = url.credentials { return Self.basic(own) }
        guard !withholdsCredentials, let credentials = settings.credentials else { return nil }
        return Self.basic(credentials)
    }

    static func proxyAuthorization(_ settings: TransferSettings, _ url: HTTPURL) -> String? {
        guard let credentials = settings.proxyCredentials ?? settings.proxy(for: url)?.url.credentials else {
            return nil
        }
        return basic(credentials)
    }

    /// Basic authentication (RFC 7617 section 2).
    static func basic(_ credentials: HTTPURL.Credentials) -> String {
        "Basic " + Base64.encode(Array("\(credentials.user):\(credentials.password)".utf8))
    }

    /// Fields that say who asks: not for another host than the one they were given for.
    static func isCredential(_ field: RequestField) -> Bool {
        field.isNamed("authorization") || field.isNamed("cookie") || field.isNamed("proxy-authorization")
    }
}

/// Base64 (RFC 4648 section 4).
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var word: UInt32 = 0
            for place in 0..<3 { word = word << 8 | (place < count ? UInt32(bytes[index + place]) : 0) }
            for place in 0..<4 {
                result.append(place <= count ? alphabet[Int(word >> UInt32(18 - place * 6) & 63)] : 0x3D)
            }
            index += 3
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// A request as the cache's rules see it: the head that is sent, read back.
struct ParsedRequest {
    private let held: HeldRequestHead
    /// What was read.
    var head: RequestHead { _read { yield held.head } }
    /// The head's bytes.
    let bytes: [UInt8]

    /// Nil for a request that is unlike any that a cache knows about.
    init?(_ request: OutgoingRequest, _ settings: TransferSettings) {
        let bytes = request.head(settings) + Array("\r\n".utf8)
        var parser = RequestParser()
        var head = RequestHead()
        do throws(ParseFailure) {
            guard try parser.parse(bytes.span, limits: HeadLimits(headBytes: 65_535, lineBytes: 65_535), into: &head)
            else { return nil }
        } catch { return nil }
        held = HeldRequestHead(head)
        self.bytes = bytes
    }
}
