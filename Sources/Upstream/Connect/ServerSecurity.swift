// SPDX-License-Identifier: Apache-2.0
import Engine
public import TLS

/// How connections to one upstream server are secured: by whose rules, under which name, with which sessions to resume.
public final class ServerSecurity: Sendable {
    private let tls: ClientTLS
    private let host: String
    private let resumption = ResumptionStore()

    /// Security for connections to `host`, a name or a numeric address, which the server's certificate must be for.
    public init(_ tls: ClientTLS, host: String) {
        self.tls = tls
        self.host = host
    }

    /// A session over a connected socket; nil when there is no memory.
    func makeSession(fd: Int32, loop: Loop) -> TLSSession? {
        tls.makeSession(
            fd: fd, smallBlocks: loop.smallBlocks, largeBlocks: loop.largeBlocks, host: host, resumption: resumption)
    }
}
