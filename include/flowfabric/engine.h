/*
 * Opening and closing an engine, the shape every operation shares, and reflection over all of them.
 *
 * An engine is one opened store with its batch executor and scanners. It is free-threaded: any
 * number of threads may call any operation at the same time. Opening the same file twice in one
 * process gives the same engine (01 CP-9).
 */
#ifndef FLOWFABRIC_ENGINE_H
#define FLOWFABRIC_ENGINE_H

#include "flowfabric/base.h"
#include "flowfabric/error.h"
#include "flowfabric/handle.h"
#include "flowfabric/words.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ff_engine;

/* Severity of a log line. */
enum ff_log_level { FF_LOG_ERROR, FF_LOG_WARN, FF_LOG_INFO, FF_LOG_DEBUG };

/* How to open. Initialise with FF_OPEN_OPTIONS_INIT; a zero member means its default. */
struct ff_open_options {
  uint32_t size;            /* sizeof(struct ff_open_options) */
  uint32_t flow_partitions; /* 0 = $FF_FLOW_PARTITIONS, else as stored, else 256; a difference to
                               what is stored refuses (01 PT-4) */
  bool no_scanners;         /* do not run background scanners in this process (00 OP-5) */
  bool dev_mode;            /* consent to a store that can lose acknowledged work (01 CP-8) */
  uint32_t inbox_limit;     /* operations waiting at most, beyond: resource_exhausted; 0 = 65,536 */
  uint32_t batch_limit;     /* operations per transaction at most; 0 = 1,024 */
  int64_t retention_ms;     /* how long ended executions are kept; 0 = 86,400,000 (01 PO-15) */
  int64_t auto_reclaim_delay_ms; /* 0 = $FF_AUTO_RECLAIM_DELAY_MS or 5,000; -1 = off; 1 = at once
                                    (01 PO-16) */
  uint64_t max_payload_bytes;    /* input payloads and results; 0 = 16 MiB (01 LM-35) */
  int64_t event_retention_ms;    /* 0 = $FF_OUTBOX_RETENTION_MS or 86,400,000 (05 SU-80) */
  void (*log)(void *user, enum ff_log_level level,
              const char *message); /* NULL = standard error; any thread */
  void *log_user;
  int64_t (*clock_ms)(
      void *user); /* NULL = the store's clock; for tests; must never go backwards */
  void *clock_user;
  uint64_t seed; /* 0 = from the kernel; anything else makes ids and jitter repeatable, for tests */
  uint32_t async_limit; /* calls of the _async forms whose callback has not run, parked ones too, beyond:
                           resource_exhausted; 0 = 65,536 */
  uint64_t async_bytes_limit; /* bytes of their copied arguments; 0 = 256 MiB */
  uint32_t max_stream_ops; /* read_stream and tail_stream at the same time, waiting ones included; 0 =
                              $FF_MAX_CONCURRENT_STREAM_OPS or 64; at most 1,000,000 (05 A.11) */
  uint32_t cascade_steps;  /* members ended and edges resolved by one transaction at most, what is left
                              follows in others; 0 = 256; 16..4,096 (04 §8.4) */
};
#ifdef __cplusplus
#define FF_OPEN_OPTIONS_INIT \
  { sizeof(struct ff_open_options) }
#else
#define FF_OPEN_OPTIONS_INIT \
  { .size = sizeof(struct ff_open_options) }
#endif

/*
 * Opens a store and the engine on it: connects, brings the schema up to date, checks the deployment
 * record, starts scanners.
 *
 * url: "memory:", "memory:<name>", "sqlite:<path>", "sqlite:<path>?mode=ro", "sqlite::memory:", or
 * NULL for the durable default file (flowfabric.db in $FF_DATA_DIR, else in the XDG state
 * directory). Parameters of sqlite: mode=ro, synchronous=full|normal|off, pool=N. options NULL =
 * all defaults. error may be NULL. On success *out must be closed with ff_close. Blocks while it
 * opens; any thread. A new store gets a secret for waitpoint tokens: $FF_WAITPOINT_HMAC_SECRET (hex
 * digits, better 64), else a random one; a stored one stays (03 §12.6).
 *
 * "http://<host>[:<port>][?timeout_ms=N]" is an engine behind ff-server (port 9090): the same handle
 * and calls, each one POST over a kept connection. The token is $FF_API_TOKEN; the options belong to
 * the server, but for async_limit (at most 256, a thread each). An answer may take timeout_ms
 * (30,000) and what the call waits for besides; later: timeout, the outcome is unknown, as it is
 * after transport. Claims, appends and waitpoints get a request id when they have none, so that they
 * can be repeated.
 *
 * Errors: config (unknown scheme or parameter, bad option), unauthorized (a server's),
 * requires_dev_mode, transport (cannot open; the detail names the path), timeout (no answer of a
 * server), store_busy (another process owns the file; the detail names it; in a callback also: this
 * process is closing it, which may be waiting for that callback), store_read_only, schema_too_new,
 * corruption (partition_mismatch).
 */
FF_API FF_MUST_USE enum ff_rc ff_open(const char *url, const struct ff_open_options *options,
                                      struct ff_engine **out, struct ff_error *error);

/* Stops taking calls, waits until every call under way has been answered, then releases the engine.
 * NULL is a no-op. Call once per ff_open; no other thread may use the engine afterwards. In a
 * callback of an asynchronous call it returns at once and the last close of an engine goes on behind
 * it: a callback may close the engine that called it. */
FF_API void ff_close(struct ff_engine *engine);

/* Stops taking blocking calls and waits for those under way (01 CP-7). Errors: timeout after
 * grace_ms. The engine must still be closed. */
FF_API FF_MUST_USE enum ff_rc ff_shutdown_prepare(struct ff_engine *engine, int64_t grace_ms,
                                                  struct ff_error *error);

/* "memory", "sqlite" or "postgres"; of a remote engine the server's. No I/O, any thread (01 CP-1). */
FF_API const char *ff_backend_label(const struct ff_engine *engine);
/* What the store states about durability, for example "fsync". No I/O. */
FF_API const char *ff_durability(const struct ff_engine *engine);
/* The library's version, for example "0.1.0". */
FF_API const char *ff_version(void);

/* Releases what a result owns and sets its memory to NULL. Every result struct begins with
 * `struct ff_memory *memory`; texts, bytes and lists of a result point into it and must not be used
 * afterwards. Safe on a zeroed result and on one already cleared. */
struct ff_memory;
FF_API void ff_clear(void *result);

/*
 * Every operation `op` has this shape (FF_OPERATION declares both forms):
 *
 *   enum ff_rc ff_op(engine, const struct ff_op_args *args, struct ff_op_result *result, struct
 * ff_error *error); enum ff_rc ff_op_async(engine, args, done, user, error);
 *
 * args: initialise with FF_ARGS(op); what it points to is borrowed for the call (blocking) or
 * copied before return (async). result: overwritten; on success release it with ff_clear; on error
 * it is zeroed. error may be NULL. Blocking form: blocks until the outcome is durable as far as the
 * store states; any thread. Async form: returns FF_OK once the call is taken; done is then called
 * exactly once, from another thread or a later call of this thread's, never inside ff_op_async;
 * done may move the result out, else it is cleared when done returns; done must not block.
 *
 * Beside the errors each operation names, all of them can answer: invalid_input (an argument
 * outside its limits; field names it), corruption (stored data does not parse), retry_exhausted
 * (three lost races), resource_exhausted (inbox full), transport, store_busy, store_full,
 * store_read_only, unavailable (the engine is closing).
 */
#define FF_OPERATION(op)                                                                 \
  FF_API enum ff_rc ff_##op(struct ff_engine *engine, const struct ff_##op##_args *args, \
                            struct ff_##op##_result *result, struct ff_error *error);    \
  FF_API enum ff_rc ff_##op##_async(                                                     \
      struct ff_engine *engine, const struct ff_##op##_args *args,                       \
      void (*done)(void *user, enum ff_rc rc, struct ff_##op##_result *result,           \
                   const struct ff_error *error),                                        \
      void *user, struct ff_error *error)

#ifdef __cplusplus
#define FF_ARGS(op) \
  { sizeof(struct ff_##op##_args) }
#else
#define FF_ARGS(op) \
  { .size = sizeof(struct ff_##op##_args) }
#endif

/* ---- reflection: what bindings, the command line and test scripts are made from ---- */
enum ff_field_type {
  FF_FIELD_BOOL,
  FF_FIELD_I32,
  FF_FIELD_U32,
  FF_FIELD_I64,
  FF_FIELD_U64,
  FF_FIELD_TEXT,   /* struct ff_str */
  FF_FIELD_BYTES,  /* struct ff_bytes */
  FF_FIELD_WORD,   /* uint8_t, an enum of words.h; `words` says which */
  FF_FIELD_ID,     /* struct ff_id, results only */
  FF_FIELD_HANDLE, /* struct ff_handle */
  FF_FIELD_STRS,   /* struct ff_strs */
  FF_FIELD_PAIRS,  /* struct ff_pairs */
  FF_FIELD_STRUCT, /* a nested struct described by `fields` */
  FF_FIELD_LIST,   /* { const struct X *items; size_t count; } of structs described by `fields` */
  FF_FIELD_ERROR,  /* struct ff_error, in the slots of many-forms */
  FF_FIELD_F64     /* double */
};
/* `words` of a text that is a credential: forms meant for people and logs never show it. */
#define FF_FIELD_SECRET (-2)
struct ff_field {
  const char *name;
  enum ff_field_type type;
  uint32_t offset;
  int words;                      /* enum ff_word_enum; -1 when not a word, or FF_FIELD_SECRET */
  const struct ff_struct *fields; /* of STRUCT and LIST, else NULL */
};
struct ff_struct {
  const char *name;
  uint32_t size;
  uint32_t field_count;
  const struct ff_field *fields;
};
enum ff_operation_class {
  FF_OPERATION_WRITE,
  FF_OPERATION_READ,
  FF_OPERATION_WAIT,
  FF_OPERATION_COMPOSITE,
  FF_OPERATION_ADMIN
};
struct ff_operation {
  const char *name; /* the one name of the operation (00) */
  enum ff_operation_class class_;
  const struct ff_struct *args, *result;
};
/* Every operation this library offers, in the order of op.def. *count receives how many. Static
 * data, any thread. */
FF_API const struct ff_operation *ff_operations(size_t *count);
/* The operation of that name, NULL when there is none. */
FF_API const struct ff_operation *ff_operation_find(struct ff_str name);
/* Calls any operation through its description; args and result are the structs op->args and
 * op->result describe. */
FF_API FF_MUST_USE enum ff_rc ff_call(struct ff_engine *engine, const struct ff_operation *op,
                                      const void *args, void *result, struct ff_error *error);
/* The asynchronous form of any operation, as FF_OPERATION says it: args are copied, done is called
 * exactly once when this answers FF_OK, with the result struct op->result describes. */
FF_API FF_MUST_USE enum ff_rc ff_call_async(struct ff_engine *engine, const struct ff_operation *op,
                                            const void *args,
                                            void (*done)(void *user, enum ff_rc rc, void *result,
                                                         const struct ff_error *error),
                                            void *user, struct ff_error *error);

/* Ends the waiting of a call made by ff_call_async with this `user`: it is answered as if its time
 * were over, for a caller who is not interested any more. False when no such call waits: it is at
 * work, or answered (ask again, should it matter), or the engine is a remote one. Any thread. */
FF_API bool ff_end_wait(struct ff_engine *engine, const void *user);

#ifdef __cplusplus
}
#endif
#endif
