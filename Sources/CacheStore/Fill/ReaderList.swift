// SPDX-License-Identifier: Apache-2.0

/// Readers of one fill, in no order. Each knows its place, so that coming and going take constant time however many there are.
///
/// A reader is in the lists of one fill at a time: whoever joins another detaches it first.
struct ReaderList {
    /// Which of a reader's places is meant.
    enum Kind: Int { case reading, waiting }
    private let kind: Kind
    private(set) var members: ContiguousArray<CacheReader> = []

    init(_ kind: Kind) { self.kind = kind }

    var isEmpty: Bool { members.isEmpty }

    func contains(_ reader: CacheReader) -> Bool {
        let place = reader.places[kind.rawValue]
        return place >= 0 && place < members.count && members[place] === reader
    }

    /// Adds a reader that is not in the list yet.
    mutating func insert(_ reader: CacheReader) {
        guard !contains(reader) else { return }
        reader.places[kind.rawValue] = members.count
        members.append(reader)
    }

    /// Takes a reader out, if it is there; whether it was.
    @discardableResult mutating func remove(_ reader: CacheReader) -> Bool {
        guard contains(reader) else { return false }
        let place = reader.places[kind.rawValue]
        reader.places[kind.rawValue] = -1
        let last = members.removeLast()
        if last !== reader {
            members[place] = last
            last.places[kind.rawValue] = place
        }
        return true
    }

    /// Takes all out.
    mutating func takeAll() -> ContiguousArray<CacheReader> {
        let all = members
        members = []
        for reader in all { reader.places[kind.rawValue] = -1 }
        return all
    }
}
