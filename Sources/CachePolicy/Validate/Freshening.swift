// SPDX-License-Identifier: Apache-2.0
// Which stored responses a 304 speaks of (RFC 9111 §4.3.4).

public import HTTP

/// Selects the stored responses that a 304 updates. Offer each that could have been chosen for the request.
public struct Freshening: Sendable {
    /// Most variants that are looked at.
    public static let limit = 64

    /// By what they are found: "the first match of".
    public enum Rule: Sendable, Equatable {
        /// A strong entity tag: "All the stored responses in the initial set with one of those same strong validators."
        case strong
        /// A weak tag or Last-Modified. How strong a Last-Modified is, the Date of the stored response tells (RFC 9110
        /// §8.8.2.2): those for which it is strong, else "the most recent of those matching stored responses".
        case weak
        /// The only one, when it "also lacks a validator", or when it is the only one that was asked about. The second is
        /// more than the RFC has: origins that leave the validators out of a 304 could otherwise never be asked, and to a
        /// question about one response such an answer can only mean that one.
        case none
    }

    /// The rule that the 304 calls for.
    public let rule: Rule
    private let validators: Validators
    private let asked: Int
    private var offered = 0
    private var matching: UInt64 = 0
    private var newest: (bit: UInt64, policy: ResponsePolicy)?

    /// For a 304. `asked`: of how many stored responses the request carried validators; 0 when its conditions were the
    /// client's own.
    public init(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, asked: Int = 0) {
        self.asked = asked
        validators = Validators(head, bytes)
        rule = validators.hasStrongTag ? .strong : validators.isEmpty ? .none : .weak
    }

    /// Offers a stored response; the first one is at position 0. `bytes`: those of the 304.
    public mutating func offer(
        _ policy: ResponsePolicy, _ stored: borrowing ResponseHead, _ storedBytes: Span<UInt8>, bytes: Span<UInt8>
    ) {
        let position = offered
        offered &+= 1
        guard position < Freshening.limit else { return }
        let bit: UInt64 = 1 &<< UInt64(position)
        let other = Validators(stored, storedBytes)
        guard rule != .none else {
            if other.isEmpty || asked == 1 { matching |= bit }
            return
        }
        guard validators.corresponds(bytes, other, storedBytes) else { return }
        // Of two tags the stored one has to be strong as well; where one has none, both have this Last-Modified.
        let hasTags = validators.tag != nil && other.tag != nil
        let isSameTag = hasTags && validators.hasStrongTag && other.hasStrongTag
        let isSameDate = other.lastModifiedIsStrong && validators.lastModified == other.lastModified
        if isSameTag || (isSameDate && !(hasTags && rule == .strong)) {
            matching |= bit
        } else if rule == .weak, newest.map({ policy.isMoreRecent(than: $0.policy) }) ?? true {
            newest = (bit, policy)
        }
    }

    /// The positions to update, one bit each. None: "the cache MUST NOT use the new response to update any stored
    /// responses"; the request is then made again without our conditions.
    public var selected: UInt64 {
        switch rule {
        case .strong: matching
        case .weak: matching != 0 ? matching : newest?.bit ?? 0
        case .none: offered == 1 ? matching : 0
        }
    }
}
