// libvterm.
#ifndef MUXSH_CVTERM_SHIM_H
#define MUXSH_CVTERM_SHIM_H

#include <stddef.h>
#include <vterm.h>

#endif
