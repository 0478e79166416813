// SPDX-License-Identifier: Apache-2.0
// Carries a command line out: transfers one after the other or in threads, the log, cookies, and what is said at the end.

import Bytes
import Engine
import Glibc
import Synchronization

/// A command, from its arguments to its exit status.
public final class CommandRunner: Sendable {
    private let options: CommandLineOptions
    private let console: Console
    private let context: TransferContext
    private let log: RequestLog?
    private let headFile: Int32?
    /// Which URL is next, and the first failure's status.
    private let progress = Lock<(next: Int, status: Int32)>((0, 0))

    /// Runs the command with these arguments (without the program's name); the exit status.
    public static func run(_ arguments: [String], variable: (String) -> String?) -> Int32 {
        let options: CommandLineOptions
        do throws(ClientFailure) {
            options = try CommandLineOptions(arguments, variable: variable)
        } catch {
            return complain(error)
        }
        do throws(ClientFailure) {
            switch options.command {
            case .print(let text):
                let bytes = Array(text.utf8)
                try WholeWrite.all(bytes.span, to: STDOUT_FILENO, named: "standard output")
                return 0
            case .flush(let urls): return try CacheCommands(options, variable).flush(urls)
            case .cache(let verb, let words): return try CacheCommands(options, variable).run(verb, words)
            case .fetch: return try CommandRunner(options, variable).fetch()
            }
        } catch {
            return complain(error)
        }
    }

    private static func complain(_ failure: ClientFailure) -> Int32 {
        Console(errors: STDERR_FILENO, isVerbose: false).say("client: (\(failure.exitStatus)) \(failure.description)")
        return failure.exitStatus
    }

    private init(_ options: CommandLineOptions, _ variable: (String) -> String?) throws(ClientFailure) {
        self.options = options
        var errors = STDERR_FILENO
        if let path = options.errorFile, path != "-" {
            errors = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard errors >= 0 else { throw .write(path, SystemFailure.reason(errno)) }
        } else if options.errorFile == "-" {
            errors = STDOUT_FILENO
        }
        console = Console(errors: errors, isVerbose: options.isVerbose)
        log = try options.log.map { path throws(ClientFailure) in
            try RequestLog(path: path, format: options.logFormat)
        }
        if let path = options.headFile {
            let fd = unsafe path == "-" ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard fd >= 0 else { throw .write(path, SystemFailure.reason(errno)) }
            headFile = fd
        } else {
            headFile = nil
        }
        var context = TransferContext(settings: options.settings)
        context.security = try Self.security(options)
        context.cache = Self.cache(options, variable, console)
        context.jar = try Self.jar(options)
        self.context = context
    }

    /// Made before the threads are, when any URL needs it.
    private static func security(_ options: CommandLineOptions) throws(ClientFailure) -> ClientSecurity? {
        let isGiven = options.authorities != nil || options.certificate != nil || options.isInsecure
        guard isGiven || options.urls.contains(where: { $0.lowercased().hasPrefix("https:") }) else { return nil }
        return try ClientSecurity(
            authorities: options.authorities, certificate: options.certificate, key: options.key,
            verifies: !options.isInsecure)
    }

    /// A cache that cannot be used is no reason not to fetch.
    private static func cache(
        _ options: CommandLineOptions, _ variable: (String) -> String?, _ console: Console
    ) -> ClientCache? {
        guard options.settings.cacheMode != .noStore, options.cacheLimit > 0,
            let path = options.cacheFolder ?? ClientCache.standardPath(variable)
        else { return nil }
        do throws(ClientFailure) {
            return try ClientCache(path: path, limit: options.cacheLimit)
        } catch {
            if options.cacheFolder != nil || options.isVerbose { console.say("client: warning: \(error.description)") }
            return nil
        }
    }

    private static func jar(_ options: CommandLineOptions) throws(ClientFailure) -> CookieJar? {
        let isWanted = options.cookieJar != nil || !options.cookieFiles.isEmpty || !options.cookieTexts.isEmpty
        guard isWanted else { return nil }
        let jar = CookieJar(
            literal: options.cookieTexts, ignoresSessionCookies: options.junksSessionCookies)
        for path in options.cookieFiles { try jar.read(path, now: WallClock.milliseconds / 1_000) }
        return jar
    }

    // MARK: Fetching

    private func fetch() throws(ClientFailure) -> Int32 {
        let count = options.isParallel ? min(options.parallelLimit, options.urls.count) : 1
        if count > 1 { runThreads(count) } else { work() }
        if let path = options.cookieJar { try context.jar?.write(path, now: WallClock.milliseconds / 1_000) }
        return progress.withLock { $0.status }
    }

    private func runThreads(_ count: Int) {
        let running = Atomic<Int>(count)
        let ended = ThreadSemaphore()
        var started = 0
        for _ in 0..<count {
            let isStarted = BlockingThread.start { [self] in
                work()
                if running.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { ended.signal() }
            }
            if isStarted { started += 1 }
        }
        // Where the system gives no more threads, those there are do the work; and without any, this one.
        let missing = count - started
        if started == 0 { work() }
        if missing == 0 || running.subtract(missing, ordering: .acquiringAndReleasing).newValue > 0 { ended.wait() }
    }

    /// Takes one URL after the other until there are none.
    private func work() {
        let runner = TransferRunner(context)
        while true {
            let index = progress.withLock { state in
                defer { state.next += 1 }
                return state.next
            }
            guard index < options.urls.count else { return }
            let failure = transfer(index, runner)
            guard let failure else { continue }
            progress.withLock { state in
                // Of several the last one's status counts, as in curl.
                state.status = failure.exitStatus
            }
        }
    }

    private func transfer(_ index: Int, _ runner: TransferRunner) -> ClientFailure? {
        let records = log.map { RequestRecords($0, withHeads: options.isVerbose) }
        var report: TransferReport
        var path: String?
        do throws(ClientFailure) {
            report = try run(index, runner, &path, records)
        } catch {
            // Nothing was asked for, which the log is to say as well.
            report = TransferReport()
            report.method = options.settings.effectiveMethod
            let text = options.urls[index]
            report.url = (try? HTTPURL(text).text) ?? HTTPURL.withoutCredentials(text)
            report.failure = error
            records?.append(report, began: WallClock.milliseconds, milliseconds: 0)
        }
        if let failure = report.failure { complain(failure) }
        tell(report, path: path)
        if let failure = records?.failure {
            complain(failure)
            return report.failure ?? failure
        }
        return report.failure
    }

    private func run(
        _ index: Int, _ runner: TransferRunner, _ path: inout String?, _ records: RequestRecords?
    ) throws(ClientFailure) -> TransferReport {
        let text = options.urls[index]
        var url: HTTPURL
        do throws(HTTPURL.Failure) {
            url = try HTTPURL(text)
        } catch { throw .badURL(text, error) }
        var body: RequestBody?
        if index < options.uploads.count {
            let file = options.uploads[index]
            body = .file(file)
            if url.target.hasSuffix("/"), !url.target.contains("?"), file != "-",
                let name = file.split(separator: "/").last
            {
                url.target += String(decoding: PercentCoding.encode(name.utf8), as: UTF8.self)
            }
        }
        let target = index < options.outputs.count ? options.outputs[index] : .standard
        let isResumed = options.settings.resumption != nil && body == nil
        let output = try BodyOutput(target, options.outputRules, url: url, appends: isResumed)
        path = output.path
        var resumesAt: UInt64?
        switch options.settings.resumption {
        case .automatic: resumesAt = body == nil ? output.existingBytes : 0
        case .at(let offset): resumesAt = offset
        case nil: break
        }
        let isOnTerminal = output.path == nil && isatty(STDOUT_FILENO) == 1
        let listener = CommandListener(
            console, output, includesHead: options.includesHead || options.settings.asksForHead, headFile: headFile,
            records: records, isInsecure: options.isInsecure,
            showsProgress: console.isTerminal && !isOnTerminal && !options.isSilent && !options.hidesProgress
                && !options.isParallel && !options.isVerbose)
        var report = runner.run(url, body: body, resumesAt: resumesAt, listener: listener)
        listener.clear()
        if report.failure == nil, report.status != 0 {
            do throws(ClientFailure) { try output.finish() } catch { report.failure = error }
        }
        return report
    }

    private func complain(_ failure: ClientFailure) {
        guard !options.isSilent || options.showsErrors else { return }
        console.say("client: (\(failure.exitStatus)) \(failure.description)")
    }

    private func tell(_ report: TransferReport, path: String?) {
        guard let writeOut = options.writeOut else { return }
        let text = writeOut.text(report, fileName: path ?? "")
        let output = Array(text.output.utf8)
        try? WholeWrite.all(output.span, to: STDOUT_FILENO, named: "standard output")
        let error = Array(text.error.utf8)
        try? WholeWrite.all(error.span, to: console.errors, named: "standard error")
    }
}

/// A semaphore of the C library, for waiting until threads have ended.
///
/// `@unchecked Sendable` is safe because the C library's functions on it are safe from any thread, its memory stays where it is
/// and is freed by the last owner.
///
/// `@safe` because it allocates the semaphore, initialises it before any use and frees it last.
@safe private final class ThreadSemaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        unsafe semaphore.initialize(to: sem_t())
        unsafe sem_init(semaphore, 0, 0)
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    func signal() { unsafe sem_post(semaphore) }
    func wait() { while unsafe sem_wait(semaphore) != 0 {} }
}
