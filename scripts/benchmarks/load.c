// Closed-loop load on an echo server: CLIENTS connections, each of which sends 64 bytes and waits for the echo. Prints
// round trips per second. Usage: load PORT CLIENTS ROUND_TRIPS
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char message[64] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk\n";

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
    if (count < 4) return 2;
    int port = atoi(arguments[1]), clients = atoi(arguments[2]), total = atoi(arguments[3]), one = 1;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int set = epoll_create1(0), *received = calloc(limit.rlim_max, sizeof *received), *all = calloc(clients, sizeof *all);
    for (int index = 0; index < clients; index++) {
        int client = all[index] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&address, sizeof address)) return 3;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = client};
        epoll_ctl(set, EPOLL_CTL_ADD, client, &event);
    }
    double start = now();
    for (int index = 0; index < clients; index++) send(all[index], message, sizeof message, 0);
    struct epoll_event events[512];
    char buffer[4096];
    for (int done = 0; done < total;) {
        int ready = epoll_wait(set, events, 512, 10000);
        if (ready <= 0) return 4;
        for (int index = 0; index < ready; index++) {
            int client = events[index].data.fd;
            ssize_t size = recv(client, buffer, sizeof buffer, 0);
            if (size <= 0) return 5;
            received[client] += size;
            if (received[client] < (int)sizeof message) continue;
            received[client] = 0;
            done++;
            send(client, message, sizeof message, 0);
        }
    }
    printf("%.0f\n", total / (now() - start));
    return 0;
}
