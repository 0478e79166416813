// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Testing

@Suite("The one spelling of an authority") struct CanonicalAuthorityTests {
    private func canonical(_ text: String, _ port: UInt16 = 80) -> String {
        let block = Block(capacity: 256)
        Authority.appendCanonical(Array(text.utf8).span, defaultPort: port, to: block)
        return String(decoding: (0..<block.count).map { block.readable[$0] }, as: UTF8.self)
    }

    private func isCanonical(_ text: String) -> Bool { Authority.isCanonical(Array(text.utf8).span) }

    private func areSame(_ one: String, _ other: String, _ port: UInt16 = 80) -> Bool {
        Authority.areSame(Array(one.utf8).span, Array(other.utf8).span, defaultPort: port)
    }

    static let spellings: [(String, String)] = [
        ("h.example", "h.example"), ("H.Example", "h.example"), ("h:80", "h"), ("h:", "h"), ("h:00080", "h"),
        ("h:443", "h:443"), ("h:08080", "h:8080"), ("h:0", "h:0"), ("[::1]", "[::1]"), ("[::A]:80", "[::a]"),
        ("[2001:DB8::1]:8080", "[2001:db8::1]:8080"), ("h.", "h."), ("127.0.0.1:80", "127.0.0.1"),
    ]

    @Test("has a host in lower case, and a port only where it is another", arguments: spellings)
    func forms(_ text: String, _ form: String) {
        #expect(canonical(text) == form)
        // Nothing is left to be done.
        #expect(canonical(form) == form)
        #expect(!isCanonical(text) || text == form)
        #expect(areSame(text, form))
    }

    @Test("goes by the scheme's port") func schemes() {
        #expect(canonical("h:443", 443) == "h")
        #expect(canonical("h:80", 443) == "h:80")
        #expect(!areSame("h:80", "h", 443))
        #expect(!areSame("h", "g"))
        #expect(!areSame("", "g"))
    }

    @Test("is known without writing it, for those that most requests have") func known() {
        for text in ["h.example", "127.0.0.1", "[::1]", "h-1_a.example."] {
            #expect(isCanonical(text))
        }
        for text in ["H", "h:80", "h:", "[::A]", "[::1]:80", "[::1]:"] {
            #expect(!isCanonical(text))
        }
    }

    @Test("of what is no authority is what it is") func none() {
        for text in ["", "a b", "h:99999", "[::1"] { #expect(canonical(text) == text) }
    }
}
