// SPDX-License-Identifier: Apache-2.0

extension Configuration {
    /// A numeric address and a port to listen on.
    public struct Endpoint: Sendable, Equatable {
        /// In its usual form, IPv6 without brackets.
        public var address: String
        /// 0 lets the system choose.
        public var port: UInt16

        /// An address and a port.
        public init(address: String, port: UInt16) {
            self.address = address
            self.port = port
        }

        /// `127.0.0.1:9000` or `[::1]:9000`.
        public var text: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }

        /// Whether only this machine can reach that address.
        public static func isLoopback(_ address: String) -> Bool { address == "::1" || address.hasPrefix("127.") }

        /// A port alone is one of the loopback interface.
        static func read(_ text: String) throws(Refusal) -> Endpoint {
            guard let colon = text.lastIndex(of: ":") else {
                return Endpoint(address: "127.0.0.1", port: UInt16(try Quantities.whole(text, in: 0...65_535)))
            }
            let host = String(text[..<colon])
            guard !host.contains(":") || host.hasPrefix("[") else {
                throw Refusal(
                    "an IPv6 address stands in brackets before its port, such as [::1]:9000; found \(quoted(text))")
            }
            let port = try Quantities.whole(String(text[text.index(after: colon)...]), in: 0...65_535)
            return Endpoint(address: try Addresses.listen(host), port: UInt16(port))
        }
    }
}
