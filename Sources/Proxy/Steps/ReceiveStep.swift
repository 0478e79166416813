// SPDX-License-Identifier: Apache-2.0
// First step: the request gets an id, and one that comes back to this gateway is refused.

import Bytes
import HTTP
import Serving
import Settings
import Synchronization

/// Gives the request its id, and refuses a request that loops.
enum ReceiveStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        takeIdentifier(exchange)
        guard !isLooping(exchange) else {
            // RFC 5842 §7.2. Refused before anything is looked up, so a loop neither waits for itself nor leads a fill.
            exchange.service.counters.loops.add(1, ordering: .relaxed)
            return exchange.refuse(
                508, "loop", "The request has been here before: what is behind this gateway leads back to it.")
        }
        return .next
    }

    /// Whether the request has passed this gateway as often as it may.
    private static func isLooping(_ exchange: ProxyExchange) -> Bool {
        let snapshot = exchange.view.snapshot
        return snapshot.mark.visits(exchange.head, exchange.headBytes) >= snapshot.configuration.limits.visits
    }

    /// Takes the client's request id when it is a plain word, or makes one.
    private static func takeIdentifier(_ exchange: ProxyExchange) {
        if let field = exchange.head.fields.first(.xRequestID) {
            let bytes = exchange.headBytes.extracting(field.valueRange)
            if isPlain(bytes) {
                exchange.identifier.append(bytes)
                return
            }
        }
        exchange.service.nextIdentifier(into: exchange.identifier)
    }

    /// Whether a client's id is 1 to 128 letters, digits and `-_.:+/=@`.
    private static func isPlain(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0, bytes.count <= 128 else { return false }
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "@")...UInt8(ascii: "Z"),
                UInt8(ascii: "-")...UInt8(ascii: ":"),
                UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "="):
                continue
            default: return false
            }
        }
        return true
    }
}
