// SPDX-License-Identifier: Apache-2.0
// Which route a request takes. The table is made once from the configuration, most specific route first, and then only
// read: the first entry that matches wins.
//
// Paths are compared in their normal form (see `PathNormaliser`), so that no spelling of a path slips past a route that another
// spelling would meet. What is forwarded is the target as it came, without its dot segments; so what servers could read in
// another way than it is matched here is refused, wherever routes look at paths at all.

package import Bytes
package import CachePolicy
package import HTTP
package import Settings

/// A route in the form in which it is matched and applied. Immutable.
package final class CompiledRoute: Sendable {
    package enum Action: Sendable {
        /// Forward to the pool with this index.
        case pool(Int)
        case redirect(status: UInt16, location: [UInt8])
        case answer(status: UInt16, contentType: [UInt8], body: [UInt8])
    }

    /// Lower-case; for a wildcard without `*`, so with a dot in front. Empty: every host.
    let host: [UInt8]
    let isWildcard: Bool
    /// Without a trailing slash; empty matches every path.
    let path: [UInt8]
    let methods: [[UInt8]]
    package let action: Action
    let rewritePrefix: [UInt8]?
    let requestEdits: FieldEdits
    let responseEdits: FieldEdits
    /// Whether the cache has anything to do with its requests.
    package let usesCache: Bool
    /// Instead of the default lifetime of all responses that name none, in seconds.
    let defaultLifetime: UInt32?
    /// Instead of the setting for all responses that are for one person.
    let compressesPrivate: Bool?
    /// Instead of what is done with all responses that set cookies.
    let setCookie: SetCookieRule?

    init(_ route: Configuration.Route, pools: [String: Int]) {
        let name = (route.host ?? "").lowercased()
        isWildcard = name.hasPrefix("*.")
        host = Array((isWildcard ? String(name.dropFirst()) : name).utf8)
        var prefix = Array(route.path.utf8)
        while prefix.last == UInt8(ascii: "/") { prefix.removeLast() }
        path = prefix
        methods = route.methods.map { Array($0.utf8) }
        switch route.action {
        case .pool(let name): action = .pool(pools[name] ?? 0)
        case .redirect(let status, let location):
            action = .redirect(status: UInt16(status), location: Array(location.utf8))
        case .answer(let status, let type, let body):
            action = .answer(status: UInt16(status), contentType: Array(type.utf8), body: Array(body.utf8))
        }
        rewritePrefix = route.rewritePrefix.map { Array($0.utf8) }
        requestEdits = FieldEdits(route.requestFields)
        responseEdits = FieldEdits(route.responseFields)
        usesCache = route.cache?.isOn ?? true
        defaultLifetime = route.cache?.defaultLifetime.map { UInt32(clamping: $0) }
        compressesPrivate = route.cache?.compressesPrivate
        setCookie = route.cache?.setCookie.map { SetCookieRule($0) }
    }

    /// The rules for its responses.
    package func rules(from general: CacheRules) -> CacheRules {
        var rules = general
        if let defaultLifetime { rules.defaultLifetime = defaultLifetime }
        if let setCookie { rules.setCookie = setCookie }
        return rules
    }

    /// Larger is tried first.
    fileprivate var rank: (Int, Int, Int) {
        (host.isEmpty ? 0 : isWildcard ? host.count : 1 << 20, path.count, methods.isEmpty ? 0 : 1)
    }

    fileprivate func matches(host name: Span<UInt8>) -> Bool {
        if host.isEmpty { return true }
        let wanted = host
        guard isWildcard else { return name.equalsIgnoringCase(wanted.span) }
        // At least one label in front of the dot.
        guard name.count > wanted.count else { return false }
        return name.extracting((name.count - wanted.count)...).equalsIgnoringCase(wanted.span)
    }

    fileprivate func matches(path name: Span<UInt8>) -> Bool {
        let wanted = path
        guard name.count >= wanted.count, name.extracting(..<wanted.count).equals(wanted.span) else { return false }
        return name.count == path.count || path.isEmpty || name[path.count] == UInt8(ascii: "/")
    }

    fileprivate func matches(method name: Span<UInt8>) -> Bool {
        if methods.isEmpty { return true }
        for method in methods {
            if name.equals(method.span) { return true }
            // RFC 9110 section 9.3.2: HEAD is GET without the content.
            if name.equals("HEAD"), method.span.equals("GET") { return true }
        }
        return false
    }
}

/// Fields to set and to remove, by lower-case name.
struct FieldEdits: Sendable {
    private(set) var removed: [[UInt8]] = []
    private(set) var set: [Line] = []
    /// The value of `Host`, which is written first.
    private(set) var host: [UInt8]?
    /// Those of the gateway's own fields that one of `set` takes the place of.
    private(set) var own: Own = []

    /// Fields that the gateway writes and that may be there once only.
    struct Own: OptionSet {
        let rawValue: UInt8
        static let forwardedProto = Own(rawValue: 1 << 0)
        static let forwardedHost = Own(rawValue: 1 << 1)
        static let requestID = Own(rawValue: 1 << 2)
        static let certificateSubject = Own(rawValue: 1 << 3)
        static let transportSecurity = Own(rawValue: 1 << 4)
    }

    /// A field to be set.
    struct Line: Sendable {
        let name: [UInt8]
        let value: [UInt8]

        /// Lends name and value.
        func write(_ body: (Span<UInt8>, Span<UInt8>) -> Void) { body(name.span, value.span) }
    }

    init(_ changes: [Configuration.FieldChange]) {
        for change in changes {
            switch change {
            case .set(let name, let value):
                let lower = name.lowercased()
                guard lower != "host" else {
                    host = Array(value.utf8)
                    continue
                }
                removed.append(Array(lower.utf8))
                set.append(Line(name: Array(name.utf8), value: Array(value.utf8)))
                switch lower {
                case "x-forwarded-proto": own.insert(.forwardedProto)
                case "x-forwarded-host": own.insert(.forwardedHost)
                case "x-request-id": own.insert(.requestID)
                case "x-client-cert-subject": own.insert(.certificateSubject)
                case "strict-transport-security": own.insert(.transportSecurity)
                default: break
                }
            case .remove(let name):
                removed.append(Array(name.lowercased().utf8))
            }
        }
    }

    /// Whether a field of this name that came is not passed on.
    func drops(_ name: Span<UInt8>) -> Bool {
        for other in removed where name.equalsIgnoringCase(other.span) { return true }
        return false
    }
}

/// All routes of a configuration.
package struct RouteTable: Sendable {
    private let routes: [CompiledRoute]
    /// Whether host, path or method can make a difference at all.
    private let isTrivial: Bool
    /// Whether what the path says makes a difference, here or in what is forwarded.
    private let looksAtPaths: Bool

    init(_ configuration: Configuration) {
        var pools: [String: Int] = [:]
        for (index, pool) in configuration.pools.enumerated() { pools[pool.name] = index }
        var given = configuration.routes
        if given.isEmpty, let first = configuration.pools.first {
            given = [Configuration.Route(action: .pool(first.name))]
        }
        let compiled = given.map { CompiledRoute($0, pools: pools) }
        // A stable sort: routes of one rank stay in the order of the file.
        routes = compiled.enumerated().sorted { a, b in
            a.element.rank == b.element.rank ? a.offset < b.offset : a.element.rank > b.element.rank
        }.map(\.element)
        looksAtPaths = routes.contains { !$0.path.isEmpty || $0.rewritePrefix != nil }
        isTrivial = routes.count == 1 && routes[0].host.isEmpty && routes[0].methods.isEmpty && !looksAtPaths
    }

    package enum Match {
        case route(CompiledRoute)
        case none
        /// The path has no normal form: it climbs above the root, or its escapes are broken.
        case badPath
        /// Some servers would read the path in another way, which another route may be for.
        case ambiguousPath
    }

    /// The route of a request, whose dot segments have been resolved. `scratch` is for normal forms.
    package func match(_ head: borrowing RequestHead, _ bytes: Span<UInt8>, scratch: Block) -> Match {
        scratch.clear()
        if isTrivial { return .route(routes[0]) }
        let path = bytes.extracting(head.pathRange)
        guard looksAtPaths, !PathNormaliser.isNormal(path), head.targetForm != .asterisk else {
            return route(head, bytes, path: path).map { Match.route($0) } ?? Match.none
        }
        if PathNormaliser.hidesDotSegments(path) { return .ambiguousPath }
        guard PathNormaliser.normalise(path, into: scratch) else { return .badPath }
        guard let found = route(head, bytes, path: scratch.readable) else { return .none }
        if case .pool = found.action, let other = PathNormaliser.pathBehindHost(path) {
            scratch.clear()
            guard PathNormaliser.normalise(other, into: scratch),
                route(head, bytes, path: scratch.readable) === found
            else { return .ambiguousPath }
        }
        return .route(found)
    }

    /// The first that matches, for a path in normal form.
    private func route(_ head: borrowing RequestHead, _ bytes: Span<UInt8>, path: Span<UInt8>) -> CompiledRoute? {
        let host = Self.host(bytes.extracting(head.authorityRange))
        let method = bytes.extracting(head.methodRange)
        for route in routes where route.matches(host: host) && route.matches(method: method) {
            if route.matches(path: path) { return route }
        }
        return nil
    }

    /// An authority without its port and without the dot that ends a fully qualified name.
    @_lifetime(copy authority)
    private static func host(_ authority: Span<UInt8>) -> Span<UInt8> {
        let host = authority.withoutPort
        guard host.count > 1, host[host.count - 1] == UInt8(ascii: ".") else { return host }
        return host.extracting(droppingLast: 1)
    }
}

extension SetCookieRule {
    /// The rule as operators say it.
    package init(_ setting: Configuration.Cache.SetCookie) {
        switch setting {
        case .refuse: self = .refuse
        case .strip: self = .strip
        case .keep: self = .keep
        }
    }
}
