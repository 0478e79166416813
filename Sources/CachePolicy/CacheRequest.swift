// SPDX-License-Identifier: Apache-2.0
// What a cache has to know of a request, found in one walk over its fields. A request without any field that concerns
// caches costs that walk and nothing else.

public import HTTP

/// A request as a cache sees it. Made once for each request.
public struct CacheRequest: Sendable, Equatable {
    /// Fields that are there.
    public struct Present: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt16
        /// Fields of these bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// Cache-Control or Pragma.
        public static let directives = Present(rawValue: 1 << 0)
        /// If-None-Match.
        public static let ifNoneMatch = Present(rawValue: 1 << 1)
        /// If-Modified-Since.
        public static let ifModifiedSince = Present(rawValue: 1 << 2)
        /// If-Match or If-Unmodified-Since, which are for the origin (RFC 9111 §4.3.2).
        public static let originConditions = Present(rawValue: 1 << 3)
        /// Range.
        public static let range = Present(rawValue: 1 << 4)
        /// If-Range.
        public static let ifRange = Present(rawValue: 1 << 5)
        /// Authorization.
        public static let authorization = Present(rawValue: 1 << 6)
        /// Cookie.
        public static let cookie = Present(rawValue: 1 << 7)
        /// Those that a stored response has to be looked at for.
        public static let conditions: Present = [.ifNoneMatch, .ifModifiedSince, .range]
    }

    /// The method.
    public var method: Method
    /// Fields that are there.
    public var present: Present = []
    /// Its directives.
    public var directives = RequestDirectives()
    /// Whether content follows the head.
    public var hasContent: Bool
    /// Whether another protocol is asked for.
    public var wantsUpgrade: Bool

    /// Looks at a request.
    public init(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
        method = head.method
        hasContent = head.framing.hasBody
        wantsUpgrade = head.hasForwardableUpgrade
        for position in 0..<head.fields.count {
            switch head.fields[position].name {
            case .cacheControl, .pragma: present.insert(.directives)
            case .ifNoneMatch: present.insert(.ifNoneMatch)
            case .ifModifiedSince: present.insert(.ifModifiedSince)
            case .ifMatch, .ifUnmodifiedSince: present.insert(.originConditions)
            case .range: present.insert(.range)
            case .ifRange: present.insert(.ifRange)
            case .authorization: present.insert(.authorization)
            case .cookie: present.insert(.cookie)
            default: break
            }
        }
        // RFC 9110 §14.2: a Range field with another method than GET is ignored; §13.1.5: so is If-Range without Range.
        if method != .get { present.remove(.range) }
        if !present.contains(.range) { present.remove(.ifRange) }
        if present.contains(.directives) { directives = RequestDirectives(head, bytes) }
    }
}

// MARK: What its own fields mean for others

extension CacheRequest {
    /// Whether others may count on its answer, as far as can be told before that comes.
    public enum Contribution: Sendable, Equatable {
        /// Nothing in the request forbids to store the answer: it may lead a download that others wait for.
        case everybody
        /// It says who asks, so the answer is stored only when that permits it (RFC 9111 §3.5), which most do not. Nobody
        /// waits for it.
        case ifPermitted
        /// No answer to it is stored.
        case nothing
    }

    /// What it may contribute.
    public var contribution: Contribution {
        guard method == .get, refusal == nil, !present.contains(.originConditions) else { return .nothing }
        return present.contains(.authorization) ? .ifPermitted : .everybody
    }

    /// Whether its answer may be made for this client, so that what is refused to it says nothing of what others would get:
    /// it says who asks.
    public var isPersonal: Bool { !present.isDisjoint(with: [.authorization, .cookie]) }

    /// Why no answer to it may be stored; nil when that is for the answer to say.
    var refusal: StoreRefusal? {
        // RFC 9110 §9.3.1: content of a GET has no meaning that is defined, and so it is in no key.
        if hasContent { return .requestContent }
        // §5.2.1.5: "a cache MUST NOT store any part of either this request or any response to it".
        if directives.noStore { return .requestNoStore }
        return wantsUpgrade ? .upgrade : nil
    }
}
