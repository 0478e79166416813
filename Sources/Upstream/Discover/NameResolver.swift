// SPDX-License-Identifier: Apache-2.0

public import Engine
import Glibc

/// Looks names up, by the system's resolver or at given name servers. Blocks: not for a loop.
public struct NameResolver: Sendable {
    private let servers: NameServers?

    /// - Parameter servers: Name servers to ask; empty for the system's resolver, which also reads `/etc/hosts` but says
    ///   nothing of how long its answers hold.
    public init(servers: [SocketAddress]) {
        self.servers = servers.isEmpty ? nil : NameServers(addresses: servers)
    }

    /// For tests, which do not want to wait long.
    init(servers: NameServers) { self.servers = servers }

    /// The addresses of a name, by family.
    func addresses(of host: String) -> (v4: LookupResult, v6: LookupResult) {
        // RFC 6761 section 6.3: these are this machine's, whatever a name server says.
        guard let servers, host != "localhost", !host.hasSuffix(".localhost") else { return ofSystem(host) }
        guard let name = DNSName(host) else {
            let failed = LookupResult.failed("it is not a name that can be asked for")
            return (failed, failed)
        }
        func ask(_ kind: DNSQuestion.Kind) -> LookupResult {
            do throws(LookupFailure) {
                let answer = try servers.ask(DNSQuestion(name: name, kind: kind))
                let found = answer.addresses.compactMap { SocketAddress(bytes: $0, port: 0) }
                return found.isEmpty ? .none : .found(found, lifetime: answer.lifetime)
            } catch {
                return .failed(error.reason)
            }
        }
        return (ask(.a), ask(.aaaa))
    }

    private func ofSystem(_ host: String) -> (v4: LookupResult, v6: LookupResult) {
        switch Sockets.resolve(host, port: 0) {
        case .success(let found):
            func only(_ isIPv4: Bool) -> LookupResult {
                let some = found.filter { $0.isIPv4 == isIPv4 }
                return some.isEmpty ? .none : .found(some, lifetime: nil)
            }
            return (only(true), only(false))
        case .failure(let failure): return (.failed(failure.reason), .failed(failure.reason))
        }
    }

    /// The SRV records of a name such as `_http._tcp.example.org`.
    func services(of name: String) -> Result<(records: [ServiceRecord], lifetime: UInt32), LookupFailure> {
        guard let question = DNSName(name).map({ DNSQuestion(name: $0, kind: .srv) }) else {
            return .failure(LookupFailure(reason: "it is not a name that can be asked for"))
        }
        // The system's resolver does not know of SRV, but whom it asks is known.
        let asked = servers ?? NameServers(addresses: NameServers.ofSystem(Self.systemSettings()))
        do throws(LookupFailure) {
            let answer = try asked.ask(question)
            return .success((answer.services, answer.lifetime))
        } catch {
            return .failure(error)
        }
    }

    private static func systemSettings() -> String {
        guard let file = unsafe fopen("/etc/resolv.conf", "re") else { return "" }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

/// What is known of a name's addresses of one family.
enum LookupResult: Equatable, Sendable {
    /// These, for so many seconds, if that is known.
    case found([SocketAddress], lifetime: UInt32?)
    /// It has none.
    case none
    /// Nobody could tell.
    case failed(String)
}
