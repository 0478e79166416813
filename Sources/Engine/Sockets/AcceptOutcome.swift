// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What became of taking a connection out of a listening socket's queue. The corresponding C function is `accept4`.
enum AcceptOutcome: Equatable {
    /// A connection: its descriptor, which is the caller's to close, and its other end.
    case connection(Int32, SocketAddress)
    /// Nobody waits.
    case none
    /// One that waited has failed in the meantime; others may wait behind it.
    case lost
    /// The process or the system has no room for another: the `errno`. Who waits stays in the queue.
    case exhausted(Int32)
    /// The socket does not accept at all: the `errno`.
    case broken(Int32)

    /// What an `errno` of `accept4` means.
    init(failure code: Int32) {
        switch code {
        case EAGAIN: self = .none
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: self = .exhausted(code)
        case EBADF, EFAULT, EINVAL, ENOTSOCK, EOPNOTSUPP, ENOSYS: self = .broken(code)
        // ECONNABORTED, EPROTO, EPERM (a firewall), EINTR, and on Linux whatever the network has done to it since: ENETDOWN,
        // ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH.
        default: self = .lost
        }
    }
}
