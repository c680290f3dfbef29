/*
 * Counts of requests and their durations by method, route and status, as Prometheus reads them (07
 * §4.1, M-1, M-2).
 *
 * One table for all loops, of a fixed size: routes, methods and statuses are few. A slot is taken
 * once by a compare-and-swap of its key and counted without a lock afterwards.
 */
#include "server/impl.h"

#include <stdlib.h>

#define SLOTS 1024 /* label sets; more are not counted (07 §4.1: fewer than 1,000) */

static const uint64_t bounds_us[] = {5000,   10000,  25000,   50000,   100000,  250000,
                                     500000, 1000000, 2500000, 5000000, 10000000};
static const char *const bounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                     "0.5",   "1",    "2.5",   "5",    "10"};
static const char *const methods[] = {"OTHER", "GET",    "HEAD",    "POST",    "PUT",
                                      "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"};

struct slot {
  _Atomic uint64_t key; /* 0: free */
  _Atomic uint64_t count, sum_us, buckets[ARRAY_LEN(bounds)];
};

struct metrics {
  struct slot slots[SLOTS];
};

struct metrics *metrics_new(void) { return heap_zalloc(sizeof(struct metrics)); }
void metrics_free(struct metrics *m) { free(m); }

/* Paths are texts of the program: their address is their name. 47 bits, 4 of the method, 10 of the
 * status. */
static uint64_t key_of(const char *path, size_t method, int status) {
  return (uint64_t)(uintptr_t)path << 14 | (uint64_t)method << 10 | (unsigned)status;
}

static const char *path_of(uint64_t key) { return (const char *)(uintptr_t)(key >> 14); }

static struct slot *slot_of(struct metrics *m, uint64_t key) {
  size_t at = hash_mix64(key) % SLOTS;
  for (size_t i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS) {
    uint64_t found = atomic_load(&m->slots[at].key), nobody = 0;
    if (found == key) return &m->slots[at];
    if (found) continue;
    if (atomic_compare_exchange_strong(&m->slots[at].key, &nobody, key) || nobody == key)
      return &m->slots[at];
  }
  return NULL;
}

void metrics_count(struct metrics *m, const char *method, const char *path, int status,
                   uint64_t us) {
  size_t which = 0;
  for (size_t i = 1; i < ARRAY_LEN(methods); i++)
    if (strcmp(methods[i], method) == 0) which = i;
  struct slot *s = slot_of(m, key_of(path, which, status));
  if (!s) return;
  s->count++;
  s->sum_us += us;
  for (size_t i = 0; i < ARRAY_LEN(bounds_us); i++) s->buckets[i] += us <= bounds_us[i];
}

static void labels(uint64_t key, struct buffer *out) {
  buffer_printf(out, "method=\"%s\",path=\"%s\",status=\"%d\"", methods[key >> 10 & 15],
                path_of(key), (int)(key & 1023));
}

static void write_counts(const struct metrics *m, struct buffer *out) {
  buffer_append_c(out, "# HELP ff_http_requests_total Requests answered.\n"
                       "# TYPE ff_http_requests_total counter\n");
  for (size_t i = 0; i < SLOTS; i++) {
    uint64_t key = atomic_load(&m->slots[i].key);
    if (!key) continue;
    buffer_append_c(out, "ff_http_requests_total{");
    labels(key, out);
    buffer_printf(out, "} %llu\n", (unsigned long long)m->slots[i].count);
  }
}

static void write_duration(const struct slot *s, struct buffer *out) {
  static const char name[] = "ff_http_request_duration_seconds";
  uint64_t key = s->key, count = s->count;
  for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
    buffer_printf(out, "%s_bucket{", name);
    labels(key, out);
    buffer_printf(out, ",le=\"%s\"} %llu\n", bounds[i], (unsigned long long)s->buckets[i]);
  }
  buffer_printf(out, "%s_bucket{", name);
  labels(key, out);
  buffer_printf(out, ",le=\"+Inf\"} %llu\n%s_sum{", (unsigned long long)count, name);
  labels(key, out);
  buffer_printf(out, "} %llu.%06u\n%s_count{", (unsigned long long)(s->sum_us / 1000000),
                (unsigned)(s->sum_us % 1000000), name);
  labels(key, out);
  buffer_printf(out, "} %llu\n", (unsigned long long)count);
}

void metrics_write(const struct metrics *m, const char *backend, uint32_t connections,
                   struct buffer *out) {
  buffer_printf(out,
                "# HELP ff_build_info The version and the store of this server.\n"
                "# TYPE ff_build_info gauge\n"
                "ff_build_info{version=\"%s\",backend=\"%s\"} 1\n"
                "# HELP ff_http_connections Connections that are open.\n"
                "# TYPE ff_http_connections gauge\n"
                "ff_http_connections %u\n",
                ff_version(), backend, connections);
  write_counts(m, out);
  buffer_append_c(out, "# HELP ff_http_request_duration_seconds Time from head to answer.\n"
                       "# TYPE ff_http_request_duration_seconds histogram\n");
  for (size_t i = 0; i < SLOTS; i++)
    if (m->slots[i].key) write_duration(&m->slots[i], out);
}
