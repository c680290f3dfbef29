/*
 * The plain HTTP client of the tests: reads octet by octet, so that it never takes what belongs to
 * the next answer.
 */
#include "test/lib/wire_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000

int wire_connect(uint16_t port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  INVARIANT(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  return fd;
}

void wire_close(int fd) { close(fd); }
void wire_end(int fd) { (void)shutdown(fd, SHUT_WR); }

/* A server that has refused and closed is no failure of the sender. */
void wire_send(int fd, const void *octets, size_t len) {
  const char *at = octets;
  while (len) {
    ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
    INVARIANT(n > 0);
    at += n;
    len -= (size_t)n;
  }
}

bool wire_has_input(int fd, int ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, ms) > 0;
}

/* -1 at the end. */
static int read_octet(int fd) {
  unsigned char c;
  INVARIANT(wire_has_input(fd, PATIENCE_MS));
  ssize_t n = read(fd, &c, 1);
  return n == 1 ? c : -1;
}

bool wire_is_closed(int fd) { return read_octet(fd) < 0; }

static void read_answer(int fd, struct wire_reply *r, bool head_only) {
  size_t len = 0, body = SIZE_MAX, length = 0;
  memset(r, 0, sizeof *r);
  r->body = r->text;
  while (body == SIZE_MAX || len < body + length) {
    int c = read_octet(fd);
    if (c < 0) break;
    INVARIANT(len + 1 < sizeof r->text);
    r->text[len++] = (char)c;
    if (body != SIZE_MAX || len < 4 || memcmp(r->text + len - 4, "\r\n\r\n", 4) != 0) continue;
    body = len;
    const char *header = strstr(r->text, "Content-Length: ");
    if (header && !head_only) length = strtoul(header + 16, NULL, 10);
  }
  if (body == SIZE_MAX) return;
  r->body = r->text + body;
  INVARIANT(sscanf(r->text, "HTTP/1.1 %d ", &r->status) == 1);
}

void wire_read(int fd, struct wire_reply *r) { read_answer(fd, r, false); }
void wire_read_head(int fd, struct wire_reply *r) { read_answer(fd, r, true); }

static int hex(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c - 'A' + 10;
}

static const char *unescape_one(const char *p, struct buffer *out) {
  if (*p != '\\') {
    buffer_append_char(out, *p);
    return p + 1;
  }
  switch (p[1]) {
    case 'r': buffer_append_char(out, '\r'); break;
    case 'n': buffer_append_char(out, '\n'); break;
    case 't': buffer_append_char(out, '\t'); break;
    case '0': buffer_append_char(out, '\0'); break;
    case 'x': buffer_append_char(out, (char)(hex(p[2]) << 4 | hex(p[3]))); return p + 4;
    default: buffer_append_char(out, p[1]); break;
  }
  return p + 2;
}

void wire_unescape(const char *p, struct buffer *out) {
  while (*p) {
    char *end;
    unsigned long times = *p == '{' ? strtoul(p + 1, &end, 10) : 0;
    if (!times || *end != ':') {
      p = unescape_one(p, out);
      continue;
    }
    const char *text = end + 1, *after = text;
    for (; times; times--)
      for (after = text; *after && *after != '}';) after = unescape_one(after, out);
    p = *after ? after + 1 : after;
  }
}
