// SPDX-License-Identifier: Apache-2.0
// Heads from text, and the questions of the tests in one line each.

import Bytes
import CachePolicy
import HTTP
import Testing

/// The clock of the tests in seconds: Fri, 15 Jan 2027 08:00:00 GMT.
let clock: Int64 = 1_800_000_000
/// The same in milliseconds.
let clockMilliseconds = clock * 1_000

/// A date of a field.
func date(_ seconds: Int64) -> String {
    written { HTTPDate.append(seconds, to: $0) }
}

/// What `write` appends to a block, as text.
func written(capacity: Int = 65_536, _ write: (Block) -> Void) -> String {
    let block = Block(capacity: capacity)
    write(block)
    return block.readable.string
}

/// A parsed response.
struct Response {
    private final class Held {
        let head: ResponseHead
        init(_ head: consuming ResponseHead) { self.head = head }
    }

    let bytes: [UInt8]
    private let held: Held
    var head: ResponseHead { _read { yield held.head } }

    init(_ fields: [String] = [], status: Int = 200, method: HTTP.Method = .get) {
        self.init(text: "HTTP/1.1 \(status) \r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n", method: method)
    }

    init(text: String, method: HTTP.Method = .get) {
        let bytes = Array(text.utf8)
        var head = ResponseHead()
        var parser = ResponseParser()
        let limits = HeadLimits(headBytes: 65_535, lineBytes: 65_535)
        do {
            let isComplete = try parser.parse(bytes.span, limits: limits, requestMethod: method, into: &head)
            if !isComplete { Issue.record("not a whole head: \(text)") }
        } catch {
            Issue.record("\(error): \(text)")
        }
        self.bytes = bytes
        held = Held(head)
    }

    var validators: Validators { Validators(head, bytes.span) }
}

/// A parsed request.
struct Request {
    let bytes: [UInt8]
    private let held: HeldRequestHead
    var head: RequestHead { _read { yield held.head } }

    init(_ fields: [String] = [], method: String = "GET", target: String = "/", host: String = "h") {
        let lines = fields.map { $0 + "\r\n" }.joined()
        let bytes = Array("\(method) \(target) HTTP/1.1\r\n\(lines)Host: \(host)\r\n\r\n".utf8)
        var head = RequestHead()
        var parser = RequestParser()
        let limits = HeadLimits(headBytes: 65_535, lineBytes: 65_535)
        do {
            let isComplete = try parser.parse(bytes.span, limits: limits, into: &head)
            if !isComplete { Issue.record("not a whole head") }
        } catch {
            Issue.record("\(error)")
        }
        self.bytes = bytes
        held = HeldRequestHead(head)
    }

    var cache: CacheRequest { CacheRequest(head, bytes.span) }
    var directives: RequestDirectives { cache.directives }
}

/// What is decided about storing `response`.
func decide(
    _ response: Response, _ request: Request = Request(), _ rules: CacheRules = CacheRules(), took: Int64 = 0,
    isSecure: Bool = false
) -> Result<ResponsePolicy, StoreRefusal> {
    let times = ExchangeTimes(request: clockMilliseconds - took, response: clockMilliseconds)
    do throws(StoreRefusal) {
        return .success(
            try Storing.decide(request.cache, response.head, response.bytes.span, times, rules, isSecure: isSecure))
    } catch {
        return .failure(error)
    }
}

/// The policy of a response that must be stored.
func policy(
    _ fields: [String], status: Int = 200, _ request: Request = Request(), _ rules: CacheRules = CacheRules(),
    took: Int64 = 0, isSecure: Bool = false, file: StaticString = #filePath, line: UInt = #line
) -> ResponsePolicy {
    switch decide(Response(fields, status: status), request, rules, took: took, isSecure: isSecure) {
    case .success(let policy): return policy
    case .failure(let why):
        Issue.record("not stored: \(why)")
        return ResponsePolicy()
    }
}

/// Why a response is not stored, or nil when it is.
func refusal(
    _ fields: [String], status: Int = 200, _ request: Request = Request(), _ rules: CacheRules = CacheRules()
) -> StoreRefusal? {
    if case .failure(let why) = decide(Response(fields, status: status), request, rules) { return why }
    return nil
}

/// What is decided about using `policy`, `after` seconds of having stored it.
func reuse(
    _ policy: ResponsePolicy, after seconds: Int64, _ request: [String] = [], _ rules: CacheRules = CacheRules()
) -> Reuse {
    Reuse.decide(policy, Request(request).directives, now: clockMilliseconds + seconds * 1_000, rules)
}

let personal = CacheRules(isShared: false)
let tagged = "ETag: \"a\""
