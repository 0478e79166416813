// SPDX-License-Identifier: Apache-2.0
// Takes the steps that `TransferMachine` decides on: asks the cache, connects, sends, receives. One runner belongs to one
// thread and keeps its connections for the next transfer.

import Bytes
import Engine
import Glibc
import HTTP

/// What all transfers of a command share.
public struct TransferContext: Sendable {
    /// How requests are made.
    public var settings: TransferSettings
    /// Nil before an `https` URL was seen.
    public var security: ClientSecurity?
    /// Nil for no cache.
    public var cache: ClientCache?
    /// Nil when no cookies are kept.
    public var jar: CookieJar?

    /// A context.
    public init(
        settings: TransferSettings = TransferSettings(), security: ClientSecurity? = nil, cache: ClientCache? = nil,
        jar: CookieJar? = nil
    ) {
        self.settings = settings
        self.security = security
        self.cache = cache
        self.jar = jar
    }
}

/// Carries transfers out, one after the other.
public final class TransferRunner {
    var context: TransferContext
    private var pool = ConnectionPool()
    let block = Block(capacity: 64 << 10)

    /// A runner without connections.
    public init(_ context: TransferContext) {
        signal(SIGPIPE, SIG_IGN)
        self.context = context
    }

    /// One transfer under way.
    struct State {
        var settings: TransferSettings
        var machine: TransferMachine
        var waiting: Waiting
        let listener: TransferListener
        var report = TransferReport()
        /// The stored response that was found for the request.
        var entry: CacheEntry?
        /// What the request looks like to the cache; nil when it is past it.
        var asked: CacheQuestion?
        /// The exchange whose body is still to be read.
        var exchange: Exchange?
        /// Whether some of the body has been passed on.
        var hasDelivered = false
        /// Whether the content can be sent again.
        var isRepeatable = true
        /// Bytes that the output has already, when a download is continued.
        var downloadsFrom: UInt64 = 0
        /// Bytes of a file that the server has already, when its upload is continued.
        var uploadsFrom: UInt64 = 0
        /// The request that is under way.
        var request = RequestClock()
    }

    /// Fetches `url`. `body` and `resumesAt` belong to this transfer alone. Never throws: what went wrong is in the report.
    public func run(
        _ url: HTTPURL, body: RequestBody? = nil, resumesAt: UInt64? = nil, listener: TransferListener
    ) -> TransferReport {
        var url = url
        var settings = context.settings
        if let body { settings.body = body }
        if let own = url.credentials {
            settings.credentials = settings.credentials ?? own
            url.credentials = nil
        }
        let now = MonotonicClock.milliseconds
        // What is continued is the upload where there is one, and not the page that its answer or a redirect brings.
        let downloadsFrom = settings.body.isPresent ? nil : resumesAt
        let machine = TransferMachine(
            url, settings, hasCache: context.cache != nil, resumesAt: downloadsFrom, now: now)
        let waiting = Waiting(deadline: Deadline(at: nil, failure: .timeout), listener: listener)
        var state = State(settings: settings, machine: machine, waiting: waiting, listener: listener)
        state.report.method = settings.effectiveMethod
        state.report.url = url.text
        state.downloadsFrom = downloadsFrom ?? 0
        if case .file = settings.body { state.uploadsFrom = resumesAt ?? 0 }
        startClock(&state)
        do throws(ClientFailure) {
            try follow(&state)
        } catch {
            state.report.failure = error
        }
        release(&state)
        noteRequest(&state, state.report.failure)
        state.report.redirects = state.machine.redirects
        state.report.retries = state.machine.retries
        state.report.timings.noteTotal()
        return state.report
    }

    private func startClock(_ state: inout State) {
        state.waiting.deadline.at = state.settings.maxTime.map { MonotonicClock.milliseconds &+ $0 }
    }

    private func follow(_ state: inout State) throws(ClientFailure) {
        var step = state.machine.begin()
        while true {
            switch step {
            case .lookUp: step = lookUp(&state)
            case .send(let validating): step = attempt(&state, validating: validating)
            case .serve(let serving):
                if let next = try followStored(&state, serving) {
                    step = next
                    continue
                }
                guard try serve(&state, serving) else {
                    // Or it would stand in for the server again.
                    state.entry = nil
                    step = state.machine.storedIsGone()
                    continue
                }
                return
            case .deliver:
                do throws(ClientFailure) {
                    try deliver(&state)
                    return
                } catch { step = failed(&state, error) }
            case .pause(let milliseconds):
                discard(&state)
                // Each attempt has the whole time, as in curl.
                state.waiting.deadline.at = nil
                try state.waiting.pause(milliseconds: milliseconds)
                startClock(&state)
                state.report.bodyBytes = 0
                step = state.machine.begin()
            case .done:
                discard(&state)
                return
            case .fail(let failure, let delivers):
                if delivers, state.exchange != nil { try deliver(&state) } else { discard(&state) }
                throw failure
            }
        }
    }

    /// Sends the request and reads the answer's head.
    private func attempt(_ state: inout State, validating: Bool) -> TransferMachine.Step {
        release(&state)
        let redirects = state.machine.redirects
        do throws(ClientFailure) {
            try exchange(&state, validating: validating)
        } catch { return failed(&state, error) }
        state.request.isAnswered = true
        let step = answered(&state, validating: validating)
        if state.machine.redirects > redirects {
            discard(&state)
            state.report.timings.noteRedirect()
        }
        if case .pause(let milliseconds) = step {
            discard(&state)
            state.listener.retries(after: milliseconds, because: "the server answered \(state.report.status)")
        }
        switch step {
        case .deliver, .serve(.revalidated), .done, .fail: break
        case .lookUp, .send, .pause, .serve:
            noteRequest(&state, nil)
            state.report.bodyBytes = 0
        }
        return step
    }

    private func failed(_ state: inout State, _ failure: ClientFailure) -> TransferMachine.Step {
        let exchange = state.exchange
        state.exchange = nil
        let step = state.machine.failed(
            failure, sawBytes: exchange?.sawBytes ?? false, wasKept: exchange?.wasKept ?? false,
            isRepeatable: state.isRepeatable, delivered: state.hasDelivered,
            mayServeStale: mayServeStale(state, status: 504), now: MonotonicClock.milliseconds)
        if case .pause(let milliseconds) = step {
            state.listener.retries(after: milliseconds, because: failure.description)
        }
        if case .fail = step { return step }
        noteRequest(&state, failure)
        return step
    }

    private func exchange(_ state: inout State, validating: Bool) throws(ClientFailure) {
        let url = state.machine.url
        var content: BodyReader?
        if state.machine.sendsContent {
            let reader = try BodyReader(state.settings.body, skipping: state.uploadsFrom)
            state.isRepeatable = reader.isRepeatable
            content = reader
        }
        let request = outgoing(state, content: content)
        state.report.method = request.method
        state.report.url = url.text
        let connection = try connect(&state, to: url)
        let exchange = Exchange(connection, waiting: state.waiting, listener: state.listener)
        state.exchange = exchange
        let route = Route(url, state.settings)
        let expects = content.map { ($0.length ?? .max) >= OutgoingRequest.expectLimit } ?? false
        var head = request.head(
            state.settings, form: route.isProxy && !route.isTunnel ? .absolute : .origin, expects: expects)
        if validating, let entry = state.entry { head += conditions(of: entry) }
        state.listener.requestHead(head.span)
        state.report.requestHead = head
        let isExpecting = expects && !state.settings.fields.contains { $0.isNamed("expect") }
        try exchange.send(
            head + Array("\r\n".utf8), content: content, isChunked: request.content == .chunked, expects: isExpecting,
            report: &state.report)
        try exchange.receiveHead(request.method, report: &state.report)
    }

    /// The request for where the transfer is now.
    func outgoing(_ state: State, content: BodyReader?) -> OutgoingRequest {
        let url = state.machine.url
        var request = OutgoingRequest(method: state.machine.method, url: url)
        request.content = content.map { .framing($0.length, state.settings) }
        request.withholdsCredentials = state.machine.withholdsCredentials
        request.cookies = context.jar?.field(
            for: url, withholdsLiteral: state.machine.withholdsCredentials, now: WallClock.milliseconds / 1_000)
        if content == nil {
            request.range = state.settings.range
            if state.downloadsFrom > 0 { request.range = "\(state.downloadsFrom)-" }
        } else if state.uploadsFrom > 0, let length = content?.length {
            let whole = state.uploadsFrom + length
            request.contentRange = "bytes \(state.uploadsFrom)-\(whole - 1)/\(whole)"
        }
        return request
    }

    private func connect(_ state: inout State, to url: HTTPURL) throws(ClientFailure) -> Connection {
        let key = ConnectionPool.Key(url, state.settings)
        state.listener.connects(to: url)
        // A server may close a kept connection while the request is on its way, and nobody can tell whether it has acted
        // on it. What must not be done twice goes on a new one (RFC 9110 section 9.2.2).
        if Method.named(state.machine.method).isIdempotent, let kept = pool.take(key) {
            note(&state, kept)
            if state.listener.wantsNotes { state.listener.note("using the connection to \(url.authority) again") }
            return kept
        }
        if url.isSecure, context.security == nil { context.security = try ClientSecurity() }
        var waiting = state.waiting
        let limit = Deadline(
            at: MonotonicClock.milliseconds &+ state.settings.connectTimeout,
            failure: .connectTimeout(url.authority))
        waiting.deadline = waiting.deadline.sooner(limit)
        let connection = try Connection(
            to: url, state.settings, security: url.isSecure ? context.security : nil, waiting: waiting,
            timings: &state.report.timings, listener: state.listener)
        state.report.connections += 1
        note(&state, connection)
        return connection
    }

    private func note(_ state: inout State, _ connection: Connection) {
        state.request.isSent = true
        state.report.peer = connection.peer
        state.report.local = connection.local
        state.report.protocolName = connection.protocolName
    }

    /// Keeps the connection, if it can be used again.
    func release(_ state: inout State) {
        guard let exchange = state.exchange else { return }
        state.exchange = nil
        if exchange.leavesConnectionUsable { pool.keep(exchange.connection) }
    }
}
