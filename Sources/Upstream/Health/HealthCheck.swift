// SPDX-License-Identifier: Apache-2.0
// One question to one server: a connection, secured where the server is reached through TLS, and with a path a request. It
// goes the way of every request, with a connection of its own and a deadline for the whole.

import Bytes
import Engine
import HTTP
import Settings

/// A health check under way. Belongs to one loop.
final class HealthCheck: Watcher {
    let server: UpstreamServer
    private let settings: Configuration.HealthCheck
    private let pool: ServerPool
    private let loop: Loop
    private let options: UpstreamOptions
    private let attempt = CheckAttempt()
    private var connection: UpstreamConnection?
    private var report: ((HealthCheck, CheckOutcome) -> Void)?
    private var isConnected = false
    private var due: UInt64 = 0
    private var isExtended = false
    /// A loop that is late by so many milliseconds cannot say who was slow.
    private static let lateness: UInt64 = 250
    private var status: UInt16 = 0
    private var content: [UInt8] = []

    init(
        of server: UpstreamServer, _ settings: Configuration.HealthCheck, _ pool: ServerPool, _ loop: Loop,
        _ options: UpstreamOptions
    ) {
        self.server = server
        self.settings = settings
        self.pool = pool
        self.loop = loop
        var options = options
        // Every address has its turn; the check's own deadline is for the whole.
        options.connectTimeout = max(1, settings.timeout / server.addresses.count)
        options.handshakeTimeout = settings.timeout
        options.firstByteTimeout = settings.timeout
        options.readTimeout = settings.timeout
        options.idleTimeout = 0
        self.options = options
        super.init()
    }

    /// Asks, and calls `report` once, later, unless it is cancelled.
    func begin(_ report: @escaping (HealthCheck, CheckOutcome) -> Void) {
        self.report = report
        attempt.check = self
        loop.register(self)
        setDeadline()
        let connections = ConnectionPool(
            loop: loop, server: server, pool: pool, options: options, isForRequests: false)
        switch connections.lease(for: attempt, fresh: true, verify: false) {
        case .connecting(let new), .reused(let new): connection = new
        case .exhausted: end(.unknown("this gateway has too many connections"))
        }
    }

    /// Gives up, and reports nothing.
    func cancel() {
        report = nil
        end(.passed)
    }

    private func setDeadline() {
        due = loop.milliseconds + UInt64(settings.timeout)
        loop.setDeadline(self, at: due)
    }

    override func deadlineReached() {
        if loop.milliseconds > due + Self.lateness, !isExtended {
            isExtended = true
            setDeadline()
            return
        }
        let expected =
            settings.path == nil ? "a connection" : "an answer to \(settings.method.rawValue) \(settings.path ?? "")"
        let words = "expected \(expected) within \(settings.timeout) ms, got none"
        end(isConnected ? .failed(words) : .unreachable(words))
    }

    // MARK: Told by the attempt

    fileprivate func connected(_ connection: UpstreamConnection) {
        isConnected = true
        self.connection = connection
        guard let path = settings.path else {
            // With TLS the handshake has a last message, without which it has failed for the server.
            connection.flush()
            end(.passed)
            return
        }
        let method: Method
        switch settings.method {
        case .get: method = .get
        case .head: method = .head
        case .options: method = .options
        }
        connection.beginRequest(
            method, name: Array(settings.method.rawValue.utf8).span, target: Array(path.utf8).span, prefix: Span())
        connection.field("Host", Array((settings.host ?? server.authority).utf8).span)
        connection.field("User-Agent", ("gateway-health-check" as StaticString).span)
        connection.field("Accept", ("*/*" as StaticString).span)
        connection.endHead(.none, upgrade: nil, wantsTrailers: false)
        connection.finishRequest(trailers: nil)
        connection.flush()
    }

    fileprivate func received(_ head: borrowing ResponseHead) {
        status = head.status
        guard settings.statuses.contains(status) else {
            end(.failed("expected a status of \(settings.statuses.text), got \(status)"))
            return
        }
    }

    fileprivate func received(_ bytes: Span<UInt8>) {
        for index in bytes.indices where content.count < Configuration.HealthCheck.bodyLimit {
            content.append(bytes[index])
        }
        // An answer without end is one too.
        if content.count == Configuration.HealthCheck.bodyLimit { judgeContent() }
    }

    fileprivate func judgeContent() {
        guard let wanted = settings.body.map({ Array($0.utf8) }) else {
            end(.passed)
            return
        }
        let starts = 0...max(0, content.count - wanted.count)
        if content.count >= wanted.count,
            starts.contains(where: { content[$0..<$0 + wanted.count].elementsEqual(wanted) })
        {
            end(.passed)
        } else {
            end(.failed("expected content with \"\(settings.body ?? "")\", got \(content.count) bytes without"))
        }
    }

    fileprivate func failed(_ failure: UpstreamFailure) {
        connection = nil
        end(CheckOutcome(failure))
    }

    private func end(_ outcome: CheckOutcome) {
        attempt.check = nil
        connection?.cancel()
        connection = nil
        loop.unregister(self)
        let report = report
        self.report = nil
        report?(self, outcome)
    }
}

extension CheckOutcome {
    /// What a check says whose attempt failed.
    init(_ failure: UpstreamFailure) {
        switch failure {
        case _ where !failure.isServersDoing: self = .unknown("this gateway could not ask: \(failure.words)")
        case .connect, .connectTimeout, .secure: self = .unreachable(failure.words)
        default: self = .failed(failure.words)
        }
    }
}

/// What the connection of a check talks to.
private final class CheckAttempt: Attempt {
    weak var check: HealthCheck?

    override func connected(_ connection: UpstreamConnection) { check?.connected(connection) }
    override func responseHead(_ connection: UpstreamConnection) { check?.received(connection.head) }
    override func responseBody(_ bytes: Span<UInt8>) { check?.received(bytes) }
    override func responseEnded(trailers: Trailers?) { check?.judgeContent() }
    override func failed(_ failure: UpstreamFailure) { check?.failed(failure) }
}
