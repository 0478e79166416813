// SPDX-License-Identifier: Apache-2.0

import Engine

/// What a request asks of a server: a place, and where it asks for an upgrade, a tunnel.
public struct PlaceClaim: Sendable {
    /// Who asks; nil for the gateway itself, which has no share.
    public let claimant: Claimant?
    /// Whether the response may make a tunnel of the connection.
    public let wantsTunnel: Bool
    let places: Int
    let tunnels: Int
    let share: ClientShare

    /// What a request of `claimant` asks for.
    public init(_ claimant: Claimant?, wantsTunnel: Bool, _ options: borrowing UpstreamOptions) {
        self.init(
            claimant, wantsTunnel: wantsTunnel, places: options.connectionsPerServer, tunnels: options.tunnelsPerServer,
            share: options.share)
    }

    init(_ claimant: Claimant?, wantsTunnel: Bool, places: Int, tunnels: Int, share: ClientShare) {
        self.claimant = claimant
        self.wantsTunnel = wantsTunnel
        self.places = places
        self.tunnels = tunnels
        self.share = share
    }

    /// One for which there is room everywhere.
    static let unlimited = PlaceClaim(
        nil, wantsTunnel: false, places: .max, tunnels: .max, share: ClientShare(percent: 100))

    /// Whether the server has room for it.
    func room(at server: UpstreamServer) -> Room {
        let room = share.room(
            used: server.placesInUse, limit: places, held: claimant.map { server.places.held(by: $0) } ?? 0)
        guard room == .free, wantsTunnel else { return room }
        return tunnelRoom(at: server)
    }

    /// Whether the client, which makes no progress on one of its places at the server, loses that place: others could use it, and the
    /// client has its share. Where all places are taken every client has its share, so one with a single place keeps it: another
    /// client that took the rest must not be able to end it.
    func losesStalledPlace(at server: UpstreamServer) -> Bool {
        guard let claimant else { return false }
        return switch room(at: server) {
        case .free: false
        case .overShare: true
        case .full: server.places.held(by: claimant) > 1
        }
    }

    /// Whether the server has room for one more tunnel.
    func tunnelRoom(at server: UpstreamServer) -> Room {
        share.room(used: server.tunnelCount, limit: tunnels, held: claimant.map { server.tunnels.held(by: $0) } ?? 0)
    }
}
