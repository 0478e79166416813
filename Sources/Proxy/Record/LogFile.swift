// SPDX-License-Identifier: Apache-2.0
// The access log's way to the disk. Each loop gathers whole lines in a block of its own and hands the block over when it is
// nearly full or a second old; a queue of its own writes it with one `write` on a descriptor opened for appending, so lines
// are never torn, and a slow disk or a pipe that nobody reads never holds up a loop: past `backlogLimit` blocks the loop
// drops its lines, counts them, and says so.

import Bytes
import Dispatch
package import Engine
import Glibc
import Synchronization

/// Lines on their way to the file.
///
/// `@unchecked Sendable` is safe because a batch has one owner at a time: the loop that fills it, then the queue that
/// writes it, then the list of free ones, which is locked.
final class LogBatch: @unchecked Sendable {
    let block = Block(capacity: LogFile.batchBytes)
    var lines = 0
}

/// The file, and the queue that writes it. Shared by the loops.
public final class LogFile: Sendable {
    static let batchBytes = 256 << 10
    /// A line never exceeds this: what a client sends of it is cut (see `LogLine`).
    static let lineBytes = 96 << 10
    /// Batches that wait to be written at most.
    private static let backlogLimit = 64

    private let path: String
    private let queue = DispatchQueue(label: "gateway.log", qos: .utility)
    private let report: @Sendable (String) -> Void
    private struct State {
        var free: [LogBatch] = []
        var waiting = 0
        var dropped = 0
    }
    private let state = Lock(State())
    /// Whether the file ends within a line, because writing failed there. Used only on `queue`.
    private let isTorn = Atomic<Bool>(false)
    /// -1 for none. Changed only on `queue`.
    private let descriptor: Atomic<Int32>

    /// Opens `path` for appending; `-` is standard output. `report` is told of trouble in sentences.
    public init(path: String, report: @escaping @Sendable (String) -> Void) throws(StartFailure) {
        self.path = path
        self.report = report
        switch Self.open(path) {
        case .success(let number): descriptor = Atomic(number)
        case .failure(let failure):
            throw StartFailure("--log \(path): cannot be opened for appending: \(failure.reason)")
        }
    }

    deinit {
        let number = descriptor.load(ordering: .relaxed)
        if number > STDERR_FILENO { close(number) }
    }

    private static func open(_ path: String) -> Result<Int32, SystemFailure> {
        if path == "-" { return .success(STDOUT_FILENO) }
        // For its owner, and the group that rotates it; not for everyone (CVE-2013-0337).
        let number = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o640)
        return number >= 0 ? .success(number) : .failure(SystemFailure("open"))
    }

    /// An empty batch.
    func take() -> LogBatch { state.withLock { $0.free.popLast() } ?? LogBatch() }

    /// Takes a batch over; it is written soon.
    func submit(_ batch: LogBatch) {
        let accepted = state.withLock { state in
            guard state.waiting < Self.backlogLimit else {
                state.dropped += batch.lines
                return false
            }
            state.waiting += 1
            return true
        }
        guard accepted else {
            recycle(batch)
            return
        }
        queue.async { [self] in write(batch) }
    }

    private func recycle(_ batch: LogBatch) {
        batch.block.clear()
        batch.lines = 0
        state.withLock { if $0.free.count < 8 { $0.free.append(batch) } }
    }

    private func write(_ batch: LogBatch) {
        let number = descriptor.load(ordering: .relaxed)
        if isTorn.load(ordering: .relaxed), unsafe Glibc.write(number, "\n", 1) == 1 {
            isTorn.store(false, ordering: .relaxed)
        }
        let size = batch.block.count
        while !batch.block.isEmpty {
            let block = batch.block
            let count = unsafe block.readable.withUnsafeBufferPointer {
                unsafe Glibc.write(number, $0.baseAddress, $0.count)
            }
            if count > 0 {
                batch.block.consume(count)
            } else if errno == EAGAIN {
                // A pipe somebody made non-blocking: wait for room, which holds up nobody but this queue.
                var waiting = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&waiting, 1, 1_000)
            } else if errno != EINTR {
                let reason = SystemFailure.reason(errno)
                let lost = batch.lines
                if batch.block.count < size { isTorn.store(true, ordering: .relaxed) }
                report("the access log \(path) cannot be written: \(reason); about \(lost) lines are lost")
                break
            }
        }
        recycle(batch)
        let dropped = state.withLock { state in
            state.waiting -= 1
            defer { if state.waiting == 0 { state.dropped = 0 } }
            return state.waiting == 0 ? state.dropped : 0
        }
        if dropped > 0 { report("the access log \(path) could not keep up: \(dropped) lines were dropped") }
    }

    /// Opens the path anew, for logrotate: what was logged before goes to the old file, what comes after to the new one.
    public func reopen() {
        guard path != "-" else { return }
        queue.async { [self] in
            switch Self.open(path) {
            case .success(let number):
                let old = descriptor.exchange(number, ordering: .relaxed)
                isTorn.store(false, ordering: .relaxed)
                if old > STDERR_FILENO { close(old) }
            case .failure(let failure):
                report("the access log \(path) cannot be opened anew: \(failure.reason); the old file is written on")
            }
        }
    }

    /// Waits until everything that was submitted is written, or `isUrgent` says true, or nothing has happened for two
    /// seconds: a pipe that nobody reads must not keep the process from ending.
    public func drain(isUrgent: () -> Bool) {
        let done = DispatchGroup()
        queue.async(group: done) {}
        var waited = 0
        while done.wait(timeout: .now() + .milliseconds(20)) == .timedOut, waited < 2_000, !isUrgent() { waited += 20 }
    }
}

/// One loop's end of the log.
package final class LogBatcher: Watcher {
    private let file: LogFile
    private let loop: Loop
    private var batch: LogBatch
    /// How long a line waits at most, in milliseconds.
    private static let delay = 500

    package init(_ file: LogFile, on loop: Loop) {
        self.file = file
        self.loop = loop
        batch = file.take()
        super.init()
    }

    /// Gives it a place in the loop, for its deadline. On the loop.
    package func start() { loop.register(self) }

    /// Where the next line is to be written, with room for `LogFile.lineBytes`.
    var line: Block {
        if batch.block.free < LogFile.lineBytes { flush() }
        return batch.block
    }

    /// A line has been written.
    func lineEnded() {
        batch.lines += 1
        if batch.lines == 1 { loop.setDeadline(self, in: Self.delay) }
    }

    package override func deadlineReached() { flush() }

    /// Hands over what there is.
    package func flush() {
        guard batch.lines > 0 else { return }
        let full = batch
        batch = file.take()
        file.submit(full)
    }
}
