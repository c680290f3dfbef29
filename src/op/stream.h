/*
 * What the stream operations share: positions of frames as text.
 */
#ifndef OP_STREAM_H
#define OP_STREAM_H

#include "op/execution.h"

struct stream_position {
  uint64_t ms, n;
};
/* ST-80 … ST-82: `start`, `end`, `<ms>`, `<ms>-<n>`; a bare ms is its first position, or its last
 * when `upper` is set. invalid_input naming `field`. */
enum ff_rc stream_position_parse(struct ff_str text, const char *field, bool upper,
                                 struct stream_position *out, struct ff_error *e) MUST_USE;
struct ff_str stream_position_print(struct arena *, uint64_t ms, uint64_t n);

#endif
