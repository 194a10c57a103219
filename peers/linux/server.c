// The Linux peer's only program: its init, and an HTTP/1.1 server on one epoll instance.
//
// As process 1 it sets up what the server needs: the modules that lie in /modules, numbered in the order in which they are
// to be loaded, and the address of eth0. Otherwise, on a host, it is the server alone: `server PORT`.
//
// It answers GET /hello with the very bytes that Mayfly's hello answers with, and everything else with 404. It checks less
// than Mayfly does: a head is what ends in an empty line, and a request has no body.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PORT = 8080, CONNECTIONS = 16384, REQUEST = 2048, EVENTS = 256, DISCARD = 9, DEBUG_PORT = 0xe9 };

static const char ADDRESS[] = "10.0.2.15", NETMASK[] = "255.255.255.0", GATEWAY[] = "10.0.2.2";
static const char ROUTE[] = "GET /hello HTTP/1.1\r\n";
static const char HELLO[] = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n"
                            "Connection: keep-alive\r\n\r\nhello, world\n";
static const char UNKNOWN[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n";

// A connection, in the place of its file descriptor. Pages of places that nobody uses are never touched.
struct connection {
    size_t received;       // bytes in `request`
    const char *response;  // what could not be sent at once, or NULL
    size_t left;           // bytes of it
    char request[REQUEST];
};

static struct connection connections[CONNECTIONS];
static int epoll;

// Ends the program, and with process 1 the machine, with a line. The machine has no console but QEMU's debug port.
static void check(bool good, const char *what) {
    if (good)
        return;
    char line[128];
    snprintf(line, sizeof line, "server: %s: %s\n", what, strerror(errno));
    if (getpid() != 1)
        fputs(line, stderr);
    else if (ioperm(DEBUG_PORT, 1, 1) == 0)
        for (const char *c = line; *c; c++)
            outb(*c, DEBUG_PORT);
    exit(1);
}

static void load_modules(void) {
    for (int number = 0;; number++) {
        char path[32];
        snprintf(path, sizeof path, "/modules/%d.ko", number);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 && errno == ENOENT)
            return;
        check(file >= 0 && syscall(SYS_finit_module, file, "", 0) == 0, path);
        close(file);
    }
}

static void configure(int socket, struct ifreq *request, unsigned long what, const char *address) {
    struct sockaddr_in *field = (struct sockaddr_in *)&request->ifr_addr;
    *field = (struct sockaddr_in){.sin_family = AF_INET};
    inet_pton(AF_INET, address, &field->sin_addr);
    check(ioctl(socket, what, request) == 0, address);
}

// Gives eth0 its address, switches it on, and says something, no matter what: Linux has to ask who the gateway is for that, and
// so the network learns where Linux is. Until then it holds back whatever is for Linux.
static void bring_up_network(void) {
    struct ifreq request = {.ifr_name = "eth0"};
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    check(any >= 0, "socket");
    configure(any, &request, SIOCSIFADDR, ADDRESS);
    configure(any, &request, SIOCSIFNETMASK, NETMASK);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    check(ioctl(any, SIOCSIFFLAGS, &request) == 0, "eth0");
    struct sockaddr_in gateway = {.sin_family = AF_INET, .sin_port = htons(DISCARD)};
    inet_pton(AF_INET, GATEWAY, &gateway.sin_addr);
    check(sendto(any, "", 0, 0, (struct sockaddr *)&gateway, sizeof gateway) == 0, GATEWAY);
    close(any);
}

static int listen_on(int port) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    check(listener >= 0, "socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    // Accepted connections inherit it.
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    check(bind(listener, (struct sockaddr *)&any, sizeof any) == 0, "bind");
    check(listen(listener, 4096) == 0, "listen");
    return listener;
}

static void watch(int how, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    check(epoll_ctl(epoll, how, fd, &event) == 0, "epoll_ctl");
}

static void accept_all(int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS) {
            close(fd);
            continue;
        }
        connections[fd].received = connections[fd].left = 0;
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

// Sends what is left of the response. Whether all of it is gone; if it cannot be, the connection is closed and nothing is left.
static bool send_rest(int fd, struct connection *connection) {
    ssize_t sent = send(fd, connection->response, connection->left, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        close(fd);
        connection->left = 0;
        return false;
    }
    if (sent > 0) {
        connection->response += sent;
        connection->left -= sent;
    }
    return connection->left == 0;
}

// Answers the requests that are complete, one after another, as far as the client takes the answers.
static void answer(int fd, struct connection *connection) {
    char *request = connection->request, *end = request + connection->received, *empty_line;
    while ((empty_line = memmem(request, end - request, "\r\n\r\n", 4))) {
        bool known = memcmp(request, ROUTE, sizeof ROUTE - 1) == 0;
        connection->response = known ? HELLO : UNKNOWN;
        connection->left = (known ? sizeof HELLO : sizeof UNKNOWN) - 1;
        request = empty_line + 4;
        if (!send_rest(fd, connection)) {
            if (!connection->left)
                return;
            watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
            break;
        }
    }
    connection->received = end - request;
    if (request != connection->request)
        memmove(connection->request, request, connection->received);
    // A head that does not fit.
    if (connection->received == REQUEST && !connection->left)
        close(fd);
}

static void serve(int fd) {
    struct connection *connection = &connections[fd];
    if (connection->left) {
        if (!send_rest(fd, connection))
            return;
        watch(EPOLL_CTL_MOD, fd, EPOLLIN);
        answer(fd, connection);
        return;
    }
    ssize_t got = recv(fd, connection->request + connection->received, REQUEST - connection->received, 0);
    // The end of the stream, or a broken one.
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        close(fd);
    } else if (got > 0) {
        connection->received += got;
        answer(fd, connection);
    }
}

int main(int argc, char **argv) {
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){CONNECTIONS, CONNECTIONS});
    int listener = listen_on(getpid() != 1 && argc > 1 ? atoi(argv[1]) : PORT);
    if (getpid() == 1) {
        load_modules();
        // Last, because it announces the address: whoever hears it asks at once.
        bring_up_network();
    }
    check((epoll = epoll_create1(0)) >= 0, "epoll_create1");
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int at = 0; at < count; at++) {
            int fd = events[at].data.fd;
            if (fd == listener)
                accept_all(listener);
            else
                serve(fd);
        }
    }
}
