// SPDX-License-Identifier: Apache-2.0
// What a transfer does next: look into the cache, send, follow, wait and try again, deliver, end. Pure: what happened goes
// in, a step comes out, and the driver (`TransferRunner`) takes it. The clock is passed in.

import HTTP

/// The decisions of one transfer, from the first look into the cache to the last byte.
struct TransferMachine: Sendable {
    /// What to do next.
    enum Step: Equatable, Sendable {
        /// Look for a stored response to the request, then `found`.
        case lookUp
        /// Send the request, with the stored response's validators or without. The content is sent again from its start.
        case send(validating: Bool)
        /// Answer from the store.
        case serve(Serving)
        /// Pass the response's content on; then `bodyEnded`.
        case deliver
        /// Wait so many milliseconds, then send.
        case pause(UInt64)
        /// Nothing more.
        case done
        /// It has failed. `delivers`: the content is passed on all the same.
        case fail(ClientFailure, delivers: Bool)
    }

    /// Why a stored response answers.
    enum Serving: Equatable, Sendable {
        /// It is fresh, or stale and wanted all the same.
        case hit(isStale: Bool)
        /// The server said that it is still good.
        case revalidated
        /// The server failed, and it may stand in.
        case staleIfError
    }

    /// What is known of a stored response.
    enum Stored: Equatable, Sendable {
        /// There is none.
        case none
        /// It may be used as it is.
        case usable(isStale: Bool)
        /// It has to be validated. `hasValidator`: it can be.
        case needsValidation(hasValidator: Bool)
    }

    /// What matters of a response's head.
    struct Answer: Equatable, Sendable {
        var status: UInt16
        var location: String?
        /// Retry-After, in milliseconds from now.
        var retryAfter: UInt64?
        /// The stored response was updated by it (304).
        var freshens = false
        /// It is an error in place of which the stored response may be served.
        var mayServeStale = false
        /// Content-Range of a 206, where it begins.
        var rangeStart: UInt64?
        /// The length of the whole that a 416 names.
        var wholeLength: UInt64?
        /// The content can be sent again.
        var isRepeatable = true
    }

    private let settings: TransferSettings
    /// Whom it asks now.
    private(set) var url: HTTPURL
    /// How.
    private(set) var method: String
    /// Whether content is sent.
    private(set) var sendsContent: Bool
    /// Whether this is another host than the first, so that credentials given for that are kept.
    private(set) var withholdsCredentials = false
    /// Redirects followed so far.
    private(set) var redirects = 0
    /// Further attempts so far.
    private(set) var retries = 0
    /// Bytes that the output has already, when a download is continued.
    private let resumesAt: UInt64?
    private let origin: HTTPURL
    private let firstMethod: String
    private let firstSendsContent: Bool
    private let startedAt: UInt64
    private var isValidating = false
    private var usesCache: Bool
    private let cacheIsOn: Bool
    private var hasReconnected = false

    /// A transfer that begins now. `now`: monotonic milliseconds. `resumesAt`: 0 or more when a download is continued.
    init(_ url: HTTPURL, _ settings: TransferSettings, hasCache: Bool, resumesAt: UInt64?, now: UInt64) {
        self.settings = settings
        self.url = url
        origin = url
        method = settings.effectiveMethod
        firstMethod = method
        sendsContent = settings.body.isPresent
        firstSendsContent = sendsContent
        self.resumesAt = resumesAt
        startedAt = now
        cacheIsOn = hasCache && settings.cacheMode != .noStore && (resumesAt ?? 0) == 0
        usesCache = cacheIsOn
    }

    private var looksUp: Bool { usesCache && (method == "GET" || method == "HEAD") && !sendsContent }

    /// The first step, and the one behind each redirect and pause.
    mutating func begin() -> Step {
        isValidating = false
        return looksUp ? .lookUp : send()
    }

    private mutating func send() -> Step {
        guard settings.cacheMode != .onlyIfCached else { return .fail(notCached, delivers: false) }
        return .send(validating: isValidating)
    }

    private var notCached: ClientFailure {
        ClientFailure(
            4, "\(url.text) is not in the cache, and only the cache was to be asked; without --offline it is fetched")
    }

    /// What the cache has.
    mutating func found(_ stored: Stored) -> Step {
        switch (settings.cacheMode, stored) {
        case (.reload, _), (.noStore, _), (_, .none): break
        case (.onlyIfCached, _), (.forceCache, _):
            if case .usable(let isStale) = stored { return .serve(.hit(isStale: isStale)) }
            return .serve(.hit(isStale: true))
        case (.noCache, .usable): isValidating = true
        case (_, .usable(let isStale)): return .serve(.hit(isStale: isStale))
        case (_, .needsValidation(let hasValidator)): isValidating = hasValidator
        }
        return send()
    }

    /// What is stored is a redirect that is to be followed: the step to take instead of serving it, or nil.
    mutating func served(_ status: UInt16, location: String?) -> Step? {
        guard settings.followsRedirects, RedirectRule.applies(status), let location else { return nil }
        return follow(status, location, isRepeatable: true)
    }

    /// The stored response cannot be read after all.
    mutating func storedIsGone() -> Step {
        usesCache = false
        isValidating = false
        return send()
    }

    /// A final head came. `now` as above.
    mutating func received(_ answer: Answer, now: UInt64) -> Step {
        hasReconnected = false
        if isValidating, answer.status == 304 {
            if answer.freshens { return .serve(.revalidated) }
            // Not about what is stored: ask anew, without conditions.
            isValidating = false
            usesCache = false
            return .send(validating: false)
        }
        if RetryRule.isTransient(answer.status), answer.isRepeatable,
            let pause = settings.retry.pause(done: retries, elapsed: now &- startedAt, asked: answer.retryAfter)
        {
            return again(after: pause)
        }
        if answer.mayServeStale { return .serve(.staleIfError) }
        if settings.followsRedirects, RedirectRule.applies(answer.status), let location = answer.location {
            return follow(answer.status, location, isRepeatable: answer.isRepeatable)
        }
        if let resumesAt, resumesAt > 0 { return resumed(answer, resumesAt) }
        if answer.status >= 400, settings.failsOnError || settings.failsWithBody {
            return .fail(refused(answer), delivers: settings.failsWithBody)
        }
        return .deliver
    }

    /// Nothing but the part that was asked for may come behind what the output has: neither the whole, nor an error's page.
    private func resumed(_ answer: Answer, _ offset: UInt64) -> Step {
        switch answer.status {
        case 206 where answer.rangeStart == offset: return .deliver
        // All of it is there; a server that does not say how much that is gets the benefit of the doubt, as in curl.
        case 416 where (answer.wholeLength ?? offset) == offset: return .done
        case 400... where settings.failsOnError || settings.failsWithBody:
            return .fail(refused(answer), delivers: false)
        case 400...:
            return .fail(
                ClientFailure(
                    33,
                    "the server answered \(answer.status) and does not continue at byte \(offset); "
                        + "what is there is left as it was"), delivers: false)
        default:
            return .fail(
                ClientFailure(33, "the server does not continue at byte \(offset); without -C - it is fetched whole"),
                delivers: false)
        }
    }

    private func refused(_ answer: Answer) -> ClientFailure {
        ClientFailure(22, "the server answered \(answer.status) to \(method) \(url.text)")
    }

    private mutating func follow(_ status: UInt16, _ location: String, isRepeatable: Bool) -> Step {
        if redirects >= min(settings.redirectLimit ?? .max, RedirectRule.absoluteLimit) {
            return .fail(
                ClientFailure(
                    47, "\(redirects) redirects were followed, and there is another; --max-redirs N allows more"),
                delivers: false)
        }
        do throws(ClientFailure) {
            let next = try RedirectRule.target(url, location)
            redirects += 1
            let change = RedirectRule.method(
                status, method, isForced: settings.method != nil, keepsPostAfter: settings.keepsPostAfter)
            method = change.method
            sendsContent = sendsContent && change.keepsContent
            guard !sendsContent || isRepeatable else {
                throw ClientFailure(
                    65, "the server redirects, and what came from standard input cannot be sent again; -T FILE can")
            }
            if !next.isSameOrigin(as: origin), !settings.trustsLocation { withholdsCredentials = true }
            url = next
        } catch {
            return .fail(error, delivers: false)
        }
        usesCache = cacheIsOn
        return begin()
    }

    /// The attempt failed. `sawBytes`: something of an answer had come. `wasKept`: on a connection that had served another
    /// request before. `isRepeatable`: the content can be sent again. `delivered`: some of the body has left already.
    /// `mayServeStale`: a stored response may stand in.
    mutating func failed(
        _ failure: ClientFailure, sawBytes: Bool, wasKept: Bool, isRepeatable: Bool, delivered: Bool,
        mayServeStale: Bool, now: UInt64
    ) -> Step {
        // A server may close an idle connection at any time; that is no failure of this request (RFC 9112 section 9.3.1).
        // It may have acted on the request before, so only what can be done twice is sent again (RFC 9110 section 9.2.2).
        let broke = failure.exitStatus == 52 || failure.exitStatus == 55 || failure.exitStatus == 56
        let isIdempotent = Method.named(method).isIdempotent
        if wasKept, !sawBytes, isRepeatable, isIdempotent, !hasReconnected, broke {
            hasReconnected = true
            return .send(validating: isValidating)
        }
        guard !delivered else { return .fail(failure, delivers: false) }
        if isRepeatable, settings.retry.applies(to: failure),
            let pause = settings.retry.pause(done: retries, elapsed: now &- startedAt, asked: nil)
        {
            return again(after: pause)
        }
        if mayServeStale, failure.isServers { return .serve(.staleIfError) }
        return .fail(failure, delivers: false)
    }

    private mutating func again(after pause: UInt64) -> Step {
        retries += 1
        // From the start, as curl does: what a redirect led to may be what failed.
        url = origin
        method = firstMethod
        sendsContent = firstSendsContent
        withholdsCredentials = false
        redirects = 0
        isValidating = false
        usesCache = cacheIsOn
        return .pause(pause)
    }
}
