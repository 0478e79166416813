// SPDX-License-Identifier: Apache-2.0
// How places for connections are shared between clients while they last: pure.
//
// A client may have so many more places as there are left, times a weight: the fewer are left, the less one client may take of
// them (dynamic thresholds, as switches share their buffers: Choudhury and Hahne, 1998). With the weight 7 a single client comes
// to seven eighths of all places, however hard it tries, and whoever has none finds one in the last eighth. Nothing has to be
// taken away from anybody for that, so no request in flight is ever cut.

/// The share of places that one client may have.
enum FairShare {
    /// A client may have so many times the places that are left.
    static let weight = 7

    /// Whether a client that holds `held` places may have another one while `left` (at least 1) are left.
    static func allows(held: Int, left: Int) -> Bool { held < weight * left }
}
