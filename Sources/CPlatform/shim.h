// Functions that Swift does not import from glibc: GNU extensions, varargs and calls the importer marks unavailable.
// Header only; each function wraps one C call and is named after it.
#ifndef MUXSH_CPLATFORM_SHIM_H
#define MUXSH_CPLATFORM_SHIM_H

#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

// fork(2). Swift marks fork unavailable because of threads; these programs are single-threaded.
static inline pid_t c_fork(void) { return fork(); }

// The arguments of the process, which the kernel has put before its environment, after their number (System V ABI). Swift
// reads them from /proc, which a bare root does not have. Only before anything changes the environment.
extern char **environ;
static inline char **c_arguments(int *count) {
    char **end = environ - 1;
    long number = 0;
    while ((long)end[-1 - number] != number) number++;
    *count = (int)number;
    return end - number;
}

// getopt_long(3), whose state are global variables: a new scan begins without messages of its own, and the next step
// leaves the index of the next argument, the argument of the option, and the option that is wrong.
static inline void c_begin_options(void) {
    optind = 0;
    opterr = 0;
}
static inline int c_next_option(int count, char **words, const char *shorts, const struct option *longs, int *index,
                                char **argument, int *wrong) {
    int code = getopt_long(count, words, shorts, longs, NULL);
    *index = optind;
    *argument = optarg;
    *wrong = optopt;
    return code;
}

// prctl(PR_SET_NAME): sets the name that ps and killall use for this process.
static inline int c_set_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

// accept4(2): the descriptors are non-blocking and close-on-exec from the start.
static inline int c_accept_nonblocking(int listener, struct sockaddr *address, socklen_t *length) {
    return (int)syscall(SYS_accept4, listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// getsockopt(TCP_INFO): the smoothed round-trip time of a connection in microseconds; 0 if there is none (tcp(7)).
static inline unsigned c_round_trip_time(int connection) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_rtt : 0;
}

// getsockopt(SO_PEERCRED): the process and the user at the other end of a Unix socket (unix(7)). Returns 0 on success.
static inline int c_peer_credentials(int connection, pid_t *process, uid_t *user) {
    struct {
        pid_t process;
        uid_t user;
        gid_t group;
    } peer = {0, (uid_t)-1, (gid_t)-1};
    socklen_t length = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    *process = peer.process;
    *user = peer.user;
    return 0;
}

// ioctl(SIOCOUTQ): the bytes that the peer has not acknowledged, or not read from a Unix socket; 0 if unknown.
static inline int c_unacknowledged(int connection) {
    int count = 0;
    return ioctl(connection, TIOCOUTQ, &count) == 0 ? count : 0;
}

// memmem(3) of glibc: a linear two-way search.
extern void *memmem(const void *haystack, size_t haystack_length, const void *needle, size_t needle_length);
static inline const void *c_memmem(const void *haystack, size_t haystack_length, const void *needle,
                                   size_t needle_length) {
    return memmem(haystack, haystack_length, needle, needle_length);
}

// prctl(PR_SET_PDEATHSIG): the kernel sends SIGNAL to this process when its parent dies.
static inline int c_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

// prctl(PR_SET_CHILD_SUBREAPER): this process, not init, becomes the parent of its orphaned descendants.
static inline int c_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

// close_range(2): closes every descriptor from FIRST to LAST.
static inline int c_close_range(unsigned first, unsigned last) {
    return (int)syscall(SYS_close_range, first, last, 0);
}

// close_range(2) with CLOSE_RANGE_CLOEXEC: execve closes every descriptor from FIRST to LAST.
static inline int c_close_range_on_exec(unsigned first, unsigned last) {
    return (int)syscall(SYS_close_range, first, last, 1U << 2);
}

// fcntl(2) F_GETFL and F_SETFL, which take varargs in C.
static inline int c_get_flags(int descriptor) { return fcntl(descriptor, F_GETFL); }
static inline int c_set_flags(int descriptor, int flags) { return fcntl(descriptor, F_SETFL, flags); }

// ioctl(TIOCSCTTY) and ioctl(TIOCSWINSZ), which take varargs in C: set the controlling terminal and its size.
static inline int c_take_terminal(int terminal) { return ioctl(terminal, TIOCSCTTY, 0); }
static inline int c_set_window_size(int terminal, unsigned short rows, unsigned short columns) {
    struct winsize size = {rows, columns, 0, 0};
    return ioctl(terminal, TIOCSWINSZ, &size);
}

// posix_openpt(3), grantpt(3), unlockpt(3) and ptsname_r(3), which need _XOPEN_SOURCE or _GNU_SOURCE.
extern int posix_openpt(int flags);
extern int grantpt(int terminal);
extern int unlockpt(int terminal);
extern int ptsname_r(int terminal, char *name, size_t length);
static inline int c_open_terminal(void) { return posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK); }
static inline int c_unlock_terminal(int terminal) { return grantpt(terminal) == 0 ? unlockpt(terminal) : -1; }
static inline int c_terminal_name(int terminal, char *name, size_t length) {
    return ptsname_r(terminal, name, length);
}

// sigabbrev_np(3), which needs _GNU_SOURCE: "TERM" for SIGTERM, NULL if the number has no name.
extern const char *sigabbrev_np(int number);
static inline const char *c_sigabbrev(int number) { return sigabbrev_np(number); }

// waitid(2) for one child, which stays a zombie: returns 1 if it has ended, with the cause (CLD_EXITED, CLD_KILLED, …)
// and the status or signal, whose names in siginfo_t are macros.
static inline int c_child_has_ended(pid_t child, int *cause, int *status) {
    siginfo_t info;
    info.si_pid = 0;
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != child) return 0;
    *cause = info.si_code;
    *status = info.si_status;
    return 1;
}

#endif
