// SPDX-License-Identifier: Apache-2.0
// Whose response it is. The length of compressed content tells how much of it repeats itself: where a page repeats what its request
// said beside a secret, who can have a victim send requests and sees the lengths of the answers reads the secret, a character at
// a time (BREACH). So what is for one person is not compressed unless the operator says so.

import Bytes
import CachePolicy
import Engine
import HTTP
import Serving
import Settings
import Upstream

extension ProxyExchange {
    /// Whether a response that is not stored may be compressed. What a shared cache may store is for everybody and has no secrets;
    /// the rest may be, when nothing says that it is for one person.
    func mayCompress(_ connection: UpstreamConnection) -> Bool {
        if route?.compressesPrivate ?? view.snapshot.configuration.cache.compressesPrivate { return true }
        let bytes = connection.headBytes
        let rules = service.cache.map { self.rules(of: $0) } ?? CacheRules()
        let flags = ResponseDirectives(connection.head, bytes, rules).flags
        // No shared cache may store these, so nothing else needs to be looked at.
        if flags.contains(.isPrivate) || flags.contains(.noStore) && !flags.contains(.mustUnderstand) { return false }
        let isPersonal =
            hasCredentials || connection.head.fields.first(.setCookie) != nil || flags.contains(.noStore)
        guard isPersonal else { return true }
        var request = CacheRequest(head, headBytes)
        // HEAD has the fields that GET would have.
        if request.method == .head { request.method = .get }
        let times = ExchangeTimes(request: wallMilliseconds, response: wallMilliseconds)
        let isSecure = connection.server.security != nil
        do throws(StoreRefusal) {
            _ = try Storing.decide(request, connection.head, bytes, times, rules, isSecure: isSecure)
            return true
        } catch {
            return false
        }
    }

    /// Whether the request says who the client is: by what a browser sends along whoever makes it send the request.
    private var hasCredentials: Bool {
        proof != .none || head.fields.has(.cookie) || head.fields.has(.authorization)
    }
}
