// SPDX-License-Identifier: Apache-2.0
// Keys for session tickets (RFC 5077, RFC 8446 section 4.6.1). Whoever has one can read what was sent in the sessions of TLS
// 1.2 that it protects, so they live in memory only and not for long; and they are apart from certificates, so that tickets
// survive a change of those.

import Bytes
import COpenSSL
import Glibc
import Synchronization

/// The current key and those before it, shared by all loops.
public final class TicketKeys: Sendable {
    /// Seconds for which a key makes tickets. Tickets of the two keys before it are accepted, and renewed.
    public static let rotationInterval = 8 * 3600
    private static let keptKeys = 3

    struct Key {
        let name: [UInt8]
        let cipher: [UInt8]
        let mac: [UInt8]

        /// Nil when there is no randomness to be had, which must never become a key of zeros.
        init?() {
            var bytes = [UInt8](repeating: 0, count: 80)
            guard unsafe RAND_bytes(&bytes, 80) == 1 else {
                ERR_clear_error()
                return nil
            }
            name = Array(bytes[0..<16])
            cipher = Array(bytes[16..<48])
            mac = Array(bytes[48..<80])
        }
    }

    private struct State {
        /// The newest first.
        var keys: [Key]
        var rotatedAt: Int
    }

    private let state: Lock<State>

    /// Keys made at `now`: seconds of any clock that only goes forward.
    public init(now: Int) {
        state = Lock(State(keys: Key().map { [$0] } ?? [], rotatedAt: now))
    }

    /// Puts a new key in place of one that has served its time. Called now and then; says whether it did.
    @discardableResult
    public func rotate(now: Int) -> Bool {
        state.withLock { state in
            let due = (now - state.rotatedAt) / Self.rotationInterval
            guard due > 0, let key = Key() else { return false }
            // After a long sleep the older ones have outlived their time too.
            state.keys = [key] + state.keys.prefix(max(0, Self.keptKeys - due))
            state.rotatedAt = now
            return true
        }
    }

    private func current() -> Key? { state.withLock { $0.keys.first } }

    private func find(_ name: UnsafePointer<UInt8>) -> (key: Key, isNewest: Bool)? {
        state.withLock { state in
            for (index, key) in state.keys.enumerated() where unsafe memcmp(key.name, name, 16) == 0 {
                return (key, index == 0)
            }
            return nil
        }
    }

    /// `SSL_CTX_set_tlsext_ticket_key_evp_cb`: 1 is a key, 2 one to be renewed, 0 none (a full handshake), -1 an error.
    func prepare(
        _ ssl: OpaquePointer, name: UnsafeMutablePointer<UInt8>, vector: UnsafeMutablePointer<UInt8>,
        cipher: OpaquePointer?, mac: OpaquePointer?, isMaking: Bool
    ) -> Int32 {
        if isMaking {
            guard let key = current(), unsafe RAND_bytes(vector, 16) == 1 else { return 0 }
            unsafe memcpy(name, key.name, 16)
            return unsafe apply(key, vector, cipher, mac, isMaking: true) ? 1 : -1
        }
        guard let found = unsafe find(name) else { return 0 }
        guard unsafe apply(found.key, vector, cipher, mac, isMaking: false) else { return -1 }
        // In TLS 1.3 a ticket is for one use, so each resumption gives the client another.
        return unsafe found.isNewest && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2
    }

    private func apply(
        _ key: Key, _ vector: UnsafePointer<UInt8>, _ cipher: OpaquePointer?, _ mac: OpaquePointer?, isMaking: Bool
    ) -> Bool {
        var secret = key.mac
        return unsafe EVP_CipherInit_ex(cipher, Self.algorithm.pointer, nil, key.cipher, vector, isMaking ? 1 : 0) == 1
            && gw_mac_key(mac, &secret, secret.count) == 1
    }

    /// Fetched once: OpenSSL would search its providers for every ticket.
    private static let algorithm = Algorithm()

    /// `@unchecked Sendable` is safe because OpenSSL's description of an algorithm never changes.
    ///
    /// `@safe` because it owns one reference to the description until its end.
    @safe private final class Algorithm: @unchecked Sendable {
        let pointer = unsafe EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)
    }
}
