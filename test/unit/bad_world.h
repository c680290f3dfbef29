/*
 * The small world that bad calls are tried on: a memory engine with a standing clock, one leased
 * execution and one that waits; always the same ids.
 */
#ifndef TEST_UNIT_BAD_WORLD_H
#define TEST_UNIT_BAD_WORLD_H

#include "base/base.h"
#include "flowfabric/flowfabric.h"

#define BAD_PAYLOAD_MAX 1000
#define BAD_UUID(n) "00000000-0000-4000-8000-0000000000" n
#define BAD_ID(n) "{fp:7}:" BAD_UUID(n)
#define BAD_LEASED BAD_ID("01")
#define BAD_FLOW "0f100000-0000-7000-8000-000000000070" /* of the same partition */
#define BAD_BUDGET "0b100000-0000-7000-8000-000000000070"
#define BAD_WAITING BAD_ID("02")

/* Scanners off, a standing clock, a fixed seed, payloads of at most BAD_PAYLOAD_MAX. partitions 0 =
 * the default. The test fails when it cannot be opened. */
struct ff_engine *bad_engine_open(const char *url, uint32_t partitions);
/* The standing clock, and a log nobody reads. */
int64_t bad_clock(void *user);
void bad_quiet(void *user, enum ff_log_level, const char *message);
void bad_create(struct ff_engine *, const char *id);
/* Claims the only execution; texts of the task are gone. */
struct ff_task bad_claim(struct ff_engine *);

struct bad_world {
  struct ff_engine *engine;
  char waitpoint_id[40], waitpoint_token[200]; /* of the leased one */
  struct ff_task task; /* of BAD_LEASED */
};
/* A pending waitpoint of the leased execution. */
void bad_waitpoint(struct bad_world *);
void bad_world_open(struct bad_world *);
void bad_world_close(struct bad_world *);
/* Every record of the store as text (test/lib/script.h). */
void bad_dump(struct ff_engine *, struct buffer *out);

/* Well-formed as C, no text by 01 CV-1: cut short, overlong, a surrogate, no start byte, a NUL. */
#define BAD_TEXT_COUNT 5
extern const struct ff_str bad_texts[BAD_TEXT_COUNT];
/* A mebibyte of x. */
#define BAD_LONG (1u << 20)
const char *bad_long_text(void);

#endif
