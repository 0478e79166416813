// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The memory of all fills together. As it becomes scarce each keeps less, so that a disk that hangs, or readers that do not read,
/// cost no more than was meant for them.
final class FillMemory: Sendable {
    /// Bytes from which on it is scarce.
    let limit: Int
    private let bytes = Atomic<Int>(0)

    init(limit: Int) { self.limit = limit }

    /// Chunks came, or went (below 0).
    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }

    /// Bytes that chunks take now.
    var used: Int { bytes.load(ordering: .relaxed) }
    /// Whether new fills are not stored, and those that are not keep little for slow readers.
    var isScarce: Bool { used >= limit }
    /// Whether fills keep no more of what is on the disk than they must.
    var isTight: Bool { used >= limit / 2 }
}
