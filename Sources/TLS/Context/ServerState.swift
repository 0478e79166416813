// SPDX-License-Identifier: Apache-2.0
// What the callbacks of a server's contexts need, and the callbacks. There is one permanent base context, which has the policy,
// the tickets and the session cache, and one context for each group of certificates, to which a connection is switched when the
// client has said which name it wants. Handing a context over costs one copy of references; nothing is parsed or checked.

import Bytes
import COpenSSL
import Glibc
import Synchronization

/// Shared by all connections of a server. Kept alive by the base context, which every connection holds.
final class ServerState: Sendable {
    let tickets: TicketKeys
    let policy: ServerTLS.Policy
    /// The contexts for new handshakes.
    let contexts: Lock<CertificateContexts>
    let protocols: ProtocolList

    init(policy: ServerTLS.Policy, tickets: TicketKeys, contexts: CertificateContexts, protocols: ProtocolList) {
        self.policy = policy
        self.tickets = tickets
        self.contexts = Lock(contexts)
        self.protocols = protocols
    }

    /// Where an SSL keeps its state, unretained: it holds the base context, which keeps the state.
    static let index = unsafe gw_ssl_index { _, _, _, _, _, _ in }

    static func of(_ ssl: OpaquePointer?) -> ServerState? {
        unsafe SSL_get_ex_data(ssl, index).map { unsafe Unmanaged<ServerState>.fromOpaque($0).takeUnretainedValue() }
    }

    /// `SSL_CTX_set_tlsext_servername_callback`: switches to the certificates of the name, asked for or not.
    static let onServerName:
        @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = {
            ssl, _, _ in
            // A resumed connection shows no certificate.
            guard let state = unsafe of(ssl), unsafe SSL_session_reused(ssl) == 0 else { return SSL_TLSEXT_ERR_OK }
            let contexts = state.contexts.withLock { $0 }
            var group = 0
            if let name = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) {
                let bytes = unsafe UnsafeRawBufferPointer(start: name, count: strlen(name))
                group = unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe contexts.set.group(for: $0.span) }
            }
            return unsafe SSL_set_SSL_CTX(ssl, contexts.handles[group].pointer) == nil
                ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK
        }

    /// `SSL_CTX_set_alpn_select_cb`: no overlap ends the handshake (RFC 7301 section 3.2), so that no other protocol's bytes are
    /// taken for HTTP.
    static let onProtocols:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
            UnsafePointer<UInt8>?,
            UInt32, UnsafeMutableRawPointer?
        ) -> Int32 = { ssl, out, outCount, offered, offeredCount, _ in
            guard let state = unsafe of(ssl), let out = unsafe out, let outCount = unsafe outCount else {
                return SSL_TLSEXT_ERR_ALERT_FATAL
            }
            var chosen: UnsafeMutablePointer<UInt8>?
            let list = state.protocols
            guard
                unsafe SSL_select_next_proto(&chosen, outCount, list.base, list.count, offered, offeredCount)
                    == OPENSSL_NPN_NEGOTIATED
            else { return SSL_TLSEXT_ERR_ALERT_FATAL }
            unsafe out.pointee = unsafe UnsafePointer(chosen)
            return SSL_TLSEXT_ERR_OK
        }

    static let onTicket:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?,
            Int32
        ) -> Int32 = { ssl, name, vector, cipher, mac, isMaking in
            guard let ssl = unsafe ssl, let name = unsafe name, let vector = unsafe vector, let state = unsafe of(ssl)
            else { return 0 }
            return unsafe state.tickets.prepare(
                ssl, name: name, vector: vector, cipher: cipher, mac: mac, isMaking: isMaking == 1)
        }
}

/// The names of application protocols, each behind its length (RFC 7301 section 3.1).
///
/// `@unchecked Sendable` is safe because the bytes are written once, before anybody else has them.
///
/// `@safe` because the memory is as long as `count` says, and is freed by the last owner.
@safe final class ProtocolList: @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt8>
    let count: UInt32

    /// In order of preference; names that are empty or longer than 255 bytes are left out.
    init(_ names: [String]) {
        let bytes = names.filter { (1...255).contains($0.utf8.count) }.flatMap {
            [UInt8($0.utf8.count)] + Array($0.utf8)
        }
        unsafe base = .allocate(capacity: max(1, bytes.count))
        unsafe base.initialize(from: bytes, count: bytes.count)
        count = UInt32(bytes.count)
    }

    deinit { unsafe base.deallocate() }
}

/// A set of certificates, with a context for each group of it.
final class CertificateContexts: Sendable {
    let set: CertificateSet
    let handles: [ContextHandle]

    init(_ set: CertificateSet, policy: ServerTLS.Policy) throws(TLSFileProblem) {
        self.set = set
        var handles: [ContextHandle] = []
        for group in set.groups {
            let handle = try policy.context()
            let pairs = group.map { set.pairs[$0] }
            for pair in pairs { try Self.use(pair, in: handle) }
            let staples = Staples(pairs)
            handle.keep(staples)
            // Unretained is safe because the context keeps it.
            unsafe gw_ctx_on_status_request(
                handle.pointer, Staples.onRequest, Unmanaged.passUnretained(staples).toOpaque())
            handles.append(handle)
        }
        self.handles = handles
    }

    /// Gives a context a certificate with its chain and key.
    static func use(_ pair: CertificatePair, in handle: ContextHandle) throws(TLSFileProblem) {
        defer { ERR_clear_error() }
        guard let chain = unsafe gw_x509_stack() else { throw TLSFileProblem("there is no memory for \(pair.label)") }
        // The stack only lends; OpenSSL takes references of its own.
        defer { unsafe gw_x509_stack_free(chain) }
        for certificate in pair.chain { _ = unsafe gw_x509_stack_push(chain, certificate.pointer) }
        guard unsafe SSL_CTX_use_cert_and_key(handle.pointer, pair.leaf.pointer, pair.key.pointer, chain, 1) == 1 else {
            let reason =
                unsafe ERR_reason_error_string(ERR_peek_last_error()).map { unsafe String(cString: $0) }
                ?? "no reason given"
            throw TLSFileProblem("the certificate in \(pair.label) cannot be used: \(reason)")
        }
    }
}

/// The pairs of a context, for the OCSP response of the one that a handshake uses.
final class Staples: Sendable {
    private let pairs: [CertificatePair]

    init(_ pairs: [CertificatePair]) { self.pairs = pairs }

    /// `SSL_CTX_set_tlsext_status_cb` (RFC 6066 section 8).
    static let onRequest: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { ssl, argument in
        guard let ssl = unsafe ssl, let argument = unsafe argument else { return SSL_TLSEXT_ERR_NOACK }
        return unsafe Unmanaged<Staples>.fromOpaque(argument).takeUnretainedValue().attach(to: ssl)
    }

    private func attach(to ssl: OpaquePointer) -> Int32 {
        guard let used = unsafe SSL_get_certificate(ssl),
            let pair = pairs.first(where: { unsafe $0.leaf.pointer == used })
        else {
            return SSL_TLSEXT_ERR_NOACK
        }
        guard let staple = pair.staple.withLock({ $0 }), staple.notAfter > time(nil),
            let copy = unsafe gw_openssl_malloc(staple.der.count)
        else { return SSL_TLSEXT_ERR_NOACK }
        unsafe memcpy(copy, staple.der, staple.der.count)
        // OpenSSL frees the copy.
        unsafe gw_ssl_staple(ssl, copy.assumingMemoryBound(to: UInt8.self), staple.der.count)
        return SSL_TLSEXT_ERR_OK
    }
}
