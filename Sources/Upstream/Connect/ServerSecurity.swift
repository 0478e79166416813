// SPDX-License-Identifier: Apache-2.0
import Engine
public import Settings
public import TLS

/// How connections to one upstream server are secured: by whose rules, under which name, with which sessions to resume.
public final class ServerSecurity: Sendable {
    private let tls: ClientTLS
    private let host: String
    private let resumption = ResumptionStore()

    /// Security for connections to `server`, whose certificate must be for the name or numeric address that the operator wrote:
    /// that of its pool, else that of the server's URL.
    public init(_ tls: ClientTLS, _ server: Configuration.Server, of pool: Configuration.PoolSettings) {
        self.tls = tls
        host = pool.tlsName ?? server.verifiedName
    }

    /// A session over a connected socket; nil when there is no memory.
    func makeSession(fd: Int32, loop: Loop) -> TLSSession? {
        tls.makeSession(
            fd: fd, smallBlocks: loop.smallBlocks, largeBlocks: loop.largeBlocks, host: host, resumption: resumption)
    }
}
