// SPDX-License-Identifier: Apache-2.0

/// What a status code means to a cache.
enum StatusClass {
    /// "200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, and 501 … can be reused by a cache with heuristic
    /// expiration unless otherwise indicated" (RFC 9110 §15.1).
    static func isHeuristicallyCacheable(_ status: UInt16) -> Bool {
        switch status {
        case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501: true
        default: false
        }
    }

    /// Whether the code is one of RFC 9110 §15, all of whose caching rules are in here: for `must-understand` (RFC 9111
    /// §5.2.2.3).
    static func isUnderstood(_ status: UInt16) -> Bool {
        switch status {
        case 200...206, 300...305, 307, 308, 400...417, 421, 422, 426, 500...505: true
        default: false
        }
    }

    /// Whether the code has a class: "Values outside the range 100..599 are invalid" (RFC 9110 §15), though servers send
    /// them, 999 above all. Such a response is passed on, counts as 500 and is not stored.
    static func isValid(_ status: UInt16) -> Bool { (100...599).contains(status) }

    /// Whether the response answers a condition or a range of its request, which is not in the key: another request
    /// must not get it, whatever its directives say.
    static func isOfRequest(_ status: UInt16) -> Bool { status == 304 || status == 412 || status == 416 }
}
