// SPDX-License-Identifier: Apache-2.0
// Takes the steps that `TransferMachine` decides on: asks the cache, connects, sends, receives. One runner belongs to one
// thread and keeps its connections for the next transfer.

import Bytes
import CachePolicy
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
        let machine = TransferMachine(
            url, settings, hasCache: context.cache != nil, resumesAt: resumesAt, now: now)
        let waiting = Waiting(deadline: Deadline(at: nil, failure: .timeout), listener: listener)
        var state = State(settings: settings, machine: machine, waiting: waiting, listener: listener)
        state.report.method = settings.effectiveMethod
        state.report.url = url.text
        startClock(&state)
        do throws(ClientFailure) {
            try follow(&state, resumesAt: resumesAt)
        } catch {
            state.report.failure = error
        }
        release(&state)
        state.report.redirects = state.machine.redirects
        state.report.retries = state.machine.retries
        state.report.timings.noteTotal()
        return state.report
    }

    private func startClock(_ state: inout State) {
        state.waiting.deadline.at = state.settings.maxTime.map { MonotonicClock.milliseconds &+ $0 }
    }

    private func follow(_ state: inout State, resumesAt: UInt64?) throws(ClientFailure) {
        var step = state.machine.begin()
        while true {
            switch step {
            case .lookUp: step = lookUp(&state)
            case .send(let validating): step = attempt(&state, validating: validating, resumesAt: resumesAt)
            case .serve(let serving):
                if let next = try followStored(&state) {
                    step = next
                    continue
                }
                guard try serve(&state, serving) else {
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
    private func attempt(
        _ state: inout State, validating: Bool, resumesAt: UInt64?
    ) -> TransferMachine.Step {
        release(&state)
        let redirects = state.machine.redirects
        do throws(ClientFailure) {
            try exchange(&state, validating: validating, resumesAt: resumesAt)
        } catch { return failed(&state, error) }
        let step = answered(&state, validating: validating)
        if state.machine.redirects > redirects {
            discard(&state)
            state.report.timings.noteRedirect()
            state.report.bodyBytes = 0
        }
        if case .pause(let milliseconds) = step {
            state.listener.retries(after: milliseconds, because: "the server answered \(state.report.status)")
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
        return step
    }

    private func exchange(
        _ state: inout State, validating: Bool, resumesAt: UInt64?
    ) throws(ClientFailure) {
        let url = state.machine.url
        var content: BodyReader?
        if state.machine.sendsContent {
            let start = state.settings.range == nil ? resumesAt ?? 0 : 0
            let reader = try BodyReader(state.settings.body, skipping: start)
            state.isRepeatable = reader.isRepeatable
            content = reader
        }
        let request = outgoing(state, content: content, resumesAt: resumesAt)
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
            head + Array("\r\n".utf8), content: content, expects: isExpecting, report: &state.report)
        try exchange.receiveHead(request.method, report: &state.report)
    }

    /// The request for where the transfer is now.
    func outgoing(_ state: State, content: BodyReader?, resumesAt: UInt64?) -> OutgoingRequest {
        let url = state.machine.url
        var request = OutgoingRequest(method: state.machine.method, url: url)
        request.content = content.map { $0.length.map { .length($0) } ?? .chunked }
        request.withholdsCredentials = state.machine.withholdsCredentials
        request.cookies = context.jar?.field(
            for: url, withholdsLiteral: state.machine.withholdsCredentials, now: WallClock.milliseconds / 1_000)
        if content == nil {
            request.range = state.settings.range
            if let resumesAt, resumesAt > 0 { request.range = "\(resumesAt)-" }
        }
        return request
    }

    private func connect(_ state: inout State, to url: HTTPURL) throws(ClientFailure) -> Connection {
        let key = ConnectionPool.Key(url, state.settings)
        if let kept = pool.take(key) {
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
        state.report.peer = connection.peer
        state.report.local = connection.local
        state.report.protocolName = connection.protocolName
    }

    /// What to make of the head that came.
    private func answered(_ state: inout State, validating: Bool) -> TransferMachine.Step {
        guard let exchange = state.exchange else { return .done }
        let url = state.machine.url
        if let jar = context.jar {
            jar.take(
                HeadText.values(of: "set-cookie", in: exchange.headBytes), from: url,
                now: WallClock.milliseconds / 1_000)
        }
        noteUnsafe(state, exchange)
        var answer = TransferMachine.Answer(status: exchange.head.status)
        answer.isRepeatable = state.isRepeatable
        answer.location = HeadText.values(of: "location", in: exchange.headBytes).first
        answer.retryAfter = RetryAfter.milliseconds(
            HeadText.values(of: "retry-after", in: exchange.headBytes).first, now: WallClock.milliseconds)
        if let range = HeadText.values(of: "content-range", in: exchange.headBytes).first,
            let parsed = ContentRange.parse(Array(range.utf8).span)
        {
            answer.rangeStart = parsed.range?.lowerBound
            answer.wholeLength = parsed.total
        }
        if validating { answer.freshens = exchange.head.status == 304 && freshen(&state, exchange) }
        answer.mayServeStale = mayServeStale(state, status: exchange.head.status)
        let machineURL = state.machine.url
        let step = state.machine.received(answer, now: MonotonicClock.milliseconds)
        if case .deliver = step, let location = answer.location, RedirectRule.applies(answer.status) {
            state.report.redirectURL = (try? machineURL.resolving(location).text) ?? ""
        }
        return step
    }

    /// Keeps the connection, if it can be used again.
    func release(_ state: inout State) {
        guard let exchange = state.exchange else { return }
        state.exchange = nil
        guard exchange.leavesConnectionUsable, let url = try? HTTPURL(state.report.url) else { return }
        pool.keep(exchange.connection, ConnectionPool.Key(url, state.settings))
    }
}
