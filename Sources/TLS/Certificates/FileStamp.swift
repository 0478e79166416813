// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What tells that a file is another than before: replaced, or written to.
struct FileStamp: Equatable, Sendable {
    private var device: UInt = 0
    private var inode: UInt = 0
    private var size = 0
    private var seconds = 0
    private var nanoseconds = 0

    /// Of the file that `path` leads to now, through links; all zeros when there is none.
    init(path: String) {
        var info = stat()
        guard unsafe stat(path, &info) == 0 else { return }
        device = UInt(info.st_dev)
        inode = UInt(info.st_ino)
        size = Int(info.st_size)
        seconds = info.st_mtim.tv_sec
        nanoseconds = info.st_mtim.tv_nsec
    }
}

/// Tells when a few files have changed and have been left alone since.
struct FileWatch: Sendable {
    let paths: [String]
    private var settled: [FileStamp]
    private var pending: [FileStamp]?

    /// Watches from the state that the files have now.
    init(paths: [String]) {
        self.paths = paths
        settled = paths.map { FileStamp(path: $0) }
    }

    /// Looks at the files; true once for each change, as soon as two looks in a row saw the same.
    mutating func look() -> Bool {
        let stamps = paths.map { FileStamp(path: $0) }
        if stamps == settled {
            pending = nil
            return false
        }
        guard stamps == pending else {
            pending = stamps
            return false
        }
        settled = stamps
        pending = nil
        return true
    }

    /// Takes the files as they are now for the state from which to watch.
    mutating func settle() { self = FileWatch(paths: paths) }
}
