// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TLS

@Suite("Messages that carry nothing") struct EmptyMessagesTests {
    private func taken(_ messages: inout EmptyMessages, of count: Int, at now: UInt64) -> Int {
        (0..<count).reduce(0) { sum, _ in sum + (messages.take(at: now) ? 1 : 0) }
    }

    @Test("may be so many at once, and one more a second", arguments: [UInt64(1), 1_000_000_000])
    func pace(_ start: UInt64) {
        var messages = EmptyMessages()
        #expect(taken(&messages, of: 1_000, at: start) == EmptyMessages.burst)
        #expect(taken(&messages, of: 10, at: start + 999) == 0)
        #expect(taken(&messages, of: 10, at: start + 1_000) == 1)
        #expect(taken(&messages, of: 10, at: start + 3_500) == 2)
        #expect(taken(&messages, of: 10, at: start + 4_000) == 1)
    }

    @Test("are no more at once after a long silence, and a clock that goes back gives none")
    func clock() {
        var messages = EmptyMessages()
        #expect(taken(&messages, of: 1_000, at: 5_000) == EmptyMessages.burst)
        #expect(taken(&messages, of: 1_000, at: 4_000) == 0)
        #expect(taken(&messages, of: 1_000, at: .max / 2) == EmptyMessages.burst)
    }

    @Test("one every hour may go on for ever")
    func slow() {
        var messages = EmptyMessages()
        for hour in UInt64(1)...10_000 { #expect(taken(&messages, of: 1, at: hour * 3_600_000) == 1) }
    }
}
