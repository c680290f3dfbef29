/*
 * What the files of `ff bench` share: the options, lines, clocks and distributions, stores, loads
 * and the floor probe.
 *
 * bench.c chooses and prints, bench_store.c places files, bench_measure.c measures, bench_load.c
 * drives S1, bench_floor.c is the bare probe; one file per workload stands on them. Everything is
 * public API except the floor.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli.h"

#include <limits.h>
#include <math.h>

/* ---- the invocation (bench.c) ---- */
enum bench_work {
  BENCH_IDLE, /* first: it measures the process while it is small */
  BENCH_THROUGHPUT,
  BENCH_BULK,
  BENCH_LATENCY,
  BENCH_SIGNAL,
  BENCH_TAIL,
  BENCH_GROWTH,
  BENCH_FRAMES,
  BENCH_WORKS
};
enum bench_store_kind { BENCH_STORE_FILE, BENCH_STORE_MEMORY, BENCH_STORE_OTHER };

struct bench {
  struct cli *cli;
  /* options; 0 = the workload's own */
  int64_t n, callers, seconds, runs, rate_per_s;
  int64_t payload_bytes, bulk, stored;
  bool no_floor, full_floor;
  /* the place (bench_store.c) */
  enum bench_store_kind kind;
  const char *url;          /* as given, NULL = scratch files only */
  const char *parameters;   /* of a sqlite URL: "?…" or "" */
  char directory[PATH_MAX]; /* where scratch files and the floor's file go */
  bool made_parent, made_directory, in_memory;
  unsigned serial;
  /* what an earlier workload of this call found */
  double measured_per_s; /* lifecycles of `throughput`, 0 = not measured */
  unsigned lines;
};

/* One result. NAN = null. */
struct bench_line {
  const char *work;
  const char *durability; /* as the store states it */
  uint64_t n;
  double per_s, p50_ms, p99_ms, p999_ms, floor_per_s;
  char note[768];
};
void bench_line_init(struct bench_line *line, const char *work, const char *durability, uint64_t n);
void bench_line_note(struct bench_line *line, const char *format, ...)
    CLI_PRINTF(2, 3); /* appends; "; " between */
void bench_print(struct bench *b, const struct bench_line *line);
/* True once SIGINT or SIGTERM came: workloads stop at the next step. */
bool bench_stopped(void);

/* Each prints its lines and answers an exit code. */
int bench_throughput(struct bench *b); /* bench_throughput.c */
int bench_bulk(struct bench *b);
int bench_latency(struct bench *b); /* bench_latency.c */
int bench_signal(struct bench *b);  /* bench_signal.c */
int bench_tail(struct bench *b);    /* bench_tail.c */
int bench_growth(struct bench *b);  /* bench_growth.c */
int bench_frames(struct bench *b);  /* bench_frames.c */
int bench_idle(struct bench *b);    /* bench_idle.c */

/* ---- executions that wait (bench_fill.c) ---- */
/* Makes `count` suspended executions in a lane of their own; ids from *serial on. Stops early when
 * bench_stopped. */
bool bench_fill_suspended(struct ff_engine *, uint64_t count, uint64_t *serial, struct ff_error *);
/* Resident memory without what the heap has free: that is no cost of anybody's. */
uint64_t bench_trimmed_bytes(void);

/* ---- measuring (bench_measure.c) ---- */
int64_t bench_now_ns(void);
int64_t bench_thread_cpu_ns(void);
void bench_sleep_until_ns(int64_t at_ns); /* on bench_now_ns's clock */

/* A distribution of durations, exact to 0.8%; zeroed memory is an empty one. One thread at a time.
 */
#define BENCH_SUB_BITS 7
#define BENCH_BUCKETS ((38 - BENCH_SUB_BITS) << BENCH_SUB_BITS)
struct bench_times {
  uint64_t count;
  int64_t max_ns;
  uint32_t buckets[BENCH_BUCKETS];
};
void bench_times_add(struct bench_times *times, int64_t ns);
void bench_times_merge(struct bench_times *into, const struct bench_times *from);
double bench_times_ms(const struct bench_times *times,
                      double share); /* 0.99 = p99; NAN when empty */
double bench_times_max_ms(const struct bench_times *times);

/* What the process has used. */
struct bench_usage {
  int64_t wall_ns, cpu_ns;
  uint64_t written_bytes, write_calls; /* to files, as the kernel counts write calls */
};
struct bench_usage bench_usage_now(void);
struct bench_usage bench_usage_since(const struct bench_usage *start);
uint64_t bench_resident_bytes(void);

/* Runs work(shared, 0 … count-1) on as many threads, from one start; the time until the last has
 * ended; -1 after the error was printed. */
int64_t bench_crew_run(unsigned count, void (*work)(void *shared, unsigned index), void *shared);

/* The middle of some numbers, leaving NAN out; sorts them. */
double bench_median(double *numbers, size_t count);
/* One figure over the runs. */
#define BENCH_RUNS_MAX 99
struct bench_series {
  unsigned count;
  double values[BENCH_RUNS_MAX];
};
void bench_series_add(struct bench_series *series, double value);
double bench_series_median(const struct bench_series *series);

/* ---- stores (bench_store.c) ---- */
#define BENCH_STREAM_OPS 2000 /* reads and tails of streams at the same time */
struct bench_store {
  struct ff_engine *engine;
  char path[PATH_MAX]; /* of a file, else "" */
  bool scratch;        /* removed when closed */
};
/* Finds or makes the place; CLI_OK or the exit code. */
int bench_place_init(struct bench *b);
void bench_place_fini(struct bench *b);
/* Opens the given URL, or a fresh file of the same kind when none was given or `scratch` asks for
 * one. */
int bench_store_open(struct bench *b, bool scratch, struct bench_store *store);
void bench_store_close(struct bench_store *store);
uint64_t bench_store_bytes(const struct bench_store *store); /* the file and its log; 0 in memory */
/* A file name of its own in the scratch directory. */
void bench_scratch_path(struct bench *b, const char *stem, char out[PATH_MAX]);
void bench_remove_database(const char *path);
/* A lane nobody used before. */
void bench_lane_name(struct bench *b, char out[64]);

/* What the executor counted since the engine was opened. */
struct bench_counters {
  uint64_t batches, operations, rounds, reruns, reads;
};
struct bench_counters bench_counters_of(struct ff_engine *engine);

/* ---- loads (bench_load.c) ---- */
enum bench_ids { BENCH_IDS_MINTED, BENCH_IDS_ORDERED, BENCH_IDS_RANDOM };
/* What a phase took. */
struct bench_phase {
  struct bench_usage used;
  uint64_t batches, rounds, reruns;
};
struct bench_load {
  struct ff_engine *engine;
  const char *lane;
  uint64_t n;
  unsigned callers, bulk; /* bulk 1 = one operation a call */
  size_t payload_bytes;
  enum bench_ids ids;
  /* results; times are per call and are added to, when they are not NULL */
  struct bench_phase create, drain;
  struct bench_times *creates, *claims, *completes;
};
/* Creates n executions / claims and completes n. CLI_OK or the exit code after the error was
 * printed. */
int bench_load_create(struct bench *b, struct bench_load *load);
int bench_load_drain(struct bench *b, struct bench_load *load);
/* n lifecycles of unmeasured work. */
int bench_load_quietly(struct bench *b, const struct bench_load *load, uint64_t n, bool drain);
/* The text of a client's own execution id in partition 7. */
void bench_client_id(enum bench_ids ids, char out[FF_ID_MAX]);
unsigned char *bench_payload_new(size_t size);

/* ---- the floor (bench_floor.c) ---- */
struct bench_floor;
/* A bare database beside the store's, at the durability the store states; NULL (after the error was
 * printed) when it fails. */
struct bench_floor *bench_floor_open(struct bench *b, const char *durability);
void bench_floor_close(struct bench_floor *floor);
/* One transaction: so many executions created, so many of the created claimed, so many of the
 * claimed completed. */
bool bench_floor_commit(struct bench_floor *floor, unsigned creates, unsigned claims,
                        unsigned completes);
/* One transaction: so many frames of so many bytes, spread over so many streams, whose rows are
 * updated once. */
bool bench_floor_frames(struct bench_floor *floor, unsigned streams, unsigned frames,
                        unsigned bytes);
/* n lifecycles, grouped; bulk = claims and completions in transactions of their own. Answers the
 * exit code. */
struct bench_floor_load {
  uint64_t n;
  unsigned create_group, drain_group; /* steps per transaction */
  bool bulk;
  struct bench_phase create, drain;
};
int bench_floor_run(struct bench_floor *floor, struct bench_floor_load *load);
/* Whether this invocation can have a floor: a file, and not refused by --no-floor. */
bool bench_floor_wanted(const struct bench *b, const char *durability);

#endif
