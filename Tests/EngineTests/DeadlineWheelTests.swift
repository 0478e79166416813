// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Engine

@Suite("The wheel of deadlines") struct DeadlineWheelTests {
    private func wheel(slots: Int, now: UInt64 = 1_000_000) -> DeadlineWheel {
        var wheel = DeadlineWheel(now: now)
        wheel.reserve(slots: slots)
        return wheel
    }

    private func reached(_ wheel: inout DeadlineWheel, at now: UInt64) -> [Int32] {
        var slots: [Int32] = []
        wheel.advance(to: now, reached: &slots)
        return slots.sorted()
    }

    @Test(
        "tells each slot once, never early and at most a bucket late",
        arguments: [1, 31, 32, 33, 500, 15_000, 40_000, 100_000])
    func once(_ delay: UInt64) {
        var wheel = wheel(slots: 3)
        wheel.set(1, at: 1_000_000 + delay)
        var now: UInt64 = 1_000_000
        var found: UInt64?
        while now < 1_000_000 + delay + 200 {
            now += 7
            let slots = reached(&wheel, at: now)
            if !slots.isEmpty {
                #expect(slots == [1])
                #expect(found == nil)
                found = now
            }
        }
        let time = found ?? 0
        #expect(time >= 1_000_000 + delay)
        #expect(time <= 1_000_000 + delay + DeadlineWheel.resolution * 2 + 7)
        #expect(wheel.count == 0)
    }

    @Test("follows a deadline that moves later or earlier, or goes away")
    func moves() {
        var wheel = wheel(slots: 4)
        wheel.set(0, at: 1_000_100)
        wheel.set(0, at: 1_005_000)
        wheel.set(1, at: 1_005_000)
        wheel.set(1, at: 1_000_100)
        wheel.set(2, at: 1_000_100)
        wheel.clear(2)
        wheel.set(3, at: 1_000_100)
        wheel.remove(3)
        #expect(reached(&wheel, at: 1_000_200) == [1])
        #expect(reached(&wheel, at: 1_004_900) == [])
        #expect(reached(&wheel, at: 1_005_100) == [0])
    }

    @Test("catches up after a long sleep")
    func sleeps() {
        var wheel = wheel(slots: 100)
        for slot in 0..<100 { wheel.set(slot, at: 1_000_000 + UInt64(slot) * 997) }
        #expect(reached(&wheel, at: 9_000_000) == (0..<100).map { Int32($0) })
    }

    @Test("says when to come again")
    func nextTime() {
        var wheel = wheel(slots: 2)
        #expect(wheel.nextTime == nil)
        wheel.set(0, at: 1_000_320)
        let next = wheel.nextTime ?? 0
        #expect(next >= 1_000_320 && next <= 1_000_320 + DeadlineWheel.resolution)
    }
}
