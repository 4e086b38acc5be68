// Load generator for echo servers, one thread, epoll.
//   loadgen tcp|ws NAME PORT [-c conns] [-m msgs_per_conn] [-s size] [-w window]
// tcp: every message is size-1 letters and '\n'. ws: masked binary frames of size bytes.
// Every echoed byte is compared. Each connection keeps `window` messages in flight.
// At the end it tells the server to stop ("QUIT\n", or a text frame "QUIT") and prints one BENCH line.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static int conns = 64, msgs = 5000, size = 64, window = 1, ws;
static uint8_t *payload, *frame;    // what comes back; what is sent
static int frame_len;

struct conn {
    int fd;
    int sent, got;      // whole messages
    int unsent;         // bytes of the current frame still to write
    int off;            // bytes of the current reply body already seen
    int head, need;     // ws: header bytes seen, header length
    uint8_t hdr[10];
    uint64_t *start;    // ring of send times
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "BENCH-FAILED loadgen: %s (%s)\n", what, strerror(errno));
    exit(1);
}

static int dial(int port) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 100; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
        if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return fd;
        }
        close(fd);
        usleep(50000);
    }
    die("connect");
    return -1;
}

static void write_all(int fd, const void *p, int n) {
    if (write(fd, p, n) != n) die("write");
}

static void handshake(int fd) { // key and answer are the example of RFC 6455
    static const char req[] = "GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    char buf[2048];
    int n = 0;
    write_all(fd, req, sizeof req - 1);
    while (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4)) {
        if (n == sizeof buf - 1 || read(fd, buf + n, 1) != 1) die("handshake");
        n++;
    }
    buf[n] = 0;
    if (!strstr(buf, " 101 ") || !strstr(buf, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) die("handshake reply");
}

static int build_frame(uint8_t *out, int op, const uint8_t *data, int n) {
    static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    int h = 0;
    out[h++] = 0x80 | op;
    if (n < 126) {
        out[h++] = 0x80 | n;
    } else if (n < 65536) {
        out[h++] = 0x80 | 126;
        out[h++] = n >> 8;
        out[h++] = n;
    } else {
        die("size too large");
    }
    memcpy(out + h, mask, 4);
    h += 4;
    for (int i = 0; i < n; i++) out[h + i] = data[i] ^ mask[i & 3];
    return h + n;
}

static void pump(struct conn *c) {  // fill the window; a short write goes on later
    while (c->unsent > 0 || (c->sent < msgs && c->sent - c->got < window)) {
        if (c->unsent == 0) {
            c->start[c->sent % window] = now_ns();
            c->unsent = frame_len;
        }
        int n = write(c->fd, frame + frame_len - c->unsent, c->unsent);
        if (n < 0) {
            if (errno == EAGAIN) return;
            die("send");
        }
        c->unsent -= n;
        if (c->unsent == 0) c->sent++;
    }
}

static int cmp_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: loadgen tcp|ws NAME PORT [-c n] [-m n] [-s n] [-w n]\n"), 2;
    ws = !strcmp(argv[1], "ws");
    const char *name = argv[2];
    int port = atoi(argv[3]);
    for (int i = 4; i + 1 < argc; i += 2) {
        int v = atoi(argv[i + 1]);
        switch (argv[i][1]) {
        case 'c': conns = v; break;
        case 'm': msgs = v; break;
        case 's': size = v; break;
        case 'w': window = v; break;
        }
    }
    payload = malloc(size);
    frame = malloc(size + 16);
    for (int i = 0; i < size; i++) payload[i] = 'a' + i % 26;
    if (ws) {
        frame_len = build_frame(frame, 2, payload, size);
    } else {
        payload[size - 1] = '\n';
        memcpy(frame, payload, frame_len = size);
    }
    struct conn *cs = calloc(conns, sizeof *cs);
    uint64_t *lat = malloc(sizeof *lat * conns * msgs), done = 0, total = (uint64_t)conns * msgs;
    int ep = epoll_create1(0);
    for (int i = 0; i < conns; i++) {
        struct conn *c = &cs[i];
        c->fd = dial(port);
        if (ws) handshake(c->fd);
        c->start = malloc(sizeof(uint64_t) * window);
        c->need = 2;
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
        epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    }
    uint64_t t0 = now_ns();
    static uint8_t buf[256 * 1024];
    for (int i = 0; i < conns; i++) pump(&cs[i]);
    while (done < total) {
        struct epoll_event ev[64];
        int k = epoll_wait(ep, ev, 64, 20000);
        if (k == 0) die("no answer for 20 s");
        for (int i = 0; i < k; i++) {
            struct conn *c = ev[i].data.ptr;
            for (;;) {
                int n = read(c->fd, buf, sizeof buf), p = 0;
                if (n == 0) die("connection closed");
                if (n < 0) {
                    if (errno == EAGAIN) break;
                    die("read");
                }
                uint64_t now = now_ns();
                while (p < n) {
                    if (ws && c->head < c->need) {  // frame header, byte by byte
                        c->hdr[c->head++] = buf[p++];
                        if (c->head == 2 && c->hdr[1] == 126) c->need = 4;
                        if (c->head == c->need) {
                            int len = c->need == 4 ? c->hdr[2] << 8 | c->hdr[3] : c->hdr[1];
                            if (!(c->hdr[0] & 0x80) || len != size) die("unexpected frame");
                        }
                        continue;
                    }
                    int m = size - c->off < n - p ? size - c->off : n - p;
                    if (memcmp(buf + p, payload + c->off, m)) die("echoed bytes differ");
                    c->off += m;
                    p += m;
                    if (c->off == size) {
                        c->off = c->head = 0;
                        c->need = 2;
                        lat[done++] = now - c->start[c->got++ % window];
                    }
                }
                pump(c);
            }
            pump(c);
        }
    }
    double sec = (now_ns() - t0) / 1e9;
    int fd = dial(port);
    if (ws) {
        handshake(fd);
        uint8_t q[16];
        write_all(fd, q, build_frame(q, 1, (const uint8_t *)"QUIT", 4));
    } else {
        write_all(fd, "QUIT\n", 5);
    }
    qsort(lat, total, sizeof *lat, cmp_u64);
    printf("BENCH name=%s value=%.0f unit=msgs/s conns=%d msgs=%llu size=%d window=%d seconds=%.3f p50_us=%.1f p99_us=%.1f max_us=%.1f\n",
        name, total / sec, conns, (unsigned long long)total, size, window, sec,
        lat[total / 2] / 1e3, lat[total * 99 / 100] / 1e3, lat[total - 1] / 1e3);
    return 0;
}
