// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The names in a folder.
func listing(of path: String) -> [String] {
    guard let stream = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// Writes a file over.
func writeBytes(_ bytes: [UInt8], to path: String) {
    guard let file = unsafe fopen(path, "w") else { return }
    defer { unsafe fclose(file) }
    unsafe fwrite(bytes, 1, bytes.count, file)
}

/// A file's permissions.
func permissions(of path: String) -> UInt32 {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
}

/// Changes them.
func changeMode(of path: String, to mode: UInt32) { unsafe chmod(path, mode) }

/// Makes a folder.
func makeFolder(_ path: String) { unsafe mkdir(path, 0o700) }

/// Makes a symbolic link.
func makeLink(_ path: String, to target: String) { unsafe symlink(target, path) }

/// Whether a path is a symbolic link.
func isLink(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
}

/// A named pipe, open for reading.
final class Pipe {
    private let number: Int32

    init(_ path: String) {
        unsafe mkfifo(path, 0o600)
        number = unsafe open(path, O_RDONLY | O_NONBLOCK)
    }

    deinit { close(number) }

    /// What is in it.
    func text() -> String {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe read(number, &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}
