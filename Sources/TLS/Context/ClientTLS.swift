// SPDX-License-Identifier: Apache-2.0

public import Bytes
import COpenSSL
import Glibc

/// The client's side of TLS: makes sessions for connections to servers. Shared by all loops.
public final class ClientTLS: Sendable {
    /// What is demanded of servers and shown to them.
    public struct Policy: Sendable {
        /// The lowest version that is spoken.
        public var minimumVersion: TLSVersion
        /// Application protocols to offer (ALPN), the preferred one first.
        public var protocols: [String]
        /// Whom to believe; nil for the roots of the system.
        public var authorities: TrustedAuthorities?
        /// What is shown to servers that ask for a certificate.
        public var certificate: CertificatePair?
        /// Whether a server must prove who it is. Without, anybody in between can read and change everything.
        public var verifies: Bool

        /// A policy.
        public init(
            minimumVersion: TLSVersion = .tls12, protocols: [String] = ["http/1.1"],
            authorities: TrustedAuthorities? = nil,
            certificate: CertificatePair? = nil, verifies: Bool = true
        ) {
            self.minimumVersion = minimumVersion
            self.protocols = protocols
            self.authorities = authorities
            self.certificate = certificate
            self.verifies = verifies
        }
    }

    let context: ContextHandle
    private let verifies: Bool

    /// Bytes that are read from the socket at a time: four full records.
    private static let readBuffer = 64 << 10

    /// A client.
    ///
    /// - Throws: When the system's roots cannot be read, OpenSSL refuses the certificate or lacks an algorithm.
    public init(policy: Policy) throws(TLSFileProblem) {
        guard let context = ContextHandle(isServer: false),
            unsafe TLSPolicy.apply(to: context.pointer, minimumVersion: policy.minimumVersion)
        else { throw TLSFileProblem("this system's OpenSSL cannot do what TLS needs here") }
        self.context = context
        verifies = policy.verifies
        let pointer = unsafe context.pointer
        if policy.verifies {
            let authorities: TrustedAuthorities
            if let given = policy.authorities { authorities = given } else { authorities = try .init(systemRoots: ()) }
            unsafe SSL_CTX_set1_cert_store(pointer, authorities.store)
        }
        unsafe SSL_CTX_set_verify(pointer, policy.verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, VerificationDetail.note)
        if let pair = policy.certificate { try CertificateContexts.use(pair, in: context) }
        let protocols = ProtocolList(policy.protocols)
        if protocols.count > 0 { unsafe SSL_CTX_set_alpn_protos(pointer, protocols.base, protocols.count) }
        unsafe SSL_CTX_set_default_read_buffer_len(pointer, Self.readBuffer)
        unsafe gw_ctx_cache_mode(pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        unsafe SSL_CTX_sess_set_new_cb(pointer, Resumption.onSession)
        ERR_clear_error()
    }

    /// A session for a connection to `host`; nil when there is no memory or the host is neither name nor address.
    ///
    /// - Parameters:
    ///   - fd: A non-blocking socket, connected or about to be, that outlives the session.
    ///   - host: Whom the certificate must be for: a name, or an address without brackets.
    ///   - resumption: Where sessions with this server are kept.
    public func makeSession(
        fd: Int32, smallBlocks: BlockPool, largeBlocks: BlockPool, host: String, resumption: ResumptionStore? = nil
    ) -> TLSSession? {
        guard let ssl = unsafe SSL_new(context.pointer) else {
            ERR_clear_error()
            return nil
        }
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        guard unsafe expect(name, of: ssl) else {
            ERR_clear_error()
            unsafe SSL_free(ssl)
            return nil
        }
        if let resumption {
            let owner = ObjectIdentifier(self)
            let kept = Resumption(store: resumption, owner: owner, host: name)
            unsafe SSL_set_ex_data(ssl, Resumption.index, Unmanaged.passRetained(kept).toOpaque())
            if let saved = resumption.session(for: owner, host: name) { unsafe SSL_set_session(ssl, saved.pointer) }
        }
        unsafe SSL_set_connect_state(ssl)
        return unsafe TLSSession(adopting: ssl, fd: fd, smallBlocks: smallBlocks, largeBlocks: largeBlocks)
    }

    /// Asks for the name (SNI is for names only, RFC 6066 section 3) and checks that the certificate is for it.
    private func expect(_ name: String, of ssl: OpaquePointer) -> Bool {
        var v4 = in_addr()
        var v6 = in6_addr()
        if unsafe inet_pton(AF_INET, name, &v4) == 1 || inet_pton(AF_INET6, name, &v6) == 1 {
            return unsafe !verifies || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
        }
        guard !name.isEmpty, unsafe gw_ssl_server_name(ssl, name) == 1 else { return false }
        guard verifies else { return true }
        // RFC 9110 section 4.3.4: "A reference identity of type CN-ID MUST NOT be used".
        unsafe SSL_set_hostflags(
            ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS) | UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
        return unsafe SSL_set1_host(ssl, name) == 1
    }
}

/// Where the sessions of one connection go. Held by its SSL.
final class Resumption: Sendable {
    private let store: ResumptionStore
    private let owner: ObjectIdentifier
    private let host: String

    init(store: ResumptionStore, owner: ObjectIdentifier, host: String) {
        self.store = store
        self.owner = owner
        self.host = host
    }

    static let index = unsafe gw_ssl_index { _, kept, _, _, _, _ in
        if let kept = unsafe kept { unsafe Unmanaged<Resumption>.fromOpaque(kept).release() }
    }

    /// `SSL_CTX_sess_set_new_cb`: 1 takes over the reference.
    static let onSession: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32 = { ssl, session in
        guard let session = unsafe session, let kept = unsafe SSL_get_ex_data(ssl, index) else { return 0 }
        let resumption = unsafe Unmanaged<Resumption>.fromOpaque(kept).takeUnretainedValue()
        unsafe resumption.store.keep(.init(adopting: session), owner: resumption.owner, host: resumption.host)
        return 1
    }

    /// Keeps the session of a finished handshake when a ticket was renewed in TLS 1.2, of which OpenSSL tells nobody though it
    /// makes the session before unfit.
    static func keepRenewed(_ ssl: OpaquePointer) {
        guard unsafe SSL_session_reused(ssl) == 1, unsafe SSL_version(ssl) == TLS1_2_VERSION,
            let kept = unsafe SSL_get_ex_data(ssl, index)
        else {
            return
        }
        let resumption = unsafe Unmanaged<Resumption>.fromOpaque(kept).takeUnretainedValue()
        guard resumption.store.session(for: resumption.owner, host: resumption.host) == nil,
            let session = unsafe SSL_get1_session(ssl)
        else { return }
        unsafe resumption.store.keep(.init(adopting: session), owner: resumption.owner, host: resumption.host)
    }
}
