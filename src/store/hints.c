/*
 * Hints of stores that live in servers: see hints.h.
 */
#include "store/hints.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
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

struct listener {
  struct listener *next;
  store_hint_fn fn;
  void *user;
};

struct hints {
  struct hints *next; /* registry_lock, with the listeners and `started` */
  struct listener *listeners;
  bool started;
  struct store *store;
  const struct hints_link *link;
  char *place;
  char channel[32];
  pthread_t thread;
  int wake; /* eventfd */
  pthread_mutex_t lock;
  bool stop;                     /* lock */
  struct noted noted[NOTED_MAX]; /* lock */
  uint32_t count;                /* lock */
  void *connection;              /* this and what follows: the thread's */
  int64_t started_us, sent_us, retry_us;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hints *registry;
static uint64_t process_token; /* registry_lock; tells our own messages from others' */
static pid_t token_of;         /* registry_lock; a forked child is another process */

struct hints *hints_new(struct store *store, const struct hints_link *link, const char *server,
                        const char *name) {
  struct hints *h = heap_zalloc(sizeof *h);
  size_t size = strlen(server) + strlen(name) + 2;
  h->store = store;
  h->link = link;
  h->wake = -1;
  h->place = heap_alloc(size);
  snprintf(h->place, size, "%s/%s", server, name);
  snprintf(h->channel, sizeof h->channel, "ff_%016llx",
           (unsigned long long)hash_fnv1a64(name, strlen(name)));
  pthread_mutex_init(&h->lock, NULL);
  pthread_mutex_lock(&registry_lock);
  if (token_of != getpid()) process_token = random_u64() | 1;
  token_of = getpid();
  h->next = registry;
  registry = h;
  pthread_mutex_unlock(&registry_lock);
  return h;
}

/* ---- telling ---- */

static void note(struct hints *h, const struct store_hint *hint) {
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

static void wake(struct hints *h) {
  uint64_t one = 1;
  ssize_t n = write(h->wake, &one, sizeof one);
  (void)n; /* full means awake */
}

static void hear(struct hints *h, const struct store_hint *hint) {
  pthread_mutex_lock(&registry_lock);
  for (struct listener *l = h->listeners; l; l = l->next) l->fn(l->user, hint);
  pthread_mutex_unlock(&registry_lock);
}

/* `<token> <partition> [<lane>]` */
static void take_message(void *user, const char *text) {
  struct hints *h = user;
  char *end;
  uint64_t token = strtoull(text, &end, 16);
  if (token == process_token || *end != ' ') return;
  unsigned long partition = strtoul(end + 1, &end, 10);
  struct store_hint hint = {.partition = (uint16_t)partition};
  if (*end == ' ') hint.lane_id = ff_text(end + 1);
  hear(h, &hint);
}

static bool send_noted(struct hints *h) {
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
    ok = h->link->tell(h->connection, h->channel, payload);
  }
  h->sent_us = clock_monotonic_us();
  return ok;
}

/* ---- the thread ---- */

static void disconnect(struct hints *h) {
  if (h->connection) h->link->disconnect(h->connection);
  h->connection = NULL;
  h->retry_us = clock_monotonic_us() + BACKOFF_US;
}

static void receive(struct hints *h) {
  if (h->connection && !h->link->receive(h->connection, take_message, h)) disconnect(h);
}

/* Until something is to be done; µs, or until woken. */
static void rest(struct hints *h, int64_t until_us) {
  struct pollfd ready[] = {{h->wake, POLLIN, 0},
                           {h->connection ? h->link->socket(h->connection) : -1, POLLIN, 0}};
  int64_t left = until_us - clock_monotonic_us();
  int timeout = until_us == INT64_MAX ? -1 : left > 0 ? (int)(left / 1000) + 1 : 0;
  if (poll(ready, 2, timeout) <= 0) return;
  uint64_t ignored;
  ssize_t n = ready[0].revents ? read(h->wake, &ignored, sizeof ignored) : 0;
  (void)n;
  if (ready[1].revents) receive(h);
}

static bool pending(struct hints *h, bool *stop) {
  pthread_mutex_lock(&h->lock);
  bool any = h->count > 0;
  *stop = h->stop;
  pthread_mutex_unlock(&h->lock);
  return any;
}

static void *run(void *user) {
  struct hints *h = user;
  for (;;) {
    bool stop, any = pending(h, &stop);
    int64_t now = clock_monotonic_us(), due = INT64_MAX;
    if (stop && (!any || (!h->connection && h->retry_us > now))) break;
    if (!h->connection) {
      due = any ? h->retry_us : h->started_us + PATIENCE_US;
      if (due < h->retry_us) due = h->retry_us;
      if (due <= now) {
        h->connection = h->link->connect(h->store, h->channel);
        if (!h->connection) disconnect(h);
        else hear(h, &(struct store_hint){0}); /* what was said before was not heard */
        continue;
      }
    } else if (any) {
      due = stop ? now : h->sent_us + QUIET_US;
      if (due <= now) {
        if (!send_noted(h)) disconnect(h);
        receive(h);
        continue;
      }
    }
    rest(h, due);
  }
  if (h->connection) h->link->disconnect(h->connection);
  return NULL;
}

/* Under the registry lock. Without a thread only this process is told. */
static void start(struct hints *h) {
  if (h->started) return;
  h->started_us = clock_monotonic_us();
  h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  h->started = h->wake >= 0 && pthread_create(&h->thread, NULL, run, h) == 0;
  if (h->started || h->wake < 0) return;
  close(h->wake);
  h->wake = -1;
}

static void stop(struct hints *h) {
  if (!h->started) return;
  pthread_mutex_lock(&h->lock);
  h->stop = true;
  pthread_mutex_unlock(&h->lock);
  wake(h);
  pthread_join(h->thread, NULL);
  close(h->wake);
}

/* ---- for the stores ---- */

void hints_free(struct hints *h) {
  if (!h) return;
  pthread_mutex_lock(&registry_lock);
  for (struct hints **p = &registry; *p; p = &(*p)->next)
    if (*p == h) {
      *p = h->next;
      break;
    }
  while (h->listeners) {
    struct listener *l = h->listeners;
    h->listeners = l->next;
    free(l);
  }
  pthread_mutex_unlock(&registry_lock);
  stop(h); /* outside the lock: the thread takes it */
  pthread_mutex_destroy(&h->lock);
  free(h->place);
  free(h);
}

void hints_listen(struct hints *h, store_hint_fn fn, void *user) {
  struct listener *l = heap_alloc(sizeof *l);
  pthread_mutex_lock(&registry_lock);
  *l = (struct listener){h->listeners, fn, user};
  h->listeners = l;
  start(h);
  pthread_mutex_unlock(&registry_lock);
}

void hints_unlisten(struct hints *h, const void *user) {
  pthread_mutex_lock(&registry_lock);
  for (struct listener **p = &h->listeners; *p;) {
    struct listener *l = *p;
    if (l->user == user) {
      *p = l->next;
      free(l);
    } else {
      p = &l->next;
    }
  }
  pthread_mutex_unlock(&registry_lock);
}

void hints_notify(struct hints *sender, const void *sender_user, const struct store_hint *hints,
                  uint32_t count) {
  pthread_mutex_lock(&registry_lock);
  for (struct hints *h = registry; h; h = h->next) {
    if (h != sender && strcmp(h->place, sender->place) != 0) continue;
    for (struct listener *l = h->listeners; l; l = l->next)
      for (uint32_t i = 0; l->user != sender_user && i < count; i++) l->fn(l->user, &hints[i]);
  }
  start(sender);
  if (sender->started) {
    pthread_mutex_lock(&sender->lock);
    bool first = sender->count == 0;
    for (uint32_t i = 0; i < count; i++) note(sender, &hints[i]);
    pthread_mutex_unlock(&sender->lock);
    if (first) wake(sender);
  }
  pthread_mutex_unlock(&registry_lock);
}
