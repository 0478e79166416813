// SPDX-License-Identifier: Apache-2.0

public import HTTP
internal import Bytes

/// What a request says to caches (RFC 9111 §5.2.1, §5.4; RFC 5861 §4). "They are advisory": a malformed one is ignored.
public struct RequestDirectives: Sendable, Equatable {
    /// `no-cache`, or `Pragma: no-cache` where there is no Cache-Control.
    public var noCache = false
    /// `no-store`.
    public var noStore = false
    /// `only-if-cached`.
    public var onlyIfCached = false
    /// `max-age` in seconds, the smallest one.
    public var maxAge: UInt32?
    /// `min-fresh` in seconds, the largest one.
    public var minFresh: UInt32?
    /// `max-stale` in seconds, the smallest one; `UInt32.max` without a value: "the client will accept a stale response
    /// of any age".
    public var maxStale: UInt32?
    /// `stale-if-error` in seconds, the smallest one.
    public var staleIfError: UInt32?

    /// No directives.
    public init() {}

    /// Reads all Cache-Control lines, or Pragma where there are none.
    public init(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
        var hasCacheControl = false
        for position in 0..<head.fields.count where head.fields[position].name == .cacheControl {
            hasCacheControl = true
            read(bytes.extracting(head.fields[position].valueRange))
        }
        guard !hasCacheControl else { return }
        for position in 0..<head.fields.count where head.fields[position].name == .pragma {
            if TokenList.contains(bytes.extracting(head.fields[position].valueRange), "no-cache") { noCache = true }
        }
    }

    private mutating func read(_ line: Span<UInt8>) {
        var reader = DirectiveReader()
        while let directive = reader.next(line) {
            let name = line.extracting(directive.name)
            var seconds: UInt32?
            if case .value(let range) = directive.argument { seconds = DeltaSeconds.parse(line.extracting(range)) }
            switch name.count {
            case 7 where name.equalsIgnoringCase("max-age"): smallest(&maxAge, seconds)
            case 8 where name.equalsIgnoringCase("no-cache"): noCache = true
            case 8 where name.equalsIgnoringCase("no-store"): noStore = true
            case 9 where name.equalsIgnoringCase("max-stale"):
                smallest(&maxStale, directive.argument == .none ? UInt32.max : seconds)
            case 9 where name.equalsIgnoringCase("min-fresh"):
                if let seconds { minFresh = max(minFresh ?? 0, seconds) }
            case 14 where name.equalsIgnoringCase("only-if-cached"): onlyIfCached = true
            case 14 where name.equalsIgnoringCase("stale-if-error"): smallest(&staleIfError, seconds)
            default: break
            }
        }
    }

    private func smallest(_ value: inout UInt32?, _ seconds: UInt32?) {
        if let seconds { value = min(value ?? seconds, seconds) }
    }
}
