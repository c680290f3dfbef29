/*
 * Listening, and the threads: each waits for its own connections and for answers of the engine.
 *
 * A loop sleeps without a time-out unless it has connections, whose deadlines it looks at once a
 * second. The listening socket is shared; a new connection wakes one loop.
 */
#define _GNU_SOURCE /* accept4 */
#include "server/impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define TICK_MS 1000
#define BACKLOG 1024
#define STACK_BYTES (1u << 20)

/* Marks of what is no connection. */
static char listener_mark, wake_mark;

static int64_t now_ms(void) { return clock_monotonic_us() / 1000; }

static void wake(struct loop *loop) {
  uint64_t one = 1;
  ssize_t n = write(loop->wake, &one, sizeof one);
  INVARIANT(n == sizeof one || errno == EAGAIN);
}

void loop_give_back(struct loop *loop, struct exchange *x) {
  struct exchange *head = atomic_load(&loop->answered);
  do x->next = head;
  while (!atomic_compare_exchange_weak(&loop->answered, &head, x));
  if (!head) wake(loop);
}

/* ---- connections ---- */

static void listen_again(struct loop *loop, bool on) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &listener_mark};
  if (on == loop->accepting) return;
  int how = on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
  int rc = epoll_ctl(loop->epoll, how, loop->server->listener, &event);
  INVARIANT(rc == 0);
  loop->accepting = on;
}

static void adopt(struct loop *loop, int fd, const struct sockaddr_storage *peer) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
  int yes = 1;
  if (loop->server->connections >= loop->server->options.connections) {
    static const char full[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Content-Length: 32\r\nConnection: close\r\n\r\n{\"error\":\"too many connections\"}";
    (void)!send(fd, full, sizeof full - 1, MSG_NOSIGNAL);
    close(fd);
    return;
  }
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  struct connection *c = connection_new(loop, fd, peer);
  event.data.ptr = c;
  if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    connection_close(c);
    return;
  }
  connection_advance(c);
}

/* Without descriptors left it stops listening until the next tick. */
static void accept_some(struct loop *loop) {
  for (int i = 0; i < 64; i++) {
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    int fd = accept4(loop->server->listener, (struct sockaddr *)&peer, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      adopt(loop, fd, &peer);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      struct log_field why = {"reason", ff_text(strerror(errno))};
      log_write(loop->server->options.log, FF_LOG_WARN, "server", "cannot accept", &why, 1);
      listen_again(loop, false);
    }
    return;
  }
}

static void take_answers(struct loop *loop) {
  struct exchange *x = atomic_exchange(&loop->answered, NULL), *first = NULL;
  for (struct exchange *next; x; x = next) { /* in the order they came */
    next = x->next;
    x->next = first;
    first = x;
  }
  for (struct exchange *next; first; first = next) {
    next = first->next;
    connection_answered(first->connection, first);
    if (first->rc == FF_OK) ff_clear(first->result);
    free(first);
  }
}

static void tick(struct loop *loop) {
  bool draining = loop->server->draining;
  listen_again(loop, !draining);
  for (struct connection *c = loop->connections, *next; c; c = next) {
    next = c->next;
    if (c->gone) connection_gone(c); /* it may not have begun to wait before */
    if (c->fd < 0 || c->state == CONNECTION_CALL) continue;
    if (loop->server->stopping) connection_close(c);
    else if (c->deadline_ms && c->deadline_ms <= loop->now_ms) connection_expired(c);
    else if (draining && c->state == CONNECTION_HEAD && !c->begun) connection_close(c);
  }
}

/* ---- the loop ---- */

static void look_at(struct loop *loop, const struct epoll_event *event) {
  uint64_t count;
  if (event->data.ptr == &listener_mark) {
    accept_some(loop);
    return;
  }
  if (event->data.ptr == &wake_mark) {
    (void)!read(loop->wake, &count, sizeof count);
    return;
  }
  struct connection *c = event->data.ptr;
  if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) c->readable = true;
  if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) c->writable = true;
  if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection_gone(c);
  connection_advance(c);
}

static void *loop_run(void *user) {
  struct loop *loop = user;
  struct epoll_event events[EVENTS];
  int64_t ticked = now_ms();
  while (!loop->server->stopping || loop->count) {
    bool timed = loop->count || !loop->accepting;
    int n = epoll_wait(loop->epoll, events, EVENTS, timed ? TICK_MS : -1);
    INVARIANT(n >= 0 || errno == EINTR);
    loop->now_ms = now_ms();
    for (int i = 0; i < n; i++) look_at(loop, &events[i]);
    take_answers(loop);
    if (loop->now_ms - ticked >= TICK_MS || loop->server->draining) {
      ticked = loop->now_ms;
      tick(loop);
    }
  }
  return NULL;
}

static bool loop_init(struct loop *loop, struct server *s) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &wake_mark};
  loop->server = s;
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  loop->now_ms = now_ms();
  loop->id_seed = random_u64();
  arena_init(&loop->arena);
  buffer_init(&loop->scratch);
  if (loop->epoll < 0 || loop->wake < 0) return false;
  if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0) return false;
  listen_again(loop, true);
  return true;
}

static void loop_fini(struct loop *loop) {
  if (loop->epoll >= 0) close(loop->epoll);
  if (loop->wake >= 0) close(loop->wake);
  arena_fini(&loop->arena);
  buffer_fini(&loop->scratch);
}

/* ---- the server ---- */

static enum ff_rc refused(struct ff_error *e, const char *what) {
  return error_set(e, FF_CODE_transport, "cannot %s: %s", what, strerror(errno));
}

static int bind_to(const struct server_options *o, struct ff_error *e) {
  const struct sockaddr *address = (const struct sockaddr *)&o->address;
  int yes = 1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    (void)refused(e, "open a socket");
    return -1;
  }
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, address, o->address_size) == 0 && listen(fd, BACKLOG) == 0) return fd;
  (void)refused(e, "listen");
  close(fd);
  return -1;
}

static void release(struct server *s) {
  for (uint32_t i = 0; s->loops && i < s->options.threads; i++) loop_fini(&s->loops[i]);
  if (s->listener >= 0) close(s->listener);
  metrics_free(s->metrics);
  free(s->loops);
  free(s);
}

static bool start_threads(struct server *s) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  uint32_t started = 0;
  while (started < s->options.threads &&
         pthread_create(&s->loops[started].thread, &attributes, loop_run, &s->loops[started]) == 0)
    started++;
  pthread_attr_destroy(&attributes);
  if (started == s->options.threads) return true;
  s->draining = s->stopping = true;
  for (uint32_t i = 0; i < started; i++) wake(&s->loops[i]);
  for (uint32_t i = 0; i < started; i++) pthread_join(s->loops[i].thread, NULL);
  return false;
}

struct server *httpd_start(const struct server_options *options, struct ff_error *e) {
  struct server *s = heap_zalloc(sizeof *s);
  s->options = *options;
  if (!options->no_metrics) s->metrics = metrics_new();
  s->listener = bind_to(options, e);
  if (s->listener < 0) {
    release(s);
    return NULL;
  }
  s->loops = heap_zalloc(options->threads * sizeof *s->loops);
  for (uint32_t i = 0; i < options->threads; i++) s->loops[i].epoll = s->loops[i].wake = -1;
  bool fine = true;
  for (uint32_t i = 0; fine && i < options->threads; i++) fine = loop_init(&s->loops[i], s);
  if (fine && start_threads(s)) return s;
  (void)refused(e, "start a thread");
  release(s);
  return NULL;
}

uint16_t httpd_port(const struct server *s) {
  struct sockaddr_storage bound = {0};
  socklen_t size = sizeof bound;
  (void)getsockname(s->listener, (struct sockaddr *)&bound, &size);
  return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                           : ((struct sockaddr_in *)&bound)->sin_port);
}

static void wake_all(struct server *s) {
  for (uint32_t i = 0; i < s->options.threads; i++) wake(&s->loops[i]);
}

void httpd_drain(struct server *s) {
  s->draining = true;
  wake_all(s);
}

/* Connections still open after the grace are shut down; their loops close them. */
void httpd_stop(struct server *s, int64_t grace_ms) {
  int64_t until = now_ms() + grace_ms;
  httpd_drain(s);
  while (s->connections && now_ms() < until) usleep(10000);
  s->stopping = true;
  wake_all(s);
  for (uint32_t i = 0; i < s->options.threads; i++) pthread_join(s->loops[i].thread, NULL);
  release(s);
}
