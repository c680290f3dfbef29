/*
 * The insides of `ff run`: one run, its lines and its workers. Shared by run*.c only.
 *
 * Locks: run.lock guards the counters, every line's state and every worker's `held` part. It is never held during an
 * engine call, a fork or a wait. Only the worker that runs a line touches its process.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "args.h"
#include "out.h"
#include "run_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
  RUN_WORKERS_MAX = 512,
  RUN_OUTPUT_MAX = 64 * 1024, /* of a command's output the last so many bytes are kept */
  RUN_FRAMES_KEPT = 1000,     /* frames of an attempt's output */
  RUN_REASON_MAX = 4096,      /* bytes of a failure reason */
  RUN_GRACE_MS = 5000,        /* from TERM to KILL */
  RUN_RETRIES = 2,            /* unless --retries or the line says otherwise */
  RUN_SCOUT_MS = 50           /* how long the one idle worker that looks for work waits for it */
};
#define RUN_KEEP_MS (30LL * 86400000) /* finished lines are remembered so long */

enum run_state { RUN_WAITING, RUN_RUNNING, RUN_DONE, RUN_FAILED, RUN_FORGOTTEN };

/* One line of the file in this run. */
struct run_line {
  const struct run_job *job;
  struct ff_id id;
  uint8_t state;  /* enum run_state */
  bool before;    /* it had ended before this run began */
  bool duplicate; /* it was submitted before this run */
  bool unmatched; /* it needs a capability this run does not have */
  uint32_t attempts;
  char *how;  /* of a failed one: "exit 3" */
  char *last; /* of a failed one: its last output line */
};

struct run_counts {
  size_t total, done, failed, done_before, failed_before, forgotten, running, retried, unmatched,
      left;
};

/* What a worker shows to the renewal thread. */
struct run_held {
  bool active, lost;
  uint64_t generation;
  struct ff_handle handle;
  int64_t until; /* monotonic ms: the lease is certainly over then */
};

/* The streaming of the output of the command under way. */
struct run_stream {
  const struct ff_handle *handle;
  size_t sent;     /* bytes of its output */
  int64_t sent_at; /* monotonic ms */
  bool over;       /* refused */
};

struct run;
struct run_worker {
  struct run *run;
  pthread_t thread;
  unsigned index;
  bool started;
  int wake_fd; /* eventfd: look at `held.lost` and run->stopping */
  uint64_t claims;
  struct run_held held;
  char *output; /* RUN_OUTPUT_MAX bytes, a ring */
  size_t output_total;
  struct run_stream stream;
};

struct run {
  struct cli *cli;
  struct run_file file;
  struct run_line *lines;
  uint32_t *ids; /* hash table of line indexes + 1 by execution id */
  size_t ids_size;
  struct run_worker *workers;
  unsigned worker_count;
  int64_t lease_ms;
  int32_t retries;
  bool retry_failed, check_only;
  struct ff_str *capabilities;
  size_t capability_count;
  char instance[200];
  int guard_fd;
  pid_t guard_pid;

  pthread_mutex_t lock;
  pthread_cond_t
      idle; /* a worker that looks for something to do, or for a line another one still ends */
  pthread_cond_t renewer; /* the renewal thread */
  struct run_counts counts;
  bool scouting; /* one idle worker is waiting in a claim */
  bool renewer_over;
  unsigned workers_left;
  pthread_t main_thread;
  atomic_int stopping; /* 0, 1 = stop, 2 = kill at once */
  int code;            /* not CLI_OK: the store failed, this is the exit code */
  size_t leftovers;    /* executions of lines that are no longer in the file */
  int64_t started;     /* monotonic ms */
  int64_t since_ms;    /* the store's clock before the first line was submitted */
  bool shown;          /* a progress bar is on the terminal's last line */
};

/* Where a line goes: lines by execution id; NULL when the file has no such line. */
struct run_line *run_find(struct run *run, const char *execution_id);
/* Ends the run because of a store failure: prints it once. */
void run_fatal(struct run *run, const struct ff_error *error);
/* Tells every worker to look up (after `stopping` or `lost` changed). */
void run_wake_all(struct run *run);
/* Acts on signals that wait, without waiting for one. Main thread only. */
void run_poll_signals(struct run *run);
/* Changes a line's state and the counters. how and last may be NULL; both are copied. Call with run->lock held. */
void run_settle(struct run *run, struct run_line *line, enum run_state state, const char *how,
                const char *last);
/* Settles a line by what the engine says of its execution. Call with run->lock held. */
void run_settle_as(struct run *run, struct run_line *line, const struct ff_execution *execution);

/* ---- run_store.c: submitting, and going on from an earlier run ---- */
int run_submit(struct run *run);
int run_resume(struct run *run);
/* Asks the engine about every line that has not ended: something else may have ended it. */
void run_reconcile(struct run *run);

/* ---- run_worker.c ---- */
void *run_worker_main(void *worker);

/* ---- run_child.c: one command ---- */
enum run_end { RUN_EXITED, RUN_TIMED_OUT, RUN_LOST, RUN_STOPPED, RUN_NOT_STARTED };
struct run_outcome {
  enum run_end end;
  int status; /* of waitpid; errno of RUN_NOT_STARTED */
};
/* Runs the command of a task to its end, whatever ends it; its output is in worker->output. */
struct run_outcome run_command(struct run_worker *worker, const struct run_line *line,
                               const struct ff_task *task);
/* The kept output as one piece; a marker in front when some was cut. Free it. */
char *run_output(const struct run_worker *worker, size_t *size);

/* ---- run_frames.c: the output as frames while the command runs ---- */
void run_frames_begin(struct run_worker *worker, const struct ff_task *task);
/* When the next frame is due, monotonic ms; INT64_MAX = there is nothing to send. */
int64_t run_frames_due(const struct run_worker *worker);
/* last: the output has ended, everything goes. */
void run_frames_send(struct run_worker *worker, bool last);

/* ---- run_guard.c: no command outlives the runner ---- */
/* Forks the guard; call before there are threads. False with errno. */
bool run_guard_start(struct run *run);
void run_guard_stop(struct run *run);
/* A group that must die with the runner, and one that is gone. Async-signal-safe. */
void run_guard_add(int guard_fd, pid_t group);
void run_guard_remove(int guard_fd, pid_t group);

/* ---- run_renew.c ---- */
void *run_renewer_main(void *run);

/* ---- run_show.c: everything people see; never call with run->lock held ---- */
void run_show_progress(struct run *run, bool last);
void run_show_event(struct run *run, const struct run_line *line, const char *format, ...)
    CLI_PRINTF(3, 4);
int run_show_summary(struct run *run);

#endif
