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
            default: break
            }
        }
        // RFC 9110 §14.2: a Range field with another method than GET is ignored; §13.1.5: so is If-Range without Range.
        if method != .get { present.remove(.range) }
        if !present.contains(.range) { present.remove(.ifRange) }
        if present.contains(.directives) { directives = RequestDirectives(head, bytes) }
    }
}
