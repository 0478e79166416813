// SPDX-License-Identifier: Apache-2.0
import Glibc
public import Testing

/// Waits until something holds that other threads bring about. When it does not within a minute, that is an issue of the test.
public func eventually(
    _ what: String = "what is waited for", sourceLocation: SourceLocation = #_sourceLocation, _ holds: () -> Bool
) {
    if !comesTrue(holds) { Issue.record("never happened: \(what)", sourceLocation: sourceLocation) }
}

/// The same, for whoever looks at the outcome: whether it came to that.
public func comesTrue(_ holds: () -> Bool) -> Bool {
    // Asked every millisecond at first, and then less often, since whoever brings it about may need the processor.
    for turn in 0..<6_200 {
        if holds() { return true }
        _ = poll(nil, 0, turn < 200 ? 1 : 10)
    }
    return false
}

/// Does nothing for a moment, as a peer that is slow. Nothing waits in this way for something to happen.
public func dawdle() { _ = poll(nil, 0, 10) }
