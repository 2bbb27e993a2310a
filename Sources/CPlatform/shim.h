// What Swift's view of glibc lacks: GNU extensions, varargs and calls the importer marks unavailable.
// Header only; each function is one C call and bears its name.
#ifndef MUXSH_CPLATFORM_SHIM_H
#define MUXSH_CPLATFORM_SHIM_H

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// fork(2). Swift marks fork unavailable because of threads; these programs have one thread.
static inline pid_t c_fork(void) { return fork(); }

// accept4(2), for descriptors that are non-blocking and close-on-exec from the start.
static inline int c_accept_nonblocking(int listener, struct sockaddr *address, socklen_t *length) {
    return (int)syscall(SYS_accept4, listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// memmem(3) of glibc: a linear two-way search.
extern void *memmem(const void *haystack, size_t haystack_length, const void *needle, size_t needle_length);
static inline const void *c_memmem(const void *haystack, size_t haystack_length, const void *needle,
                                   size_t needle_length) {
    return memmem(haystack, haystack_length, needle, needle_length);
}

// prctl(PR_SET_PDEATHSIG): the kernel sends SIGNAL to this process when its parent dies.
static inline int c_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

// close_range(2): closes every descriptor from FIRST to LAST.
static inline int c_close_range(unsigned first, unsigned last) {
    return (int)syscall(SYS_close_range, first, last, 0);
}

// fcntl(2) F_GETFL and F_SETFL, which take varargs in C.
static inline int c_get_flags(int descriptor) { return fcntl(descriptor, F_GETFL); }
static inline int c_set_flags(int descriptor, int flags) { return fcntl(descriptor, F_SETFL, flags); }

#endif
