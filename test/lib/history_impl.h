/*
 * The insides of a history, shared by test/lib/history*.c only.
 */
#ifndef TEST_LIB_HISTORY_IMPL_H
#define TEST_LIB_HISTORY_IMPL_H

#include "op/values.h"
#include "test/lib/history.h"

#define EXECUTIONS 8
#define MINTED 6
#define HELD 24
#define TOKENS 12
#define POINTS 12
#define TIMES 48
#define REPEATS 6
#define CURSORS 8
#define CURSOR_BYTES 9 /* of stores with one log */
#define HISTORY_FLOWS 4
#define STAGED 16

/* A lease somebody was given, dead or alive. */
struct held {
  struct ff_handle handle;
  char execution[FF_ID_MAX], lane[72], lease_id[40], attempt_id[40], instance[64];
  uint64_t epoch;
  uint32_t attempt_index;
  bool ended; /* used up as far as this client knows */
};

/* A grant somebody was given, and which claim it is for. */
enum token_kind { TOKEN_FRESH, TOKEN_RESUME, TOKEN_RECLAIM, TOKEN_ANY };
struct token {
  char execution[FF_ID_MAX], lane[72], key[200];
  uint32_t worker;
  enum token_kind kind;
};

/* A waitpoint somebody made, and its token as he got it. */
struct point {
  char execution[FF_ID_MAX], id[40], key[64], token[200];
};

/* An edge somebody has staged. */
struct staged {
  char flow_id[40], edge_id[40], up[FF_ID_MAX], down[FF_ID_MAX];
};

/* What this client believes of an execution. */
enum belief {
  BELIEF_NONE,
  BELIEF_WAITING,
  BELIEF_LEASED,
  BELIEF_LOST,
  BELIEF_INTERRUPTED,
  BELIEF_BLOCKED,
  BELIEF_ENDED
};
struct known {
  char id[FF_ID_MAX], lane[72];
  enum belief belief;
  char reason[40]; /* of a block */
};

struct history {
  struct history_options options;
  uint64_t state;
  uint32_t drawn;
  struct known known[EXECUTIONS + MINTED]; /* the fixed ones first */
  uint32_t minted_count;
  struct held held[HELD];
  uint32_t held_count; /* ever */
  struct token tokens[TOKENS];
  uint32_t token_count; /* ever */
  struct point points[POINTS];
  uint32_t point_count; /* ever */
  int64_t times[TIMES];
  uint32_t time_count; /* ever */
  uint8_t cursors[CURSORS][CURSOR_BYTES]; /* of the event log */
  uint32_t cursor_count;                  /* ever */
  uint64_t revisions[HISTORY_FLOWS]; /* of the graphs, as far as this client knows */
  uint32_t members[HISTORY_FLOWS];   /* which of the fixed executions, a bit each */
  struct staged staged[STAGED];
  uint32_t staged_count;             /* ever */
  struct history_call *recent[REPEATS];
  uint32_t total_weight;
};

struct history_worker {
  const char *id, *instance;
  struct ff_strs capabilities;
};
extern const struct history_worker history_workers[HISTORY_WORKERS];

enum draw_kind { DRAW_ANY, DRAW_READ /* never writes */, DRAW_LEASE /* needs a handle */ };
/* Fills the arguments of one operation; `args` is zeroed but for its size. */
typedef void draw_fn(struct history *, struct arena *, int64_t now, void *args);
struct draw {
  enum op_id op;
  uint16_t weight;
  uint8_t kind;
  draw_fn *fill;
};
struct draw_table {
  const struct draw *draws;
  uint32_t count;
};
extern const struct draw_table history_lifecycle_draws, history_schedule_draws,
    history_stream_draws, history_signal_draws, history_event_draws, history_worker_draws,
    history_flow_draws, history_budget_draws, history_flow_read_draws;

/* ---- dice ---- */
#define dice history_dice
static inline bool chance(struct history *h, uint32_t percent) { return dice(h, 100) < percent; }
uint64_t history_bits(struct history *);

/* Defines the function that fills x, the arguments of operation `name`, from h in arena a at time
 * now. */
#define DRAW(name)                                                                        \
  static void name##_fill(struct history *h, struct arena *a, struct ff_##name##_args *x, \
                          int64_t now);                                                   \
  static void draw_##name(struct history *h, struct arena *a, int64_t now, void *args) {  \
    name##_fill(h, a, args, now);                                                         \
  }                                                                                       \
  static void name##_fill(struct history *h, struct arena *a, struct ff_##name##_args *x, \
                          int64_t now)
#define UNUSED ((void)h, (void)a, (void)x, (void)now)
/* The operations that take nothing but an execution. */
#define DRAW_BY_ID(name, belief)                                         \
  DRAW(name) {                                                           \
    UNUSED;                                                              \
    x->execution_id = arena_text(a, ff_text(pick_known(h, belief)->id)); \
  }

/* ---- picking from the world ---- */
struct ff_str history_flow_id(struct history *);
struct ff_str pick_execution(struct history *, struct arena *);
/* Rather one believed to be in such a state, in 3 of 4 draws. Never NULL. */
const struct known *pick_known(struct history *, enum belief);
struct known *find_known(struct history *, const char *id); /* NULL = not known */
struct ff_str pick_lane(struct history *);
uint32_t pick_worker(struct history *);
struct held *pick_held(struct history *); /* NULL before the first claim */
struct token *pick_token(struct history *, enum token_kind);
const struct point *pick_point(struct history *); /* NULL before the first */
struct ff_str pick_uuid(struct history *, struct arena *);
uint64_t pick_ttl(struct history *);
int64_t pick_time(struct history *, int64_t now); /* around now, past or future */
struct ff_str pick_idempotency_key(struct history *);
struct ff_str pick_request_id(struct history *);
struct ff_str pick_reason(struct history *, struct arena *);
struct ff_bytes pick_payload(struct history *, struct arena *);
struct ff_str pick_policy(struct history *, struct arena *, int64_t now);
struct ff_str pick_retry_policy(struct history *, struct arena *);
/* What a completion by this lease stores: says whose it is. held NULL = the operator's. */
struct ff_bytes pick_result(struct history *, struct arena *, const struct held *,
                            struct ff_str id);
void note_time(struct history *, int64_t at);
void history_learn_flow(struct history *, const struct history_call *, const void *result);

#endif
