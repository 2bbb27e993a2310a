// jansson, with the macro that Swift does not import.
#ifndef MUXSH_CJANSSON_SHIM_H
#define MUXSH_CJANSSON_SHIM_H

#include <jansson.h>

static inline size_t c_JSON_REAL_PRECISION(size_t digits) { return JSON_REAL_PRECISION(digits); }

#endif
