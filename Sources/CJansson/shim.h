// jansson, with the macro that Swift does not import.
#ifndef MUXSH_CJANSSON_SHIM_H
#define MUXSH_CJANSSON_SHIM_H

#include <jansson.h>


#endif
