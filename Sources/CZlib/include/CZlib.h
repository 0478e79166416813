/* SPDX-License-Identifier: Apache-2.0
 * zlib as Swift can import it: the library's header, and functions in place of the macros that Swift does not see.
 * No logic lives here. */
#ifndef GATEWAY_CZLIB_H
#define GATEWAY_CZLIB_H

#include <zlib.h>

/* deflateInit2 with the method deflate and the default strategy; inflateInit2. */
static inline int gw_deflate_init(z_stream *stream, int level, int windowBits, int memLevel) {
    return deflateInit2(stream, level, Z_DEFLATED, windowBits, memLevel, Z_DEFAULT_STRATEGY);
}
static inline int gw_inflate_init(z_stream *stream, int windowBits) { return inflateInit2(stream, windowBits); }

#endif
