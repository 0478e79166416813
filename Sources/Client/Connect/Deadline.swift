// SPDX-License-Identifier: Apache-2.0
// Waiting for a socket, but never longer than one may.

import Engine
import Glibc

/// The monotonic clock.
public enum MonotonicClock {
    /// Nanoseconds since some moment before the program began.
    public static var nanoseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
    /// The same in milliseconds.
    public static var milliseconds: UInt64 { nanoseconds / 1_000_000 }
}

/// The wall clock, for dates.
enum WallClock {
    /// Milliseconds of Unix time.
    static var milliseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// When waiting ends, and what it is then called.
struct Deadline {
    /// Monotonic milliseconds; nil for never.
    var at: UInt64?
    /// What is said when it has passed.
    var failure: ClientFailure

    /// The earlier of two.
    func sooner(_ other: Deadline) -> Deadline {
        guard let mine = at else { return other }
        guard let theirs = other.at else { return self }
        return mine <= theirs ? self : other
    }

    /// Throws when it has passed.
    func check() throws(ClientFailure) {
        if let at, MonotonicClock.milliseconds >= at { throw failure }
    }

    /// What `poll` is given: at most `slice` milliseconds.
    func timeout(slice: UInt64?) -> Int32 {
        let now = MonotonicClock.milliseconds
        var rest: UInt64?
        if let at { rest = at > now ? at - now : 0 }
        if let slice { rest = min(rest ?? slice, slice) }
        guard let rest else { return -1 }
        return Int32(clamping: rest)
    }
}

/// Waits on behalf of one transfer. Belongs to one thread.
struct Waiting {
    /// When it gives up.
    var deadline: Deadline
    /// Told now and then, for the progress bar.
    var listener: TransferListener?

    /// Returns when one of `events` is there, with what is.
    @discardableResult func wait(_ fd: Int32, for events: Int16) throws(ClientFailure) -> Int16 {
        var watched = pollfd(fd: fd, events: events, revents: 0)
        while true {
            let count = unsafe poll(&watched, 1, deadline.timeout(slice: listener == nil ? nil : 200))
            if count > 0 { return watched.revents }
            guard count == 0 || errno == EINTR else { throw .receive(SystemFailure.reason(errno)) }
            try deadline.check()
            listener?.tick()
        }
    }

    /// Sleeps.
    func pause(milliseconds: UInt64) throws(ClientFailure) {
        let end = MonotonicClock.milliseconds &+ milliseconds
        while true {
            let now = MonotonicClock.milliseconds
            guard now < end else { return }
            _ = poll(nil, 0, min(deadline.timeout(slice: 1_000), Int32(clamping: end - now)))
            try deadline.check()
        }
    }
}
