// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Cores that this process may run on, at least 1. The corresponding C function is `sched_getaffinity`.
public var availableCores: Int { Int(gw_available_cores()) }
