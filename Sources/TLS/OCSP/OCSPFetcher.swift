// SPDX-License-Identifier: Apache-2.0
// Fetches OCSP responses from the responders that certificates name. Whatever goes wrong here, handshakes go on without.

import Bytes
import COpenSSL
import Glibc
import Synchronization

/// Keeps the staples of a store's certificates fresh.
public final class OCSPFetcher: Sendable {
    /// What asks a responder: its address and the request (DER) give the response (DER).
    typealias Ask = @Sendable (_ responder: String, _ request: [UInt8]) throws(TLSFileProblem) -> [UInt8]

    private struct Turn {
        var nextAt: Int
        var failures = 0
        var hasSaidWhy = false
    }

    private let turns = Lock<[ObjectIdentifier: Turn]>([:])
    private let ask: Ask
    private let timer = Lock<PollTimer?>(nil)

    /// Seconds before the second attempt; each further wait is twice as long.
    private static let firstRetry = 60
    private static let longestRetry = 3600
    /// Seconds between looks at whose turn it is.
    private static let pollInterval = 30
    /// Seconds that a responder has to answer.
    private static let timeLimit: Int32 = 10

    init(ask: @escaping Ask) { self.ask = ask }

    /// A fetcher that speaks HTTP to responders.
    public convenience init() { self.init(ask: Self.post) }

    /// Starts to fetch for the certificates that `pairs` names, in the background. Sentences for the log go to `report`.
    public func start(
        pairs: @escaping @Sendable () -> [CertificatePair], report: @escaping @Sendable (String) -> Void
    ) {
        // Requests block, so they have a queue of their own.
        let next = PollTimer(label: "gateway.ocsp", seconds: Self.pollInterval) { [weak self] in
            for sentence in self?.tick(pairs: pairs(), now: time(nil)) ?? [] { report(sentence) }
        }
        timer.withLock { $0 = next }
    }

    /// Stops; a request that is under way is awaited by nobody.
    public func stop() { timer.withLock { $0 = nil } }

    /// Fetches what is due at `now`, seconds since 1970, and says what went wrong, once for each row of failures.
    func tick(pairs: [CertificatePair], now: Int) -> [String] {
        var sentences: [String] = []
        for pair in pairs {
            let id = ObjectIdentifier(pair)
            var turn = turns.withLock { $0[id] } ?? Turn(nextAt: now)
            guard turn.nextAt <= now, let responder = pair.responder, let request = OCSPResponse.request(for: pair)
            else {
                continue
            }
            do {
                let der = try ask(responder, request)
                let response = try OCSPResponse(der: der, for: pair, source: "from \(responder)", now: now)
                pair.attach(response)
                if turn.hasSaidWhy { sentences.append("the OCSP response for \(pair.label) is current again") }
                turn = Turn(nextAt: Self.refresh(response, now: now))
            } catch {
                turn.nextAt = now + Self.wait(afterFailures: turn.failures)
                turn.failures += 1
                if !turn.hasSaidWhy { sentences.append("\(error.sentence); service goes on without a new one") }
                turn.hasSaidWhy = true
            }
            turns.withLock { $0[id] = turn }
        }
        // Those of certificates that were replaced are forgotten.
        let current = Set(pairs.map { ObjectIdentifier($0) })
        turns.withLock { $0 = $0.filter { current.contains($0.key) } }
        return sentences
    }

    /// Half-way through what is left of a response's validity, so that there is time for failures.
    static func refresh(_ response: OCSPResponse, now: Int) -> Int {
        max(now + firstRetry, response.thisUpdate + (response.nextUpdate - response.thisUpdate) / 2)
    }

    static func wait(afterFailures failures: Int) -> Int { min(longestRetry, firstRetry << min(failures, 10)) }

    /// RFC 6960 appendix A.1: a POST over HTTP, by OpenSSL's client.
    static let post: Ask = { responder, request throws(TLSFileProblem) in
        defer { ERR_clear_error() }
        let failure = TLSFileProblem("the OCSP responder \(responder) cannot be reached or gave no valid answer")
        var usesTLS: Int32 = 0
        var host: UnsafeMutablePointer<CChar>?
        var port: UnsafeMutablePointer<CChar>?
        var path: UnsafeMutablePointer<CChar>?
        guard unsafe OSSL_HTTP_parse_url(responder, &usesTLS, nil, &host, &port, nil, &path, nil, nil) == 1 else {
            throw failure
        }
        defer {
            unsafe gw_openssl_free(host)
            unsafe gw_openssl_free(port)
            unsafe gw_openssl_free(path)
        }
        guard usesTLS == 0 else { throw TLSFileProblem("the OCSP responder \(responder) is not asked: it is not http") }
        guard let body = unsafe BIO_new(BIO_s_mem()) else { throw failure }
        defer { unsafe BIO_free(body) }
        unsafe BIO_write(body, request, Int32(request.count))
        let answer = unsafe OSSL_HTTP_transfer(
            nil, host, port, path, 0, nil, nil, nil, nil, nil, nil, 0, nil, "application/ocsp-request", body,
            "application/ocsp-response", 1, OCSPResponse.sizeLimit, timeLimit, 0)
        guard let answer = unsafe answer else { throw failure }
        defer { unsafe BIO_free(answer) }
        var bytes = [UInt8](repeating: 0, count: OCSPResponse.sizeLimit)
        let count = unsafe BIO_read(answer, &bytes, Int32(bytes.count))
        guard count > 0 else { throw failure }
        return Array(bytes[..<Int(count)])
    }
}
