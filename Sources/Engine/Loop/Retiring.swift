// SPDX-License-Identifier: Apache-2.0

/// Something that comes to its end while calls into it may still be on the stack: what ends it was often called by it.
///
/// It is given back to its owner at the end of the batch of events, when no call is on the stack (`Loop.retire`). So it is neither
/// freed nor used for anything else while somebody who called it, or whom it called, has not returned.
open class Retiring {
    /// Not retired.
    public init() {}

    /// No call into it is on the stack: it may be freed, or used again. Called on its loop, once for each `Loop.retire`.
    open func giveBack() {}
}
