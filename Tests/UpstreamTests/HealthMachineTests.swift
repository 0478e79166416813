// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Upstream

/// What a changing call returns, for use within `#expect`.
private func of<Machine, Result>(_ machine: inout Machine, _ call: (inout Machine) -> Result) -> Result {
    call(&machine)
}

@Suite("What health checks say of a server") struct HealthMachineTests {
    private let bad = CheckOutcome.failed("expected a status of 200-399, got 500")
    private let gone = CheckOutcome.unreachable("expected a connection, got: Connection refused")

    /// A machine that has passed its first check at 0.
    private func proven(_ rules: HealthMachine.Rules = .init()) -> HealthMachine {
        var machine = HealthMachine(rules, at: 0)
        _ = machine.beginCheck(at: 0)
        _ = machine.checked(.passed, at: 0, chance: 32_768)
        return machine
    }

    /// What comes of these outcomes, one a second.
    private func conditions(
        _ machine: inout HealthMachine, _ outcomes: [CheckOutcome], from start: UInt64 = 10_000
    ) -> [HealthMachine.Condition] {
        outcomes.enumerated().map { index, outcome in
            _ = machine.checked(outcome, at: start + UInt64(index) * 1_000, chance: 0)
            return machine.condition
        }
    }

    @Test("it is well until something is known of it, and its first check decides alone")
    func first() {
        for (outcome, condition) in [
            (CheckOutcome.passed, HealthMachine.Condition.healthy), (bad, .failing), (gone, .unreachable),
        ] {
            var machine = HealthMachine(.init(), at: 7)
            #expect(machine.condition == .healthy)
            #expect(machine.nextCheck == 7)
            #expect(!of(&machine, { $0.beginCheck(at: 6) }))
            #expect(of(&machine, { $0.beginCheck(at: 7) }))
            #expect(of(&machine, { $0.checked(outcome, at: 8, chance: 0) }) == (condition != .healthy))
            #expect(machine.condition == condition)
        }
    }

    @Test("what this machine could not ask says nothing of it, and is asked again after a second")
    func unknown() {
        let unknown = CheckOutcome.unknown("this gateway could not ask")
        var machine = proven()
        #expect(conditions(&machine, [bad, bad, unknown, unknown, unknown]).last == .healthy)
        #expect(machine.nextCheck == 14_000 + 1_000)
        #expect(machine.inARow == 2)
        #expect(conditions(&machine, [bad], from: 20_000) == [.failing])
        #expect(conditions(&machine, [unknown], from: 21_000) == [.failing])
        var anew = HealthMachine(.init(interval: 300), at: 0)
        #expect(of(&anew, { $0.beginCheck(at: 0) }))
        #expect(!of(&anew, { $0.checked(unknown, at: 5, chance: 0) }))
        #expect(anew.condition == .healthy)
        #expect(anew.nextCheck == 305)
        #expect(of(&anew, { $0.beginCheck(at: 305) }))
        // It is still the first verdict that decides alone.
        #expect(of(&anew, { $0.checked(gone, at: 306, chance: 0) }))
    }

    @Test("is asked once at a time")
    func oneAtATime() {
        var machine = HealthMachine(.init(), at: 0)
        #expect(of(&machine, { $0.beginCheck(at: 0) }))
        #expect(machine.nextCheck == .max)
        #expect(!of(&machine, { $0.beginCheck(at: 1_000_000) }))
        _ = machine.checked(.passed, at: 1_000_000, chance: 0)
        #expect(!of(&machine, { $0.beginCheck(at: 1_000_001) }))
        #expect(of(&machine, { $0.beginCheck(at: 1_004_500) }))
    }

    @Test("takes it out after as many failures in a row as fall says, and not before")
    func fall() {
        var machine = proven()
        #expect(conditions(&machine, [bad, bad, .passed, bad, bad]) == Array(repeating: .healthy, count: 5))
        #expect(conditions(&machine, [bad]) == [.failing])
        var other = proven(.init(fall: 1))
        #expect(conditions(&other, [gone]) == [.unreachable])
    }

    @Test("takes it back after as many in a row as rise says, and not before")
    func rise() {
        var machine = proven(.init(rise: 3))
        _ = conditions(&machine, [bad, bad, bad])
        #expect(
            conditions(&machine, [.passed, .passed, bad, .passed, .passed]) == Array(repeating: .failing, count: 5))
        #expect(conditions(&machine, [.passed]) == [.healthy])
    }

    @Test("says at any time whether it can be connected to")
    func kinds() {
        var machine = proven()
        #expect(conditions(&machine, [bad, bad, gone, bad, gone]).suffix(3) == [.unreachable, .failing, .unreachable])
    }

    @Test("takes it out at once when a request cannot connect, and asks soon")
    func evidence() {
        var machine = proven()
        #expect(of(&machine, { $0.connectFailed(at: 1_000) }))
        #expect(!of(&machine, { $0.connectFailed(at: 1_001) }))
        #expect(machine.condition == .unreachable)
        #expect(machine.nextCheck == 1_000 + HealthMachine.confirmation)
        #expect(!of(&machine, { $0.timePassed(1_000_000) }))
        #expect(conditions(&machine, [.passed, .passed]) == [.unreachable, .healthy])
        // Also when it answers, but badly.
        var failing = proven()
        _ = conditions(&failing, [bad, bad, bad])
        #expect(of(&failing, { $0.connectFailed(at: 1_000) }))
        #expect(failing.condition == .unreachable)
        #expect(conditions(&failing, [.passed]) == [.unreachable])
    }

    @Test("that are not made leave it to a request to try again after a second")
    func off() {
        var machine = HealthMachine(.init(isOn: false), at: 0)
        #expect(machine.nextCheck == .max)
        #expect(!of(&machine, { $0.beginCheck(at: 1_000_000) }))
        #expect(of(&machine, { $0.connectFailed(at: 1_000) }))
        #expect(machine.trialAt == 2_000)
        #expect(!of(&machine, { $0.timePassed(1_999) }))
        #expect(machine.condition == .unreachable)
        #expect(of(&machine, { $0.timePassed(2_000) }))
        #expect(machine.condition == .healthy)
        #expect(machine.trialAt == .max)
        #expect(of(&machine, { $0.connectFailed(at: 3_000) }))
    }

    @Test("come at the interval, less or more up to a tenth, and sooner when it is not well")
    func pace() {
        var machine = proven()
        _ = machine.checked(.passed, at: 10_000, chance: 0)
        #expect(machine.nextCheck == 14_500)
        _ = machine.checked(.passed, at: 10_000, chance: .max)
        #expect((15_490...15_500).contains(machine.nextCheck))
        // From beginning to beginning; one that has taken longer is followed by the next.
        for (began, ended, next) in [(20_000, 20_001, 21_000), (21_000, 23_000, 23_000), (23_000, 23_900, 24_000)] {
            _ = machine.beginCheck(at: UInt64(began))
            _ = machine.checked(bad, at: UInt64(ended), chance: 0)
            #expect(machine.nextCheck == next)
        }
        #expect(machine.condition == .failing)
        _ = machine.checked(.passed, at: 30_000, chance: 0)
        #expect(machine.nextCheck == 30_250)
        _ = machine.checked(.passed, at: 30_250, chance: 0)
        #expect(machine.nextCheck == 34_750)
        var quick = proven(.init(interval: 200))
        _ = quick.beginCheck(at: 1_000)
        _ = quick.checked(bad, at: 1_001, chance: 32_768)
        #expect(quick.nextCheck == 1_200)
    }

    @Test("that a request overtakes are asked again")
    func overtaken() {
        var machine = proven()
        #expect(of(&machine, { $0.beginCheck(at: 5_500) }))
        #expect(of(&machine, { $0.connectFailed(at: 5_501) }))
        #expect(machine.nextCheck == .max)
        // The answer is on its way; it counts as one of two.
        #expect(!of(&machine, { $0.checked(.passed, at: 5_502, chance: 0) }))
        #expect(machine.condition == .unreachable)
        #expect(machine.nextCheck == 5_752)
    }
}

@Suite("What failed requests say of a server") struct EjectionMachineTests {
    private func failures(
        _ count: Int, _ machine: inout EjectionMachine, at now: UInt64, successes: Int = 0
    ) -> EjectionMachine.Reason? {
        var reason: EjectionMachine.Reason?
        for _ in 0..<count { reason = machine.failed(at: now, successes: successes) }
        return reason
    }

    @Test("so many in a row are a reason, and a success in between is none")
    func inARow() {
        var machine = EjectionMachine(.init(rate: 0))
        #expect(failures(4, &machine, at: 0) == nil)
        #expect(failures(4, &machine, at: 1, successes: 1) == nil)
        #expect(failures(1, &machine, at: 2, successes: 1) == .inARow(5))
    }

    @Test("so many of a hundred are a reason, of twenty at least and within the window")
    func rate() {
        var machine = EjectionMachine(.init(failures: 0, rate: 50))
        // One of two fails; before the window's first failure nothing is counted.
        var successes = 0
        for round in 1...10 {
            #expect(of(&machine, { $0.failed(at: 0, successes: successes) }) == nil)
            if round < 10 { successes += 1 }
        }
        #expect(of(&machine, { $0.failed(at: 1, successes: successes) }) == .rate(failures: 11, requests: 20))
        var scattered = EjectionMachine(.init(failures: 0, rate: 50))
        #expect(failures(19, &scattered, at: 0) == nil)
        #expect(failures(19, &scattered, at: 10_000) == nil)
        #expect(failures(1, &scattered, at: 10_000) == .rate(failures: 20, requests: 20))
        var mostlyWell = EjectionMachine(.init(failures: 0, rate: 50))
        for count in 0..<100 { #expect(of(&mostlyWell, { $0.failed(at: 0, successes: count * 3) }) == nil) }
    }

    @Test("are none when that is turned off")
    func off() {
        var machine = EjectionMachine(.init(failures: 0, rate: 0))
        #expect(failures(1_000, &machine, at: 0) == nil)
    }

    @Test("it is out for a time that grows with every repetition, to a longest, and shrinks again")
    func growing() {
        var machine = EjectionMachine(.init(time: 10_000, longest: 25_000))
        #expect(of(&machine, { $0.eject(at: 0) }) == 10_000)
        #expect(machine.until == 10_000)
        #expect(!of(&machine, { $0.timePassed(9_999, successes: 0) }))
        #expect(machine.until == 10_000)
        #expect(of(&machine, { $0.timePassed(10_000, successes: 0) }))
        #expect(machine.until == nil)
        #expect(!of(&machine, { $0.timePassed(10_001, successes: 0) }))
        #expect(of(&machine, { $0.eject(at: 10_100) }) == 20_000)
        #expect(of(&machine, { $0.timePassed(30_100, successes: 0) }))
        #expect(of(&machine, { $0.eject(at: 30_200) }) == 25_000)
        #expect(of(&machine, { $0.timePassed(55_200, successes: 0) }))
        // Three times its time it was in: three repetitions are forgiven.
        #expect(of(&machine, { $0.eject(at: 85_200) }) == 10_000)
        #expect(machine.count == 4)
    }

    @Test("it is out as long as it asks for itself, to the longest")
    func retryAfter() {
        var machine = EjectionMachine(.init(time: 10_000, longest: 60_000))
        #expect(of(&machine, { $0.eject(at: 0, atLeast: 30_000) }) == 30_000)
        _ = machine.timePassed(30_000, successes: 0)
        #expect(of(&machine, { $0.eject(at: 30_001, atLeast: 86_400_000) }) == 60_000)
        _ = machine.timePassed(90_001, successes: 0)
        #expect(of(&machine, { $0.eject(at: 90_002, atLeast: 1) }) == 30_000)
    }

    @Test("it is on trial when it comes back: the first request decides")
    func trial() {
        var machine = EjectionMachine(.init())
        _ = machine.eject(at: 0)
        #expect(failures(10, &machine, at: 1) == nil)
        _ = machine.timePassed(10_000, successes: 3)
        #expect(failures(1, &machine, at: 10_001, successes: 3) == .trial)
        #expect(failures(1, &machine, at: 10_001, successes: 4) == nil)
    }

    @Test("all is forgiven to one that was started anew")
    func forgiven() {
        var machine = EjectionMachine(.init())
        _ = machine.eject(at: 0)
        machine.forgive()
        #expect(machine.until == nil)
        #expect(failures(4, &machine, at: 1) == nil)
        #expect(failures(1, &machine, at: 1) == .inARow(5))
        #expect(of(&machine, { $0.eject(at: 1) }) == 10_000)
    }
}

@Suite("The slow start of a server") struct SlowStartTests {
    @Test("takes a tenth of its share first and a tenth more at each tenth of the time")
    func ramp() {
        let start = SlowStart(at: 1_000, duration: 10_000)
        #expect(
            [0, 1_000, 1_999, 2_000, 5_500, 9_999, 10_000, 99_999].map { start?.tenths(at: $0) } == [
                1, 1, 1, 2, 5, 9, 10, 10,
            ])
        #expect(start?.nextStep(at: 1_000) == 2_000)
        #expect(start?.nextStep(at: 5_500) == 6_000)
        #expect(start?.nextStep(at: 9_999) == 10_000)
        #expect(start?.nextStep(at: 10_000) == nil)
        #expect(SlowStart(at: 1_000, duration: 0) == nil)
        #expect(SlowStart(at: 0, duration: 5)?.nextStep(at: 0) == 1)
    }
}
