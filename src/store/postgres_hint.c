/*
 * Hints: told at once to the stores this process has open on the same schema, and to other
 * processes by NOTIFY.
 *
 * One thread for each store that listens, with a connection of its own: it sends what was noted,
 * coalesced and off the write path, and hears the others. A hint may be lost with its connection;
 * nothing rests on it. Listeners are called under the registry lock and only set flags.
 */
#include "store/postgres_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NOTED_MAX 16
#define QUIET_US 10000    /* between two messages */
#define PATIENCE_US 50000 /* who leaves before then and told nothing needs no connection */
#define BACKOFF_US 1000000

struct noted {
  uint16_t partition;
  char lane[256]; /* of at most 255 bytes; longer names are told as "something" */
  bool has_lane;
};

struct postgres_hints {
  struct postgres_store *store;
  pthread_t thread;
  int wake; /* eventfd */
  pthread_mutex_t lock;
  bool stop;                        /* lock */
  struct noted noted[NOTED_MAX];    /* lock */
  uint32_t count;                   /* lock */
  PGconn *conn;
  char channel[32];
  int64_t started_us, sent_us, retry_us;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct postgres_store *registry;
static uint64_t process_token; /* registry_lock; tells our own messages from others' */
static pid_t token_of;         /* registry_lock; a forked child is another process */

void postgres_registry_add(struct postgres_store *s) {
  pthread_mutex_lock(&registry_lock);
  if (token_of != getpid()) process_token = random_u64() | 1;
  token_of = getpid();
  s->next_open = registry;
  registry = s;
  pthread_mutex_unlock(&registry_lock);
}

/* ---- telling ---- */

static bool same_place(const struct postgres_store *a, const struct postgres_store *b) {
  return strcmp(a->target.shown, b->target.shown) == 0 &&
         strcmp(a->target.schema, b->target.schema) == 0;
}

static void note(struct postgres_hints *h, const struct store_hint *hint) {
  struct noted n = {.partition = hint->partition};
  if (hint->lane_id.ptr && hint->lane_id.len < sizeof n.lane) {
    n.has_lane = true;
    memcpy(n.lane, hint->lane_id.ptr, hint->lane_id.len);
  }
  for (uint32_t i = 0; i < h->count; i++)
    if (memcmp(&h->noted[i], &n, sizeof n) == 0) return;
  if (h->count < NOTED_MAX) h->noted[h->count++] = n;
  else h->noted[NOTED_MAX - 1] = (struct noted){0}; /* too many to name: something changed */
}

static void wake(struct postgres_hints *h) {
  uint64_t one = 1;
  ssize_t n = write(h->wake, &one, sizeof one);
  (void)n; /* full means awake */
}

static void hear(struct postgres_store *s, const struct store_hint *hint) {
  pthread_mutex_lock(&registry_lock);
  for (struct postgres_listener *l = s->listeners; l; l = l->next) l->fn(l->user, hint);
  pthread_mutex_unlock(&registry_lock);
}

/* `<token> <partition> [<lane>]` */
static void take_message(struct postgres_hints *h, const char *text) {
  char *end;
  uint64_t token = strtoull(text, &end, 16);
  if (token == process_token || *end != ' ') return;
  unsigned long partition = strtoul(end + 1, &end, 10);
  struct store_hint hint = {.partition = (uint16_t)partition};
  if (*end == ' ') hint.lane_id = ff_text(end + 1);
  hear(h->store, &hint);
}

static bool send_noted(struct postgres_hints *h) {
  struct noted noted[NOTED_MAX];
  pthread_mutex_lock(&h->lock);
  uint32_t count = h->count;
  memcpy(noted, h->noted, count * sizeof *noted);
  h->count = 0;
  pthread_mutex_unlock(&h->lock);
  bool ok = true;
  for (uint32_t i = 0; i < count && ok; i++) {
    char payload[320];
    snprintf(payload, sizeof payload, "%016llx %u%s%s", (unsigned long long)process_token,
             noted[i].partition, noted[i].has_lane ? " " : "", noted[i].lane);
    const char *params[] = {h->channel, payload};
    PGresult *r = PQexecParams(h->conn, "SELECT pg_notify($1,$2)", 2, NULL, params, NULL, NULL, 0);
    ok = PQresultStatus(r) == PGRES_TUPLES_OK;
    PQclear(r);
  }
  h->sent_us = clock_monotonic_us();
  return ok;
}

/* ---- the thread ---- */

static void disconnect(struct postgres_hints *h) {
  PQfinish(h->conn);
  h->conn = NULL;
  h->retry_us = clock_monotonic_us() + BACKOFF_US;
}

static void connect_hints(struct postgres_hints *h) {
  struct buffer sql;
  struct ff_error ignored;
  if (postgres_connect(h->store, &h->conn, &ignored) != FF_OK) {
    disconnect(h);
    return;
  }
  buffer_init(&sql);
  buffer_printf(&sql, "LISTEN %s", h->channel);
  bool ok = postgres_run(h->store, h->conn, sql.ptr, "listen", NULL, &ignored) == FF_OK;
  buffer_fini(&sql);
  if (!ok) disconnect(h);
  else hear(h->store, &(struct store_hint){0}); /* what was said before was not heard */
}

/* Until something is to be done; µs, or until woken. */
static void rest(struct postgres_hints *h, int64_t until_us) {
  struct pollfd ready[] = {{h->wake, POLLIN, 0}, {h->conn ? PQsocket(h->conn) : -1, POLLIN, 0}};
  int64_t left = until_us - clock_monotonic_us();
  int timeout = until_us == INT64_MAX ? -1 : left > 0 ? (int)(left / 1000) + 1 : 0;
  if (poll(ready, 2, timeout) <= 0) return;
  uint64_t ignored;
  ssize_t n = ready[0].revents ? read(h->wake, &ignored, sizeof ignored) : 0;
  (void)n;
  if (ready[1].revents && !PQconsumeInput(h->conn)) disconnect(h);
}

static bool pending(struct postgres_hints *h, bool *stop) {
  pthread_mutex_lock(&h->lock);
  bool any = h->count > 0;
  *stop = h->stop;
  pthread_mutex_unlock(&h->lock);
  return any;
}

static void hear_all(struct postgres_hints *h) {
  for (PGnotify *n; h->conn && (n = PQnotifies(h->conn)); PQfreemem(n)) take_message(h, n->extra);
}

static void *run(void *user) {
  struct postgres_hints *h = user;
  for (;;) {
    bool stop, any = pending(h, &stop);
    int64_t now = clock_monotonic_us(), due = INT64_MAX;
    if (stop && (!any || (!h->conn && h->retry_us > now))) break;
    if (!h->conn) {
      due = any ? h->retry_us : h->started_us + PATIENCE_US;
      if (due < h->retry_us) due = h->retry_us;
      if (due <= now) {
        connect_hints(h);
        continue;
      }
    } else if (any) {
      due = stop ? now : h->sent_us + QUIET_US;
      if (due <= now) {
        if (!send_noted(h)) disconnect(h);
        hear_all(h);
        continue;
      }
    }
    rest(h, due);
    hear_all(h);
  }
  PQfinish(h->conn);
  return NULL;
}

/* Under the registry lock. Without a thread only this process is told. */
static void start(struct postgres_store *s) {
  if (s->hints) return;
  struct postgres_hints *h = heap_zalloc(sizeof *h);
  h->store = s;
  h->started_us = clock_monotonic_us();
  h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  snprintf(h->channel, sizeof h->channel, "ff_%016llx",
           (unsigned long long)postgres_lock_key(s->target.schema, "hints"));
  pthread_mutex_init(&h->lock, NULL);
  if (h->wake >= 0 && pthread_create(&h->thread, NULL, run, h) == 0) {
    s->hints = h;
    return;
  }
  if (h->wake >= 0) close(h->wake);
  pthread_mutex_destroy(&h->lock);
  free(h);
}

static void stop(struct postgres_hints *h) {
  if (!h) return;
  pthread_mutex_lock(&h->lock);
  h->stop = true;
  pthread_mutex_unlock(&h->lock);
  wake(h);
  pthread_join(h->thread, NULL);
  close(h->wake);
  pthread_mutex_destroy(&h->lock);
  free(h);
}

/* ---- the vtable entries ---- */

void postgres_registry_remove(struct postgres_store *s) {
  pthread_mutex_lock(&registry_lock);
  for (struct postgres_store **p = &registry; *p; p = &(*p)->next_open)
    if (*p == s) {
      *p = s->next_open;
      break;
    }
  while (s->listeners) {
    struct postgres_listener *l = s->listeners;
    s->listeners = l->next;
    free(l);
  }
  struct postgres_hints *h = s->hints;
  s->hints = NULL;
  pthread_mutex_unlock(&registry_lock);
  stop(h); /* outside the lock: the thread takes it */
}

enum ff_rc postgres_listen(struct store *store, store_hint_fn fn, void *user, struct ff_error *e) {
  (void)e;
  struct postgres_store *s = postgres_store_of(store);
  struct postgres_listener *l = heap_alloc(sizeof *l);
  pthread_mutex_lock(&registry_lock);
  *l = (struct postgres_listener){s->listeners, fn, user};
  s->listeners = l;
  start(s);
  pthread_mutex_unlock(&registry_lock);
  return FF_OK;
}

void postgres_unlisten(struct store *store, void *user) {
  struct postgres_store *s = postgres_store_of(store);
  pthread_mutex_lock(&registry_lock);
  for (struct postgres_listener **p = &s->listeners; *p;) {
    struct postgres_listener *l = *p;
    if (l->user == user) {
      *p = l->next;
      free(l);
    } else {
      p = &l->next;
    }
  }
  pthread_mutex_unlock(&registry_lock);
}

void postgres_notify(struct store *store, const void *sender_user, const struct store_hint *hints,
                     uint32_t count) {
  struct postgres_store *sender = postgres_store_of(store);
  pthread_mutex_lock(&registry_lock);
  for (struct postgres_store *s = registry; s; s = s->next_open) {
    if (s != sender && !same_place(s, sender)) continue;
    for (struct postgres_listener *l = s->listeners; l; l = l->next)
      for (uint32_t i = 0; l->user != sender_user && i < count; i++) l->fn(l->user, &hints[i]);
  }
  start(sender);
  struct postgres_hints *h = sender->hints;
  if (h) {
    pthread_mutex_lock(&h->lock);
    bool first = h->count == 0;
    for (uint32_t i = 0; i < count; i++) note(h, &hints[i]);
    pthread_mutex_unlock(&h->lock);
    if (first) wake(h);
  }
  pthread_mutex_unlock(&registry_lock);
}
