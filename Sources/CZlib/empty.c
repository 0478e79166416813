/* SPDX-License-Identifier: Apache-2.0
 * A target needs a source; everything is in the header. */
#include "CZlib.h"
