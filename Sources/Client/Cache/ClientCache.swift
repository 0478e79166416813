// SPDX-License-Identifier: Apache-2.0
// The client's cache: a folder with one file for each stored response. Any number of clients use it at once. A file is
// complete when it gets its name, and replaced as a whole; so readers need no lock, and a client that is killed leaves at
// most a temporary file, which the next one removes.

import Bytes
import CachePolicy
import CacheStore
import CLinux
import Engine
import Glibc
import HTTP

/// Stored responses of one user. Shared by the threads of a command.
public final class ClientCache: Sendable {
    /// Bytes that a cache may take when nobody says otherwise: a GiB.
    public static let standardLimit = 1 << 30
    /// Most stored responses to one URL that are looked at.
    static let variantLimit = 64
    static let temporaries = "tmp"
    /// An empty file that says whose folder this is. It is the first thing that is made in it.
    private static let mark = ".gateway-client-cache"

    /// The folder's descriptor.
    let folder: Int32
    /// Its path, for people.
    public let path: String
    /// Bytes that all files may take.
    public let limit: Int
    private let owner: FolderOwner

    /// Closes the folder.
    private final class FolderOwner: Sendable {
        let descriptor: Descriptor
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    /// The longest body that is stored, in bytes: a quarter of the cache, so that one download does not empty it.
    var objectLimit: Int { limit / 4 }

    /// Opens the folder, or makes it.
    ///
    /// - Parameters:
    ///   - path: The folder.
    ///   - limit: Bytes that the files in it may take.
    /// - Throws: When it cannot be made, is not this user's alone, or has something in it that is not a cache. It is left
    ///   as it was then.
    public init(path: String, limit: Int = standardLimit) throws(ClientFailure) {
        self.path = path
        self.limit = max(limit, 0)
        try Self.makeFolders(path)
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw Self.unusable(path, SystemFailure.reason(errno)) }
        owner = FolderOwner(Descriptor(adopting: number))
        folder = number
        var status = stat()
        guard unsafe fstat(number, &status) == 0, status.st_uid == geteuid() else {
            throw Self.unusable(path, "it belongs to another user")
        }
        // Its mode is its owner's business, unless others could put responses into it.
        guard status.st_mode & 0o022 == 0 else {
            throw Self.unusable(path, "others may write into it, which \"chmod go-w\" changes")
        }
        guard Self.isMarked(number) || Self.takes(number) else {
            throw Self.unusable(path, "there is something in it that is not the client's cache")
        }
        guard unsafe mkdirat(number, Self.temporaries, 0o700) == 0 || errno == EEXIST else {
            throw Self.unusable(path, SystemFailure.reason(errno))
        }
    }

    private static func unusable(_ path: String, _ reason: String) -> ClientFailure {
        ClientFailure(23, "the cache folder \(path) cannot be used: \(reason); --cache-dir FOLDER names another")
    }

    private static func isMarked(_ folder: Int32) -> Bool {
        unsafe faccessat(folder, mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Marks an empty folder as the cache's.
    private static func takes(_ folder: Int32) -> Bool {
        guard let names = FileCalls.names(in: folder) else { return false }
        // Another client may have been faster; then the mark was there before anything else was.
        guard names.isEmpty || isMarked(folder) else { return false }
        guard case .success(let number) = FileCalls.open(mark, in: folder, O_WRONLY | O_CREAT) else { return false }
        close(number)
        return true
    }

    private static func makeFolders(_ path: String) throws(ClientFailure) {
        if unsafe mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw unusable(path, SystemFailure.reason(errno))
        }
        try makeFolders(String(path[..<slash]))
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw unusable(path, SystemFailure.reason(errno))
        }
    }

    /// Where a user's cache is: `$XDG_CACHE_HOME/gateway-client`, or `~/.cache/gateway-client` (XDG Base Directory
    /// Specification).
    public static func standardPath(_ variable: (String) -> String?) -> String? {
        if let base = variable("XDG_CACHE_HOME"), base.hasPrefix("/") { return base + "/gateway-client" }
        guard let home = variable("HOME"), home.hasPrefix("/") else { return nil }
        return home + "/.cache/gateway-client"
    }

    // MARK: Looking up

    /// What a search found.
    struct Search {
        /// The response to use.
        var entry: CacheEntry?
        /// Whether there was any for the URL.
        var hasAny = false
    }

    /// The stored response to choose for a request (RFC 9111 section 4.1).
    func find(_ key: RequestKey) -> Search {
        var choice = VariantChoice()
        var entries: [CacheEntry] = []
        for place in places(key.hash).prefix(Self.variantLimit) {
            guard let entry = CacheEntry(place, in: folder) else {
                // Not as it was written: of no use to anybody.
                remove(place)
                continue
            }
            guard entry.stored.hasKey(key.bytes.span) else { continue }
            choice.offer(
                entry.policy, at: entries.count, matches: key.variant(entry.varyNames) == entry.stored.id.variant)
            entries.append(entry)
        }
        return Search(entry: choice.position.map { entries[$0] }, hasAny: choice.hasAny)
    }

    /// Where responses to the URL with that hash are.
    func places(_ hash: CacheHash) -> [CachePlace] {
        let prefix = CachePlace.prefix(hash)
        return names(prefix.part).filter { $0.hasPrefix(prefix.name) }
            .map { CachePlace(part: prefix.part, name: $0) }.filter(\.isOwn)
    }

    /// The names in a folder below.
    func names(_ part: String) -> [String] {
        let number = unsafe gw_open_at(folder, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard number >= 0 else { return [] }
        let descriptor = Descriptor(adopting: number)
        return FileCalls.names(in: descriptor.number) ?? []
    }

    // MARK: Changing

    /// Removes a file.
    func remove(_ place: CachePlace) { unsafe unlinkat(folder, place.path, 0) }

    /// Removes all that is stored for a URL (RFC 9111 section 4.4).
    func invalidate(_ hash: CacheHash) { for place in places(hash) { remove(place) } }

    /// Gives a complete file its name, once there is room for it.
    func publish(_ temporary: String, as place: CachePlace, bytes: Int) -> Bool {
        guard unsafe mkdirat(folder, place.part, 0o700) == 0 || errno == EEXIST else { return false }
        guard CacheSpace(self).reserve(bytes) else { return false }
        return unsafe renameat(folder, temporary, folder, place.path) == 0
    }

    /// Writes a response down whose fields a validation changed; its body is that of the old file.
    func replace(_ entry: CacheEntry, by description: CacheDescription) -> Bool {
        guard description.fits, let temporary = TemporaryFile(in: self) else { return false }
        let image = description.storedHead(bodyLength: entry.stored.bodyLength)
        guard let head = StoredHead(reading: image), FileCalls.write(temporary.number, image.bytes, at: 0) == 0,
            entry.copy(to: temporary.number, head: head)
        else {
            unsafe unlinkat(folder, temporary.name, 0)
            return false
        }
        let place = CachePlace(description.id)
        // The old file goes, so only what the new one has more is added.
        let added = place == entry.place ? max(0, description.headLength - entry.stored.length) : entry.fileBytes
        guard publish(temporary.name, as: place, bytes: added) else {
            unsafe unlinkat(folder, temporary.name, 0)
            return false
        }
        if place != entry.place { remove(entry.place) }
        return true
    }

    // MARK: Flushing

    /// Removes everything; how many responses that were, and bytes.
    func flush() -> (count: Int, bytes: Int) {
        CacheSpace(self).sweep()
        return remove(CacheSpace(self).files())
    }

    /// Removes what is stored for a URL.
    func flush(_ hash: CacheHash) -> (count: Int, bytes: Int) {
        let places = places(hash)
        return remove(CacheSpace(self).files().filter { places.contains($0.place) })
    }

    private func remove(_ files: [CacheSpace.File]) -> (count: Int, bytes: Int) {
        for file in files { remove(file.place) }
        return (files.count, files.reduce(0) { $0 + $1.bytes })
    }
}
