// SPDX-License-Identifier: Apache-2.0
// Bringing a stored object up to date after a revalidation: a new file with the new head and the old body takes the place of
// the old one, so whoever reads the old one is not disturbed, and a crash leaves one of the two. What was validated is one
// version; another that was stored meanwhile has a body that the new head says nothing of, and stays as it is.

import Bytes
import CLinux
import Glibc
import Synchronization

/// Writes the new file, and tells those who wait.
final class FillRefreshing: DiskJob, @unchecked Sendable {
    private let fill: Fill
    private let description: ObjectDescription
    private let version: StoredVersion
    init(_ fill: Fill, _ description: ObjectDescription, of version: StoredVersion) {
        self.fill = fill
        self.description = description
        self.version = version
    }

    override func run() {
        let isDone = fill.rewrite(description, of: version)
        if !isDone { fill.abandonFile() }
        fill.state.withLock { $0.isWriting = false }
        fill.end(isDone ? .refreshed : .refused)
    }
}

extension Fill {
    /// Writes the stored object of that version anew with another description. On a disk thread. False when there is none, or
    /// that failed.
    func rewrite(_ said: ObjectDescription, of version: StoredVersion) -> Bool {
        guard !store.purges.isPurged(said, since: generation) else { return false }
        disk.replaced = version
        let opening = store.find(id, key: key)
        switch opening {
        case .miss: return false
        case .object(let object):
            guard object.head.version == version else { return false }
            let body = object.body
            if store.folder == nil {
                return unsafe keep(described(said, length: body.count), body.count) { unsafe $0.put(body.bytes, at: 0) }
            }
            let sums = (0..<StoredFooter.chunks(body.count)).map { number in
                let start = number * StoredFooter.chunk
                let chunk = body.bytes.extracting(start..<min(start + StoredFooter.chunk, body.count))
                return StoredFooter.sum(chunk, number: number)
            }
            guard let (file, described) = openAnew(said, length: body.count),
                isDone("write", FileCalls.write(file.number, body.bytes, at: disk.bodyOffset))
            else { return false }
            return unsafe seal(file, described, sums, body.count, isSmall: true) { unsafe $0.put(body.bytes, at: 0) }
        case .file(let old):
            guard old.head.version == version else { return false }
            guard let (file, described) = openAnew(said, length: old.length) else { return false }
            // The old checksums are kept, so what is copied wrong is noticed when it is read.
            guard old.copyBody(to: file, at: disk.bodyOffset) else { return isDone("copy_file_range", errno) }
            return unsafe seal(file, described, old.sums, old.length, isSmall: false) { _ in }
        }
    }

    private func openAnew(_ said: ObjectDescription, length: Int) -> (SharedFile, ObjectDescription)? {
        let described = described(said, length: length)
        return open(described).map { ($0, described) }
    }

    private func described(_ said: ObjectDescription, length: Int) -> ObjectDescription {
        ObjectDescription(metadata: said.metadata, record: said.record, scopes: said.scopes, bodyLength: length)
    }
}
