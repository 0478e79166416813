// SPDX-License-Identifier: Apache-2.0
// From a path to the text of a settings file: everything about it that can be wrong before its YAML is looked at.

import Glibc

enum FileText {
    /// Bytes of a settings file.
    static let limit = 1 << 20

    /// Whether there is anything at a path.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0
    }

    /// The text of a regular file in UTF-8, without a byte order mark.
    static func load(_ path: String) throws(Refusal) -> String {
        // Without O_NONBLOCK, opening a FIFO would wait for a writer.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT: throw Refusal("there is no such file")
            case EACCES: throw Refusal("the file may not be read: permission denied")
            default: throw Refusal(unsafe "the file cannot be opened: \(String(cString: strerror(errno)))")
            }
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Refusal("the file cannot be examined") }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw Refusal("expected a file; this is a directory")
        default: throw Refusal("expected a regular file")
        }
        return try text(of: try bytes(from: descriptor))
    }

    private static func bytes(from descriptor: Int32) throws(Refusal) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = unsafe read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw Refusal(unsafe "the file cannot be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw Refusal("the file is larger than \(Quantities.text(ofSize: limit))")
    }

    private static func text(of bytes: [UInt8]) throws(Refusal) -> String {
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        guard let text = String(validating: bytes[start...], as: UTF8.self) else {
            throw Refusal("the file is not UTF-8")
        }
        return text
    }
}
