// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The names in a folder.
func listing(of path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// A file's bytes; empty when there is none.
func fileBytes(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { return all }
        all += buffer[..<count]
    }
}

/// Writes a file over.
func writeBytes(_ bytes: [UInt8], to path: String) {
    guard let file = fopen(path, "w") else { return }
    defer { fclose(file) }
    fwrite(bytes, 1, bytes.count, file)
}

/// A file's permissions.
func permissions(of path: String) -> UInt32 {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
}

/// Changes them.
func changeMode(of path: String, to mode: UInt32) { chmod(path, mode) }

/// Makes a folder.
func makeFolder(_ path: String) { mkdir(path, 0o700) }

/// Makes a symbolic link.
func makeLink(_ path: String, to target: String) { symlink(target, path) }

/// Whether a path is a symbolic link.
func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
}

/// A named pipe, open for reading.
final class Pipe {
    private let number: Int32

    init(_ path: String) {
        mkfifo(path, 0o600)
        number = open(path, O_RDONLY | O_NONBLOCK)
    }

    deinit { close(number) }

    /// What is in it.
    func text() -> String {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = read(number, &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}
