// SPDX-License-Identifier: Apache-2.0
// An event loop on Dispatch: one serial queue, one epoll descriptor, and one Dispatch source that watches that descriptor.
//
// Dispatch starts every burst of work; within a burst the loop asks epoll itself until it has been quiet for `patience`.
// Measured, that is half the cost of a Dispatch source for each connection, because nobody re-arms anything while work
// keeps coming; and a client that takes a few milliseconds between two requests does not pay for two thread switches each
// time. The loop's timer and `submit` need the queue as well: `submit` rings a bell that epoll hears, deadlines are looked at
// within the burst too, and a burst ends after `burstLimit` even when there is more (the source fires again at once).
//
// Everything a loop owns is confined to its queue: connections, blocks, deadlines. Nothing in it is locked.

public import Bytes
import CLinux
import Dispatch
import Glibc
import Synchronization

/// One serial queue with a poller, deadlines and blocks of its own.
///
/// `@unchecked Sendable` is safe because the immutable members are Sendable, `submissions` is atomic, and every other
/// member is touched only on `queue`: the entry points check that with `preconditionCurrent`.
public final class Loop: @unchecked Sendable {
    /// Its number among the loops of a group, from 0.
    public let index: Int
    private let queue: DispatchQueue
    private let poller: Poller
    private let submissions = Atomic<Int>(0)
    /// Ends a wait in the poller, so that submitted work gets the queue.
    private let bell: Descriptor
    private static let bellToken = UInt64.max

    // MARK: Confined to the queue

    private var source: (any DispatchSourceRead)?
    private var timer: (any DispatchSourceTimer)?
    /// When `timer` will fire, in milliseconds, or `UInt64.max`.
    private var timerDue = UInt64.max
    private var watchers: ContiguousArray<Watcher?> = []
    private var generations: ContiguousArray<UInt32> = []
    /// The descriptor that each slot has in the poller, or -1.
    private var numbers: ContiguousArray<Int32> = []
    private var freeSlots: ContiguousArray<Int32> = []
    private var wheel: DeadlineWheel
    private var reached: [Int32] = []
    private var scheduled: ContiguousArray<Watcher> = []
    /// What is given back at the end of the batch.
    private var retired: ContiguousArray<Retiring> = []
    private var retiredBlocks: ContiguousArray<Block> = []
    private var events = ContiguousArray(repeating: gw_event(), count: 256)

    /// Monotonic nanoseconds, read once a batch of events.
    public private(set) var nanoseconds: UInt64
    /// Wall-clock nanoseconds since 1970, read once a batch of events.
    public private(set) var wallNanoseconds: UInt64
    /// Reports that came for watchers that had gone. A descriptor that stayed in the poller without its watcher would make them
    /// come without end.
    private(set) var lateReports = 0
    /// Blocks of 16 KiB: heads, and what is about to be sent.
    public let smallBlocks = BlockPool(blockSize: 16 << 10, limit: 256)
    /// Blocks of 64 KiB: where bodies are received, what waits for a slow peer, and heads beyond 16 KiB.
    public let largeBlocks = BlockPool(blockSize: 64 << 10, limit: 64)

    /// Takes a block back into the pool that it came from. One of another size came from none, and is freed.
    public func giveBack(_ block: Block) {
        switch block.capacity {
        case smallBlocks.blockSize: smallBlocks.give(block)
        case largeBlocks.blockSize: largeBlocks.give(block)
        default: break
        }
    }

    /// Takes a block back at the end of the batch: somebody further up the stack may still look at its bytes.
    public func retire(_ block: Block) { retiredBlocks.append(block) }

    /// Has `object` given back at the end of the batch, when no call into it is on the stack.
    public func retire(_ object: Retiring) { retired.append(object) }

    /// Closes what can be spared; set by who has something of the kind.
    public var closeSpare: (() -> Void)?

    /// The process has no descriptor left: what idles is closed. False when nobody has anything to spare.
    @discardableResult public func spareDescriptors() -> Bool {
        guard let closeSpare else { return false }
        closeSpare()
        return true
    }

    /// Bytes of blocks that may be in use at once before memory counts as scarce.
    public var blockMemory = Int.max

    /// Whether so many blocks are in use (what slow peers have not taken, and heads) that each connection must do with less.
    public var isMemoryScarce: Bool {
        smallBlocks.inUse &* smallBlocks.blockSize &+ largeBlocks.inUse &* largeBlocks.blockSize > blockMemory
    }

    /// How much of a body to receive at once: a block, or where memory is scarce, what a slow peer may then make this process
    /// keep of it.
    public var pieceLimit: Int { isMemoryScarce ? Self.scarcePiece : .max }
    private static let scarcePiece = 8 << 10

    /// The epoll descriptor, shared with the source that watches it.
    private final class Poller: Sendable {
        private let descriptor: Descriptor
        var number: Int32 { descriptor.number }
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    /// The longest a burst keeps the queue, in nanoseconds.
    private static let burstLimit: UInt64 = 100_000_000
    /// How long a burst waits for more, in milliseconds.
    private static let patience: Int32 = 20

    /// A loop that is not yet running; `start` it.
    public init(index: Int) throws(SystemFailure) {
        self.index = index
        queue = DispatchQueue(label: "gateway.loop.\(index)", qos: .userInitiated)
        let number = gw_epoll_create()
        guard number >= 0 else { throw SystemFailure("epoll_create1") }
        poller = Poller(Descriptor(adopting: number))
        let bellNumber = gw_bell_create()
        guard bellNumber >= 0 else { throw SystemFailure("eventfd") }
        bell = Descriptor(adopting: bellNumber)
        guard gw_epoll_add(number, bellNumber, UInt32(gw_epollin), Self.bellToken) == 0 else {
            throw SystemFailure("epoll_ctl")
        }
        nanoseconds = Self.clock(CLOCK_MONOTONIC)
        wallNanoseconds = Self.clock(CLOCK_REALTIME)
        wheel = DeadlineWheel(now: nanoseconds / 1_000_000)
    }

    deinit {
        source?.cancel()
        timer?.cancel()
    }

    /// Begins to handle events.
    public func start() {
        queue.sync {
            let source = DispatchSource.makeReadSource(fileDescriptor: poller.number, queue: queue)
            source.setEventHandler { [weak self] in self?.burst() }
            // Dispatch may watch the number until this has run, so the descriptor lives until then.
            source.setCancelHandler { [poller] in withExtendedLifetime(poller) {} }
            source.activate()
            self.source = source
            let timer = DispatchSource.makeTimerSource(queue: queue)
            timer.setEventHandler { [weak self] in self?.timerFired() }
            // Not never: what Dispatch opens for its first timer it opens now, and not when descriptors have run out.
            timer.schedule(deadline: .now() + .seconds(3_600))
            timer.activate()
            self.timer = timer
        }
    }

    /// Runs `work` on the loop's queue, soon, from any thread.
    public func submit(_ work: @escaping @Sendable () -> Void) {
        submissions.add(1, ordering: .relaxed)
        gw_bell_ring(bell.number)
        queue.async { [self] in
            submissions.subtract(1, ordering: .relaxed)
            readClocks()
            work()
            endTurn()
        }
    }

    /// Runs `work` on the loop's queue and waits for it. Not for use on a loop.
    public func perform<Result: Sendable>(_ work: @Sendable () -> Result) -> Result {
        submissions.add(1, ordering: .relaxed)
        gw_bell_ring(bell.number)
        return queue.sync {
            submissions.subtract(1, ordering: .relaxed)
            readClocks()
            defer { endTurn() }
            return work()
        }
    }

    /// Traps unless called on the loop's queue.
    public func preconditionCurrent() { dispatchPrecondition(condition: .onQueue(queue)) }

    /// Monotonic milliseconds, as of this batch.
    public var milliseconds: UInt64 { nanoseconds / 1_000_000 }

    /// Monotonic nanoseconds at this very moment, for measuring within a batch.
    public var presentNanoseconds: UInt64 { Self.clock(CLOCK_MONOTONIC) }

    // MARK: The table

    /// Watches `fd` for everything, edge-triggered, until `unregister`.
    public func register(_ watcher: Watcher, fd: Int32) throws(SystemFailure) {
        try add(watcher, fd: fd, events: UInt32(gw_epollin | gw_epollout | gw_epollrdhup) | GW_EPOLLET)
    }

    /// Watches `fd` for bytes or connections to take, level-triggered.
    func registerLevel(_ watcher: Watcher, fd: Int32) throws(SystemFailure) {
        try add(watcher, fd: fd, events: UInt32(gw_epollin))
    }

    /// Stops or resumes watching a level-triggered descriptor.
    func setWatching(_ watcher: Watcher, fd: Int32, _ isWatching: Bool) {
        guard watcher.slot >= 0 else { return }
        let events = isWatching ? UInt32(gw_epollin) : 0
        _ = gw_epoll_change(poller.number, fd, events, token(Int(watcher.slot)))
    }

    /// Gives a watcher without a descriptor a place, so that it can have a deadline.
    public func register(_ watcher: Watcher) {
        preconditionCurrent()
        take(slotFor: watcher)
    }

    private func add(_ watcher: Watcher, fd: Int32, events: UInt32) throws(SystemFailure) {
        preconditionCurrent()
        take(slotFor: watcher)
        guard gw_epoll_add(poller.number, fd, events, token(Int(watcher.slot))) == 0 else {
            let failure = SystemFailure("epoll_ctl")
            unregister(watcher)
            throw failure
        }
        numbers[Int(watcher.slot)] = fd
    }

    private func take(slotFor watcher: Watcher) {
        precondition(watcher.slot < 0, "a watcher has one place at a time")
        if let slot = freeSlots.popLast() {
            watcher.slot = slot
            watchers[Int(slot)] = watcher
        } else {
            watcher.slot = Int32(watchers.count)
            watchers.append(watcher)
            generations.append(0)
            numbers.append(-1)
            wheel.reserve(slots: watchers.count)
        }
    }

    /// Forgets a watcher and its deadline, and closes its descriptor, with which that leaves the poller. Events already fetched
    /// for it are dropped, since they carry an older generation.
    public func unregister(_ watcher: Watcher, closing descriptor: consuming Descriptor?) {
        guard watcher.slot >= 0 else { return }
        if let number = descriptor?.number, numbers[Int(watcher.slot)] == number { numbers[Int(watcher.slot)] = -1 }
        unregister(watcher)
    }

    /// Forgets a watcher and its deadline. A descriptor that it has in the poller is taken out, so that nothing is reported of
    /// it any more, whatever becomes of it.
    public func unregister(_ watcher: Watcher) {
        guard watcher.slot >= 0 else { return }
        let slot = Int(watcher.slot)
        if numbers[slot] >= 0 {
            _ = gw_epoll_remove(poller.number, numbers[slot])
            numbers[slot] = -1
        }
        wheel.remove(slot)
        generations[slot] &+= 1
        watchers[slot] = nil
        freeSlots.append(watcher.slot)
        watcher.slot = -1
    }

    /// Who has the place with this number, if anybody has.
    public func watcher(at slot: Int) -> Watcher? { watchers.indices.contains(slot) ? watchers[slot] : nil }

    /// Gives the place of `old`, descriptor included, to `new`: what is reported from now on is for `new`. The deadline is
    /// forgotten.
    public func replace(_ old: Watcher, by new: Watcher) {
        precondition(old.slot >= 0 && new.slot < 0, "a place is taken over once")
        let slot = Int(old.slot)
        wheel.clear(slot)
        new.slot = old.slot
        old.slot = -1
        watchers[slot] = new
    }

    private func token(_ slot: Int) -> UInt64 { UInt64(generations[slot]) << 32 | UInt64(slot) }

    /// Visits every watcher that has a place now.
    public func forEachWatcher(_ visit: (Watcher) -> Void) {
        for watcher in watchers {
            if let watcher { visit(watcher) }
        }
    }

    // MARK: Deadlines

    /// Calls `deadlineReached` once `milliseconds` (on this loop's clock) has passed, at most 60 ms late. Replaces the
    /// watcher's deadline. Moving one later is a store.
    public func setDeadline(_ watcher: Watcher, at milliseconds: UInt64) {
        guard watcher.slot >= 0 else { return }
        wheel.set(Int(watcher.slot), at: milliseconds)
    }

    /// Calls `deadlineReached` in `milliseconds` from now.
    public func setDeadline(_ watcher: Watcher, in milliseconds: Int) {
        setDeadline(watcher, at: self.milliseconds + UInt64(max(0, milliseconds)))
    }

    /// Removes the watcher's deadline.
    public func clearDeadline(_ watcher: Watcher) {
        guard watcher.slot >= 0 else { return }
        wheel.clear(Int(watcher.slot))
    }

    /// Calls `resume` on the watcher at the end of this batch of events, once however often this is called.
    public func schedule(_ watcher: Watcher) {
        guard !watcher.isScheduled else { return }
        watcher.isScheduled = true
        scheduled.append(watcher)
    }

    // MARK: Turning

    private func burst() {
        readClocks()
        let end = nanoseconds &+ Self.burstLimit
        var timeout: Int32 = 0
        while true {
            let count = unsafe events.withUnsafeMutableBufferPointer {
                unsafe gw_epoll_wait(poller.number, $0.baseAddress, Int32($0.count), scheduled.isEmpty ? timeout : 0)
            }
            readClocks()
            if count <= 0 && scheduled.isEmpty { break }
            for index in 0..<max(0, Int(count)) { dispatch(events[index]) }
            endBatch()
            // Somebody else waits for the queue, or has waited long enough.
            if submissions.load(ordering: .relaxed) > 0 || nanoseconds > end { break }
            timeout = Self.patience
        }
        endTurn()
    }

    /// Whatever brought the loop its turn, what it leaves behind is taken care of: watchers that scheduled themselves anew
    /// have another turn, and the timer is set for the next deadline.
    private func endTurn() {
        endBatch()
        if !scheduled.isEmpty { submit {} }
        armTimer()
    }

    private func dispatch(_ event: gw_event) {
        if event.token == Self.bellToken {
            gw_bell_hush(bell.number)
            return
        }
        let slot = Int(UInt32(truncatingIfNeeded: event.token))
        guard generations[slot] == UInt32(truncatingIfNeeded: event.token >> 32), let watcher = watchers[slot] else {
            lateReports &+= 1
            return
        }
        watcher.ready(Readiness(rawValue: event.events))
    }

    private func endBatch() {
        tellDeadlines()
        resumeScheduled()
        giveBackRetired()
    }

    /// Nothing that belongs to the loop is on the stack here: whatever ended in this batch may be freed or used again.
    private func giveBackRetired() {
        if !retired.isEmpty {
            var index = 0
            while index < retired.count {
                retired[index].giveBack()
                index += 1
            }
            retired.removeAll(keepingCapacity: true)
        }
        if !retiredBlocks.isEmpty {
            for block in retiredBlocks { giveBack(block) }
            retiredBlocks.removeAll(keepingCapacity: true)
        }
    }

    private func tellDeadlines() {
        wheel.advance(to: milliseconds, reached: &reached)
        if !reached.isEmpty {
            var index = 0
            while index < reached.count {
                // Somebody before it in this batch may have moved the deadline, or given its place to another.
                let slot = Int(reached[index])
                if wheel.takeReached(slot) { watchers[slot]?.deadlineReached() }
                index += 1
            }
            reached.removeAll(keepingCapacity: true)
        }
    }

    private func resumeScheduled() {
        guard !scheduled.isEmpty else { return }
        // Those that schedule themselves anew while being resumed have their turn after the next batch.
        let count = scheduled.count
        for index in 0..<count {
            let watcher = scheduled[index]
            watcher.isScheduled = false
            watcher.resume()
        }
        scheduled.removeFirst(count)
    }

    private func timerFired() {
        timerDue = .max
        readClocks()
        endTurn()
    }

    /// One Dispatch timer serves all deadlines: it is set for the wheel's next bucket that holds any.
    private func armTimer() {
        guard let next = wheel.nextTime, next < timerDue, let timer else { return }
        timerDue = next
        let delay = next > milliseconds ? next - milliseconds : 0
        timer.schedule(deadline: .now() + .milliseconds(Int(delay)), leeway: .milliseconds(1))
    }

    private func readClocks() {
        nanoseconds = Self.clock(CLOCK_MONOTONIC)
        wallNanoseconds = Self.clock(CLOCK_REALTIME)
    }

    private static func clock(_ id: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(id, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
