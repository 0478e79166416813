// SPDX-License-Identifier: Apache-2.0
import Bytes
import CLinux
public import Engine
import Glibc

/// The directory of static files. Nothing outside of it can be opened, by whatever spelling or link: the kernel resolves
/// every path beneath it.
public final class Root: Sendable {
    private let directory: Descriptor

    /// Opens a directory.
    public init(path: String) throws(SystemFailure) {
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SystemFailure("open") }
        directory = Descriptor(adopting: number)
    }

    /// A regular file that has been opened.
    final class File {
        let descriptor: Descriptor
        let size: UInt64
        let modified: Int64
        let modifiedNanoseconds: Int64

        init(_ descriptor: consuming Descriptor, _ status: stat) {
            self.descriptor = descriptor
            size = UInt64(max(0, status.st_size))
            modified = Int64(status.st_mtim.tv_sec)
            modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
        }

        /// Reads from `offset` into `block`, at most `limit` bytes; 0 at the end or on an error.
        func read(into block: Block, from offset: UInt64, limit: Int) -> Int {
            unsafe block.fill { free in
                let count = unsafe pread(descriptor.number, free.baseAddress, min(free.count, limit), off_t(offset))
                return (max(0, count), max(0, count))
            }
        }
    }

    enum Found {
        case file(File)
        /// A directory, asked for without its slash.
        case directory
        case missing
        case forbidden
    }

    /// Opens what a normalised path, which begins with `/`, names; `/` at its end stands for `index.html` there.
    func find(_ path: Span<UInt8>) -> Found {
        var name = String(path.extracting(1...).string)
        if name.isEmpty || name.hasSuffix("/") { name += "index.html" }
        let number = unsafe gw_open_beneath(directory.number, name)
        guard number >= 0 else {
            return errno == EACCES || errno == EXDEV || errno == ELOOP ? .forbidden : .missing
        }
        let descriptor = Descriptor(adopting: number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { return .missing }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(File(descriptor, status))
        case S_IFDIR: return .directory
        default: return .forbidden
        }
    }

    /// The media type for a file's name (RFC 9110 section 8.3).
    static func mediaType(_ path: Span<UInt8>) -> StaticString {
        var dot = path.count
        while dot > 0, path[dot - 1] != UInt8(ascii: "."), path[dot - 1] != UInt8(ascii: "/") { dot -= 1 }
        let suffix = path.extracting(dot...)
        if path.count == 0 || path[path.count - 1] == UInt8(ascii: "/") { return "text/html; charset=utf-8" }
        for (name, type) in types where suffix.equalsIgnoringCase(name) { return type }
        return "application/octet-stream"
    }

    private static let types: [(StaticString, StaticString)] = [
        ("html", "text/html; charset=utf-8"), ("htm", "text/html; charset=utf-8"), ("css", "text/css; charset=utf-8"),
        ("js", "text/javascript; charset=utf-8"), ("mjs", "text/javascript; charset=utf-8"),
        ("json", "application/json"),
        ("txt", "text/plain; charset=utf-8"), ("md", "text/markdown; charset=utf-8"), ("xml", "application/xml"),
        ("svg", "image/svg+xml"), ("png", "image/png"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg"),
        ("gif", "image/gif"),
        ("webp", "image/webp"), ("avif", "image/avif"), ("ico", "image/x-icon"), ("woff2", "font/woff2"),
        ("wasm", "application/wasm"), ("pdf", "application/pdf"), ("mp4", "video/mp4"), ("gz", "application/gzip"),
    ]
}
