// SPDX-License-Identifier: Apache-2.0
// One call of the admin address. It has no password, so it is made for the loopback interface, and must not be reached
// through a browser there: a page from elsewhere can send requests to 127.0.0.1, and by a name of its own that resolves to
// it (DNS rebinding). Hence the two checks: `Host` is an address or localhost, and nothing says that a page sent it.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Proxy
import Serving
import Settings
import Synchronization

/// A request to the admin address, and its response.
final class AdminExchange: Exchange {
    unowned let service: AdminService  // Every connection that uses an exchange holds it.
    /// The explanation that is being made, while a disk is asked.
    var explanation: Explanation?
    /// What is waited for: a disk's answer, or a purge to be written down.
    var wait: AdminWait?

    init(service: AdminService) {
        self.service = service
        super.init()
    }

    override func requestReceived() {
        do throws(AdminCall.Problem) {
            try checkSender()
            let bytes = headBytes
            let query = bytes.extracting(head.queryRange ?? 0..<0)
            switch try AdminCall.read(head.method, path: bytes.extracting(head.pathRange), query: query) {
            case .help: answer(200, Array(Self.help.utf8), type: "text/plain; charset=utf-8")
            case .cache: answer(200, json: cacheState())
            case .explain(let url): try explain(url)
            case .purge(let purge): try self.purge(purge)
            case .upstreams: answer(200, json: upstreams())
            case .add(let pool, let server): answer(200, json: try add(server, to: pool))
            case .change(let pool, let server, let change):
                answer(200, json: try self.change(server, of: pool, change))
            }
        } catch {
            refuse(error)
        }
    }

    override func requestRefused(_ refusal: Refusal) {
        refuse(AdminCall.Problem(refusal.status, "\(refusal.sentence)"))
    }

    override func ended(_ ending: Ending) {
        wait?.detach()
        wait = nil
        explanation = nil
    }

    private func checkSender() throws(AdminCall.Problem) {
        let bytes = headBytes
        let host = bytes.extracting(head.authorityRange).withoutPort
        let text = unsafe host.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        guard host.equalsIgnoringCase("localhost") || SocketAddress(numeric: text, port: 0) != nil else {
            throw AdminCall.Problem(403, "Host must be a numeric address or localhost here.")
        }
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            let name = bytes.extracting(field.nameRange)
            let comesFromPage =
                name.equalsIgnoringCase("origin")
                || name.equalsIgnoringCase("sec-fetch-site")
                    && !bytes.extracting(field.valueRange).equals("none")
            if comesFromPage { throw AdminCall.Problem(403, "Web pages may not call the admin address.") }
        }
    }

    private static let help = """
        The admin address of this gateway.

        GET  /cache                    what the cache holds and has done
        GET  /cache/explain?url=URL    what is stored for a URL, and what the next request for it would do;
                                       the fields of the call are taken for those of that request
        POST /cache/purge?url=URL      forget a URL with its variants (as PURGE does)
        POST /cache/purge?prefix=URL/  all below a path that ends with a slash
        POST /cache/purge?host=HOST    all of a host
        POST /cache/purge?tag=TAG      all responses with the tag, from Surrogate-Key or Cache-Tag
        POST /cache/purge?all          everything

        GET  /upstreams                                 pools, their servers, and how these are
        POST /upstreams/POOL/SERVER/drain               no new requests; those that run end
        POST /upstreams/POOL/SERVER/undrain             as before
        POST /upstreams/POOL/SERVER/weight?to=N         another share of the requests, 0 to 256
        POST /upstreams/POOL/SERVER/remove              out for good
        POST /upstreams/POOL/add?server=URL[,weight=N]  one more, by its numeric address

        """

    // MARK: The cache

    func requireCache() throws(AdminCall.Problem) -> ResponseCache {
        guard let cache = service.cache else {
            throw AdminCall.Problem(409, "There is no cache (--no-cache, or its folder could not be had).")
        }
        return cache
    }

    private func cacheState() -> JSONText {
        var text = JSONText()
        text.object { text in
            text.add("enabled", service.cache != nil)
            guard let store = service.cache?.store else { return }
            let counters = store.counters
            text.add("objects", counters.objects.load(ordering: .relaxed))
            text.add("disk_bytes", counters.diskBytes.load(ordering: .relaxed))
            text.add("disk_limit", service.snapshot.configuration.cache.diskBytes)
            text.add("memory_hits", counters.memoryHits.load(ordering: .relaxed))
            text.add("disk_hits", counters.diskHits.load(ordering: .relaxed))
            text.add("misses", counters.misses.load(ordering: .relaxed))
            text.add("stores", counters.stores.load(ordering: .relaxed))
            text.add("evictions", counters.evictions.load(ordering: .relaxed))
            text.add("corrupt", counters.corrupt.load(ordering: .relaxed))
            text.add("disk_errors", counters.diskErrors.load(ordering: .relaxed))
            text.add("fallen_behind", counters.fallenBehind.load(ordering: .relaxed))
            text.add("refusals", counters.refusals.load(ordering: .relaxed))
        }
        return text
    }

    private func purge(_ what: AdminCall.Purge) throws(AdminCall.Problem) {
        let cache = try requireCache()
        let (scope, host) = try scope(of: what, cache)
        let wait = AdminWait(self)
        self.wait = wait
        cache.store.purge(
            scope, in: host,
            then: (service.loop, { isWritten in wait.exchange?.purged(isWritten) }))
    }

    /// The scope of a purge, nil for everything, and the host that it is a part of.
    private func scope(
        of what: AdminCall.Purge, _ cache: ResponseCache
    ) throws(AdminCall.Problem) -> (CacheScope?, host: CacheScope?) {
        switch what {
        case .all: return (nil, nil)
        case .tag(let tag): return (CacheScopes.tag(ResponseTags.hash(tag.span, cache.secret)), nil)
        case .host(let host):
            let key = try key(of: Array("http://".utf8) + host)
            guard let parts = CacheKeyParts(key.readable), parts.pathRange.count == 1, parts.queryRange == nil else {
                throw AdminCall.Problem(400, "A host is a name or an address, without a path.")
            }
            return (CacheScope(.host, key.readable.extracting(parts.hostRange)), nil)
        case .url(let url):
            let key = try key(of: url)
            return (CacheScope(.url, key.readable), CacheScopes.host(of: key.readable))
        case .prefix(let url):
            let key = try key(of: url)
            guard let scope = CacheScopes.below(key: key.readable) else {
                throw AdminCall.Problem(400, "A prefix is a URL that ends with a slash, at most 16 folders deep.")
            }
            return (scope, CacheScopes.host(of: key.readable))
        }
    }

    /// The key of a URL.
    func key(of url: [UInt8]) throws(AdminCall.Problem) -> Block {
        let request = try ExplainedRequest(url, fieldsOf: self)
        return try key(of: request)
    }

    /// The key of a request.
    func key(of request: ExplainedRequest) throws(AdminCall.Problem) -> Block {
        let block = Block(capacity: CacheKey.limit)
        guard CacheKey.write(request.scheme, request.head, request.bytes, to: block) else {
            throw AdminCall.Problem(400, "This URL has no key in a cache.")
        }
        return block
    }

    /// A purge counts, and has been written down, or not.
    func purged(_ isWritten: Bool) {
        wait = nil
        var text = JSONText()
        text.object { text in
            text.add("purged", true)
            text.add("survives_restart", isWritten)
        }
        answer(200, json: text)
    }

    // MARK: Answers

    private func refuse(_ problem: AdminCall.Problem) {
        var text = JSONText()
        text.object { $0.add("error", problem.sentence) }
        answer(problem.status, json: text, allow: problem.allow)
    }

    func answer(_ status: UInt16, json: JSONText, allow: StaticString? = nil) {
        answer(status, json.bytes + [0x0A], type: "application/json", allow: allow)
    }

    private func answer(_ status: UInt16, _ body: [UInt8], type: StaticString, allow: StaticString? = nil) {
        guard let stream, !stream.hasBegun else { return }
        stream.begin(status: status)
        stream.dateField()
        stream.field("Content-Type", type)
        stream.field("Cache-Control", "no-store")
        if let allow { stream.field("Allow", allow) }
        stream.endHead(.length(UInt64(body.count)))
        if head.method != .head { stream.send(body.span) }
        stream.finish(trailers: nil)
    }
}

/// Tells an exchange of what a disk thread has done, unless it has ended meanwhile.
///
/// `@unchecked Sendable` is inherited: everything is used on the loop only.
final class AdminWait: CacheReader, @unchecked Sendable {
    private(set) var exchange: AdminExchange?

    init(_ exchange: AdminExchange) {
        self.exchange = exchange
        super.init(on: exchange.service.loop)
    }

    func detach() { exchange = nil }

    override func opened(_ opening: Opening) { exchange?.opened(opening) }
}
