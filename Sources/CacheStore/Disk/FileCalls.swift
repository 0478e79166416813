// SPDX-License-Identifier: Apache-2.0
// The system calls on files, by descriptor: whole, retried when a signal interrupts them, with `errno` as a value.

import CLinux
package import Engine
package import Glibc

package enum FileCalls {
    /// Opens `name` in `directory`; a symbolic link is not followed, and a pipe that somebody put there is not waited for. The
    /// corresponding C function is `openat`.
    package static func open(
        _ name: String, in directory: Int32, _ flags: Int32 = O_RDONLY
    ) -> Result<Int32, SystemFailure> {
        let number = unsafe gw_open_at(directory, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        return number >= 0 ? .success(number) : .failure(SystemFailure("openat"))
    }

    /// Reads until `memory` is full or the file ends; how many bytes came, or nil after an error.
    package static func read(_ fd: Int32, into memory: UnsafeMutableRawBufferPointer, at offset: Int) -> Int? {
        guard let base = memory.baseAddress else { return 0 }
        var done = 0
        while done < memory.count {
            let got = unsafe pread(fd, base + done, memory.count - done, off_t(offset + done))
            if got == 0 { break }
            if got < 0 {
                if errno == EINTR { continue }
                return nil
            }
            done += got
        }
        return done
    }

    /// The `count` bytes at `offset`, or nil when there are fewer or they cannot be read.
    package static func bytes(_ fd: Int32, at offset: Int, count: Int) -> CachedBody? {
        try? readableBytes(fd, at: offset, count: count)
    }

    /// The `count` bytes at `offset`, or nil when there are fewer, or the disk cannot read them.
    ///
    /// - Throws: what says nothing of the file, such as a lack of memory.
    package static func readableBytes(_ fd: Int32, at offset: Int, count: Int) throws(SystemFailure) -> CachedBody? {
        var got: Int?
        var code: Int32 = 0
        let bytes = unsafe CachedBody(count: count) { memory in
            got = unsafe read(fd, into: memory, at: offset)
            if got == nil { code = errno }
        }
        if got == nil, code != EIO { throw SystemFailure("pread", code: code) }
        return got == count ? bytes : nil
    }

    /// Writes all of `bytes` at `offset`; 0, or the `errno`.
    package static func write(_ fd: Int32, _ bytes: Span<UInt8>, at offset: Int) -> Int32 {
        unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            var done = 0
            while done < buffer.count {
                let put = unsafe pwrite(fd, base + done, buffer.count - done, off_t(offset + done))
                if put > 0 {
                    done += put
                } else if put == 0 || errno != EINTR {
                    return put == 0 ? EIO : errno
                }
            }
            return 0
        }
    }

    /// What the file is, or nil.
    package static func status(_ fd: Int32) -> stat? {
        var status = stat()
        return unsafe fstat(fd, &status) == 0 ? status : nil
    }

    /// What `name` in `directory` is; of a link, the link itself.
    package static func status(_ name: String, in directory: Int32) -> Result<stat, SystemFailure> {
        var status = stat()
        guard unsafe fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            return .failure(SystemFailure("fstatat"))
        }
        return .success(status)
    }

    /// Bytes of the blocks that it takes.
    package static func blockBytes(_ status: stat) -> Int { Int(status.st_blocks) * 512 }

    package static func isRegular(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFREG }

    /// The names in a directory, without `.` and `..`. Nil when it cannot be read to its end.
    package static func names(in directory: Int32) -> [String]? {
        // A descriptor of its own, because `closedir` closes it and reading moves its offset.
        let number = unsafe gw_open_at(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard number >= 0 else { return nil }
        guard let stream = unsafe fdopendir(number) else {
            close(number)
            return nil
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { return errno == 0 ? names : nil }
            let length = unsafe Int(
                strlen(UnsafeRawPointer(entry).advanced(by: nameOffset).assumingMemoryBound(to: CChar.self)))
            let bytes = unsafe UnsafeRawBufferPointer(start: UnsafeRawPointer(entry) + nameOffset, count: length)
            let name = unsafe String(decoding: bytes, as: UTF8.self)
            if name != "." && name != ".." { names.append(name) }
        }
    }

    private static let nameOffset = MemoryLayout<dirent>.offset(of: \dirent.d_name) ?? 19
}

/// An open file, shared by those who read it. It is closed on a disk thread: closing the last descriptor of a removed file
/// frees its blocks, which may take long.
final class SharedFile: Sendable {
    let number: Int32
    private let threads: DiskThreads
    /// Called when the file is closed.
    private let atClose: @Sendable () -> Void

    init(adopting number: Int32, threads: DiskThreads, atClose: @escaping @Sendable () -> Void) {
        self.number = number
        self.threads = threads
        self.atClose = atClose
    }

    private final class Close: DiskJob, @unchecked Sendable {
        let number: Int32
        let atClose: @Sendable () -> Void
        init(_ number: Int32, _ atClose: @escaping @Sendable () -> Void) {
            self.number = number
            self.atClose = atClose
        }
        override func run() {
            _ = close(number)
            atClose()
        }
    }

    deinit {
        let job = Close(number, atClose)
        // Who makes room by removing files needs to have it at once. After the threads have ended there is nobody to leave
        // it to.
        if threads.isCurrent || !threads.submit(job) { job.run() }
    }
}
