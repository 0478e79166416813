// SPDX-License-Identifier: Apache-2.0
// How the descriptors of the process are divided: what is open once everything stands, what the cache keeps open, a part in reserve for
// name servers and checks, one for clients who wait for a place, and the rest for client connections, each with what it needs beside it.

import CLinux
import Glibc
import Serving

/// How many client connections the process's descriptors allow: pure.
struct DescriptorPlan: Equatable {
    /// Descriptors that a client may need: its own connection and one to an upstream server.
    static let perConnection = 2
    /// With fewer connections than this, and fewer than were asked for, the operator is told.
    static let useful = 512
    /// Kept for name servers, health checks and what goes on without its client: an eighth of what is left, but at least so many.
    static let reserve = 8
    /// Connections of each loop that have no place: at least one that waits, and one that is looked at before it is closed.
    static let leastWithoutPlace = 2

    /// Client connections; 0 when there is no room for any.
    let connections: Int
    /// Connections that may wait for a place, on each loop: a sixteenth of what is left.
    let waiting: Int
    /// Whether the operator should hear of it.
    let isTight: Bool

    /// - Parameters:
    ///   - descriptors: That the process may have open.
    ///   - used: That are open before the first client comes.
    ///   - perConnection: That a client may need, at least 1.
    ///   - loops: That accept clients, at least 1.
    ///   - wanted: Connections that the settings ask for.
    init(descriptors: Int, used: Int, perConnection: Int = Self.perConnection, loops: Int = 1, wanted: Int) {
        let left = max(0, descriptors - used)
        waiting = min(ClientPlaces.mostWaiting, max(1, left / 16 / max(1, loops)))
        let withoutPlace = (waiting + Self.leastWithoutPlace - 1) * loops
        let room = max(0, left - max(Self.reserve, left / 8) - withoutPlace) / max(1, perConnection)
        connections = min(wanted, room)
        isTight = connections < wanted && connections < Self.useful
    }

    /// Descriptors that are needed beside `used` ones to serve a single client.
    static func least(loops: Int) -> Int { reserve + perConnection + leastWithoutPlace * loops }
}

/// What a cache on disk keeps open: all of its folders and many files, unless the process may have few descriptors. Pure.
struct CacheDescriptors: Equatable {
    /// With fewer than this its folders are opened when they are needed.
    static let enough = 4_096
    /// A download into the cache has a file beside the two connections.
    static let perConnection = 1
    private static let folderCount = 256
    private static let mostFiles = 256

    let keepsFolders: Bool
    let files: Int
    /// Both together.
    var total: Int { files + (keepsFolders ? Self.folderCount : 0) }

    /// - Parameter descriptors: That the process may have open.
    init(descriptors: Int) {
        keepsFolders = descriptors >= Self.enough
        files = min(Self.mostFiles, max(1, descriptors / 32))
    }
}

/// The process's limit of descriptors.
public enum DescriptorLimit {
    /// Raises the soft limit to the hard one, and returns it. The soft one is a habit from the days of `select`, which nobody here
    /// uses. The corresponding C functions are `getrlimit` and `setrlimit`; without them there is no limit.
    @discardableResult public static func raise() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return .max }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if unsafe setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Descriptors that are open now. Looks at `/proc/self/fd`; where there is none, at the first thousand.
    static func used() -> Int {
        if let folder = unsafe opendir("/proc/self/fd") {
            defer { unsafe closedir(folder) }
            var count = -1  // The folder's own.
            while let entry = unsafe readdir(folder) {
                if unsafe entry.pointee.d_name.0 != UInt8(ascii: ".") { count += 1 }
            }
            return max(0, count)
        }
        return (0..<1_024).reduce(0) { $0 + (gw_is_open(Int32($1)) == 1 ? 1 : 0) }
    }
}
