/*
 * The transport: one TCP connection, with TLS when asked for, that is sent bytes and gives replies.
 *
 * Calls block, at most as long as the URL allows. A connection with a problem is never used again.
 */
#include "store/valkey_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000

struct valkey_wire {
  int fd;
  SSL_CTX *context;
  SSL *tls;
  struct valkey_reader *reader;
  char problem[200]; /* set: the connection is lost */
};

static bool fail(struct valkey_wire *w, const char *what, const char *why) {
  if (!w->problem[0]) snprintf(w->problem, sizeof w->problem, "%s: %s", what, why);
  return false;
}

const char *valkey_wire_problem(const struct valkey_wire *w) { return w->problem; }
int valkey_wire_socket(const struct valkey_wire *w) { return w->fd; }

void valkey_wire_close(struct valkey_wire *w) {
  if (!w) return;
  if (w->tls) {
    if (!w->problem[0]) SSL_shutdown(w->tls);
    SSL_free(w->tls);
  }
  SSL_CTX_free(w->context);
  valkey_reader_free(w->reader);
  if (w->fd >= 0) close(w->fd);
  free(w);
}

/* ---- connecting ---- */

static bool wait_connected(struct valkey_wire *w, int timeout_ms) {
  struct pollfd ready = {w->fd, POLLOUT, 0};
  int problem = 0;
  socklen_t size = sizeof problem;
  if (poll(&ready, 1, timeout_ms) != 1) return fail(w, "connect", "timed out");
  if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &problem, &size) || problem)
    return fail(w, "connect", strerror(problem));
  return true;
}

static bool dial_one(struct valkey_wire *w, const struct addrinfo *a) {
  w->problem[0] = '\0';
  w->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (w->fd < 0) return fail(w, "socket", strerror(errno));
  if (connect(w->fd, a->ai_addr, a->ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS) return fail(w, "connect", strerror(errno));
  return wait_connected(w, CONNECT_MS);
}

/* Calls block, but no longer than this; a dead network ends them as well. */
static void set_options(const struct valkey_wire *w, int64_t timeout_ms) {
  struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
  int on = 1, idle = 30, interval = 10, count = 3;
  unsigned lost_ms = 30000;
  setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(w->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(w->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(w->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(w->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  setsockopt(w->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof lost_ms);
  setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  (void)fcntl(w->fd, F_SETFL, fcntl(w->fd, F_GETFL) & ~O_NONBLOCK);
}

static bool dial(struct valkey_wire *w, const struct valkey_node *t) {
  char port[8];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *all = NULL;
  snprintf(port, sizeof port, "%u", t->port);
  int problem = getaddrinfo(t->host, port, &hints, &all);
  if (problem) return fail(w, "look up the host", gai_strerror(problem));
  bool ok = false;
  for (const struct addrinfo *a = all; a && !ok; a = a->ai_next) {
    ok = dial_one(w, a);
    if (!ok && w->fd >= 0) {
      close(w->fd);
      w->fd = -1;
    }
  }
  freeaddrinfo(all);
  return ok;
}

/* ---- TLS ---- */

static bool tls_fail(struct valkey_wire *w, const char *what) {
  char text[160] = "failed";
  unsigned long problem = ERR_get_error();
  if (problem) ERR_error_string_n(problem, text, sizeof text);
  ERR_clear_error();
  return fail(w, what, text);
}

static bool tls_configure(struct valkey_wire *w, const struct valkey_target *t) {
  w->context = SSL_CTX_new(TLS_client_method());
  if (!w->context) return tls_fail(w, "TLS");
  SSL_CTX_set_min_proto_version(w->context, TLS1_2_VERSION);
  SSL_CTX_set_verify(w->context, t->tls_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  if (t->ca_file[0] ? SSL_CTX_load_verify_locations(w->context, t->ca_file, NULL) != 1
                    : SSL_CTX_set_default_verify_paths(w->context) != 1)
    return tls_fail(w, "TLS: tls_ca");
  if (t->cert_file[0] && SSL_CTX_use_certificate_chain_file(w->context, t->cert_file) != 1)
    return tls_fail(w, "TLS: tls_cert");
  if (t->key_file[0] &&
      SSL_CTX_use_PrivateKey_file(w->context, t->key_file, SSL_FILETYPE_PEM) != 1)
    return tls_fail(w, "TLS: tls_key");
  return true;
}

static bool is_address(const char *host) {
  struct in6_addr six;
  struct in_addr four;
  return inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1;
}

/* OpenSSL's own way to write would raise SIGPIPE. */
static int bio_write(BIO *bio, const char *bytes, int len) {
  struct valkey_wire *w = BIO_get_data(bio);
  ssize_t n;
  do n = send(w->fd, bytes, (size_t)len, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return (int)n;
}

static int bio_read(BIO *bio, char *bytes, int len) {
  struct valkey_wire *w = BIO_get_data(bio);
  ssize_t n;
  do n = recv(w->fd, bytes, (size_t)len, 0);
  while (n < 0 && errno == EINTR);
  return (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *ptr) {
  (void)bio, (void)number, (void)ptr;
  return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;
static void bio_make(void) {
  bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flowfabric");
  INVARIANT(bio_method && BIO_meth_set_write(bio_method, bio_write) &&
            BIO_meth_set_read(bio_method, bio_read) && BIO_meth_set_ctrl(bio_method, bio_control));
}

static bool tls_attach(struct valkey_wire *w) {
  (void)pthread_once(&bio_once, bio_make);
  w->tls = SSL_new(w->context);
  BIO *bio = w->tls ? BIO_new(bio_method) : NULL;
  if (!bio) return tls_fail(w, "TLS");
  BIO_set_data(bio, w);
  BIO_set_init(bio, 1);
  SSL_set_bio(w->tls, bio, bio);
  return true;
}

static bool tls_open(struct valkey_wire *w, const struct valkey_target *t, const char *host) {
  if (!tls_configure(w, t) || !tls_attach(w)) return false;
  X509_VERIFY_PARAM *verify = SSL_get0_param(w->tls);
  bool named = is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(verify, host) == 1
                                : SSL_set1_host(w->tls, host) == 1 &&
                                      SSL_set_tlsext_host_name(w->tls, host) == 1;
  if (!named) return tls_fail(w, "TLS");
  if (SSL_connect(w->tls) == 1) return true;
  long verified = SSL_get_verify_result(w->tls);
  if (verified == X509_V_OK) return tls_fail(w, "TLS");
  ERR_clear_error();
  return fail(w, "TLS: the server's certificate", X509_verify_cert_error_string(verified));
}

enum ff_rc valkey_wire_open(const struct valkey_target *t, const struct valkey_node *node,
                            struct valkey_wire **out, struct ff_error *e) {
  struct valkey_wire *w = heap_zalloc(sizeof *w);
  w->fd = -1;
  w->reader = valkey_reader_new();
  bool ok = dial(w, node);
  if (ok) set_options(w, t->timeout_ms);
  bool tls_failed = ok && t->tls && !tls_open(w, t, node->host);
  if (ok && !tls_failed) {
    *out = w;
    return FF_OK;
  }
  *out = NULL;
  enum ff_rc rc = error_set(e, tls_failed ? FF_CODE_config : FF_CODE_transport, "%s: %s",
                            t->shown, w->problem);
  valkey_wire_close(w);
  return rc;
}

/* ---- bytes ---- */

static bool lost(struct valkey_wire *w, const char *what, ssize_t n) {
  if (w->tls) return tls_fail(w, what);
  if (n == 0) return fail(w, what, "the server closed the connection");
  return fail(w, what, errno == EAGAIN || errno == EWOULDBLOCK ? "timed out" : strerror(errno));
}

bool valkey_wire_send(struct valkey_wire *w, const void *ptr, size_t len) {
  const char *at = ptr;
  if (w->problem[0]) return false;
  while (len) {
    size_t part = len < (1u << 30) ? len : 1u << 30;
    ssize_t n = w->tls ? SSL_write(w->tls, at, (int)part) : send(w->fd, at, part, MSG_NOSIGNAL);
    if (n < 0 && !w->tls && errno == EINTR) continue;
    if (n <= 0) return lost(w, "send", n);
    at += n;
    len -= (size_t)n;
  }
  return true;
}

static bool receive_some(struct valkey_wire *w) {
  char bytes[65536];
  for (;;) {
    ssize_t n =
        w->tls ? SSL_read(w->tls, bytes, sizeof bytes) : recv(w->fd, bytes, sizeof bytes, 0);
    if (n < 0 && !w->tls && errno == EINTR) continue;
    if (n <= 0) return lost(w, "receive", n);
    return valkey_reader_feed(w->reader, bytes, (size_t)n) || fail(w, "receive", "no memory");
  }
}

const struct valkey_reply *valkey_wire_receive(struct valkey_wire *w, struct arena *arena) {
  const struct valkey_reply *reply = NULL;
  while (!w->problem[0]) {
    if (!valkey_reader_next(w->reader, arena, &reply)) {
      fail(w, "receive", "not the protocol of Valkey");
      break;
    }
    if (reply) return reply;
    if (!receive_some(w)) break;
  }
  return NULL;
}

bool valkey_wire_alive(const struct valkey_wire *w) {
  struct pollfd ready = {w->fd, POLLIN, 0};
  return !w->problem[0] && (w->tls || poll(&ready, 1, 0) == 0); /* TLS has words of its own */
}

bool valkey_wire_poll(struct valkey_wire *w, struct arena *arena,
                      const struct valkey_reply **out) {
  *out = NULL;
  while (!w->problem[0]) {
    struct pollfd ready = {w->fd, POLLIN, 0};
    if (!valkey_reader_next(w->reader, arena, out))
      return fail(w, "receive", "not the protocol of Valkey");
    if (*out || !((w->tls && SSL_pending(w->tls) > 0) || poll(&ready, 1, 0) == 1)) return true;
    if (!receive_some(w)) break;
  }
  return false;
}
