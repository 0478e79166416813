// SPDX-License-Identifier: Apache-2.0
// How the descriptors of the process are divided: what is open once everything stands, a part in reserve for files, name servers
// and checks, and the rest for client connections, each with a connection to a server beside it.

import CLinux
import Glibc

/// How many client connections the process's descriptors allow: pure.
struct DescriptorPlan: Equatable {
    /// Descriptors that a client may need: its own connection and one to an upstream server.
    static let perConnection = 2
    /// With fewer connections than this, and fewer than were asked for, the operator is told.
    static let useful = 512
    /// Kept for stored files, name servers and health checks: an eighth of what is left, but at least so many.
    static let reserve = 8

    /// Client connections; 0 when there is no room for any.
    let connections: Int
    /// Whether the operator should hear of it.
    let isTight: Bool

    /// - Parameters:
    ///   - descriptors: That the process may have open.
    ///   - used: That are open before the first client comes.
    ///   - perConnection: That a client may need, at least 1.
    ///   - wanted: Connections that the settings ask for.
    init(descriptors: Int, used: Int, perConnection: Int = Self.perConnection, wanted: Int) {
        let left = max(0, descriptors - used)
        let room = max(0, left - max(Self.reserve, left / 8)) / max(1, perConnection)
        connections = min(wanted, room)
        isTight = connections < wanted && connections < Self.useful
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
