// SPDX-License-Identifier: Apache-2.0
// Updating stored fields from a 304, a HEAD or a further part (RFC 9111 §3.2): "the cache MUST add each header field in
// the provided response to the stored response, replacing field values that are already present", with exceptions.

public import Bytes
public import HTTP

/// Writes updated fields.
public enum FieldMerge {
    /// Appends the field lines of `stored` as updated by `new`; status line and empty line are the caller's. False,
    /// with the block as it was, when there is no room: both heads' lengths,
    /// the number of their fields and 64 are enough. `age`: of `new`.
    ///
    /// Left as stored: "Header fields excepted from storage in Section 3.1", Content-Length, and what is bound to the
    /// stored content: Content-Range ("automatically processed and removed") and Content-Encoding (the store may have
    /// coded the content itself; a changed coding without the content would make it unreadable). Content-Type is
    /// updated.
    public static func write(
        _ stored: borrowing ResponseHead, _ storedBytes: Span<UInt8>, _ new: borrowing ResponseHead,
        _ newBytes: Span<UInt8>, age: ResponseAge, _ rules: CacheRules, to block: Block
    ) -> Bool {
        let start = block.count
        let storable = StoredFields(new, newBytes, rules)
        let kept = StoredFields(stored, storedBytes, rules)
        var isWritten = copyStored(stored, storedBytes, new, newBytes, storable, block)
        if isWritten { isWritten = copyNew(new, newBytes, age, storable, kept, storedBytes, block) }
        // Without a Date of its own the update has the time of its reception (RFC 9110 §6.6.1).
        if isWritten, !age.hasDate { isWritten = block.appendDateIfFits(age.date) }
        if !isWritten { block.truncate(to: start) }
        return isWritten
    }

    private static func copyStored(
        _ stored: borrowing ResponseHead, _ storedBytes: Span<UInt8>, _ new: borrowing ResponseHead,
        _ newBytes: Span<UInt8>, _ storable: StoredFields, _ block: Block
    ) -> Bool {
        // What the update's `no-cache="…"` or `private="…"` names goes.
        let excluded = storable.excluded(of: stored.fields, storedBytes, newBytes)
        for position in 0..<stored.fields.count {
            let field = stored.fields[position]
            let name = storedBytes.extracting(field.nameRange)
            if field.name == .date { continue }
            if updates(field.name), has(field.name, name, new, newBytes, storable) { continue }
            if excluded.contains(position) { continue }
            guard block.appendFieldIfFits(name, storedBytes.extracting(field.valueRange)) else { return false }
        }
        return true
    }

    private static func copyNew(
        _ new: borrowing ResponseHead, _ bytes: Span<UInt8>, _ age: ResponseAge, _ storable: StoredFields,
        _ kept: StoredFields, _ storedBytes: Span<UInt8>, _ block: Block
    ) -> Bool {
        // What the stored response keeps out of this cache a 304, which need not repeat it, does not bring in.
        let excluded = kept.excluded(of: new.fields, bytes, storedBytes)
        for position in 0..<new.fields.count {
            let field = new.fields[position]
            guard updates(field.name), storable.keep(position, new, bytes) else { continue }
            if field.name == .date, !age.hasDate { continue }
            let name = bytes.extracting(field.nameRange)
            if excluded.contains(position) { continue }
            guard block.appendFieldIfFits(name, bytes.extracting(field.valueRange)) else {
                return false
            }
        }
        return true
    }

    /// Appends the field lines of `new` that `write` leaves out because they are not stored, such as Set-Cookie: they
    /// are meant for the client whose request brought them. False, with the block as it was, when there is no room.
    public static func writeForClientAlone(
        _ stored: borrowing ResponseHead, _ storedBytes: Span<UInt8>, _ new: borrowing ResponseHead,
        _ newBytes: Span<UInt8>, _ rules: CacheRules, to block: Block
    ) -> Bool {
        let start = block.count
        let storable = StoredFields(new, newBytes, rules)
        let kept = StoredFields(stored, storedBytes, rules)
        let excluded = kept.excluded(of: new.fields, newBytes, storedBytes)
        for position in 0..<new.fields.count {
            let field = new.fields[position]
            let name = newBytes.extracting(field.nameRange)
            let isStored = storable.keep(position, new, newBytes) && !excluded.contains(position)
            guard !isStored, updates(field.name), storable.isForClientAlone(position, new, newBytes) else { continue }
            guard block.appendFieldIfFits(name, newBytes.extracting(field.valueRange)) else {
                block.truncate(to: start)
                return false
            }
        }
        return true
    }

    private static func updates(_ name: FieldName) -> Bool {
        switch name {
        case .contentLength, .contentRange, .contentEncoding: false
        default: true
        }
    }

    /// Whether the update has a line of that name that is stored.
    private static func has(
        _ known: FieldName, _ name: Span<UInt8>, _ new: borrowing ResponseHead, _ bytes: Span<UInt8>,
        _ storable: StoredFields
    ) -> Bool {
        for position in 0..<new.fields.count {
            let field = new.fields[position]
            guard field.name == known else { continue }
            if known == .other, !bytes.extracting(field.nameRange).equalsIgnoringCase(name) { continue }
            if storable.keep(position, new, bytes) { return true }
        }
        return false
    }
}
