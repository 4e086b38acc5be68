// Load generator for echo servers, one thread, epoll.
//   loadgen tcp|ws NAME PORT [-c conns] [-m msgs_per_conn] [-s size] [-w window] [-i interval_ms]
// tcp: every message is size-1 letters and '\n'. ws: masked binary frames of size bytes.
// Every echoed byte is compared. Each connection keeps `window` messages in flight.
// With an interval each connection sends a message every so often instead, whether or not the last has come back;
// the connections are spread over the interval. A latency then counts from the time when the message was due, so
// that a delay of whoever is behind it counts as well. With ws the server is asked for its memory ("RSS") before the
// connections are opened and when all have had their messages, on a connection of its own.
// At the end it tells the server to stop ("QUIT\n", or a text frame "QUIT") and prints BENCH lines: the rate, or with
// an interval the latencies and the memory of a connection.
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

static int conns = 64, msgs = 5000, size = 64, window = 1, interval, ws;
static uint8_t *payload, *frame;    // what comes back; what is sent
static int frame_len;

struct conn {
    int fd;
    int sent, got;      // whole messages
    int due;            // with an interval: messages whose time has come
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
    while (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4)) {   // nothing comes behind it unasked
        int k = read(fd, buf + n, sizeof buf - 1 - n);
        if (k <= 0) die("handshake");
        n += k;
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

static void say(int fd, const char *text) {
    uint8_t f[16];
    write_all(fd, f, build_frame(f, 1, (const uint8_t *)text, strlen(text)));
}

static long ask_memory(int fd) {    // KiB
    uint8_t f[128];
    int n = 0;
    say(fd, "RSS");
    while (n < 2 || n < 2 + f[1]) {
        int k = read(fd, f + n, sizeof f - 1 - n);
        if (k <= 0) die("memory");
        n += k;
        if (n >= 2 && f[1] > 20) die("memory: unexpected frame");
    }
    f[n] = 0;
    return atol((char *)f + 2);
}

static void pump(struct conn *c) {  // send what may be sent; a short write goes on later
    for (;;) {
        if (c->unsent == 0) {
            if (c->sent == (interval ? c->due : c->got + window < msgs ? c->got + window : msgs)) return;
            if (!interval) c->start[c->sent % window] = now_ns();
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

// The messages whose time has come, in the order of their times. The n-th is of connection n % conns.
static uint64_t next_due, began, step;

static void send_due(struct conn *cs) {
    uint64_t now = now_ns(), total = (uint64_t)conns * msgs;
    for (; next_due < total && began + next_due * step <= now; next_due++) {
        struct conn *c = &cs[next_due % conns];
        c->start[c->due++ % window] = began + next_due * step;
        pump(c);
    }
}

static int wait_events(int ep, struct epoll_event *ev, int n) {
    if (!interval) return epoll_wait(ep, ev, n, 20000);
    uint64_t now = now_ns(), at = began + next_due * step, left = at > now ? at - now : 0;
    if (next_due == (uint64_t)conns * msgs) left = 20000000000ull;
    struct timespec t = { left / 1000000000, left % 1000000000 };
    int k = epoll_pwait2(ep, ev, n, &t, 0);
    return k == 0 && next_due < (uint64_t)conns * msgs ? -1 : k;
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: loadgen tcp|ws NAME PORT [-c n] [-m n] [-s n] [-w n] [-i ms]\n"), 2;
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
        case 'i': interval = v; break;
        }
    }
    if (interval) window = msgs;
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
    int ep = epoll_create1(0), control = -1;
    long before = 0, after = 0;
    if (ws && interval) {
        handshake(control = dial(port));
        before = ask_memory(control);
    }
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
    uint64_t t0 = began = now_ns();
    step = interval * 1000000ull / conns;
    static uint8_t buf[256 * 1024];
    for (int i = 0; i < conns; i++) pump(&cs[i]);
    while (done < total) {
        struct epoll_event ev[64];
        if (interval) send_due(cs);
        int k = wait_events(ep, ev, 64);
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
    if (control >= 0) after = ask_memory(control);
    int fd = dial(port);
    if (ws) {
        handshake(fd);
        say(fd, "QUIT");
    } else {
        write_all(fd, "QUIT\n", 5);
    }
    qsort(lat, total, sizeof *lat, cmp_u64);
    if (interval) {
        printf("BENCH name=%s_p50 value=%.3f unit=ms conns=%d msgs=%llu size=%d interval_ms=%d seconds=%.3f max_ms=%.3f\n",
            name, lat[total / 2] / 1e6, conns, (unsigned long long)total, size, interval, sec, lat[total - 1] / 1e6);
        printf("BENCH name=%s_p99 value=%.3f unit=ms\n", name, lat[total * 99 / 100] / 1e6);
        if (ws) printf("BENCH name=%s_memory value=%.2f unit=KiB/connection before_kib=%ld after_kib=%ld\n",
            name, (double)(after - before) / conns, before, after);
        return 0;
    }
    printf("BENCH name=%s value=%.0f unit=msgs/s conns=%d msgs=%llu size=%d window=%d seconds=%.3f p50_us=%.1f p99_us=%.1f max_us=%.1f\n",
        name, total / sec, conns, (unsigned long long)total, size, window, sec,
        lat[total / 2] / 1e3, lat[total * 99 / 100] / 1e3, lat[total - 1] / 1e3);
    return 0;
}
