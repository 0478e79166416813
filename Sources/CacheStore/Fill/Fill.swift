// SPDX-License-Identifier: Apache-2.0
// A response while it is downloaded. The leader, whose request it was, appends what comes; disk threads write it; any number
// of readers on any loops take it from the start, each at its own speed: what is recent from memory, what is older from the
// file. Nobody waits for anybody but the leader for the disk, and that only while the disk works: when it fails, or hangs,
// the fill goes on in memory, and is not stored.

public import Bytes
import Engine
import Glibc
import Synchronization

/// A response that is being downloaded.
///
/// `@unchecked Sendable` is safe because `current`, `appended`, `bodyLength` and the watches belong to the leader's loop, `disk` to the
/// one job that writes, and all the rest is immutable or behind the lock.
public final class Fill: @unchecked Sendable {
    /// What it will be found by.
    public let id: ObjectID
    /// The primary key.
    public let key: CachedBody
    /// The purge generation in which it began: a later purge of one of its scopes hits it.
    public let generation: UInt64
    let store: ObjectStore
    let state: Lock<FillState>
    /// The leader's.
    private let loop: Loop
    private var current: FillChunk?
    /// Bytes that were appended, and those that are to be, when that is known.
    private var appended = 0
    private var bodyLength: Int?
    private var watch: FillWatch?
    private var paceWatch: FillWatch?
    let disk = FillDisk()

    /// What is written with one turn of a disk thread at least, while more is to come.
    private static let batch = 256 << 10
    var backlog: Int { max(store.options.fillBacklog, 2 * Self.batch) }
    /// What stays in memory of a fill when memory is scarce.
    private static let scarceLimit = 4 * StoredFooter.chunk
    /// How much of what is in the file stays in memory, too.
    private var window: Int { store.fillMemory.isTight ? StoredFooter.chunk : store.options.fillWindow }
    /// How much stays in memory when the disk is lost.
    private var memoryLimit: Int {
        store.fillMemory.isScarce
            ? min(Self.scarceLimit, 4 * store.options.fillWindow) : 4 * store.options.fillWindow
    }

    init(_ id: ObjectID, key: CachedBody, store: ObjectStore, leader: CacheReader, generation: UInt64) {
        self.id = id
        self.key = key
        self.store = store
        self.generation = generation
        loop = leader.loop
        state = Lock(FillState(leader: leader))
    }

    // MARK: The leader, on its loop

    /// Says what is being downloaded; before the first byte.
    public func begin(_ description: ObjectDescription) {
        let waiting = state.withLock { state in
            state.description = description
            let length = description.bodyLength ?? 0
            let isTooLarge = length > store.largestBody
            let isScarce = store.fillMemory.isScarce
            if isScarce { store.counters.refusals.count() }
            if !description.fits || key.count > StoredHead.keyLimit || isTooLarge || isScarce {
                state.isDiskLost = true
            }
            return state.takeWaiting()
        }
        bodyLength = description.bodyLength
        wake(waiting)
    }

    /// Takes a copy of `bytes`, all of them, whatever it returns. More than was said fails at once.
    public func append(_ bytes: Span<UInt8>) -> FillRoom {
        if let bodyLength, bytes.count > bodyLength - appended {
            end(.failed)
            return .unwanted
        }
        var rest = bytes
        var new: [FillChunk] = []
        while rest.count > 0 {
            let chunk: FillChunk
            if let current, current.filled < current.capacity {
                chunk = current
            } else {
                let left = bodyLength.map { $0 - appended } ?? .max
                chunk = FillChunk(capacity: min(StoredFooter.chunk, left), store.fillMemory)
                new.append(chunk)
                current = chunk
            }
            let count = chunk.append(rest)
            appended += count
            rest = rest.extracting(count...)
        }
        let now = loop.milliseconds
        var isWaiting = false
        let (room, waiting, isToWrite, stalls) = state.withLock {
            state -> (FillRoom, ContiguousArray<CacheReader>, Bool, UInt64?) in
            guard state.phase == .open else { return (.room, [], false, nil) }
            state.chunks.append(contentsOf: new)
            state.received += bytes.count
            if state.received > store.largestBody { state.isDiskLost = true }
            // What is to be in memory only waits for nothing.
            let behind = store.folder == nil ? 0 : state.received - state.written
            let isToWrite = !state.isWriting && !state.isDiskLost && behind >= Self.batch
            if isToWrite { (state.isWriting, state.progressAt) = (true, now) }
            if state.isDiskLost {
                let limit = memoryLimit
                state.trim(window: window, limit: limit)
                guard state.isWanted else { return (.unwanted, state.takeWaiting(), false, nil) }
                if state.unread() >= limit / 2 {
                    state.isLeaderBlocked = true
                } else if state.pace.isDue(state.received, limit: limit) {
                    _ = state.pace.waits(lag: state.lag, limit: limit, patience: readerPatience, now: now)
                }
            } else if behind >= backlog {
                state.isLeaderBlocked = true
            }
            let stalls = state.stallsAt(patience: store.options.writePatience)
            isWaiting = state.pace.isWaiting
            let isBlocked = state.isLeaderBlocked || isWaiting
            return (isBlocked ? .blocked : .room, state.takeWaiting(), isToWrite, stalls)
        }
        wake(waiting)
        if isToWrite { startWriting() }
        if isWaiting { watchReaders() }
        if let stalls { watchDisk(room, stalls: stalls, now: now) }
        return room
    }

    /// The disk has something to do, and hangs when it still has at the moment `stalls`. A leader that waits asks then.
    private func watchDisk(_ room: FillRoom, stalls: UInt64, now: UInt64) {
        if now >= stalls { _ = loseStalledDisk(now: now) }
        guard room == .blocked, now < stalls else { return }
        let watch = self.watch ?? FillWatch(self, on: loop) { $0.loseStalledDisk(now: $1) }
        self.watch = watch
        watch.start(stalls)
    }

    private var readerPatience: UInt64 { UInt64(max(0, store.options.readerPatience)) }

    private func watchReaders() {
        let watch = paceWatch ?? FillWatch(self, on: loop) { $0.lookAtReaders(now: $1) }
        paceWatch = watch
        watch.start(loop.milliseconds + FillPace.tick)
    }

    /// The download waits for its slowest reader: goes on when that has caught up, or all have waited long enough.
    ///
    /// - Returns: when to look again, in monotonic milliseconds; nil when it waits no more.
    private func lookAtReaders(now: UInt64) -> UInt64? {
        let (waits, drained) = state.withLock { state -> (Bool, CacheReader?) in
            guard state.phase == .open, state.pace.isWaiting else { return (false, nil) }
            if state.pace.waits(lag: state.lag, limit: memoryLimit, patience: readerPatience, now: now) {
                return (true, nil)
            }
            return (false, state.isLeaderBlocked ? nil : state.leader)
        }
        drained?.fillDrained()
        return waits ? now + FillPace.tick : nil
    }

    /// The body is complete. One that is shorter or longer than was said has failed.
    ///
    /// - Parameters:
    ///   - record: Stored instead of the one that it began with: what is known only now.
    ///   - hidden: Stored behind the body, as a part of it, but no part of what those who read the download get.
    public func complete(record: CacheRecord? = nil, hiding hidden: [UInt8] = []) {
        if !hidden.isEmpty {
            state.withLock { $0.visible = $0.received }
            _ = append(hidden.span)
        }
        let isWhole = state.withLock { state in
            guard let description = state.description else { return false }
            guard description.bodyLength ?? state.received == state.received else { return false }
            if let record { state.description = description.with(record) }
            return true
        }
        end(isWhole ? .complete : .failed)
    }

    /// The download failed: nobody gets the rest of it.
    public func fail() { end(.failed) }

    /// The response is not to be stored or shared after all: those who wait are released at once.
    public func refuse() { end(.refused) }

    /// The leader goes away, and the download with it: one of those who have taken nothing is to begin anew.
    public func leave() { end(.abandoned) }

    /// The stored object of that version is valid still (304): its metadata, record and scopes are replaced by these, its body
    /// stays. Those who wait are told when that is done, and let go when another is stored by then. Instead of `begin`.
    public func refresh(_ description: ObjectDescription, of version: StoredVersion) {
        let isPossible = state.withLock { state in
            guard state.phase == .open, state.description == nil, description.fits else { return false }
            state.isWriting = true
            return true
        }
        if !isPossible || !store.submitWriting(FillRefreshing(self, description, of: version)) { end(.refused) }
    }

    func end(_ phase: FillState.Phase) {
        let (waiting, isToWrite, isOver) = state.withLock { state -> (ContiguousArray<CacheReader>, Bool, Bool) in
            guard state.phase == .open else { return ([], false, false) }
            state.phase = phase
            state.leader = nil
            state.isLeaderBlocked = false
            if phase != .complete { state.chunks = [] }
            let isOver = phase != .complete || state.isDiskLost
            // The job that writes sees the end by itself; without one, somebody has to finish, or clean up.
            let isToWrite = !state.isWriting && (!isOver || state.file != nil)
            if isToWrite { state.isWriting = true }
            return (state.takeWaiting(), isToWrite, isOver)
        }
        if isOver { store.fills.remove(self) }
        wake(waiting)
        if isToWrite { startWriting() }
    }

    private func startWriting() {
        if !store.submitWriting(FillWriting(self)) { loseDisk() }
    }

    // MARK: Readers, each on its loop

    /// What `reader` has to do next. Unless it `registers`, it is not told when there is more: the leader's own reader, which
    /// knows.
    public func next(_ reader: CacheReader, registers: Bool = true) -> FillStep {
        let (step, drained) = state.withLock { state -> (FillStep, CacheReader?) in
            let step = self.step(for: reader, registers: registers, &state)
            switch step {
            case .wait, .head, .bytes, .stored: return (step, nil)
            case .behind: store.counters.fallenBehind.count()
            case .end, .failed, .handOver, .released, .refreshed: break
            }
            state.detach(reader)
            return (step, takeDrained(&state))
        }
        if let drained { drained.loop.submit { drained.fillDrained() } }
        return step
    }

    /// The leader, when it waits for readers and need not any more.
    private func takeDrained(_ state: inout FillState) -> CacheReader? {
        state.isDiskLost ? state.takeDrained(backlog: backlog, memoryLimit: memoryLimit) : nil
    }

    private func step(for reader: CacheReader, registers: Bool, _ state: inout FillState) -> FillStep {
        switch state.phase {
        case .refused: return reader.hasBegun ? .failed : .released
        case .refreshed: return .refreshed
        case .failed: return .failed
        case .abandoned: return reader.hasBegun ? .failed : .handOver
        case .open, .complete: break
        }
        if let description = state.description {
            if !reader.hasBegun {
                reader.hasBegun = true
                state.attach(reader)
                return .head(description)
            }
            if let step = state.step(at: reader.position) { return step }
        }
        guard registers else { return .wait }
        state.waiting.insert(reader)
        return .wait
    }

    /// `reader` has taken so many bytes.
    public func took(_ count: Int, _ reader: CacheReader) {
        let drained = state.withLock { state in
            state.took(count, reader)
            return takeDrained(&state)
        }
        if let drained { drained.loop.submit { drained.fillDrained() } }
    }

    /// Has a disk thread read a chunk into `block` and tell `reader`; the block is the thread's until then. False when too many wait
    /// for the disk already: then nobody is told, and the block is the caller's.
    public func readSoon(_ chunk: FileChunk, into block: Block, for reader: CacheReader) -> Bool {
        store.read(chunk, of: nil, into: block, for: reader)
    }

    /// Whether somebody reads it, or waits to.
    public var isRead: Bool { state.withLock { !$0.readers.isEmpty } }

    /// `reader` goes away. It may still be told once of progress that was on its way.
    public func detach(_ reader: CacheReader) {
        let drained = state.withLock { state -> CacheReader? in
            state.detach(reader)
            return takeDrained(&state)
        }
        if let drained { drained.loop.submit { drained.fillDrained() } }
    }

    /// Whether somebody who comes now may read it. `scopes`: what the key says that it belongs to; asked for after a purge only.
    func canBeJoined(scopes: () -> [CacheScope]) -> Bool {
        let (isReadable, description) = state.withLock { state in
            let isOn = (state.phase == .open || state.phase == .complete) && !state.isInvalid
            return (isOn && state.isReadableFromStart, state.description)
        }
        guard isReadable else { return false }
        if generation >= store.purges.latest { return true }
        if let description { return !store.purges.isPurged(description, since: generation) }
        return !store.purges.mayBePurged(scopes(), since: generation)
    }

    /// What it brings is not stored, and nobody joins it any more.
    func invalidate() { state.withLock { $0.isInvalid = true } }

    var isInvalid: Bool { state.withLock { $0.isInvalid } }

    // MARK: Telling

    /// Tells each reader on its loop, with one submission for each loop.
    func wake(_ readers: ContiguousArray<CacheReader>) {
        guard !readers.isEmpty else { return }
        var groups: [(loop: Loop, readers: [CacheReader])] = []
        for reader in readers {
            if let group = groups.firstIndex(where: { $0.loop === reader.loop }) {
                groups[group].readers.append(reader)
            } else {
                groups.append((reader.loop, [reader]))
            }
        }
        for (loop, readers) in groups {
            loop.submit { for reader in readers { reader.fillProgressed() } }
        }
    }

    /// The disk failed, or is not to be used: the fill goes on in memory and is not stored.
    func loseDisk() {
        let (drained, waiting, isOver) = state.withLock { state -> (CacheReader?, ContiguousArray<CacheReader>, Bool) in
            state.isDiskLost = true
            state.isWriting = false
            state.trim(window: window, limit: memoryLimit)
            let drained = state.takeDrained(backlog: backlog, memoryLimit: memoryLimit)
            return (drained, state.takeWaiting(), state.phase != .open)
        }
        if isOver { store.fills.remove(self) }
        wake(waiting)
        if let drained { drained.loop.submit { drained.fillDrained() } }
    }

    /// Gives a disk up that hangs: the fill goes on in memory and is not stored. The job that writes cleans up when the disk
    /// answers after all.
    ///
    /// - Returns: when to look again, in monotonic milliseconds; nil when the disk has nothing to do.
    func loseStalledDisk(now: UInt64) -> UInt64? {
        let (stalls, drained, isLost) = state.withLock { state -> (UInt64?, CacheReader?, Bool) in
            guard let stalls = state.stallsAt(patience: store.options.writePatience) else { return (nil, nil, false) }
            guard now >= stalls else { return (stalls, nil, false) }
            state.isDiskLost = true
            state.trim(window: window, limit: memoryLimit)
            return (nil, state.takeDrained(backlog: backlog, memoryLimit: memoryLimit), true)
        }
        if isLost { store.failed(SystemFailure("write", code: ETIMEDOUT)) }
        if let drained { drained.loop.submit { drained.fillDrained() } }
        return stalls
    }

    /// So much has been written.
    func wrote(_ count: Int, _ sums: [UInt64], _ file: SharedFile, bodyOffset: Int) {
        let drained = state.withLock { state in
            state.file = file
            state.bodyOffset = bodyOffset
            state.written += count
            state.progressAt = ObjectStore.monotonicMilliseconds()
            state.sums += sums
            state.trim(window: window, limit: memoryLimit)
            return state.takeDrained(backlog: backlog, memoryLimit: memoryLimit)
        }
        if let drained { drained.loop.submit { drained.fillDrained() } }
    }
}
