// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Testing

@testable import Serving

@Suite("Clients for whom there is no place") struct WaitingTests {
    @Test("wait in no greater number than the process has descriptors for", arguments: [1, 2, 5])
    func bounded(_ waiting: Int) throws {
        let served = try Served(places: 8, waiting: waiting)
        let clients = try (0..<60).map { _ in
            let client = try ClientEnd(served.listener.address)
            client.send("GET / HT")
            return client
        }
        // Whoever is too many is closed at last; those who are left have a place, or wait.
        var most = 0
        var waited = 0
        while served.loop.perform({ served.places.refused }) < 60 - 7 - waiting, waited < 30_000 {
            most = max(most, served.loop.perform { served.places.count })
            _ = poll(nil, 0, 10)
            waited += 10
        }
        #expect(most <= 7 + waiting)
        #expect(served.loop.perform { served.places.count } == 7 + waiting)
        served.stop()
        withExtendedLifetime(clients) {}
    }
}
