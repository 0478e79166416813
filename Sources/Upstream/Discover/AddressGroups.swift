// SPDX-License-Identifier: Apache-2.0
public import Engine

/// Which addresses of a name are one server: pure.
public enum AddressGroups {
    /// One IPv6 and one IPv4 address are taken for the two sides of one server, which is reached by whichever works. Otherwise
    /// each address is a server by itself, with its own health and its own share.
    public static func of(_ addresses: [SocketAddress]) -> [[SocketAddress]] {
        if addresses.count == 2, addresses[0].isIPv4 != addresses[1].isIPv4 { return [addresses] }
        return addresses.map { [$0] }
    }
}
