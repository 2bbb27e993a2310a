// zlib: the macros that Swift does not import, as functions with the prefix c_.
#ifndef MUXSH_CZLIB_SHIM_H
#define MUXSH_CZLIB_SHIM_H

#include <zlib.h>

static inline int c_deflateInit(z_stream *stream, int window_bits) {
    return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}

static inline int c_inflateInit(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }

#endif
