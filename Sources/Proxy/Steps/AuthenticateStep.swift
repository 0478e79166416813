// SPDX-License-Identifier: Apache-2.0
// Fifth step: who the client has proved to be. Certificates are verified by the TLS handshake; here the exchange notes that there
// was one, here or at a trusted proxy, so that what the server answers is not shared.

import Bytes
import HTTP
import Serving

/// How it is known which person asks. What is known counts as Authorization.
package enum ClientProof: Sendable {
    /// It is not.
    case none
    /// The client has shown a certificate that the listener trusts. What it says of others' certificates is not forwarded.
    case certificate
    /// A trusted proxy names a certificate, a user or a token.
    case vouched
}

/// Notes how it is known which person asks.
enum AuthenticateStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        guard let stream = exchange.stream else { return .next }
        if stream.client.hasCertificate {
            exchange.proof = .certificate
        } else if exchange.isTrusted(stream.client.address), isVouched(exchange) {
            exchange.proof = .vouched
        }
        return .next
    }

    private static func isVouched(_ exchange: ProxyExchange) -> Bool {
        let bytes = exchange.headBytes
        for position in 0..<exchange.head.fields.count {
            let field = exchange.head.fields[position]
            if field.name == .other, !field.valueRange.isEmpty,
                ForwardedFields.namesPerson(bytes.extracting(field.nameRange))
            {
                return true
            }
        }
        return false
    }
}
