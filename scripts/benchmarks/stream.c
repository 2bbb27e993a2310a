// Sends COUNT MiB of text followed by a line with NEEDLE to each client, one after the other. Usage: stream COUNT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    static char block[1 << 20];
    const char *line = "the quick brown fox jumps over the lazy dog 0123456789\n";
    for (size_t index = 0; index < sizeof block; index++) block[index] = line[index % strlen(line)];
    for (;;) {
        int client = accept(listener, NULL, NULL);
        for (int rest = count > 1 ? atoi(arguments[1]) : 256; rest > 0; rest--) {
            for (size_t sent = 0; sent < sizeof block;) {
                ssize_t size = send(client, block + sent, sizeof block - sent, MSG_NOSIGNAL);
                if (size <= 0) break;
                sent += size;
            }
        }
        send(client, "\nNEEDLE 42\n", 11, MSG_NOSIGNAL);
        close(client);
    }
}
