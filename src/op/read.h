/*
 * What the read operations and the tag operations share. Nothing here writes.
 */
#ifndef OP_READ_H
#define OP_READ_H

#include "op/execution.h"

/* The prepare phase of operations whose arguments are `size, execution_id`; prep begins with an
 * exec_id. READ_TAKES_ID proves the shape. */
enum ff_rc read_prepare_id(const struct op_config *, const void *args, void *prep, struct arena *,
                           struct ff_error *) MUST_USE;
#define READ_ID_OFFSET offsetof(struct ff_describe_execution_args, execution_id)
#define READ_TAKES_ID(op)                                                      \
  static_assert(offsetof(struct ff_##op##_args, execution_id) == READ_ID_OFFSET, \
                "execution_id comes first")

/* The execution of a prep that begins with its id; NULL when there is none (01 RC-34). */
enum ff_rc read_execution(struct tx *, const void *prep, const struct execution **) MUST_USE;

/* Stored data that breaks its own rules: `<op>: exec_core: <field>: <problem>` (01 CV-8). */
enum ff_rc read_corrupt(const char *op, const char *field, const char *problem, struct ff_error *);
/* The tags of a record; corruption when they are no map. */
enum ff_rc read_tags(const char *op, const struct execution *, struct arena *, struct ff_pairs *,
                     struct ff_error *) MUST_USE;
/* view_execution with the same check. */
enum ff_rc read_view(const char *op, const struct execution *, struct arena *,
                     struct ff_execution *, struct ff_error *) MUST_USE;

/* Rows of a listing as they are found, viewed once the page is complete. */
struct read_page {
  const char *op;
  uint32_t limit, count;
  const struct execution **rows; /* limit of them */
};
struct read_page read_page_new(const char *op, uint32_t limit, struct arena *);
enum ff_rc read_page_view(const struct read_page *, struct arena *, struct ff_executions *,
                          struct ff_error *) MUST_USE;

/* RC-35 and LM-34 for a single key: invalid_input `invalid tag key: …`. */
enum ff_rc tag_key_check(struct ff_str key, struct ff_error *) MUST_USE;
/* The detail of such an error: printable, shortened. */
void tag_key_quote(struct ff_str key, char out[128]);
/* Merges `set` into `old`; a later one of the same key wins. invalid_input when they become too many. */
enum ff_rc tags_merge(struct arena *, struct ff_pairs old, struct ff_pairs set,
                      struct ff_str *encoded, struct ff_pairs *merged, struct ff_error *) MUST_USE;
enum ff_rc tags_check_total(struct ff_pairs, struct ff_error *) MUST_USE;
#define TAG_KEY_MAX_BYTES 256
#define TAGS_TOTAL_MAX_BYTES (16 * 1024)

/* A page of the executions of one partition, in id order behind a cursor that need not exist any
 * more (02 L-175; 03 list_suspended). limit is cut to READ_PAGE_MAX. */
enum { READ_PAGE_MAX = 1000 };
struct page_request {
  uint16_t partition;
  bool after; /* a cursor was given */
  struct exec_id cursor;
  uint32_t limit;
};
enum ff_rc read_prepare_page(const struct op_config *, struct ff_str partition,
                             struct ff_str cursor, uint32_t limit, struct page_request *,
                             struct ff_error *) MUST_USE;

#endif
