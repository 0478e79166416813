// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// An `SSL_CTX` and what its callbacks need.
///
/// `@unchecked Sendable` is safe because it is set up by the thread that makes it and only read afterwards; OpenSSL counts
/// references and keeps its session cache under a lock.
///
/// `@safe` because it owns a reference to the context until its end, and what callbacks are given lives as long.
@safe final class ContextHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// A new context for servers or clients that speak any version; nil when OpenSSL has no memory.
    init?(isServer: Bool) {
        guard let pointer = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            ERR_clear_error()
            return nil
        }
        unsafe self.pointer = unsafe pointer
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    /// Keeps `object` for as long as the context lives, which is at least as long as any connection made from it: callbacks may
    /// be given it unretained.
    func keep(_ object: AnyObject) {
        unsafe SSL_CTX_set_ex_data(pointer, Self.index, Unmanaged.passRetained(object).toOpaque())
    }

    private static let index = unsafe gw_ctx_index { _, kept, _, _, _, _ in
        if let kept = unsafe kept { unsafe Unmanaged<AnyObject>.fromOpaque(kept).release() }
    }
}

/// What servers and clients have in common.
enum TLSPolicy {
    /// Forward-secret suites with authenticated encryption only (RFC 9325 section 4.2).
    private static let suites12 =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    private static let suites13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let groups = "X25519:P-256:P-384"
    /// Of 112 bits at least: RSA and Diffie-Hellman of 2048 bits, no SHA-1 in signatures.
    private static let securityLevel: Int32 = 2
    /// Bytes of a peer's certificates.
    private static let certificateLimit = 64 << 10

    /// Sets up what does not depend on the side; false when this OpenSSL lacks something of it.
    static func apply(to context: OpaquePointer, minimumVersion: TLSVersion) -> Bool {
        defer { ERR_clear_error() }
        guard unsafe gw_ctx_min_version(context, minimumVersion.number) == 1,
            unsafe gw_ctx_max_version(context, 0) == 1,
            unsafe SSL_CTX_set_cipher_list(context, suites12) == 1,
            unsafe SSL_CTX_set_ciphersuites(context, suites13) == 1,
            unsafe gw_ctx_groups(context, groups) == 1
        else { return false }
        unsafe SSL_CTX_set_security_level(context, securityLevel)
        // Releasing buffers keeps idle connections small; no automatic chain, which would search the authorities of the other
        // side's certificates for ours at each handshake.
        unsafe gw_ctx_mode(
            context,
            Int(
                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                    | SSL_MODE_NO_AUTO_CHAIN))
        unsafe gw_ctx_read_ahead(context)
        unsafe gw_ctx_max_cert_list(context, certificateLimit)
        unsafe SSL_CTX_set_options(context, TLSOption.noRenegotiation | TLSOption.noCompression)
        unsafe SSL_CTX_set_max_early_data(context, 0)
        unsafe SSL_CTX_set_recv_max_early_data(context, 0)
        // Never asks anybody: encrypted keys are refused before they come to OpenSSL.
        unsafe SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
        return true
    }
}

/// Options of OpenSSL, whose macros Swift does not see.
enum TLSOption {
    static let noRenegotiation = UInt64(gw_op_no_renegotiation)
    static let noCompression = UInt64(gw_op_no_compression)
    static let serverPreference = UInt64(gw_op_server_preference)
    static let prioritizeChaCha = UInt64(gw_op_prioritize_chacha)
}

/// Versions of TLS that can be asked for as the lowest one.
public enum TLSVersion: Sendable, Equatable {
    /// TLS 1.2 (RFC 5246).
    case tls12
    /// TLS 1.3 (RFC 8446).
    case tls13

    var number: Int32 { self == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}
