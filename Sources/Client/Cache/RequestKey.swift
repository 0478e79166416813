// SPDX-License-Identifier: Apache-2.0
// What a response is stored under: the URL, and everything that must be the same before another request may have it.

import Bytes
import CachePolicy
import CacheStore
import HTTP

/// A request, as far as the cache tells requests apart.
struct RequestKey {
    /// The canonical key of the URL.
    let bytes: [UInt8]
    /// Its hash.
    let hash: CacheHash
    private let request: ParsedRequest
    private let apart: [UInt8]

    /// Not a secret: nobody but the user chooses what is hashed here, and keys are compared whole.
    private static let sip = HashKey(0x636C_6965_6E74_2D63, 0x6163_6865_2D6B_6579)

    /// Nil for a request that has no key.
    ///
    /// Stricter than RFC 9111, which lets a private cache give a response to anybody who uses it: responses are kept apart by
    /// credentials and cookies, since one user of a command line is often several users of a server; and by whom one
    /// believed and where one connected, so that what an impostor answered under `--insecure` is not served without it.
    ///
    /// A request with another Host than the URL's, given by hand, has none: what its server answers is no other site's.
    init?(_ request: ParsedRequest, _ url: HTTPURL, _ settings: TransferSettings) {
        guard let host = request.head.fields.first(.host),
            request.bytes.span.extracting(host.valueRange).string.lowercased() == url.authority.lowercased()
        else { return nil }
        let scheme: URIScheme = url.isSecure ? .https : .http
        let block = Block(capacity: request.bytes.count + 256)
        guard CacheKey.write(scheme, request.head, request.bytes.span, to: block) else { return nil }
        bytes = unsafe block.readable.withUnsafeBufferPointer { unsafe Array($0) }
        hash = Self.hash(bytes)
        self.request = request
        var apart = settings.trust + "\n"
        let route = Route(url, settings)
        if case .local(let path) = route.hop { apart += "unix:\(path)" }
        if route.isProxy, case .host(let host, let port) = route.hop { apart += "proxy:\(host):\(port)" }
        apart += route.addresses.joined(separator: ",") + "\n"
        for position in 0..<request.head.fields.count {
            let field = request.head.fields[position]
            guard field.name == .authorization || field.name == .cookie || field.name == .host else { continue }
            apart += request.bytes.span.extracting(field.valueRange).string + "\n"
        }
        self.apart = Array(apart.utf8)
    }

    static func hash(_ bytes: [UInt8]) -> CacheHash {
        let hash = sip.hash(bytes.span)
        return CacheHash(high: hash.high, low: hash.low)
    }

    /// The hash of all the rest, for a response that varies on fields of these names. Only the hash is stored: the values
    /// may be secrets.
    func variant(_ names: [UInt8]) -> CacheHash {
        let block = Block(capacity: SelectingFields.byteLimit + 64)
        guard SelectingFields.write(names: names.span, request.head, request.bytes.span, to: block) else {
            return .none
        }
        let values = unsafe block.readable.withUnsafeBufferPointer { unsafe Array($0) }
        return Self.hash(apart + [0] + names + [0] + values)
    }

    /// The key of a URL alone, as `flush` and `show` need it.
    static func hash(of url: HTTPURL) -> CacheHash? {
        let request = OutgoingRequest(method: "GET", url: url)
        guard let parsed = ParsedRequest(request, TransferSettings()) else { return nil }
        return RequestKey(parsed, url, TransferSettings())?.hash
    }
}
