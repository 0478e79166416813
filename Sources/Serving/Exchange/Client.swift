// SPDX-License-Identifier: Apache-2.0
public import Engine

/// The client of a connection, as an application sees it. What the connection is made of stays behind the stream.
public struct Client {
    /// The address that the connection came from.
    public let address: SocketAddress
    /// How the connection is secured; nil for one in the clear.
    public let security: Security?
    /// Whether the client has more connections than it may: what it asks on this one is not served.
    public let isCrowded: Bool

    /// What a TLS handshake has settled.
    public struct Security {
        /// The protocol and its version, such as `TLSv1.3`.
        public let protocolName: StaticString
        /// The subject of the client's verified certificate, as text for a field. Empty when the client has shown none.
        public let certificateSubject: [UInt8]
    }

    /// Whether the connection is secured by TLS.
    public let isSecure: Bool
    /// Whether the client has shown a certificate that the listener trusts.
    public let hasCertificate: Bool

    /// The client at `address`, whose bytes travel through `layer`.
    init(_ address: SocketAddress, layer: TransportLayer?, isCrowded: Bool = false) {
        self.address = address
        self.isCrowded = isCrowded
        isSecure = layer != nil
        hasCertificate = layer?.peerName.isEmpty == false
        security = layer.map { Security(protocolName: $0.protocolName, certificateSubject: $0.peerName) }
    }
}
