// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Engine

@Suite("A socket address") struct SocketAddressTests {
    @Test(
        "is printed as it is read",
        arguments: [
            ("127.0.0.1", "127.0.0.1:80"), ("0.0.0.0", "0.0.0.0:80"), ("::1", "[::1]:80"),
            ("[2001:db8::1]", "[2001:db8::1]:80"), ("::ffff:192.0.2.1", "192.0.2.1:80"),
        ])
    func roundTrip(_ text: String, _ printed: String) {
        #expect(SocketAddress(numeric: text, port: 80)?.description == printed)
    }

    @Test(
        "is not made from anything else",
        arguments: ["", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::g", "[::1", "1.2.3.4:80"])
    func refuses(_ text: String) { #expect(SocketAddress(numeric: text, port: 80) == nil) }

    @Test("knows the blocks it is in")
    func blocks() {
        let v4 = SocketAddress(numeric: "10.1.2.3", port: 0)
        #expect(v4?.isIn([10, 0, 0, 0], prefix: 8) == true)
        #expect(v4?.isIn([10, 1, 2, 2], prefix: 31) == true)
        #expect(v4?.isIn([10, 1, 2, 2], prefix: 32) == false)
        #expect(v4?.isIn([11, 0, 0, 0], prefix: 0) == true)
        let v6 = SocketAddress(numeric: "2001:db8::1", port: 0)
        #expect(v6?.isIn([0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 12), prefix: 32) == true)
        #expect(v6?.isIn([10, 0, 0, 0], prefix: 0) == false)
    }
}
