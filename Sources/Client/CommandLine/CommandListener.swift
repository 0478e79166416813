// SPDX-License-Identifier: Apache-2.0
// What a person sees of a transfer: heads, notes, progress, the body where it was asked for.

import Bytes
import Engine
import Glibc
import Synchronization

/// Where a command writes. Shared by its threads; every message is one `write`.
final class Console: Sendable {
    /// Standard error, or what `--stderr` named.
    let errors: Int32
    let isVerbose: Bool
    /// Whether messages go to a terminal.
    let isTerminal: Bool
    private let hasWarned = Atomic<Bool>(false)

    init(errors: Int32, isVerbose: Bool) {
        self.errors = errors
        self.isVerbose = isVerbose
        isTerminal = isatty(errors) == 1
    }

    /// Writes text for people, made harmless.
    func say(_ text: String) {
        var line = ""
        for part in text.split(separator: "\n", omittingEmptySubsequences: false) {
            line += (line.isEmpty ? "" : "\n") + Escaping.visible(String(part))
        }
        line += "\n"
        let bytes = Array(line.utf8)
        unsafe bytes.withUnsafeBufferPointer { _ = unsafe write(errors, $0.baseAddress, $0.count) }
    }

    /// Says once that nobody looks at certificates.
    func warnOfInsecurity() {
        guard !hasWarned.exchange(true, ordering: .relaxed) else { return }
        say("client: warning: certificates are not verified (--insecure): anybody may be answering")
    }

    /// A head's lines, each behind a mark.
    func say(head: Span<UInt8>, mark: String) {
        let text = unsafe head.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        var lines = ""
        for line in text.split(separator: "\r\n", omittingEmptySubsequences: false).dropLast() {
            lines += mark + Escaping.visible(String(line)) + "\n"
        }
        let bytes = Array(lines.utf8)
        unsafe bytes.withUnsafeBufferPointer { _ = unsafe write(errors, $0.baseAddress, $0.count) }
    }
}

/// Writes down the requests of one transfer. Belongs to one thread.
final class RequestRecords {
    private let log: RequestLog
    private let withHeads: Bool
    /// Why one could not be written.
    private(set) var failure: ClientFailure?

    init(_ log: RequestLog, withHeads: Bool) {
        self.log = log
        self.withHeads = withHeads
    }

    func append(_ report: TransferReport, began: Int64, milliseconds: UInt64) {
        var entry = RequestLog.Entry(report, seconds: Int(began / 1_000), withHeads: withHeads)
        entry.milliseconds = Int(clamping: milliseconds)
        do throws(ClientFailure) { try log.append(entry) } catch { failure = error }
    }
}

/// Listens to one transfer on behalf of the command.
final class CommandListener: TransferListener {
    private let console: Console
    private let output: BodyOutput
    private let includesHead: Bool
    private let headFile: Int32?
    private let records: RequestRecords?
    private let isInsecure: Bool
    private var progress: ProgressBar?
    private var received: UInt64 = 0
    private var total: UInt64?
    private var sent: UInt64 = 0
    private var sentTotal: UInt64?
    private var contentType: String?

    init(
        _ console: Console, _ output: BodyOutput, includesHead: Bool, headFile: Int32?, records: RequestRecords?,
        isInsecure: Bool, showsProgress: Bool
    ) {
        self.console = console
        self.output = output
        self.includesHead = includesHead
        self.headFile = headFile
        self.records = records
        self.isInsecure = isInsecure
        if showsProgress { progress = ProgressBar(fd: console.errors) }
    }

    override var wantsNotes: Bool { console.isVerbose }
    override func note(_ sentence: String) { if console.isVerbose { console.say("* \(sentence)") } }
    override func requestHead(_ bytes: Span<UInt8>) { if console.isVerbose { console.say(head: bytes, mark: "> ") } }

    override func responseHead(_ bytes: Span<UInt8>, status: UInt16, isFinal: Bool) throws(ClientFailure) {
        if console.isVerbose { console.say(head: bytes, mark: "< ") }
        let head = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
        if isFinal { contentType = HeadText.values(of: "content-type", in: head).first }
        if let headFile { try WholeWrite.all(bytes, to: headFile, named: "the file of --dump-header") }
        if includesHead {
            // A head is for people as much as a body, and never has control bytes that anybody needs.
            output.begin(contentType: nil)
            try output.take(bytes)
        }
    }

    override func beginBody(length: UInt64?) throws(ClientFailure) {
        total = length
        output.begin(contentType: contentType)
    }

    override func body(_ bytes: Span<UInt8>) throws(ClientFailure) {
        received += UInt64(bytes.count)
        try output.take(bytes)
        tick()
    }

    override func sent(_ bytes: UInt64, of total: UInt64?) {
        sent = bytes
        sentTotal = total
        tick()
    }

    override func tick() {
        guard progress != nil else { return }
        if sent > 0, received == 0 {
            progress?.update(sent, of: sentTotal, isUpload: true)
        } else {
            progress?.update(received, of: total, isUpload: false)
        }
    }

    override func connects(to url: HTTPURL) { if url.isSecure, isInsecure { console.warnOfInsecurity() } }

    override func requestEnded(_ report: TransferReport, began: Int64, milliseconds: UInt64) {
        records?.append(report, began: began, milliseconds: milliseconds)
    }

    override func retries(after milliseconds: UInt64, because sentence: String) {
        clear()
        console.say("client: \(sentence); trying again in \((milliseconds + 999) / 1000) s")
    }

    /// The progress bar makes room.
    func clear() { progress?.clear() }
}
