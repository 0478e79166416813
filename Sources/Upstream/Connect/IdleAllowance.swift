// SPDX-License-Identifier: Apache-2.0

/// How long connections to a server may idle, learned from what it does: pure. A server that closes idle connections sooner
/// than the settings expect, and does not say so in `Keep-Alive`, would now and then close one just as a request is sent.
enum IdleAllowance {
    /// What is always allowed, in milliseconds: a server that closes at random must not end all reuse.
    static let floor = 250

    /// The server closed a connection that had idled so long: others shall end before that.
    static func afterClose(_ allowance: Int, idled: Int) -> Int { min(allowance, max(floor, idled / 4 * 3)) }

    /// A connection idled as long as allowed, and still stood: a little longer may do.
    static func afterExpiry(_ allowance: Int) -> Int {
        allowance > Int.max / 2 ? .max : allowance + max(1, allowance / 16)
    }
}
