// SPDX-License-Identifier: Apache-2.0

public import Bytes
import COpenSSL
import Glibc
import Synchronization

/// The server's side of TLS: makes sessions for accepted connections. Shared by all loops.
public final class ServerTLS: Sendable {
    /// Whether clients show certificates.
    public enum ClientCertificates: Sendable {
        /// They are not asked for one.
        case notAsked
        /// They may show one; one that is shown must be good. The roots are those given.
        case optional(TrustedAuthorities)
        /// They must show a good one.
        case required(TrustedAuthorities)

        var authorities: TrustedAuthorities? {
            switch self {
            case .notAsked: nil
            case .optional(let authorities), .required(let authorities): authorities
            }
        }
    }

    /// What does not depend on certificates, and does not change.
    public struct Policy: Sendable {
        /// The lowest version that is spoken.
        public var minimumVersion: TLSVersion
        /// Application protocols (ALPN), the preferred one first; empty means that none is negotiated.
        public var protocols: [String]
        /// Whether clients show certificates.
        public var clientCertificates: ClientCertificates

        /// A policy.
        public init(
            minimumVersion: TLSVersion = .tls12, protocols: [String] = ["http/1.1", "http/1.0"],
            clientCertificates: ClientCertificates = .notAsked
        ) {
            self.minimumVersion = minimumVersion
            self.protocols = protocols
            self.clientCertificates = clientCertificates
        }
    }

    let base: ContextHandle
    private let state: ServerState

    /// Sessions of TLS 1.2 clients without tickets that are kept, for all loops together.
    private static let cachedSessions = 20_480
    /// Seconds for which a session may be resumed.
    private static let sessionLifetime = 8 * 3600

    /// A server that shows the certificates of `certificates`.
    ///
    /// - Parameter tickets: Outlives the server when the same are given to the next.
    /// - Throws: When OpenSSL refuses a certificate or lacks an algorithm.
    public init(policy: Policy, certificates: CertificateSet, tickets: TicketKeys) throws(TLSFileProblem) {
        base = try policy.context()
        state = ServerState(
            policy: policy, tickets: tickets, contexts: try CertificateContexts(certificates, policy: policy),
            protocols: ProtocolList(policy.protocols))
        base.keep(state)
        unsafe gw_ctx_on_server_name(base.pointer, ServerState.onServerName, nil)
        unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(base.pointer, ServerState.onTicket)
        unsafe gw_ctx_cache_mode(base.pointer, Int(SSL_SESS_CACHE_SERVER))
        unsafe gw_ctx_cache_size(base.pointer, Self.cachedSessions)
        unsafe SSL_CTX_set_timeout(base.pointer, Self.sessionLifetime)
    }

    /// Shows these certificates in every handshake that starts from now on. Open connections, sessions and tickets go on.
    public func replace(certificates: CertificateSet) throws(TLSFileProblem) {
        let next = try CertificateContexts(certificates, policy: state.policy)
        // The last ones are freed outside of the lock.
        let last = state.contexts.withLock { contexts in
            let last = contexts
            contexts = next
            return last
        }
        withExtendedLifetime(last) {}
    }

    /// The certificates that new handshakes show.
    public var certificates: CertificateSet { state.contexts.withLock { $0 }.set }

    /// A session for a connection that was accepted; nil when there is no memory.
    ///
    /// - Parameters:
    ///   - fd: An open non-blocking socket that outlives the session.
    ///   - smallBlocks: Blocks of the connection's loop for short writes.
    ///   - largeBlocks: Blocks for long ones.
    public func makeSession(fd: Int32, smallBlocks: BlockPool, largeBlocks: BlockPool) -> TLSSession? {
        guard let ssl = unsafe SSL_new(base.pointer) else {
            ERR_clear_error()
            return nil
        }
        // Unretained is safe because the SSL holds the base context, which keeps the state.
        unsafe SSL_set_ex_data(ssl, ServerState.index, Unmanaged.passUnretained(state).toOpaque())
        unsafe SSL_set_accept_state(ssl)
        return unsafe TLSSession(adopting: ssl, fd: fd, smallBlocks: smallBlocks, largeBlocks: largeBlocks)
    }
}

extension ServerTLS.Policy {
    /// A context that follows the policy, without certificates.
    func context() throws(TLSFileProblem) -> ContextHandle {
        guard let handle = ContextHandle(isServer: true),
            unsafe TLSPolicy.apply(to: handle.pointer, minimumVersion: minimumVersion)
        else { throw TLSFileProblem("this system's OpenSSL cannot do what TLS needs here") }
        let context = unsafe handle.pointer
        unsafe SSL_CTX_set_options(context, TLSOption.serverPreference | TLSOption.prioritizeChaCha)
        if !protocols.isEmpty { unsafe SSL_CTX_set_alpn_select_cb(context, ServerState.onProtocols, nil) }
        if let authorities = clientCertificates.authorities {
            unsafe SSL_CTX_set1_cert_store(context, authorities.store)
            let names = unsafe gw_name_stack()
            for certificate in authorities.certificates {
                if let name = unsafe X509_NAME_dup(X509_get_subject_name(certificate.pointer)) {
                    _ = unsafe gw_name_stack_push(names, name)
                }
            }
            unsafe SSL_CTX_set_client_CA_list(context, names)
            var mode = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE
            if case .required = clientCertificates { mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT }
            unsafe SSL_CTX_set_verify(context, mode, VerificationDetail.note)
        }
        // A session made under another policy towards clients must not get around this one.
        let identity = sessionContext
        unsafe SSL_CTX_set_session_id_context(context, identity, UInt32(identity.count))
        ERR_clear_error()
        return handle
    }

    /// 32 bytes that differ whenever the demands on clients do.
    private var sessionContext: [UInt8] {
        var text: [UInt8]
        switch clientCertificates {
        case .notAsked: text = [0]
        case .optional(let authorities): text = [1] + authorities.content
        case .required(let authorities): text = [2] + authorities.content
        }
        text.append(minimumVersion == .tls13 ? 1 : 0)
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe EVP_Digest(text, text.count, &digest, nil, EVP_sha256(), nil)
        return digest
    }
}
