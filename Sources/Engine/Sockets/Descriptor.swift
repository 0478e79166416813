// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A file descriptor with exactly one owner, which closes it by going away.
public struct Descriptor: ~Copyable, Sendable {
    /// The number the kernel knows it by. Valid for as long as the owner lives.
    public let number: Int32

    /// Takes ownership of an open descriptor.
    public init(adopting number: Int32) {
        precondition(number >= 0, "a descriptor is never negative")
        self.number = number
    }

    deinit {
        // The number is gone whatever close(2) says; trying again could close a stranger's.
        _ = close(number)
    }
}
