// SPDX-License-Identifier: Apache-2.0
// What is sent behind a request's head. A file is read while it is sent, whatever its size, and can be read again for
// another attempt; standard input cannot.

import Bytes
import Engine
import Glibc

/// The content of a request.
public enum RequestBody: Sendable {
    /// None, which is not the same as an empty one.
    case none
    /// These bytes, as by `-d`.
    case bytes([UInt8])
    /// A file, `-` for standard input, as by `-T`.
    case file(String)
    /// The parts of a form, as by `-F`.
    case form(MultipartForm)

    /// Whether there is any.
    public var isPresent: Bool {
        if case .none = self { return false }
        return true
    }
}

/// Reads a request's content piece by piece. Belongs to one thread.
final class BodyReader {
    /// One stretch of the content.
    enum Piece: Sendable {
        case bytes([UInt8])
        /// A file, and the bytes it had when its length was announced.
        case file(path: String, length: UInt64)
        /// Standard input, until its end.
        case input
    }

    /// Bytes in all; nil when only the end will tell, and the content is sent chunked.
    let length: UInt64?
    /// Whether it can be sent again.
    let isRepeatable: Bool
    private let pieces: [Piece]
    private var current = 0
    private var offset: UInt64 = 0
    private var descriptor: Descriptor?

    /// Opens what `body` names, to fail before anything is sent. `start`: bytes of a file to leave out.
    init(_ body: RequestBody, skipping start: UInt64 = 0) throws(ClientFailure) {
        switch body {
        case .none: pieces = []
        case .bytes(let bytes): pieces = [.bytes(bytes)]
        case .file("-"): pieces = [.input]
        case .file(let path): pieces = [try Self.file(path)]
        case .form(let form): pieces = try form.pieces()
        }
        var total: UInt64? = 0
        var repeats = true
        for piece in pieces {
            switch piece {
            case .bytes(let bytes): total = total.map { $0 + UInt64(bytes.count) }
            case .file(_, let count): total = total.map { $0 &+ count }
            case .input:
                total = nil
                repeats = false
            }
        }
        isRepeatable = repeats
        // Continuing an upload leaves out what the server has already, which can only be of a file.
        if start > 0 {
            guard let total, pieces.count == 1 else { throw .usage("-C continues only what -T sends from a file") }
            guard start < total else {
                throw ClientFailure(18, "the file has \(total) bytes: none are left to send behind byte \(start)")
            }
        }
        length = total.map { $0 - start }
        offset = start
    }

    static func file(_ path: String) throws(ClientFailure) -> Piece {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw .read(path, SystemFailure.reason(errno)) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw .read(path, "it is a folder") }
        // A pipe or a device has no length to announce.
        guard status.st_mode & S_IFMT == S_IFREG else { return .bytes(try FileContents.all(of: path)) }
        guard unsafe access(path, R_OK) == 0 else { throw .read(path, SystemFailure.reason(errno)) }
        return .file(path: path, length: UInt64(max(0, status.st_size)))
    }

    /// Fills the free space of `block`, or as much of it as there is. False at the end.
    func read(into block: Block) throws(ClientFailure) -> Bool {
        while current < pieces.count {
            let count: Int
            switch pieces[current] {
            case .bytes(let bytes):
                let start = Int(min(offset, UInt64(bytes.count)))
                count = block.appendPrefix(bytes.span.extracting(start...))
            case .file(let path, let length):
                guard offset < length else {
                    count = 0
                    break
                }
                count = try read(path, upTo: length - offset, into: block)
                guard count > 0 else {
                    throw ClientFailure(26, "\(path) became shorter while it was sent")
                }
            case .input: count = try Self.read(STDIN_FILENO, "standard input", into: block, limit: .max)
            }
            offset += UInt64(count)
            if count > 0 { return true }
            current += 1
            offset = 0
            descriptor = nil
        }
        return false
    }

    private func read(_ path: String, upTo limit: UInt64, into block: Block) throws(ClientFailure) -> Int {
        if descriptor == nil {
            let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
            guard number >= 0 else { throw .read(path, SystemFailure.reason(errno)) }
            if offset > 0 { lseek(number, off_t(clamping: offset), SEEK_SET) }
            descriptor = Descriptor(adopting: number)
        }
        guard let number = descriptor?.number else { return 0 }
        return try Self.read(number, path, into: block, limit: Int(clamping: limit))
    }

    private static func read(
        _ fd: Int32, _ path: String, into block: Block, limit: Int
    ) throws(ClientFailure) -> Int {
        let got = unsafe block.fill { room -> (written: Int, outcome: Int) in
            while true {
                let got = unsafe Glibc.read(fd, room.baseAddress, min(room.count, limit))
                if got < 0, errno == EINTR { continue }
                return (max(0, got), got)
            }
        }
        guard got >= 0 else { throw .read(path, SystemFailure.reason(errno)) }
        return got
    }
}

/// Small files, read whole.
public enum FileContents {
    /// The longest file that is read into memory, in bytes.
    public static let limit = 256 << 20

    /// All of a file, `-` for standard input.
    public static func all(of path: String) throws(ClientFailure) -> [UInt8] {
        let fd = unsafe path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw .read(path, SystemFailure.reason(errno)) }
        defer { if fd != STDIN_FILENO { close(fd) } }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe read(fd, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .read(path, SystemFailure.reason(errno)) }
            if count == 0 { return result }
            result += buffer[..<count]
            guard result.count <= limit else {
                throw .read(path, "it is larger than \(limit >> 20) MiB; -T FILE sends a file of any size")
            }
        }
    }
}
