// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Foundation
import Glibc
import TestSupport
import Testing

@testable import TLS

@Suite("Certificates and keys") final class CertificateTests {
    private let now = TestAuthority.now
    private let folder = TemporaryFolder()

    deinit { #expect(ERR_peek_error() == 0, "an error was left in OpenSSL's queue") }

    private func problem(_ certificate: String, _ key: String) -> String {
        do {
            _ = try CertificatePair.load(certificate: certificate, key: key, now: now)
            return "loaded"
        } catch { return error.sentence }
    }

    @Test("each thing that is wrong with a pair has its sentence")
    func eachThingThatIsWrongWithAPairHasItsSentence() throws {
        let authority = try TestAuthority()
        let pair = try authority.issue(["a.example"])
        let good = folder.write(pair.leaf.pem)
        let key = folder.write(pair.key.pem)
        #expect(problem(good, key) == "loaded")
        let both = folder.write(pair.key.pem + pair.leaf.pem + authority.certificate.pem)
        #expect(problem(both, both) == "loaded")
        #expect(problem("/nonexistent/a.pem", key) == "/nonexistent/a.pem does not exist")
        #expect(problem(good, "/nonexistent/a.key") == "/nonexistent/a.key does not exist")
        #expect(problem(folder.path, key) == "\(folder.path) is not a file")
        #expect(problem(key, key) == "there is no certificate in \(key)")
        #expect(problem(good, good) == "there is no private key in \(good)")
        let encrypted = folder.write(pair.key.encryptedPEM)
        #expect(
            problem(good, encrypted)
                == "the key in \(encrypted) is encrypted: decrypt it first, for example with openssl pkey")
        // Put together, so that nobody who looks for keys in the sources takes this for one.
        let label = ["PRIVATE", "KEY"].joined(separator: " ")
        let traditional = folder.write(
            "-----BEGIN RSA \(label)-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                + "AAAA\n-----END RSA \(label)-----\n")
        #expect(
            problem(good, traditional)
                == "the key in \(traditional) is encrypted: decrypt it first, for example with openssl pkey")
        let other = folder.write(authority.key.pem)
        #expect(problem(good, other) == "the key in \(other) does not belong to the certificate in \(good)")
        let reversed = folder.write(authority.certificate.pem + pair.leaf.pem)
        #expect(
            problem(reversed, key)
                == "the first certificate in \(reversed) is not that of the key in \(key): the server's own must come first"
        )
        let open = folder.write(pair.key.pem, mode: 0o644)
        #expect(
            problem(good, open)
                == "the key in \(open) can be read by others or changed by its group: use chmod 600 \(open), or 640")
        #expect(problem(good, folder.write(pair.key.pem, mode: 0o640)) == "loaded")
        let short = unsafe PrivateKey(adopting: try #require(gw_new_rsa(1024)))
        let weak = folder.write(short.pem)
        #expect(problem(good, weak) == "the key in \(weak) is too short: 1024 bits, and at least 2048 are required")
        let garbage = folder.write("-----BEGIN \(label)-----\nAAAA\n-----END \(label)-----\n")
        #expect(problem(good, garbage) == "the key in \(garbage) cannot be decoded")
    }

    @Test("a key that others may read is refused")
    func whoMayReadAKey() {
        func isAllowed(_ mode: mode_t, owner: uid_t, user: uid_t) -> Bool {
            (try? PrivateKey.checkPermissions(path: "k", owner: owner, mode: mode, user: user)) != nil
        }
        for mode: mode_t in [0o600, 0o400, 0o640, 0o440] {
            #expect(isAllowed(mode, owner: 0, user: 7))
            #expect(isAllowed(mode, owner: 7, user: 7))
            #expect(!isAllowed(mode, owner: 8, user: 7))
        }
        for mode: mode_t in [0o644, 0o604, 0o660, 0o620, 0o602, 0o601] {
            #expect(!isAllowed(mode, owner: 7, user: 7), "\(String(mode, radix: 8))")
        }
    }

    @Test("what is odd is told and loaded")
    func whatIsOddIsSaidAndLoaded() throws {
        let authority = try TestAuthority()
        let middle = try TestAuthority("Middle CA", issuer: authority)
        func warnings(_ pair: CertificatePair, _ chain: [Certificate]) throws -> [String] {
            let file = folder.write(pair.key.pem + pair.leaf.pem + chain.map(\.pem).joined())
            return try CertificatePair.load(certificate: file, key: file, now: now).warnings
                .map { $0.replacing(file, with: "FILE") }
        }
        let good = try middle.issue(["a.example"])
        #expect(try warnings(good, [middle.certificate, authority.certificate]) == [])
        #expect(try warnings(good, [middle.certificate]) == [])
        #expect(
            try warnings(good, [authority.certificate, middle.certificate]) == [
                "the chain in FILE is out of order: certificate 2 did not issue certificate 1"
            ])
        #expect(
            try warnings(middle.issue(["a.example"], until: -60), [middle.certificate]) == [
                "the certificate in FILE expired on \(Certificate.date(now - 60)): clients will refuse it"
            ])
    }

    @Test("names are read as they count")
    func namesAreReadAsTheyCount() throws {
        let authority = try TestAuthority()
        #expect(
            try authority.issue(["A.Example", "*.b.example", "192.0.2.1", "2001:db8::1"], subject: "cn.example").names
                == ["a.example", "*.b.example", "192.0.2.1", "2001:db8::1"])
        #expect(try authority.issue([], subject: "CN.example").names == ["cn.example"])
        #expect(try authority.issue([], subject: "Not a host").names == [])
        for (text, name) in [
            ("*.example.org", "*.example.org"), ("*.org", nil), ("*", nil), ("w*.example.org", nil), ("a.*.org", nil),
            ("a\0b.org", nil), ("a b", nil), ("", nil), ("x.org.", "x.org"), ("_x.org", "_x.org"), ("*.", nil),
            (String(repeating: "a", count: 254), nil),
        ] as [(String, String?)] {
            #expect(CertificateNames.dnsName(text.utf8) == name, "\(text)")
        }
    }

    @Test("a name finds its certificate")
    func aNameFindsItsCertificate() {
        let table = NameTable([
            ("a.example", 1), ("*.a.example", 2), ("x.a.example", 3), ("192.0.2.1", 4), ("*.b.example", 5),
            ("a.example", 9),
        ])
        for (name, value) in [
            ("a.example", 1), ("A.eXaMple", 1), ("a.example.", 1), ("x.a.example", 3), ("X.A.EXAMPLE.", 3),
            ("y.a.example", 2), ("Y.a.example", 2), ("z.y.a.example", nil), ("192.0.2.1", 4), ("b.example", nil),
            (".b.example", nil), ("c.b.example", 5), ("", nil), (".", nil), ("example", nil), ("*.a.example", 2),
            ("a.example..", nil), (String(repeating: "a", count: 300), nil), ("zzz", nil), ("0", nil),
        ] as [(String, Int?)] {
            #expect(table.value(for: Array(name.utf8).span) == value, "\(name)")
        }
        #expect(NameTable([]).value(for: Array("a".utf8).span) == nil)
    }

    @Test("pairs of one name serve together")
    func pairsOfOneNameServeTogether() throws {
        let authority = try TestAuthority()
        let both = try authority.issue(["a.example", "b.example"])
        let rsa = try authority.issue(["a.example"], key: TestAuthority.rsaKey)
        let twin = try authority.issue(["b.example", "a.example"], key: TestAuthority.rsaKey)
        #expect(CertificateSet([]) == nil)
        let set = try #require(CertificateSet([both, rsa, twin]))
        func members(_ name: String) -> [Int] { set.groups[set.group(for: Array(name.utf8).span)] }
        #expect(members("a.example") == [0, 1])
        #expect(members("b.example") == [0, 2])
        #expect(members("unknown") == [0, 2], "the default and the other key with the same names")
    }
}
