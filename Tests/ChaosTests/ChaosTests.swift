// SPDX-License-Identifier: Apache-2.0
// The kept seeds of the chaos test. `scripts/chaos.sh` runs new ones, under the sanitizers.

import Chaos
import Testing

@Suite("Chaos", .serialized) struct ChaosTests {
    @Test("hurts nobody else, whatever clients and servers do at whatever byte", arguments: ChaosRun.keptSeeds)
    func chaos(seed: UInt64) throws {
        #expect(try ChaosRun.outcome(of: seed).findings == [], "CHAOS_SEED=\(seed)")
    }
}
