// PCRE2 for bytes. Call the functions by their full names, with the width: pcre2_compile_8 and so on.
#ifndef MUXSH_CPCRE2_SHIM_H
#define MUXSH_CPCRE2_SHIM_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#endif
