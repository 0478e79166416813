// SPDX-License-Identifier: Apache-2.0

import Bytes
import COpenSSL
import Synchronization

/// The newest session with one server, to be resumed by the next connection to it.
///
/// Sessions are those of one `ClientTLS` and one host, because what was verified then is not verified again: others get none.
public final class ResumptionStore: Sendable {
    /// A reference to an `SSL_SESSION`.
    ///
    /// `@unchecked Sendable` is safe because OpenSSL counts references atomically and makes a copy of a session before it changes
    /// one that is in use.
    ///
    /// `@safe` because it owns one reference to the session until its end.
    @safe final class Saved: @unchecked Sendable {
        let pointer: OpaquePointer
        init(adopting pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }
        deinit { unsafe SSL_SESSION_free(pointer) }
    }

    private struct Entry {
        let saved: Saved
        let owner: ObjectIdentifier
        let host: String
    }

    private let entry = Lock<Entry?>(nil)

    /// Nothing to resume yet.
    public init() {}

    /// Whether there is a session to resume.
    public var isEmpty: Bool { entry.withLock { $0 == nil } }

    func session(for owner: ObjectIdentifier, host: String) -> Saved? {
        entry.withLock { entry in
            guard let entry, entry.owner == owner, entry.host == host,
                unsafe SSL_SESSION_is_resumable(entry.saved.pointer) == 1
            else { return nil }
            return entry.saved
        }
    }

    func keep(_ saved: Saved, owner: ObjectIdentifier, host: String) {
        // What is replaced is freed outside of the lock.
        let last = entry.withLock { entry in
            let last = entry
            entry = Entry(saved: saved, owner: owner, host: host)
            return last
        }
        withExtendedLifetime(last) {}
    }
}
