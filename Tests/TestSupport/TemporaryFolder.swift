// SPDX-License-Identifier: Apache-2.0
import Foundation
public import Glibc
import Synchronization

/// A folder that goes away with its owner.
public final class TemporaryFolder: Sendable {
    /// Its path.
    public let path: String
    private let written = Atomic<Int>(0)

    /// Makes one where the system has temporary files (`TMPDIR`).
    public init() {
        var template = Array("\(Self.parent)/gateway-test-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { buffer in
            guard let made = unsafe buffer.baseAddress.flatMap({ unsafe mkdtemp($0) }) else {
                preconditionFailure("no temporary folder can be made in \(Self.parent)")
            }
            return unsafe String(cString: made)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private static var parent: String { ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp" }

    /// The path of a file in it.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file in place of one that is there, and returns its path. Without a name it has one of its own; only its owner may
    /// read it, unless `mode` says otherwise.
    @discardableResult public func write(_ text: String, to name: String? = nil, mode: mode_t = 0o600) -> String {
        write(Array(text.utf8), to: name, mode: mode)
    }

    /// The same with bytes.
    @discardableResult public func write(_ bytes: [UInt8], to name: String? = nil, mode: mode_t = 0o600) -> String {
        let number = written.add(1, ordering: .relaxed).newValue
        let new = file(".new-\(number)")
        let path = file(name ?? "file-\(number)")
        let fd = unsafe open(new, O_WRONLY | O_CREAT | O_TRUNC, mode)
        // The process's mask does not count.
        _ = fchmod(fd, mode)
        let count = unsafe Glibc.write(fd, bytes, bytes.count)
        close(fd)
        unsafe precondition(count == bytes.count && rename(new, path) == 0, "\(path) cannot be written")
        return path
    }
}

/// A file's text; empty when there is none.
public func contents(of path: String) -> String { String(decoding: fileBytes(path), as: UTF8.self) }

/// A file's bytes; none when there is no file.
public func fileBytes(_ path: String) -> [UInt8] {
    guard let file = unsafe fopen(path, "r") else { return [] }
    defer { unsafe fclose(file) }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = unsafe fread(&buffer, 1, buffer.count, file)
        if count == 0 { return all }
        all += buffer[..<count]
    }
}
