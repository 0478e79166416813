// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Control

@Suite("The descriptors of the process") struct DescriptorTests {
    @Test("are divided so that everybody who has a place can be served, and files and name servers have some left")
    func divided() {
        for descriptors in [0, 1, 15, 16, 17, 40, 64, 100, 256, 1_024, 4_096, 65_536, 1_048_576, Int.max] {
            for used in [0, 3, 31, 100, descriptors] {
                for (each, loops) in [(1, 1), (2, 1), (2, 4), (3, 2), (3, 64)] {
                    let plan = DescriptorPlan(
                        descriptors: descriptors, used: used, perConnection: each, loops: loops, wanted: 100_000)
                    #expect(plan.connections >= 0 && plan.connections <= 100_000)
                    #expect(plan.waiting >= 1 && plan.waiting <= 256)
                    guard plan.connections > 0 else { continue }
                    // On each loop some wait, and one is looked at.
                    let withoutPlace = loops * (plan.waiting + 1)
                    #expect(used + each * plan.connections + withoutPlace + DescriptorPlan.reserve <= descriptors)
                }
            }
        }
        #expect(DescriptorPlan(descriptors: 64, used: 31, wanted: 100_000).connections == 11)
        #expect(DescriptorPlan(descriptors: 1_048_576, used: 40, wanted: 100_000).connections == 100_000)
    }

    @Test("are said to be few where they are fewer than is useful, and not where no more were wanted")
    func tight() {
        #expect(DescriptorPlan(descriptors: 64, used: 31, wanted: 100_000).isTight)
        #expect(!DescriptorPlan(descriptors: 4_096, used: 31, wanted: 100_000).isTight)
        #expect(!DescriptorPlan(descriptors: 64, used: 31, wanted: 4).isTight)
    }

    @Test("suffice for one client where as many are left as are said to be needed", arguments: 1...8)
    func least(_ loops: Int) {
        let needed = 31 + DescriptorPlan.least(loops: loops)
        #expect(DescriptorPlan(descriptors: needed, used: 31, loops: loops, wanted: 1).connections == 1)
        #expect(DescriptorPlan(descriptors: needed - 1, used: 31, loops: loops, wanted: 1).connections == 0)
    }

    @Test(
        "go to the cache's folders and files in part only, however few there are", arguments: [64, 256, 1_024, 4_095])
    func cache(_ descriptors: Int) {
        let cache = CacheDescriptors(descriptors: descriptors)
        #expect(cache.total >= 1 && cache.total <= descriptors / 32)
        #expect(CacheDescriptors(descriptors: 65_536).total == 512)
    }

    @Test("are counted")
    func counted() { #expect(DescriptorLimit.used() >= 3) }
}
