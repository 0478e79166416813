// SPDX-License-Identifier: Apache-2.0
// The response directives that count for this cache, from one field: a targeted one (RFC 9213), else Cache-Control.
//
// Where directives are repeated or conflict, the most restrictive one counts (RFC 9111 §4.2.1). "A cache MUST ignore
// unrecognized cache directives" (§5.2.3).

public import HTTP
internal import Bytes

/// What a response says to caches (RFC 9111 §5.2.2, RFC 5861, RFC 8246).
public struct ResponseDirectives: Sendable {
    /// Directives without a number.
    public struct Flags: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt16
        /// Flags of these bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// `no-store`.
        public static let noStore = Flags(rawValue: 1 << 0)
        /// `no-cache` without field names.
        public static let noCache = Flags(rawValue: 1 << 1)
        /// `private` without field names.
        public static let isPrivate = Flags(rawValue: 1 << 2)
        /// `public`.
        public static let isPublic = Flags(rawValue: 1 << 3)
        /// `must-revalidate`.
        public static let mustRevalidate = Flags(rawValue: 1 << 4)
        /// `proxy-revalidate`.
        public static let proxyRevalidate = Flags(rawValue: 1 << 5)
        /// `must-understand`.
        public static let mustUnderstand = Flags(rawValue: 1 << 6)
        /// `no-transform`.
        public static let noTransform = Flags(rawValue: 1 << 7)
        /// `immutable`.
        public static let immutable = Flags(rawValue: 1 << 8)
        /// They came in a targeted field, so that Cache-Control and Expires are ignored.
        public static let isTargeted = Flags(rawValue: 1 << 9)
    }

    /// Those without a number.
    public var flags: Flags = []
    /// `max-age` in seconds; 0 when it is malformed.
    public var maxAge: UInt32?
    /// `s-maxage` in seconds; 0 when it is malformed.
    public var sharedMaxAge: UInt32?
    /// `stale-while-revalidate` in seconds; 0 when it is malformed.
    public var staleWhileRevalidate: UInt32?
    /// `stale-if-error` in seconds; 0 when it is malformed.
    public var staleIfError: UInt32?
    /// The field names of the qualified forms of `no-cache` and `private`.
    var qualified = QualifiedNames()

    /// No directives.
    public init() {}

    /// Reads those that count: of a shared cache's targeted fields the first that is valid, else all Cache-Control
    /// lines together.
    public init(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ rules: CacheRules) {
        // RFC 9213 §2.2: "the cache MUST select the first (in target-list order) field with a valid, non-empty value".
        if rules.isShared {
            if readTargeted(.gatewayCacheControl, head, bytes) { return }
            if readTargeted(.cdnCacheControl, head, bytes) { return }
        }
        for position in 0..<head.fields.count where head.fields[position].name == .cacheControl {
            readCacheControl(bytes, head.fields[position].valueRange)
        }
    }

    private mutating func readTargeted(
        _ name: FieldName, _ head: borrowing ResponseHead, _ bytes: Span<UInt8>
    ) -> Bool {
        guard head.fields.first(name) != nil else { return false }
        self = ResponseDirectives()
        var isEmpty = true
        for position in 0..<head.fields.count where head.fields[position].name == name {
            var reader = DictionaryReader(head.fields[position].valueRange)
            while let member = reader.next(bytes) {
                isEmpty = false
                takeTargeted(bytes, member)
            }
            // §2.1: "If a targeted field in a given response is empty, or a parsing error is encountered, that field
            // MUST be ignored by the cache".
            if reader.hasFailed { isEmpty = true }
            if isEmpty { break }
        }
        if isEmpty { self = ResponseDirectives() } else { flags.insert(.isTargeted) }
        return !isEmpty
    }

    private mutating func readCacheControl(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let line = bytes.extracting(range)
        var reader = DirectiveReader()
        while let directive = reader.next(line) {
            guard let kind = Kind(line.extracting(directive.name)) else { continue }
            var value: Range<Int>?
            if case .value(let found) = directive.argument { value = found }
            switch kind {
            case .flag(let flag):
                // What forbids counts whatever stands behind it; what permits has to be spelled as the RFC does. RFC
                // 8246 §2: arguments of `immutable` "have no meaning and MUST be ignored".
                if flag == .isPublic || flag == .mustUnderstand, directive.argument != .none { continue }
                flags.insert(flag)
            case .qualified(let flag):
                guard let value, !value.isEmpty else {
                    flags.insert(flag)
                    continue
                }
                addQualified(flag, (value.lowerBound &+ range.lowerBound)..<(value.upperBound &+ range.lowerBound))
            case .seconds(let path):
                // "Caches are encouraged to consider responses that have invalid freshness information (e.g., a max-age
                // directive with non-integer content) to be stale" (§4.2.1): no number is 0.
                let seconds = value.flatMap { DeltaSeconds.parse(line.extracting($0)) } ?? 0
                self[path] = min(self[path] ?? seconds, seconds)
            }
        }
    }

    /// One member of a targeted field. "Implementations SHOULD NOT consume values that violate these inferred
    /// constraints" (RFC 9213 §2.1): a flag with a value counts as absent, a lifetime that is no integer as over. A
    /// repeated member replaces the one before it, as in every dictionary (RFC 8941 §3.2).
    private mutating func takeTargeted(_ bytes: Span<UInt8>, _ member: DictionaryReader.Member) {
        guard let kind = Kind(bytes.extracting(member.key)) else { return }
        switch kind {
        case .flag(let flag):
            if member.value == .isTrue || flag == .immutable { flags.insert(flag) } else { flags.remove(flag) }
        case .qualified(let flag):
            flags.remove(flag)
            qualified.remove(flag)
            switch member.value {
            case .isTrue: flags.insert(flag)
            case .string(let names, let isPlain):
                if isPlain, !names.isEmpty { addQualified(flag, names) } else { flags.insert(flag) }
            case .integer, .other: break
            }
        case .seconds(let path):
            if case .integer(let value) = member.value {
                self[path] = DeltaSeconds.clamp(value)
            } else {
                self[path] = 0
            }
        }
    }

    /// More lists than are kept count as the unqualified form, which forbids more.
    private mutating func addQualified(_ flag: Flags, _ names: Range<Int>) {
        if !qualified.append(flag, names) { flags.insert(flag) }
    }

    /// Which number a directive sets.
    private enum Seconds { case maxAge, sharedMaxAge, staleWhileRevalidate, staleIfError }

    private subscript(_ path: Seconds) -> UInt32? {
        get {
            switch path {
            case .maxAge: maxAge
            case .sharedMaxAge: sharedMaxAge
            case .staleWhileRevalidate: staleWhileRevalidate
            case .staleIfError: staleIfError
            }
        }
        set {
            switch path {
            case .maxAge: maxAge = newValue
            case .sharedMaxAge: sharedMaxAge = newValue
            case .staleWhileRevalidate: staleWhileRevalidate = newValue
            case .staleIfError: staleIfError = newValue
            }
        }
    }

    /// The directives that mean something here, by name. "Cache directives are identified by a token, to be compared
    /// case-insensitively" (§5.2).
    private enum Kind {
        case flag(Flags), qualified(Flags), seconds(Seconds)

        init?(_ name: Span<UInt8>) {
            switch name.count {
            case 6 where name.equalsIgnoringCase("public"): self = .flag(.isPublic)
            case 7 where name.equalsIgnoringCase("private"): self = .qualified(.isPrivate)
            case 7 where name.equalsIgnoringCase("max-age"): self = .seconds(.maxAge)
            case 8 where name.equalsIgnoringCase("no-store"): self = .flag(.noStore)
            case 8 where name.equalsIgnoringCase("no-cache"): self = .qualified(.noCache)
            case 8 where name.equalsIgnoringCase("s-maxage"): self = .seconds(.sharedMaxAge)
            case 9 where name.equalsIgnoringCase("immutable"): self = .flag(.immutable)
            case 12 where name.equalsIgnoringCase("no-transform"): self = .flag(.noTransform)
            case 14 where name.equalsIgnoringCase("stale-if-error"): self = .seconds(.staleIfError)
            case 15 where name.equalsIgnoringCase("must-revalidate"): self = .flag(.mustRevalidate)
            case 15 where name.equalsIgnoringCase("must-understand"): self = .flag(.mustUnderstand)
            case 16 where name.equalsIgnoringCase("proxy-revalidate"): self = .flag(.proxyRevalidate)
            case 22 where name.equalsIgnoringCase("stale-while-revalidate"): self = .seconds(.staleWhileRevalidate)
            default: return nil
            }
        }
    }
}
