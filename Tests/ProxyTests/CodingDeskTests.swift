// SPDX-License-Identifier: Apache-2.0
import Engine
import Synchronization
import Testing

@testable import Proxy

/// A body of which every piece takes a millisecond.
private final class Piece: CodingWork {
    let loop: Loop
    let desk: CodingDesk
    let others: Others
    var left: Int
    /// The turns of the others that there were before each of its own.
    var served: [Int] = []
    init(_ count: Int, on loop: Loop, at desk: CodingDesk, beside others: Others) {
        self.loop = loop
        self.desk = desk
        self.others = others
        left = count
        super.init()
    }

    override func resume() {
        served.append(others.turns)
        let end = loop.presentNanoseconds + 1_000_000
        while loop.presentNanoseconds < end {}
        left -= 1
        if left > 0 { desk.wait(self) }
    }
}

/// What else there is to do, in every batch of events.
private final class Others: Watcher {
    let loop: Loop
    var turns = 0
    var isOver = false
    init(on loop: Loop) {
        self.loop = loop
        super.init()
    }

    override func resume() {
        turns += 1
        if !isOver { loop.schedule(self) }
    }
}

/// `@unchecked Sendable` is safe because it is touched on its loop only, by `perform`.
private final class Bodies: @unchecked Sendable {
    let loop: Loop
    let desk: CodingDesk
    let others: Others
    let pieces: [Piece]
    init(_ count: Int, pieces each: Int) throws {
        let loop = try Loop(index: 0)
        loop.start()
        self.loop = loop
        let desk = CodingDesk(on: loop)
        self.desk = desk
        let others = Others(on: loop)
        self.others = others
        pieces = (0..<count).map { _ in Piece(each, on: loop, at: desk, beside: others) }
    }

    /// When each was served, counted in turns of the others, when all are over.
    func served() -> [[Int]] {
        loop.perform {
            loop.schedule(others)
            for piece in pieces { desk.wait(piece) }
        }
        while loop.perform({ pieces.contains { $0.left > 0 } }) {}
        return loop.perform {
            others.isOver = true
            return pieces.map(\.served)
        }
    }
}

@Suite("Bodies that are coded") struct CodingDeskTests {
    @Test("take no more than their share of a batch of events, however many there are")
    func share() throws {
        let served = try Bodies(100, pieces: 3).served()
        var turns: [Int: Int] = [:]
        for turn in served.joined() { turns[turn, default: 0] += 1 }
        // Each takes half of a share.
        #expect(turns.values.allSatisfy { $0 <= 2 })
        #expect(served.allSatisfy { $0.count == 3 })
    }

    @Test("have their turn one after the other")
    func turns() throws {
        let served = try Bodies(100, pieces: 3).served()
        let firsts = served.map { $0[0] }
        for round in 1..<3 { #expect(served.allSatisfy { $0[round] >= firsts.max() ?? 0 }) }
    }
}
