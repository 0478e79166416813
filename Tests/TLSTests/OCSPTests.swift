// SPDX-License-Identifier: Apache-2.0

import Bytes
import COpenSSL
import Foundation
import Glibc
import Synchronization
import Testing

@testable import TLS

@Suite("OCSP") final class OCSPTests {
    private let now = TestAuthority.now

    deinit { #expect(ERR_peek_error() == 0, "an error was left in OpenSSL's queue") }

    private func verdict(_ der: [UInt8], _ pair: CertificatePair) -> String {
        do {
            let response = try OCSPResponse(der: der, for: pair, source: "in FILE", now: now)
            return "good until \(response.nextUpdate - now)"
        } catch { return error.sentence.replacing("the OCSP response in FILE is not used: ", with: "") }
    }

    @Test("only a good and current response of the issuer is used")
    func onlyAGoodAndCurrentResponseOfTheIssuerIsUsed() throws {
        let authority = try TestAuthority()
        let chain = [authority.certificate]
        let pair = try authority.issue(["a.example"], chain: chain)
        let other = try authority.issue(["b.example"], chain: chain)
        // Same name, another key.
        let impostor = try TestAuthority()
        let good = try authority.response(about: pair)
        #expect(verdict(good, pair) == "good until 3600")
        #expect(verdict(good, other) == "it is for another certificate")
        #expect(verdict(try impostor.response(about: pair), pair) == "the issuer did not sign it")
        #expect(
            verdict(try authority.response(about: pair, status: V_OCSP_CERTSTATUS_REVOKED), pair)
                == "the certificate was revoked")
        #expect(
            verdict(try authority.response(about: pair, status: V_OCSP_CERTSTATUS_UNKNOWN), pair)
                == "the responder does not know the certificate")
        #expect(
            verdict(try authority.response(about: pair, from: 600), pair)
                == "it is valid only from \(Certificate.date(now + 600)) on")
        #expect(
            verdict(try authority.response(about: pair, until: -1), pair)
                == "it was valid only until \(Certificate.date(now - 1))")
        #expect(
            verdict(good, try authority.issue(["a.example"]))
                == "the issuer's certificate is not in the chain of a.example")
        for length in stride(from: 0, to: good.count, by: 7) {
            #expect(verdict(Array(good.prefix(length)), pair) != "good until 3600")
        }
        // RFC 6960 section 4.2.1: tryLater without anything else.
        #expect(verdict([0x30, 3, 0x0A, 1, 3], pair) == "the responder answered \"trylater\"")
    }

    @Test("a responder is asked again at half time, and less often while it fails")
    func aResponderIsAskedAgainAtHalfTimeAndLessOftenWhileItFails() throws {
        let authority = try TestAuthority()
        let pair = try authority.issue(
            ["a.example"], chain: [authority.certificate], responder: "http://ocsp.example/x")
        let good = try authority.response(about: pair, from: 0, until: 7200)
        let asked = Lock<[String]>([])
        let answer = Lock<[UInt8]?>(nil)
        let fetcher = OCSPFetcher { responder, request throws(TLSFileProblem) in
            asked.withLock { $0.append("\(responder) \(request.isEmpty)") }
            guard let der = answer.withLock({ $0 }) else { throw TLSFileProblem("nobody is there") }
            return der
        }
        func count() -> Int { asked.withLock { $0.count } }
        #expect(fetcher.tick(pairs: [pair], now: now) == ["nobody is there; service goes on without a new one"])
        #expect(asked.withLock { $0 } == ["http://ocsp.example/x false"])
        #expect(fetcher.tick(pairs: [pair], now: now + 59) == [])
        #expect(count() == 1)
        #expect(fetcher.tick(pairs: [pair], now: now + 60) == [], "it is said once")
        #expect(count() == 2)
        _ = fetcher.tick(pairs: [pair], now: now + 60 + 119)
        #expect(count() == 2)
        answer.withLock { $0 = good }
        #expect(
            fetcher.tick(pairs: [pair], now: now + 60 + 120) == ["the OCSP response for a.example is current again"])
        #expect(pair.staple.withLock { $0?.der } == good)
        _ = fetcher.tick(pairs: [pair], now: now + 3599)
        #expect(count() == 3)
        _ = fetcher.tick(pairs: [pair], now: now + 3600)
        #expect(count() == 4)
        #expect(OCSPFetcher.wait(afterFailures: 1000) == 3600)
        #expect(fetcher.tick(pairs: [try authority.issue(["no.responder"])], now: now) == [])
        #expect(count() == 4)
    }

    @Test("a response is fetched over HTTP")
    func aResponseIsFetchedOverHTTP() throws {
        let authority = try TestAuthority()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe #expect(bind(listener, $0, length) == 0)
                #expect(listen(listener, 4) == 0)
                unsafe #expect(getsockname(listener, $0, &length) == 0)
            }
        }
        let url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/status"
        let pair = try authority.issue(["a.example"], chain: [authority.certificate], responder: url)
        let good = try authority.response(about: pair)
        #expect(pair.responder == url)
        let responder = Thread {
            let fd = accept(listener, nil, nil)
            defer { close(fd) }
            var request = [UInt8](repeating: 0, count: 4096)
            _ = unsafe read(fd, &request, request.count)
            let head = Array(
                "HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: \(good.count)\r\n\r\n"
                    .utf8)
            _ = unsafe write(fd, head + good, head.count + good.count)
            while unsafe read(fd, &request, request.count) > 0 {}
        }
        responder.start()
        #expect(OCSPFetcher().tick(pairs: [pair], now: now) == [])
        #expect(pair.staple.withLock { $0?.der } == good)
    }
}
