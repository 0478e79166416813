// SPDX-License-Identifier: Apache-2.0
// What is told of a pool's servers: one sentence each, with what was expected and what came.

extension PoolEvent {
    /// The sentence, without the pool's name.
    var text: String {
        switch self {
        case .checksFailed(let server, let outcome, let inARow):
            "\(server.name) is taken out: \(Self.checks(inARow)) failed; the last: \(outcome.words)"
        case .connectFailed(let server):
            "\(server.name) is taken out: a request could not connect to it"
        case .checksPassed(let server, let inARow):
            "\(server.name) is back: \(Self.checks(inARow)) passed"
        case .triedAgain(let server):
            "\(server.name) is tried again: it is not checked, and was out for a second"
        case .ejected(let server, let reason, let last, let milliseconds):
            "\(server.name) is taken out for \(Self.seconds(milliseconds)): \(reason.words); the last: \(last)"
        case .keptForWantOfOthers(let server, let reason, let last):
            "\(server.name) should be taken out, but stays, since too few others are left: \(reason.words); the last: \(last)"
        case .letInAgain(let server): "\(server.name) is back on trial: its time out is over"
        case .added(let server): "\(server.name) is added"
        case .removed(let server): "\(server.name) is removed"
        case .draining(let server): "\(server.name) drains: it gets no new requests"
        case .undrained(let server): "\(server.name) gets requests again"
        case .weight(let server, let weight): "\(server.name) has the weight \(weight) now"
        case .panicking: "no server is well: those that answer badly are used"
        case .unreachable: "no server can be reached: requests get 503 until one can"
        case .well: "there are servers to use again"
        }
    }

    private static func checks(_ count: Int) -> String {
        count == 1 ? "a health check" : "\(count) health checks in a row"
    }

    private static func seconds(_ milliseconds: UInt64) -> String {
        milliseconds.isMultiple(of: 1_000) ? "\(milliseconds / 1_000) s" : "\(milliseconds) ms"
    }
}

extension EjectionMachine.Reason {
    fileprivate var words: String {
        switch self {
        case .inARow(let count): count == 1 ? "a request failed" : "\(count) requests in a row failed"
        case .rate(let failures, let requests): "\(failures) of \(requests) requests failed"
        case .trial: "the first request after its return failed"
        }
    }
}

extension CheckOutcome {
    /// As part of a sentence.
    public var words: String {
        switch self {
        case .passed: "passed"
        case .failed(let words), .unreachable(let words), .unknown(let words): words
        }
    }
}
