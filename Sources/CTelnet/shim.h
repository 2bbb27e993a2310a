// libtelnet.
#ifndef MUXSH_CTELNET_SHIM_H
#define MUXSH_CTELNET_SHIM_H

#include <stddef.h>
#include <libtelnet.h>

#endif
