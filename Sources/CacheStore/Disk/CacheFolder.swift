// SPDX-License-Identifier: Apache-2.0
// One folder, owned by one process and readable by one user:
//
//     lock        locked by the process that owns the folder; says which one
//     version     the format of everything in it
//     secret      16 random bytes, which the caller makes the names of objects with: it stays as long as they do
//     journal     what is stored (see IndexJournal); purges: what was purged (see PurgeJournal)
//     tmp/        files being written, emptied at start
//     00/ … ff/   objects, by the first byte of their keys' hashes
//
// One level of 256 folders rather than two: an empty folder takes a block on most file systems, and 65 536 of them would be
// a quarter of the default cap; current file systems find a name among thousands as fast as among ten.

import Bytes
import CLinux
public import Engine
import Glibc
import Synchronization

/// Why a folder cannot be used for a cache.
public enum CacheFolderError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another process uses it: its number, when it has written it down.
    case inUse(path: String, process: Int32?)
    /// It is not a folder, or a symbolic link, or belongs to another user.
    case notOurs(path: String)
    /// A system call failed on it.
    case failed(path: String, SystemFailure)

    /// A sentence for the operator.
    public var description: String {
        switch self {
        case .inUse(let path, let process):
            let who = process.map { "process \($0)" } ?? "another process"
            return "the cache folder \(path) is in use by \(who)"
        case .notOurs(let path):
            return "the cache folder \(path) is not a folder that belongs to this user"
        case .failed(let path, let failure): return "the cache folder \(path) cannot be used: \(failure)"
        }
    }
}

/// The folder of a cache, locked for this process until the last reference goes.
final class CacheFolder: Sendable {
    let path: String
    private let root: Descriptor
    private let lock: Descriptor
    private let tmp: Descriptor
    /// Whether the folders of the objects stay open.
    private let keepsParts: Bool
    /// The folders of the objects, opened when first needed if they stay open; -1 before. And what they are known to take on disk.
    private let parts: Lock<[(number: Int32, bytes: Int)]>
    private let tmpBytes = Atomic<Int>(0)
    private let restoring = Lock(())
    private let temporaries = Atomic<UInt64>(0)
    /// Whether the folder held nothing of ours that can be used.
    let isFresh: Bool
    /// What the file `secret` holds, made at random with the folder.
    let secret: [UInt8]

    private static let format = "gateway cache 1\n"

    /// Opens and locks the folder at `path`, making it and those above it when they are missing; with `keepsParts`, the folders of
    /// the objects stay open. Blocks.
    init(path: String, keepsParts: Bool = true) throws(CacheFolderError) {
        self.path = path
        self.keepsParts = keepsParts
        Self.makeFolders(path)
        let number = unsafe gw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard number >= 0 else {
            let code = errno
            if code == ELOOP || code == ENOTDIR { throw .notOurs(path: path) }
            throw .failed(path: path, SystemFailure("open", code: code))
        }
        root = Descriptor(adopting: number)
        guard let status = FileCalls.status(number), status.st_uid == geteuid() else { throw .notOurs(path: path) }
        guard fchmod(number, 0o700) == 0 else { throw .failed(path: path, SystemFailure("fchmod")) }

        lock = try Self.lock(in: number, path)
        let version = try Self.open("version", in: number, O_RDWR | O_CREAT, path)
        defer { close(version) }
        isFresh = Self.text(version) != Self.format
        if isFresh {
            Self.empty(number)
            _ = ftruncate(version, 0)
            let code = FileCalls.write(version, Self.format.utf8Span.span, at: 0)
            guard code == 0 else { throw .failed(path: path, SystemFailure("write", code: code)) }
        }
        secret = try Self.secret(in: number, path)
        _ = unsafe mkdirat(number, "tmp", 0o700)
        let tmpNumber = try Self.open("tmp", in: number, O_RDONLY | O_DIRECTORY, path)
        tmp = Descriptor(adopting: tmpNumber)
        for name in FileCalls.names(in: tmpNumber) ?? [] { unsafe unlinkat(tmpNumber, name, 0) }
        parts = Lock(Array(repeating: (-1, 0), count: 256))
    }

    private static func lock(in root: Int32, _ path: String) throws(CacheFolderError) -> Descriptor {
        let lock = Descriptor(adopting: try open("lock", in: root, O_RDWR | O_CREAT, path))
        guard gw_lock(lock.number) == 0 else {
            let code = errno
            guard code == EWOULDBLOCK else { throw .failed(path: path, SystemFailure("flock", code: code)) }
            throw .inUse(path: path, process: text(lock.number).flatMap { Int32($0.prefix { $0.isNumber }) })
        }
        _ = ftruncate(lock.number, 0)
        _ = FileCalls.write(lock.number, "\(getpid())\n".utf8Span.span, at: 0)
        return lock
    }

    private static func secret(in root: Int32, _ path: String) throws(CacheFolderError) -> [UInt8] {
        let file = Descriptor(adopting: try open("secret", in: root, O_RDWR | O_CREAT, path))
        let new = newSecret()
        if let kept = FileCalls.bytes(file.number, at: 0, count: new.count) {
            return new.indices.map { kept.number(at: $0, as: UInt8.self) }
        }
        let code = FileCalls.write(file.number, new.span, at: 0)
        guard code == 0 else { throw .failed(path: path + "/secret", SystemFailure("write", code: code)) }
        return new
    }

    static func newSecret() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in generator.next() }
    }

    /// Lets another process, or another store, have the folder.
    func unlock() { _ = gw_unlock(lock.number) }

    deinit {
        parts.withLock { parts in
            for part in parts where part.number >= 0 { close(part.number) }
        }
    }

    private static func open(
        _ name: String, in directory: Int32, _ flags: Int32, _ path: String
    ) throws(CacheFolderError) -> Int32 {
        switch FileCalls.open(name, in: directory, flags) {
        case .success(let number):
            // Whatever mode somebody gave it before.
            _ = fchmod(number, flags & O_DIRECTORY != 0 ? 0o700 : 0o600)
            return number
        case .failure(let failure): throw .failed(path: "\(path)/\(name)", failure)
        }
    }

    private static func makeFolders(_ path: String) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            _ = unsafe mkdir(String(path[..<end]), 0o700)
        }
    }

    private static func text(_ fd: Int32) -> String? {
        guard let size = FileCalls.status(fd)?.st_size, size > 0, size < 100 else { return nil }
        guard let bytes = FileCalls.bytes(fd, at: 0, count: Int(size)) else { return nil }
        return bytes.bytes.string
    }

    /// Removes what an earlier format left, and nothing that is not named like a file of ours.
    private static func empty(_ root: Int32) {
        for name in ["journal", "journal.new", "purges", "purges.new"] { unsafe unlinkat(root, name, 0) }
        for part in 0..<256 {
            guard case .success(let folder) = FileCalls.open(partName(part), in: root, O_RDONLY | O_DIRECTORY) else {
                continue
            }
            for name in FileCalls.names(in: folder) ?? [] where ObjectName.isOurs(name) {
                unsafe unlinkat(folder, name, 0)
            }
            close(folder)
        }
    }

    private static func partName(_ part: Int) -> String { String(hexadecimal: UInt64(part), digits: 2) }

    // MARK: Being removed

    /// Makes anew what somebody has removed while it was in use: the folder, or what was in it. Blocks. False when nothing of it was,
    /// or another process has the folder now.
    ///
    /// The new folders take the numbers of the old ones (`dup2`), which other threads may be using.
    func restore() -> Bool {
        restoring.withLock { _ in
            do throws(CacheFolderError) {
                guard let status = FileCalls.status(root.number) else { return false }
                if status.st_nlink == 0 {
                    let new = try CacheFolder(path: path, keepsParts: keepsParts)
                    guard replace(root.number, by: new.root.number), replace(lock.number, by: new.lock.number),
                        replace(tmp.number, by: new.tmp.number), restoreSecret()
                    else { return false }
                    return restoreParts() >= 0
                }
                guard case .failure(let failure) = FileCalls.status("lock", in: root.number) else {
                    return restore("tmp", tmp.number) || restoreParts() > 0
                }
                guard failure.code == ENOENT else { return false }
                let lock = try Self.lock(in: root.number, path)
                let version = Descriptor(adopting: try Self.open("version", in: root.number, O_RDWR | O_CREAT, path))
                guard FileCalls.write(version.number, Self.format.utf8Span.span, at: 0) == 0,
                    replace(self.lock.number, by: lock.number), restoreSecret()
                else { return false }
                _ = restore("tmp", tmp.number)
                return restoreParts() >= 0
            } catch {
                return false
            }
        }
    }

    private func replace(_ number: Int32, by other: Int32) -> Bool { gw_replace(other, number) >= 0 }

    /// What this process stores has names made with the old secret.
    private func restoreSecret() -> Bool {
        guard case .success(let number) = FileCalls.open("secret", in: root.number, O_WRONLY | O_CREAT) else {
            return false
        }
        defer { close(number) }
        let secret = secret
        return FileCalls.write(number, secret.span, at: 0) == 0
    }

    /// How many of the folders of objects had been removed.
    private func restoreParts() -> Int {
        let open = parts.withLock { $0.map(\.number) }
        return open.enumerated().count { part, number in number >= 0 && restore(Self.partName(part), number) }
    }

    private func restore(_ name: String, _ number: Int32) -> Bool {
        guard FileCalls.status(number)?.st_nlink == 0 else { return false }
        _ = unsafe mkdirat(root.number, name, 0o700)
        guard case .success(let new) = FileCalls.open(name, in: root.number, O_RDONLY | O_DIRECTORY) else {
            return false
        }
        defer { close(new) }
        return replace(number, by: new)
    }

    // MARK: Files

    /// Opens the folder of that part if it is to stay open.
    func prepare(part: Int) {
        if keepsParts { _ = self.part(part, making: false) }
    }

    /// What is in the folder of that part; nil when it cannot be listed.
    func names(part: Int) -> Result<[String]?, SystemFailure> {
        if keepsParts { return self.part(part, making: false).map { FileCalls.names(in: $0) } }
        return FileCalls.open(Self.partName(part), in: root.number, O_RDONLY | O_DIRECTORY).map { number in
            defer { close(number) }
            return FileCalls.names(in: number)
        }
    }

    /// Where the object's file is: a folder, and its name from there.
    private func place(of id: ObjectID, making: Bool = false) -> Result<(folder: Int32, name: String), SystemFailure> {
        if keepsParts { return part(id.part, making: making).map { ($0, ObjectName.of(id)) } }
        let name = Self.partName(id.part)
        if making { _ = unsafe mkdirat(root.number, name, 0o700) }
        return .success((root.number, "\(name)/\(ObjectName.of(id))"))
    }

    /// The folder of that part; with `making` it is made when it is missing.
    private func part(_ part: Int, making: Bool) -> Result<Int32, SystemFailure> {
        let known = parts.withLock { $0[part].number }
        if known >= 0 { return .success(known) }
        let name = Self.partName(part)
        if making { _ = unsafe mkdirat(root.number, name, 0o700) }
        return FileCalls.open(name, in: root.number, O_RDONLY | O_DIRECTORY).map { number in
            parts.withLock { parts in
                if parts[part].number >= 0 {
                    close(number)
                } else {
                    parts[part].number = number
                }
                return parts[part].number
            }
        }
    }

    /// By how many bytes the folder of that part has grown on disk since this was last asked.
    func growth(of part: Int) -> Int {
        parts.withLock { parts in
            guard let status = status(ofPart: part, parts[part].number) else { return 0 }
            defer { parts[part].bytes = FileCalls.blockBytes(status) }
            return FileCalls.blockBytes(status) - parts[part].bytes
        }
    }

    private func status(ofPart part: Int, _ number: Int32) -> stat? {
        if number >= 0 { return FileCalls.status(number) }
        return keepsParts ? nil : try? FileCalls.status(Self.partName(part), in: root.number).get()
    }

    /// The same of the folder of temporary files.
    func growthOfTemporaries() -> Int {
        guard let status = FileCalls.status(tmp.number) else { return 0 }
        let bytes = FileCalls.blockBytes(status)
        return bytes - tmpBytes.exchange(bytes, ordering: .relaxed)
    }

    /// Opens the object's file for reading.
    func open(_ id: ObjectID) -> Result<Int32, SystemFailure> {
        place(of: id).flatMap { FileCalls.open($0.name, in: $0.folder, O_RDONLY | O_NONBLOCK) }
    }

    /// What the object's name leads to.
    func status(_ id: ObjectID) -> Result<stat, SystemFailure> {
        place(of: id).flatMap { FileCalls.status($0.name, in: $0.folder) }
    }

    /// Removes the object's file: 0, or the `errno`.
    @discardableResult func remove(_ id: ObjectID) -> Int32 {
        switch place(of: id) {
        case .success(let place): unsafe unlinkat(place.folder, place.name, 0) == 0 ? 0 : errno
        case .failure(let failure): failure.code
        }
    }

    /// Makes a new file under a temporary name.
    func makeTemporary() -> Result<(number: Int32, name: String), SystemFailure> {
        let name = String(hexadecimal: temporaries.add(1, ordering: .relaxed).newValue, digits: 16)
        return FileCalls.open(name, in: tmp.number, O_RDWR | O_CREAT | O_EXCL).map { ($0, name) }
    }

    func removeTemporary(_ name: String) { unsafe unlinkat(tmp.number, name, 0) }

    /// Gives a temporary file the object's name, in place of what had it; 0, or the `errno`.
    func publish(_ name: String, as id: ObjectID) -> Int32 {
        switch place(of: id, making: true) {
        case .success(let place): unsafe renameat(tmp.number, name, place.folder, place.name) == 0 ? 0 : errno
        case .failure(let failure): failure.code
        }
    }

    /// Opens one of the folder's own files.
    func openOwn(_ name: String, _ flags: Int32) -> Result<Int32, SystemFailure> {
        FileCalls.open(name, in: root.number, flags)
    }

    /// Puts `name` in the place of `other`.
    func replaceOwn(_ other: String, by name: String) -> Bool {
        unsafe renameat(root.number, name, root.number, other) == 0
    }

    /// Removes one of the folder's own files.
    func removeOwn(_ name: String) { unsafe unlinkat(root.number, name, 0) }

    /// Forces the names of the folder's own files to the disk. Blocks.
    func syncNames() -> Bool { fsync(root.number) == 0 }
}
