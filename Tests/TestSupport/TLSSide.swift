// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// What one side of TLS connections speaks, trusts and shows: an `SSL_CTX`.
///
/// `@unchecked Sendable` is safe because nothing changes the context after it was made; OpenSSL counts its references and
/// locks its caches.
///
/// `@safe` because it owns a reference to the context until its end.
@safe public final class TLSSide: @unchecked Sendable {
    /// The versions.
    public enum Version: String, Sendable, CaseIterable {
        case tls12 = "TLSv1.2"
        case tls13 = "TLSv1.3"
        fileprivate var number: Int32 { self == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION }
    }

    let context: OpaquePointer
    let isServer: Bool

    private init(isServer: Bool, _ version: Version?) {
        self.isServer = isServer
        guard let made = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            preconditionFailure("no memory for TLS")
        }
        unsafe context = unsafe made
        if let version {
            unsafe gw_ctx_min_version(made, version.number)
            unsafe gw_ctx_max_version(made, version.number)
        }
    }

    deinit { unsafe SSL_CTX_free(context) }

    /// A client that believes everybody, or those whom `authority` vouches for, and shows `certificate` when asked.
    public static func client(
        _ version: Version? = nil, trusting authority: CertificateAuthority? = nil,
        showing certificate: TestCertificate? = nil
    ) -> TLSSide {
        let side = TLSSide(isServer: false, version)
        if let authority { side.trust(authority, SSL_VERIFY_PEER) }
        if let certificate { side.show(certificate) }
        return side
    }

    /// A server that shows `certificate`, and demands one by `authority` of its clients where that is given. It sends so many
    /// `tickets` after a handshake.
    public static func server(
        _ certificate: TestCertificate, _ version: Version? = nil, demanding authority: CertificateAuthority? = nil,
        tickets: Int = 2
    ) -> TLSSide {
        let side = TLSSide(isServer: true, version)
        side.show(certificate)
        if let authority { side.trust(authority, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT) }
        let name: [UInt8] = Array("test".utf8)
        unsafe SSL_CTX_set_session_id_context(side.context, name, UInt32(name.count))
        unsafe SSL_CTX_set_num_tickets(side.context, tickets)
        return side
    }

    private func show(_ shown: TestCertificate) {
        unsafe precondition(SSL_CTX_use_certificate(context, shown.certificate) == 1, "the certificate cannot be used")
        unsafe precondition(SSL_CTX_use_PrivateKey(context, shown.key) == 1, "the key cannot be used")
    }

    private func trust(_ authority: CertificateAuthority, _ mode: Int32) {
        let store = unsafe X509_STORE_new()
        unsafe X509_STORE_add_cert(store, authority.own.certificate)
        unsafe SSL_CTX_set1_cert_store(context, store)
        unsafe X509_STORE_free(store)
        unsafe SSL_CTX_set_verify(context, mode, nil)
    }

    /// A new connection's state. `name` is asked for (SNI) by a client.
    func makeSSL(name: String?) -> OpaquePointer {
        guard let ssl = unsafe SSL_new(context) else { preconditionFailure("no memory for TLS") }
        if isServer {
            unsafe SSL_set_accept_state(ssl)
        } else {
            unsafe SSL_set_connect_state(ssl)
            if let name { unsafe gw_ssl_server_name(ssl, name) }
        }
        return unsafe ssl
    }
}
