// SPDX-License-Identifier: Apache-2.0
import Client
import TestSupport

/// Keeps what it is given.
final class Collector: TransferListener {
    var heads: [String] = []
    var bytes: [UInt8] = []
    var notes: [String] = []
    var pauses: [UInt64] = []
    var text: String { String(decoding: bytes, as: UTF8.self) }

    override var wantsNotes: Bool { true }
    override func note(_ sentence: String) { notes.append(sentence) }
    override func responseHead(_ bytes: Span<UInt8>, status: UInt16, isFinal: Bool) throws(ClientFailure) {
        unsafe heads.append(bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) })
    }
    override func body(_ bytes: Span<UInt8>) throws(ClientFailure) {
        unsafe self.bytes += bytes.withUnsafeBufferPointer { unsafe Array($0) }
    }
    override func retries(after milliseconds: UInt64, because sentence: String) { pauses.append(milliseconds) }
}

/// What came of a transfer.
struct Outcome {
    var report: TransferReport
    var text: String
    var heads: [String]
    var exitStatus: Int32 { report.failure?.exitStatus ?? 0 }
    var sentence: String { report.failure?.description ?? "" }
}

extension TransferRunner {
    /// Fetches `url` and keeps what comes.
    func fetch(_ url: String, body: RequestBody? = nil, resumesAt: UInt64? = nil) throws -> Outcome {
        let collector = Collector()
        let report = run(try HTTPURL(url), body: body, resumesAt: resumesAt, listener: collector)
        return Outcome(report: report, text: collector.text, heads: collector.heads)
    }
}

/// Fetches with settings of its own, on a connection of its own.
func fetch(
    _ url: String, body: RequestBody? = nil, context: TransferContext = TransferContext(),
    _ configure: (inout TransferSettings) -> Void = { _ in }
) throws -> Outcome {
    var context = context
    configure(&context.settings)
    return try TransferRunner(context).fetch(url, body: body)
}

/// A server that answers the requests on every connection by what `answer` makes of their heads and bodies; nil closes.
func scripted(
    tls: TLSSide? = nil, _ answer: @escaping @Sendable (_ head: String, _ body: String, _ number: Int) -> String?
) -> ScriptedServer {
    ScriptedServer(tls: tls) { peer, _, server in
        while true {
            let request = peer.receiveMessage()
            if request.head.isEmpty { return }
            let number = server.requests.count
            server.note(request.head + request.body)
            guard let response = answer(request.head, request.body, number) else {
                peer.close()
                return
            }
            if !peer.send(response) { return }
            if response.contains("Connection: close") {
                peer.close()
                return
            }
        }
    }
}

extension ScriptedServer {
    /// The URL of a path on it.
    func url(_ path: String = "/", host: String = "127.0.0.1", scheme: String = "http") -> String {
        "\(scheme)://\(host):\(port)\(path)"
    }
}
