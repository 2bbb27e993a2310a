// Scripted round trips as in a C program: send a line, wait in select, receive until the line is complete, compare.
// Usage: roundtrips PORT COUNT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

int main(int count, char **arguments) {
    if (count < 3) return 2;
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(server, (struct sockaddr *)&address, sizeof address)) return 3;
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char line[4096];
    for (int round = atoi(arguments[2]); round > 0; round--) {
        send(server, "hello\n", 6, 0);
        for (int received = 0; received < 6;) {
            fd_set set;
            FD_ZERO(&set);
            FD_SET(server, &set);
            select(server + 1, &set, NULL, NULL, NULL);
            ssize_t size = recv(server, line + received, sizeof line - received, 0);
            if (size <= 0) return 4;
            received += size;
        }
        if (memcmp(line, "HELLO\n", 6)) return 5;
    }
    return 0;
}
