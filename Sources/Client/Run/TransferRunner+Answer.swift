// SPDX-License-Identifier: Apache-2.0
// What becomes of a head that came, and who is told that a request is over.

import HTTP

extension TransferRunner {
    /// What to make of the head that came.
    func answered(_ state: inout State, validating: Bool) -> TransferMachine.Step {
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

    /// Tells that a request is over: answered, from the cache perhaps, or failed.
    func noteRequest(_ state: inout State, _ failure: ClientFailure?) {
        var report = state.report
        report.failure = failure
        if !state.request.isAnswered {
            report.status = 0
            report.head = []
        }
        if !state.request.isSent {
            report.peer = nil
            report.protocolName = ""
            report.requestHead = []
        }
        state.listener.requestEnded(report, began: state.request.began, milliseconds: state.request.milliseconds)
        state.request = RequestClock()
    }
}
