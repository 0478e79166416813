// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Serving

@Suite("After a response") struct AfterResponseTests {
    private func decide(_ keepAlive: Bool, _ requestDone: Bool, _ hasUnread: Bool, _ peerClosed: Bool) -> AfterResponse
    {
        AfterResponse.decide(
            .init(keepAlive: keepAlive, requestDone: requestDone, hasUnread: hasUnread, peerClosed: peerClosed))
    }

    @Test("a connection that is kept goes on, once the request is read to its end")
    func kept() {
        for unread in [false, true] {
            for closed in [false, true] {
                #expect(decide(true, true, unread, closed) == .next)
                #expect(decide(true, false, unread, closed) == .drain)
            }
        }
    }

    @Test("one that is not kept is closed, with a moment for who may still be sending")
    func closed() {
        #expect(decide(false, true, false, false) == .close)
        #expect(decide(false, true, true, false) == .linger)
        #expect(decide(false, false, false, false) == .linger)
        #expect(decide(false, false, true, false) == .linger)
        for done in [false, true] {
            for unread in [false, true] { #expect(decide(false, done, unread, true) == .close) }
        }
    }

    @Test("a rest of a body is worth a connection only when it is small and certain to come")
    func rest() {
        #expect(!AfterResponse.canKeep(waitsForContinue: true, isStillWanted: true, rest: 1))
        #expect(AfterResponse.canKeep(waitsForContinue: false, isStillWanted: true, rest: nil))
        #expect(AfterResponse.canKeep(waitsForContinue: false, isStillWanted: false, rest: ServingOptions.drainBytes))
        #expect(
            !AfterResponse.canKeep(waitsForContinue: false, isStillWanted: false, rest: ServingOptions.drainBytes + 1))
        #expect(!AfterResponse.canKeep(waitsForContinue: false, isStillWanted: false, rest: nil))
    }
}
