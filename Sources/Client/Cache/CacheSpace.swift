// SPDX-License-Identifier: Apache-2.0
// How much a cache takes, and what goes when it is too much. A file with one number says how much, so that storing a
// response need not look at all others; the number is never below the truth by more than what was overwritten, and is
// counted anew whenever the limit is reached.

import CLinux
import CacheStore
import Engine
import Glibc

/// The space of one cache.
struct CacheSpace {
    private static let account = "usage"
    /// Milliseconds that a client waits for others that are counting.
    private static let patience = 2_000
    private let cache: ClientCache

    init(_ cache: ClientCache) { self.cache = cache }

    /// Makes room for so many bytes; false when there cannot be any.
    func reserve(_ bytes: Int) -> Bool {
        guard bytes <= cache.limit, let account = Account(cache) else { return false }
        sweep()
        // A damaged account may say anything.
        let sum = account.total.addingReportingOverflow(bytes)
        var total = sum.partialValue
        if sum.overflow || total > cache.limit {
            // A tenth more than is needed, so that not every response has to look at all.
            total = evict(downTo: cache.limit - cache.limit / 10 - bytes) + bytes
        }
        account.set(total)
        return total <= cache.limit
    }

    /// Forgets what is counted, as after a flush.
    func recount() {
        guard let account = Account(cache) else { return }
        account.set(files().reduce(0) { $0 + $1.bytes })
    }

    /// A stored file.
    struct File {
        let place: CachePlace
        let bytes: Int
        /// When it was stored or last used, in seconds.
        let used: Int
    }

    /// All stored files.
    func files() -> [File] {
        var found: [File] = []
        for part in cache.names(".") where part.utf8.count == 2 {
            for name in cache.names(part) {
                let place = CachePlace(part: part, name: name)
                guard place.isOwn, case .success(let status) = FileCalls.status(place.path, in: cache.folder),
                    FileCalls.isRegular(status)
                else { continue }
                found.append(File(place: place, bytes: Int(status.st_size), used: status.st_mtim.tv_sec))
            }
        }
        return found
    }

    /// Removes what was not used for longest until no more than `target` bytes are left; how many are.
    private func evict(downTo target: Int) -> Int {
        let files = files().sorted { $0.used < $1.used }
        var total = files.reduce(0) { $0 + $1.bytes }
        for file in files {
            guard total > max(0, target) else { break }
            cache.remove(file.place)
            total -= file.bytes
        }
        return total
    }

    /// Removes temporary files whose writers are gone: a living one holds a lock on its own.
    func sweep() {
        for name in cache.names(ClientCache.temporaries) where TemporaryFile.isOwn(name) {
            let path = "\(ClientCache.temporaries)/\(name)"
            guard case .success(let number) = FileCalls.open(path, in: cache.folder) else { continue }
            let descriptor = Descriptor(adopting: number)
            if gw_lock(descriptor.number) == 0 { unsafe unlinkat(cache.folder, path, 0) }
        }
    }

    /// The file with the number, locked for as long as this lives.
    private final class Account {
        private let descriptor: Descriptor

        init?(_ cache: ClientCache) {
            guard case .success(let number) = FileCalls.open(CacheSpace.account, in: cache.folder, O_RDWR | O_CREAT)
            else { return nil }
            descriptor = Descriptor(adopting: number)
            var waited = 0
            while gw_lock(number) != 0 {
                guard waited < CacheSpace.patience else { return nil }
                waited += 1
                _ = poll(nil, 0, 1)
            }
        }

        var total: Int {
            guard let bytes = FileCalls.bytes(descriptor.number, at: 0, count: 8) else { return 0 }
            return Int(clamping: bytes.number(at: 0, as: UInt64.self))
        }

        func set(_ total: Int) {
            let bytes = unsafe CachedBody(count: 8) { unsafe $0.put(UInt64(max(0, total)), at: 0) }
            _ = FileCalls.write(descriptor.number, bytes.bytes, at: 0)
        }
    }
}
