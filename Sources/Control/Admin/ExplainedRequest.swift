// SPDX-License-Identifier: Apache-2.0
// The request that an explain call is about: a GET of the URL, with the fields of the call itself, since responses vary on
// them. It is written as text and read by the parser that reads real requests, so it means what it would mean there.

import Bytes
import CachePolicy
import HTTP
import Proxy
import Serving

/// A request that nobody has sent.
struct ExplainedRequest {
    private let block: Block
    private let held: HeldRequestHead
    var head: RequestHead { _read { yield held.head } }
    let scheme: URIScheme

    /// Its bytes, which `head` describes.
    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let block = block
            let bytes = block.readable
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }

    /// A GET of `url` with the fields of `call`; or the sentence that says why there is no such request.
    init(_ url: [UInt8], fieldsOf call: Exchange) throws(AdminCall.Problem) {
        let text = url.span
        guard let (scheme, rest) = Self.scheme(of: text) else {
            throw AdminCall.Problem(400, "A URL begins with http:// or https://.")
        }
        var end = 0
        while end < rest.count, rest[end] != UInt8(ascii: "/"), rest[end] != UInt8(ascii: "?") { end += 1 }
        let target = rest.extracting(end...)
        guard text.count <= 60 << 10 else { throw AdminCall.Problem(414, "The URL is longer than 60 KiB.") }
        let block = Block(capacity: 192 << 10)
        block.append("GET ")
        if target.isEmpty || target[0] != UInt8(ascii: "/") { block.append("/") }
        block.append(target)
        block.append(" HTTP/1.1\r\nHost: ")
        block.append(rest.extracting(0..<end))
        block.appendLineEnd()
        Self.copyFields(of: call, to: block)
        block.appendLineEnd()
        var head = RequestHead()
        var parser = RequestParser()
        let limits = HeadLimits(headBytes: 65_535, lineBytes: 65_535, fields: FieldTable.capacity)
        do throws(ParseFailure) {
            guard try parser.parse(block.readable, limits: limits, into: &head) else {
                throw ParseFailure(.badTarget, at: 0)
            }
        } catch {
            throw AdminCall.Problem(400, "A request for this URL would be refused: \(error.sentence)")
        }
        guard head.resolveDotSegments(in: block) else {
            throw AdminCall.Problem(400, "A request for this URL would be refused: its path climbs above its root.")
        }
        self.block = block
        held = HeldRequestHead(head)
        self.scheme = scheme
    }

    @_lifetime(copy url)
    private static func scheme(of url: Span<UInt8>) -> (URIScheme, Span<UInt8>)? {
        if url.count > 7, url.extracting(0..<7).equalsIgnoringCase("http://") { return (.http, url.extracting(7...)) }
        if url.count > 8, url.extracting(0..<8).equalsIgnoringCase("https://") { return (.https, url.extracting(8...)) }
        return nil
    }

    /// All but those that are about the call's own connection and framing.
    private static func copyFields(of call: Exchange, to block: Block) {
        let bytes = call.headBytes
        for index in 0..<call.head.fields.count {
            let field = call.head.fields[index]
            switch field.name {
            case .host, .connection, .contentLength, .transferEncoding, .expect, .upgrade: continue
            default:
                block.append(bytes.extracting(field.nameRange))
                block.append(": ")
                block.append(bytes.extracting(field.valueRange))
                block.appendLineEnd()
            }
        }
    }
}
