// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dispatch
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

extension TemporaryFolder {
    static func names(_ path: String) -> [String] {
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY)
        guard number >= 0 else { return [] }
        defer { close(number) }
        return FileCalls.names(in: number) ?? []
    }

    /// All files and folders below, with their status.
    var tree: [(path: String, status: stat)] { Self.tree(path) }
    private static func tree(_ path: String) -> [(path: String, status: stat)] {
        var found: [(String, stat)] = []
        for name in names(path) {
            var status = stat()
            guard unsafe lstat("\(path)/\(name)", &status) == 0 else { continue }
            found.append(("\(path)/\(name)", status))
            if status.st_mode & S_IFMT == S_IFDIR { found += tree("\(path)/\(name)") }
        }
        return found
    }

    /// What `du` says, in bytes.
    var diskUsage: Int { tree.reduce(0) { $0 + Int($1.status.st_blocks) * 512 } }
}

func contents(_ path: String) -> [UInt8] {
    let number = unsafe open(path, O_RDONLY)
    guard number >= 0, let size = FileCalls.status(number)?.st_size else { return [] }
    defer { close(number) }
    guard let bytes = FileCalls.bytes(number, at: 0, count: Int(size)) else { return [] }
    return array(bytes)
}

func overwrite(_ path: String, _ bytes: [UInt8]) {
    let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard number >= 0 else { return fail("cannot write \(path)") }
    #expect(FileCalls.write(number, bytes.span, at: 0) == 0)
    close(number)
}

/// Removes a file, or a folder with what is in it.
func removeTree(_ path: String) {
    for name in TemporaryFolder.names(path) { removeTree("\(path)/\(name)") }
    unsafe remove(path)
}

/// Notes that something went as it should not.
func fail(_ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
    Issue.record("\(what)", sourceLocation: sourceLocation)
}

func array(_ bytes: CachedBody) -> [UInt8] { unsafe bytes.bytes.withUnsafeBufferPointer { unsafe Array($0) } }
func array(_ bytes: Span<UInt8>) -> [UInt8] { unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) } }
func bytes(_ text: String) -> CachedBody { CachedBody(text.utf8Span.span) }

/// Bytes that differ from object to object and from place to place.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            unsafe buffer[index] = UInt8(truncatingIfNeeded: state >> 56)
        }
        written = count
    }
}

/// The hash that the tests use for keys.
func id(_ key: String, variant: UInt64 = 0) -> ObjectID {
    let high = Checksum.of(key.utf8Span.span, seed: 11)
    let low = Checksum.of(key.utf8Span.span, seed: 12)
    return ObjectID(key: CacheHash(high: high, low: low), variant: CacheHash(high: 0, low: variant))
}

extension ObjectStore {
    /// Joins the download of an object whose key belongs to nothing.
    func join(_ id: ObjectID, key: CachedBody, as reader: CacheReader) -> Joined {
        join(id, key: key, as: reader) { [] }
    }
}

/// A reader that takes a whole fill, or waits for an opening.
class TestReader: CacheReader, @unchecked Sendable {
    let done = DispatchSemaphore(value: 0)
    var opening = Opening.miss
    var outcome = ChunkOutcome.wouldBlock
    var body: [UInt8] = []
    var description: ObjectDescription?
    var ending: FillStep?
    var following: Fill?
    var drains = 0
    let block = Block(capacity: 64 << 10)
    private var wanted = 0..<0
    /// How many bytes it takes before it stops until `limit` is raised.
    var limit = Int.max

    override func opened(_ opening: Opening) {
        self.opening = opening
        done.signal()
    }
    override func fillDrained() {
        drains += 1
        done.signal()
    }
    override func fillProgressed() { take() }

    /// On its loop.
    func follow(_ fill: Fill) {
        following = fill
        take()
    }

    func take() {
        guard let fill = following, ending == nil else { return }
        while body.count < limit {
            let step = fill.next(self)
            switch step {
            case .wait: return
            case .head(let description): self.description = description
            case .bytes(let piece):
                body += array(piece.bytes)
                fill.took(piece.count, self)
            case .stored(let chunk, let wanted):
                self.wanted = wanted
                let outcome = chunk.readNow(into: block)
                if outcome == .wouldBlock {
                    if fill.readSoon(chunk, into: block, for: self) { return }
                    takeBlock(.damaged)
                    return
                }
                takeBlock(outcome)
            case .end, .behind, .failed, .handOver, .released, .refreshed:
                ending = step
                done.signal()
                return
            }
        }
    }

    private func takeBlock(_ outcome: ChunkOutcome) {
        guard outcome == .ready else {
            ending = .failed
            done.signal()
            return
        }
        let block = block
        let taken = array(block.readable.extracting(wanted))
        body += taken
        following?.took(taken.count, self)
    }

    override func chunkRead(_ outcome: ChunkOutcome, _ block: Block) {
        if following != nil {
            takeBlock(outcome)
            take()
        } else {
            self.outcome = outcome
            done.signal()
        }
    }

    func wait(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(
            done.wait(timeout: .now() + 30) == .success, "the reader was never told", sourceLocation: sourceLocation)
    }
}

/// A store in a temporary folder, with a loop.
final class TestStore {
    let folder: TemporaryFolder
    let loop: Loop
    var store: ObjectStore
    var options: StoreOptions

    init(diskBytes: Int = 64 << 20, _ change: (inout StoreOptions) -> Void = { _ in }) throws {
        folder = TemporaryFolder()
        loop = try Loop(index: 0)
        loop.start()
        options = StoreOptions(path: folder.path + "/cache", diskBytes: diskBytes)
        options.threads = 2
        change(&options)
        store = try ObjectStore(options)
    }
    deinit { store.stop() }

    /// Stops the store and opens the folder anew.
    func restart(_ between: () -> Void = {}) throws {
        store.stop()
        between()
        store = try ObjectStore(options)
    }

    /// Opens the folder anew, with somebody who is told what goes wrong.
    func reopen(_ report: @escaping @Sendable (String) -> Void) throws {
        store.stop()
        store = try ObjectStore(options, report: report)
    }

    /// Where the objects are.
    var directory: String { options.path ?? "" }

    /// The file of an object.
    func path(_ id: ObjectID) -> String {
        let name = ObjectName.of(id)
        return "\(directory)/\(name.prefix(2))/\(name)"
    }

    func lead(_ key: String, variant: UInt64 = 0, scopes: [CacheScope] = []) -> (Fill, TestReader)? {
        let reader = TestReader(on: loop)
        let joined = loop.perform { [store] in
            store.join(CacheStoreTests.id(key, variant: variant), key: bytes(key), as: reader) { scopes }
        }
        guard case .lead(let fill) = joined else { return nil }
        return (fill, reader)
    }

    /// Stores an object and waits until it is on disk.
    func put(
        _ key: String, _ body: [UInt8], variant: UInt64 = 0, metadata: String = "head", scopes: [CacheScope] = [],
        length: Bool = true, word: UInt64 = 7, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard let (fill, _) = lead(key, variant: variant) else {
            return fail("somebody else leads", sourceLocation: sourceLocation)
        }
        var record = CacheRecord()
        record.words[0] = word
        let description = ObjectDescription(
            metadata: bytes(metadata), record: record, scopes: scopes, bodyLength: length ? body.count : nil)
        loop.perform { fill.begin(description) }
        for start in stride(from: 0, to: body.count, by: 50_000) {
            let piece = Array(body[start..<min(body.count, start + 50_000)])
            let room = loop.perform { fill.append(piece.span) }
            if room == .blocked {
                eventually("room", sourceLocation: sourceLocation) { fill.state.withLock { !$0.isLeaderBlocked } }
            }
        }
        loop.perform { fill.complete() }
        eventually("the end of the fill", sourceLocation: sourceLocation) {
            fill.state.withLock { !$0.isWriting } && !store.fills.contains(fill)
        }
    }

    /// The object's body and metadata; nil for a miss.
    func get(_ key: String, variant: UInt64 = 0, sourceLocation: SourceLocation = #_sourceLocation) -> Found? {
        let id = CacheStoreTests.id(key, variant: variant)
        let answer = loop.perform { [store, loop] in store.look(id, key: key.utf8Span.span, now: loop.milliseconds) }
        switch answer {
        case .miss: return nil
        case .object(let object): return Found(object, .memory)
        case .file(let stored): return read(stored, sourceLocation: sourceLocation)
        case .onDisk, .unknown: return openIt(key, variant: variant, sourceLocation: sourceLocation)
        }
    }

    /// The object as a disk thread opens it.
    func openIt(_ key: String, variant: UInt64 = 0, sourceLocation: SourceLocation = #_sourceLocation) -> Found? {
        let reader = TestReader(on: loop)
        guard store.open(CacheStoreTests.id(key, variant: variant), key: bytes(key), for: reader) else { return nil }
        reader.wait(sourceLocation: sourceLocation)
        switch loop.perform({ reader.opening }) {
        case .miss: return nil
        case .object(let object): return Found(object, .disk)
        case .file(let stored): return read(stored, sourceLocation: sourceLocation)
        }
    }

    struct Found: Equatable {
        enum Place { case memory, disk, file }
        let body: [UInt8]
        let metadata: String
        let place: Place
        var word: UInt64
        init(_ object: CachedObject, _ place: Place) {
            body = array(object.body)
            let head = object.head
            metadata = head.metadata.string
            word = head.record.words[0]
            self.place = place
        }
        init(_ body: [UInt8], _ head: StoredHead) {
            self.body = body
            metadata = head.metadata.string
            word = head.record.words[0]
            place = .file
        }
    }

    private func read(_ stored: StoredFile, sourceLocation: SourceLocation) -> Found? {
        var body: [UInt8] = []
        for number in 0..<stored.chunkCount {
            let reader = TestReader(on: loop)
            guard loop.perform({ stored.readSoon(number, into: reader.block, for: reader) }) else { return nil }
            reader.wait(sourceLocation: sourceLocation)
            guard loop.perform({ reader.outcome }) == .ready else { return nil }
            let block = reader.block
            body += array(block.readable)
        }
        return Found(body, stored.head)
    }
}
