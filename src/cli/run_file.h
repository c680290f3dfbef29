/*
 * The job file of `ff run`: every line checked before anything is submitted.
 */
#ifndef CLI_RUN_FILE_H
#define CLI_RUN_FILE_H

#include "cli.h"
#include "json.h"

enum {
  RUN_LINE_MAX = 1024 * 1024,        /* bytes of one line */
  RUN_FILE_MAX = 1024 * 1024 * 1024, /* bytes of a job file */
  RUN_LANES_MAX = 64,                /* one claim looks at so many lanes */
  RUN_RETRIES_MAX = 1000,
  RUN_SUBLANE_MAX = 40 /* bytes; with the run's own lane name in front at most 64 */
};

/* One line with work. */
struct run_job {
  uint32_t line; /* from 1 */
  uint32_t lane; /* index in run_file.lanes */
  struct ff_str command;
  int32_t priority;
  int32_t retries;    /* -1 = the default of the run */
  int64_t timeout_ms; /* 0 = none */
  struct ff_strs capabilities;
  uint64_t hash; /* of the line's bytes */
};

struct run_file {
  char *path;       /* absolute */
  const char *name; /* as given, for messages */
  char *data;
  size_t size;
  struct run_job *jobs;
  size_t job_count, job_capacity;
  char (*lanes)[80];
  uint32_t lane_count;
  struct cli_arena arena;
};

/* Reads and checks the whole file. CLI_OK, or the exit code after every error was printed (at most 20). */
int run_file_load(struct cli *cli, const char *name, struct run_file *file);
void run_file_fini(struct run_file *file);

/* FNV-1a, 64 bit. */
uint64_t run_hash(const void *data, size_t size);
/* The idempotency key of a line, at most 256 bytes. */
void run_file_key(const struct run_file *file, const struct run_job *job, char out[257]);

/* The lane `ff run NAME` uses; lanes of single lines are this, ':' and their name. */
int cli_run_lane(struct cli *cli, const char *name, char *out, size_t out_size);

#endif
