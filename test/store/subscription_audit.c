/*
 * The subscription audit (05 B.13): processes that write and processes that read, the readers killed
 * and started again at random instants; nothing is missed, nothing out of order per execution, of
 * all four families (SU-1 … SU-6, SU-20, SU-28; SU-2 SU-3 SU-4 SU-5 SU-16).
 *
 * usage: subscription_audit [--servers] [--jobs N]   On SQLite one process writes with several
 * threads and the readers open the file read-only; on a store in a server every writer and every
 * reader is a process with an engine of its own. Each job lives the same life, so that a reader
 * knows which event of it comes next. Tells how long a reader that waited was behind.
 */
#include "flowfabric/flowfabric.h"

#include "base/base.h"
#include "test/lib/stores.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WRITERS = 3, JOBS_MAX = 400, FAMILIES = 4, READERS = 2 * FAMILIES, EVENTS_OF_A_JOB = 4 };
enum { LATE_MAX = 4096, KILLS = 12, DEADLINE_S = 240 };
enum family { LEASES, COMPLETIONS, SIGNALS, TAGS };
static const char *const families[FAMILIES] = {"leases", "completions", "signals", "tags"};

/* What a reader keeps: a cursor and what it has seen before it, always together. */
struct kept {
  uint8_t cursor[256];
  uint32_t cursor_len;
  uint8_t next[WRITERS][JOBS_MAX]; /* of each job: the event that comes next */
};
struct reader {
  struct kept kept[2];
  _Atomic uint32_t current; /* which of them counts: a killed reader has kept one whole */
  _Atomic uint32_t done, starts, rewinds, pages;
  int32_t late_ms[LATE_MAX]; /* of events that came to one who waited */
  _Atomic uint32_t late_count;
  char complaint[256];
};
/* Shared by all processes. */
struct world {
  char url[700], reader_url[720];
  uint32_t jobs;
  _Atomic uint32_t failed;
  struct reader readers[READERS];
};
static struct world *world;

static void give_up(const char *what, const struct ff_error *error) {
  fprintf(stderr, "subscription_audit: %s: %s %s\n", what, ff_code_name(error->code),
          error->detail);
  world->failed = 1;
  _exit(1);
}

static struct ff_engine *open_store(const char *url) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error error;
  options.dev_mode = true;
  for (int tries = 0; ff_open(url, &options, &engine, &error) != FF_OK; tries++) {
    if (tries == 200) give_up("open", &error); /* a reader may come before the file */
    usleep(50000);
  }
  return engine;
}

/* ---- writing: created with a tag, claimed, suspended, approved, claimed again, completed ---- */

#define DO(name, args, result)                                            \
  do {                                                                    \
    struct ff_error error_;                                               \
    if (ff_##name(engine, (args), (result), &error_) != FF_OK)            \
      give_up(#name, &error_);                                            \
  } while (0)

static void claim(struct ff_engine *engine, struct ff_str lane, struct ff_handle *handle) {
  struct ff_claim_args args = FF_ARGS(claim);
  struct ff_claim_result result;
  args.lane_id = lane;
  args.worker_id = args.worker_instance_id = ff_text("w");
  args.lease_ttl_ms = 600000;
  args.max_wait_ms = 30000;
  DO(claim, &args, &result);
  *handle = result.handle;
  ff_clear(&result);
}

static void suspend_and_approve(struct ff_engine *engine, const char *id, struct ff_str lane,
                                int writer, int job, const struct ff_handle *handle) {
  char waitpoint[40];
  snprintf(waitpoint, sizeof waitpoint, "00000000-0000-4000-9000-%06d%06d", writer, job);
  struct ff_waitpoint_binding binding = {ff_text(waitpoint), ff_text("k"), false};
  struct ff_suspend_args args = FF_ARGS(suspend);
  struct ff_suspend_result result;
  struct ff_deliver_approval_signal_args approval = FF_ARGS(deliver_approval_signal);
  struct ff_deliver_approval_signal_result approved;
  args.handle = *handle;
  args.suspension_id = ff_text(waitpoint);
  args.waitpoints = (struct ff_waitpoint_bindings){&binding, 1};
  args.resume_condition =
      ff_text("{\"Single\":{\"waitpoint_key\":\"k\",\"matcher\":\"Wildcard\"}}");
  args.reason_code = ff_text("waiting_for_approval");
  DO(suspend, &args, &result);
  ff_clear(&result);
  approval.execution_id = ff_text(id);
  approval.lane_id = lane;
  approval.waitpoint_id = ff_text(waitpoint);
  approval.signal_name = ff_text("approved");
  approval.idempotency_suffix = ff_text("1");
  DO(deliver_approval_signal, &approval, &approved);
  ff_clear(&approved);
}

static void live(struct ff_engine *engine, int writer, int job) {
  char id[FF_ID_MAX], lane[32];
  struct ff_pair tag = {ff_text("audit.k"), ff_text("v")};
  struct ff_create_execution_args create = FF_ARGS(create_execution);
  struct ff_create_execution_result created;
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_complete_result completed;
  struct ff_handle handle;
  snprintf(id, sizeof id, "{fp:%d}:00000000-0000-4000-8000-%06d%06d", job % 7, writer, job);
  snprintf(lane, sizeof lane, "audit-%d", writer);
  create.execution_id = ff_text(id);
  create.lane_id = ff_text(lane);
  create.tags = (struct ff_pairs){&tag, 1};
  DO(create_execution, &create, &created);
  ff_clear(&created);
  claim(engine, create.lane_id, &handle);
  suspend_and_approve(engine, id, create.lane_id, writer, job, &handle);
  claim(engine, create.lane_id, &complete.handle);
  DO(complete, &complete, &completed);
  ff_clear(&completed);
}

struct writer {
  struct ff_engine *engine;
  int number;
};

static void *write_all(void *user) {
  const struct writer *w = user;
  for (uint32_t job = 0; job < world->jobs; job++) live(w->engine, w->number, (int)job);
  return NULL;
}

/* Writers first .. end - 1 as threads of one process. */
static void write_process(int first, int end) {
  struct ff_engine *engine = open_store(world->url);
  struct writer writers[WRITERS];
  pthread_t threads[WRITERS];
  for (int i = first; i < end; i++) {
    writers[i] = (struct writer){engine, i};
    INVARIANT(pthread_create(&threads[i], NULL, write_all, &writers[i]) == 0);
  }
  for (int i = first; i < end; i++) pthread_join(threads[i], NULL);
  /* the readers of a file need its owner no more than they need the writers */
  ff_close(engine);
  _exit(0);
}

/* ---- reading ---- */

/* Which event of its job this one is; -1 = none that belongs there. */
static int place_of_lease(const struct ff_lease_history_event *v) {
  if (v->kind == FF_lease_event_acquired) return -2; /* the first or the third */
  if (v->kind != FF_lease_event_revoked) return -1;
  if (text_equal_c(v->reason, "suspend")) return 1;
  return text_equal_c(v->reason, "completed") ? 3 : -1;
}

static const uint8_t events_of[FAMILIES] = {[LEASES] = 4, [COMPLETIONS] = 1, [SIGNALS] = 1,
                                            [TAGS] = 1};

static void wrong(struct reader *r, const char *id, int place, int next) {
  if (!r->complaint[0])
    snprintf(r->complaint, sizeof r->complaint, "%s: event %d where %d was to come", id, place,
             next);
  world->failed = 1;
}

static void see(struct reader *r, struct kept *k, const char *id, int place) {
  int writer, job;
  if (sscanf(strrchr(id, '-') + 1, "%6d%6d", &writer, &job) != 2 || writer >= WRITERS ||
      job >= JOBS_MAX) {
    wrong(r, id, -1, 0);
    return;
  }
  int next = k->next[writer][job];
  if (place == -2) place = next == 2 ? 2 : 0;
  if (place != next) wrong(r, id, place, next);
  k->next[writer][job] = (uint8_t)(place + 1);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* One call of a family: sees its events, moves the cursor, answers how many. */
#define READ(name, PLACE)                                                                  \
  do {                                                                                     \
    struct ff_subscribe_##name##_args args = FF_ARGS(subscribe_##name);                    \
    struct ff_subscribe_##name##_result page;                                              \
    args.cursor = (struct ff_bytes){k->cursor, k->cursor_len};                             \
    args.from_start = k->cursor_len == 0;                                                  \
    args.limit = limit;                                                                    \
    args.max_wait_ms = 1000;                                                               \
    int64_t called = now_ms();                                                             \
    if (ff_subscribe_##name(engine, &args, &page, &error) != FF_OK) give_up(#name, &error); \
    if (page.dropped) wrong(r, "dropped", 0, 0);                                           \
    for (size_t i = 0; i < page.events.count; i++)                                         \
      see(r, k, page.events.items[i].execution_id.text, PLACE(&page.events.items[i]));     \
    if (page.events.count && page.events.items[0].at > called)                             \
      r->late_ms[r->late_count++ % LATE_MAX] = (int32_t)(now_ms() - page.events.items[0].at); \
    count = page.events.count;                                                             \
    INVARIANT(page.next_cursor.len <= sizeof k->cursor);                                   \
    memcpy(k->cursor, page.next_cursor.ptr, page.next_cursor.len);                         \
    k->cursor_len = (uint32_t)page.next_cursor.len;                                        \
    ff_clear(&page);                                                                       \
  } while (0)
#define FIRST(event) ((void)(event), 0)

static size_t read_page(struct ff_engine *engine, enum family family, struct reader *r,
                        struct kept *k, uint32_t limit) {
  struct ff_error error;
  size_t count = 0;
  switch (family) {
    case LEASES: READ(lease_history, place_of_lease); break;
    case COMPLETIONS: READ(completion, FIRST); break;
    case SIGNALS: READ(signal_delivery, FIRST); break;
    case TAGS: READ(instance_tags, FIRST); break;
  }
  return count;
}

static bool has_all(const struct kept *k, enum family family) {
  for (int w = 0; w < WRITERS; w++)
    for (uint32_t j = 0; j < world->jobs; j++)
      if (k->next[w][j] < events_of[family]) return false;
  return true;
}

/* From the kept cursor on; now and then from an older one of its own, or in an engine opened anew. */
static void read_process(int number) {
  struct reader *r = &world->readers[number];
  enum family family = (enum family)(number % FAMILIES);
  struct ff_engine *engine = open_store(world->reader_url);
  struct kept old = r->kept[r->current];
  unsigned dice = (unsigned)number * 7919u + ++r->starts;
  while (!world->failed && !has_all(&r->kept[r->current], family)) {
    struct kept *next = &r->kept[1 - r->current];
    *next = r->kept[r->current];
    if (rand_r(&dice) % 40 == 0) {
      *next = old;
      r->rewinds++;
    }
    read_page(engine, family, r, next, 1 + (uint32_t)rand_r(&dice) % 60);
    r->current = 1 - r->current;
    r->pages++;
    if (rand_r(&dice) % 20 == 0) old = r->kept[r->current];
    if (rand_r(&dice) % 60) continue;
    ff_close(engine);
    engine = open_store(world->reader_url);
  }
  r->done = !world->failed;
  ff_close(engine);
  _exit(world->failed ? 1 : 0);
}

/* ---- the audit ---- */

static pid_t start_reader(int number) {
  pid_t pid = fork();
  if (pid == 0) read_process(number);
  return pid;
}

static int compare(const void *a, const void *b) {
  return *(const int32_t *)a - *(const int32_t *)b;
}

static void report(const char *store) {
  for (int i = 0; i < READERS; i++) {
    struct reader *r = &world->readers[i];
    uint32_t count = r->late_count < LATE_MAX ? r->late_count : LATE_MAX;
    qsort(r->late_ms, count, sizeof *r->late_ms, compare);
    printf("%s: reader %d of %s: %u pages, %u starts, %u rewinds; %u waits, p50 %d ms, p99 %d ms"
           "%s%s\n",
           store, i, families[i % FAMILIES], r->pages, r->starts, r->rewinds, count,
           count ? r->late_ms[count / 2] : 0, count ? r->late_ms[count * 99 / 100] : 0,
           r->done ? "" : "; NOT DONE ", r->complaint);
  }
}

static void kill_some(pid_t *readers, unsigned *dice, uint32_t *kills) {
  int i = (int)(rand_r(dice) % READERS);
  if (*kills == 0 || world->readers[i].done) return;
  --*kills;
  kill(readers[i], SIGKILL);
  waitpid(readers[i], NULL, 0);
  readers[i] = start_reader(i);
}

static bool all_done(void) {
  for (int i = 0; i < READERS; i++)
    if (!world->readers[i].done) return false;
  return true;
}

static bool audit(size_t store, uint32_t jobs) {
  pid_t readers[READERS], writers[WRITERS];
  bool server = test_store_is_server(store);
  uint32_t kills = KILLS;
  unsigned dice = 1;
  memset(world, 0, sizeof *world);
  world->jobs = jobs;
  test_store_place(store, "audit", "", world->url, sizeof world->url);
  snprintf(world->reader_url, sizeof world->reader_url, "%s%s", world->url,
           server ? "" : "?mode=ro");
  int processes = server ? WRITERS : 1;
  for (int i = 0; i < processes; i++)
    if ((writers[i] = fork()) == 0) write_process(server ? i : 0, server ? i + 1 : WRITERS);
  for (int i = 0; i < READERS; i++) readers[i] = start_reader(i);
  int64_t end = now_ms() + DEADLINE_S * 1000;
  while (!world->failed && !all_done() && now_ms() < end) {
    usleep(20000 + (useconds_t)rand_r(&dice) % 80000);
    kill_some(readers, &dice, &kills);
  }
  bool ok = all_done() && !world->failed;
  for (int i = 0; i < READERS; i++) kill(readers[i], SIGKILL), waitpid(readers[i], NULL, 0);
  for (int i = 0; i < processes; i++) {
    int status = 0;
    if (!ok) kill(writers[i], SIGKILL);
    waitpid(writers[i], &status, 0);
    ok = ok && status == 0;
  }
  report(test_store(store));
  test_store_remove(store, "audit");
  printf("%s: %u jobs of %d writers, %d readers: %s\n", test_store(store), jobs * WRITERS, WRITERS,
         READERS, ok ? "nothing missed" : "FAILED");
  fflush(stdout);
  return ok;
}

int main(int argc, char **argv) {
  bool servers = false, ok = true;
  uint64_t jobs = getenv("FF_SOAK") ? JOBS_MAX : 40;
  size_t chosen[TEST_STORES];
  int status = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--servers") == 0) servers = true;
    if (strcmp(argv[i], "--jobs") != 0 || i + 1 == argc) continue;
    if (!parse_u64(ff_text(argv[++i]), &jobs)) jobs = 0;
  }
  if (jobs < 1 || jobs > JOBS_MAX) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  INVARIANT(world != MAP_FAILED);
  size_t count = test_stores_choose(servers, chosen, &status);
  for (size_t i = 1; i < count; i++) ok = audit(chosen[i], (uint32_t)jobs) && ok; /* 0 has one process only */
  return ok ? status : 1;
}
