// SPDX-License-Identifier: Apache-2.0
// A file that is open takes its room on the disk until it is closed, whatever became of its name. So who removes a name
// leaves the count of its bytes to those who have the file open.

import Bytes
import Synchronization

/// A file that is open, once or more often.
final class OpenFile: Sendable {
    /// Bytes that are free when it is closed: reserved for a file that has no name yet, or those of one that has none any more.
    /// What a name leads to is counted by the index.
    let bytes = Atomic<Int>(0)
    /// How often it is open. Changed behind the table's lock only.
    fileprivate let descriptors = Atomic<Int>(1)
}

/// The files that are open, by the names that lead to them.
final class OpenFiles: Sendable {
    private let named = Lock<[ObjectID: OpenFile]>([:])

    /// The file of that name is about to be opened; `close` it whether it could be or not.
    func open(_ id: ObjectID) -> OpenFile {
        named.withLock { named in
            if let file = named[id] {
                file.descriptors.add(1, ordering: .relaxed)
                return file
            }
            let file = OpenFile()
            named[id] = file
            return file
        }
    }

    /// An open file, which had none, has that name now.
    func name(_ file: OpenFile, _ id: ObjectID) { named.withLock { $0[id] = file } }

    /// The name does not lead to its file any more. False when nobody has that open, so that its bytes are free.
    func unname(_ id: ObjectID, bytes: Int) -> Bool {
        named.withLock { named in
            guard let file = named.removeValue(forKey: id) else { return false }
            file.bytes.add(bytes, ordering: .relaxed)
            return true
        }
    }

    /// One who had it open has closed it: how many bytes are free now.
    func close(_ file: OpenFile, _ id: ObjectID) -> Int {
        named.withLock { named in
            guard file.descriptors.subtract(1, ordering: .relaxed).newValue == 0 else { return 0 }
            if named[id] === file { named[id] = nil }
            return file.bytes.exchange(0, ordering: .relaxed)
        }
    }
}
