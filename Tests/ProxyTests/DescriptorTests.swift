// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Proxy

@Suite("The descriptors of the process") struct DescriptorTests {
    @Test("are divided so that everybody who has a place can be served, and files and name servers have some left")
    func divided() {
        for descriptors in [0, 1, 15, 16, 17, 40, 64, 100, 256, 1_024, 4_096, 65_536, 1_048_576, Int.max] {
            for used in [0, 3, 31, 100, descriptors] {
                for each in 1...3 {
                    let plan = DescriptorPlan(
                        descriptors: descriptors, used: used, perConnection: each, wanted: 100_000)
                    #expect(plan.connections >= 0 && plan.connections <= 100_000)
                    guard plan.connections > 0 else { continue }
                    #expect(used + each * plan.connections + DescriptorPlan.reserve <= descriptors)
                }
            }
        }
        #expect(DescriptorPlan(descriptors: 64, used: 31, wanted: 100_000).connections == 12)
        #expect(DescriptorPlan(descriptors: 1_048_576, used: 40, wanted: 100_000).connections == 100_000)
    }

    @Test("are said to be few where they are fewer than is useful, and not where no more were wanted")
    func tight() {
        #expect(DescriptorPlan(descriptors: 64, used: 31, wanted: 100_000).isTight)
        #expect(!DescriptorPlan(descriptors: 4_096, used: 31, wanted: 100_000).isTight)
        #expect(!DescriptorPlan(descriptors: 64, used: 31, wanted: 4).isTight)
    }

    @Test("are counted")
    func counted() { #expect(DescriptorLimit.used() >= 3) }
}
