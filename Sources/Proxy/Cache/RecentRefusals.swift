// SPDX-License-Identifier: Apache-2.0
// What could not be stored a moment ago will hardly be storable now. Without remembering that, everybody who asks for a personal
// page would wait for the one who asked first, each time, only to be let go (the "hit for miss" of other caches).

import CacheStore

/// The objects whose responses one loop was not allowed to store lately. Belongs to the loop; of a fixed size, so a newer one may
/// take an older one's place.
struct RecentRefusals {
    /// How long one is remembered, in milliseconds. Whatever comes in that time is still stored if it may be.
    static let span: UInt64 = 60_000
    private static let slots = 4096
    /// Between the slots of the two kinds of requests.
    private static let cookieOffset: UInt64 = 0x9E37_79B9_7F4A_7C15

    private struct Slot {
        var object: UInt64 = 0
        var until: UInt64 = 0
    }
    private var slots = ContiguousArray(repeating: Slot(), count: Self.slots)

    private static func place(_ id: ObjectID, _ hadCookie: Bool) -> (index: Int, object: UInt64) {
        let object = (id.key.low ^ id.variant.high) &+ (hadCookie ? cookieOffset : 0)
        return (Int(truncatingIfNeeded: object % UInt64(slots)), object)
    }

    /// Its response was refused to a request with or without Cookie: an answer made for a session says nothing of what clients
    /// without one would get.
    mutating func insert(_ id: ObjectID, hadCookie: Bool, at now: UInt64) {
        let place = Self.place(id, hadCookie)
        slots[place.index] = Slot(object: place.object, until: now + Self.span)
    }

    /// Its response was stored.
    mutating func remove(_ id: ObjectID) {
        for hadCookie in [false, true] {
            let place = Self.place(id, hadCookie)
            if slots[place.index].object == place.object { slots[place.index].until = 0 }
        }
    }

    /// Whether it was refused lately to a request like this one.
    func contains(_ id: ObjectID, hadCookie: Bool, at now: UInt64) -> Bool {
        let place = Self.place(id, hadCookie)
        return slots[place.index].object == place.object && slots[place.index].until > now
    }
}
