// SPDX-License-Identifier: Apache-2.0
import HTTP
import Settings
import Testing

@testable import Upstream

@Suite("Whether a failed attempt is repeated") struct RetryPolicyTests {
    private let idempotent = [Method.get, .head, .put, .delete, .options, .trace]
    private let others = [Method.post, .patch, .connect, .other]

    private func decide(
        _ cause: RetryPolicy.Cause, _ method: Method = .get, sent: Bool = true, received: Bool = false,
        replayable: Bool = true, reused: Bool = false, servers: Int = 1, breaks: Int = 0,
        settings: Configuration.Retries = .init()
    ) -> RetryPolicy.Decision {
        RetryPolicy.decide(
            .init(
                cause: cause, method: method, requestBytesSent: sent, responseBytesReceived: received,
                bodyIsReplayable: replayable, wasReused: reused, servers: servers, earlierBreaks: breaks), settings)
    }

    @Test("one without a connection is, whatever its method")
    func notConnected() {
        for method in idempotent + others { #expect(decide(.notConnected, method, sent: false) == .another) }
    }

    @Test("one whose connection broke is when it is idempotent, once, within the budget")
    func broken() {
        for method in idempotent {
            #expect(decide(.broken, method) == .anotherWithinBudget)
            #expect(decide(.broken, method, servers: 2, breaks: 1) == .no)
        }
        for method in others {
            #expect(decide(.broken, method) == .no)
            #expect(decide(.broken, method, sent: false) == .another)
        }
    }

    @Test("one that got no answer in time is when it is idempotent, once, within the budget")
    func silent() {
        for method in idempotent {
            #expect(decide(.silent, method) == .anotherWithinBudget)
            #expect(decide(.silent, method, reused: true) == .anotherWithinBudget)
            #expect(decide(.silent, method, servers: 2, breaks: 1) == .no)
        }
        for method in others { #expect(decide(.silent, method) == .no) }
    }

    @Test("one whose connection had idled is sent to the same server again, on a new one, if it may be sent twice")
    func reused() {
        for method in idempotent {
            #expect(decide(.broken, method, reused: true) == .sameAnew)
            #expect(decide(.broken, method, reused: true, servers: 8, breaks: 1) == .sameAnew)
        }
        for method in others {
            #expect(decide(.broken, method, reused: true) == .no)
            #expect(decide(.broken, method, sent: false, reused: true) == .sameAnew)
        }
    }

    @Test("one that waits on a server that was taken out moves when it is idempotent, without a budget")
    func takenOut() {
        for method in idempotent {
            #expect(decide(.takenOut, method) == .another)
            #expect(decide(.takenOut, method, reused: true, breaks: 1) == .another)
        }
        for method in others {
            #expect(decide(.takenOut, method) == .no)
            #expect(decide(.takenOut, method, sent: false) == .another)
        }
    }

    @Test("one with a status that another server may do better on is when its method is safe, within the budget")
    func status() {
        for method in [Method.get, .head, .options, .trace] {
            #expect(decide(.status, method, received: true) == .anotherWithinBudget)
        }
        for method in [Method.put, .delete] + others { #expect(decide(.status, method, received: true) == .no) }
    }

    @Test("nothing is after a byte of a response, without its body, for a server that talks nonsense, or too often")
    func limits() {
        for cause in [RetryPolicy.Cause.broken, .silent, .takenOut] { #expect(decide(cause, received: true) == .no) }
        for cause in RetryPolicy.Cause.allCases { #expect(decide(cause, replayable: false) == .no) }
        for method in idempotent + others { #expect(decide(.other, method) == .no) }
        for cause in [RetryPolicy.Cause.notConnected, .broken, .silent, .takenOut, .status] {
            #expect(decide(cause, servers: 3) != .no)
            #expect(decide(cause, servers: 4) == .no)
            var none = Configuration.Retries()
            none.count = 0
            #expect(decide(cause, settings: none) == .no)
        }
    }
}

@Suite("The budget of repetitions") struct RetryBudgetTests {
    private func allowed(_ budget: inout RetryBudget, _ wanted: Int, at now: UInt64) -> Int {
        (0..<wanted).count { _ in budget.mayRepeat(at: now) }
    }

    @Test("allows a part of the requests of the last ten seconds")
    func part() {
        var budget = RetryBudget(percent: 20, least: 0)
        #expect(allowed(&budget, 10, at: 0) == 0)
        for _ in 0..<100 { budget.requestBegan(at: 500) }
        #expect(allowed(&budget, 1_000, at: 900) == 20)
        for _ in 0..<100 { budget.requestBegan(at: 5_000) }
        #expect(allowed(&budget, 1_000, at: 5_000) == 20)
        // The first hundred, and what was repeated of them, are ten seconds old.
        #expect(allowed(&budget, 1_000, at: 9_999) == 0)
        #expect(allowed(&budget, 1_000, at: 10_000) == 0)
        for _ in 0..<50 { budget.requestBegan(at: 10_000) }
        #expect(allowed(&budget, 1_000, at: 10_000) == 10)
        #expect(allowed(&budget, 1_000, at: 1_000_000) == 0)
    }

    @Test("allows a few at any time, over all loops together")
    func least() {
        var one = RetryBudget(percent: 0, least: 3)
        #expect(allowed(&one, 1_000, at: 0) == 30)
        #expect(allowed(&one, 1_000, at: 9_999) == 0)
        #expect(allowed(&one, 1_000, at: 10_000) == 30)
        var half = RetryBudget(percent: 0, least: 3, loops: 2)
        #expect(allowed(&half, 1_000, at: 0) == 15)
        var none = RetryBudget(percent: 0, least: 0)
        #expect(allowed(&none, 1_000, at: 0) == 0)
    }

    @Test("holds in every span of ten seconds of a storm")
    func storm() {
        var budget = RetryBudget(percent: 20, least: 3)
        var repeated = 0
        for tick in 0..<60_000 where tick % 2 == 0 {
            budget.requestBegan(at: UInt64(tick))
            if budget.mayRepeat(at: UInt64(tick)) { repeated += 1 }
        }
        #expect(repeated <= 30_000 / 5 + 30)
        #expect(repeated > 30_000 / 6)
    }
}
