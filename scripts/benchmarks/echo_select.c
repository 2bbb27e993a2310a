// The baseline for echod: an upper-casing echo server in one plain select loop, with descriptor sets larger than
// FD_SETSIZE. Usage: echo_select PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 20000
#define WORD (8 * sizeof(unsigned long))
static unsigned long watched[MOST / 64 + 1], ready[MOST / 64 + 1];

int main(int count, char **arguments) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, highest;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, SOMAXCONN)) return 1;
    socklen_t length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    watched[listener / WORD] |= 1UL << (listener % WORD);
    highest = listener;
    static char buffer[65536];
    for (;;) {
        memcpy(ready, watched, sizeof ready);
        if (select(highest + 1, (fd_set *)ready, NULL, NULL, NULL) <= 0) continue;
        for (int word = 0; word <= highest / (int)WORD; word++) {
            while (ready[word]) {
                int descriptor = word * WORD + __builtin_ctzl(ready[word]);
                ready[word] &= ready[word] - 1;
                if (descriptor == listener) {
                    for (int client; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                        watched[client / WORD] |= 1UL << (client % WORD);
                        if (client > highest) highest = client;
                    }
                    continue;
                }
                ssize_t size = recv(descriptor, buffer, sizeof buffer, 0);
                if (size > 0) {
                    for (ssize_t index = 0; index < size; index++) buffer[index] = toupper((unsigned char)buffer[index]);
                    if (send(descriptor, buffer, size, MSG_NOSIGNAL) == size) continue;
                }
                close(descriptor);
                watched[descriptor / WORD] &= ~(1UL << (descriptor % WORD));
            }
        }
    }
}
