/*
 * What an operation's arguments, answer and errors look like in HTTP (07 §1.2, §1.5, U-78).
 *
 * Made from the descriptions of ff_operations(): names no operation.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/base.h"
#include "base/error.h"
#include "base/json.h"
#include "flowfabric/engine.h"

/* ---- arguments ---- */

enum wire_fault {
  WIRE_FINE,
  WIRE_SYNTAX, /* no JSON: 400 (07 H-5) */
  WIRE_SHAPE   /* JSON, but not these arguments: 422, error->field is the path (07 H-6) */
};
/* Reads the JSON of arguments into a struct of the arena, its size set; members point into the arena
 * and into `body`. */
enum wire_fault wire_args_read(const struct ff_struct *, struct ff_str body, struct arena *,
                               void **args, struct ff_error *) MUST_USE;
/* The first half of it: JSON that is an object. */
enum wire_fault wire_object_read(struct ff_str body, struct arena *, const struct json **object,
                                 struct ff_error *) MUST_USE;
/* Appends the JSON of arguments; false when a text is not UTF-8, which JSON cannot say: then the
 * error names it. */
bool wire_args_write(const struct ff_struct *, const void *args, struct buffer *,
                     struct ff_error *) MUST_USE;

/* ---- answers ---- */

/* Appends an answer: {"Created":{…}}, "NotDue" when there is nothing but the outcome, and a plain
 * object when there is no outcome to tell, or it is ok (07 T-10). */
void wire_result_write(const struct ff_struct *, const void *result, struct buffer *);
/* Reads it back into a zeroed struct; what it points to lives in the arena. False when it is none. */
bool wire_result_read(const struct ff_struct *, struct ff_str body, struct arena *, void *result)
    MUST_USE;
/* Makes absent what only the work scope may see: handles, tokens, lease ids (DESIGN §10). The lists
 * of a result are the caller's, whatever their pointers say. */
void wire_hide_credentials(const struct ff_struct *, void *result);
/* Does an answer carry a handle or a token at all? */
bool wire_has_credentials(const struct ff_struct *);

/* ---- errors (07 §1.5) ---- */

int wire_error_status(const struct ff_error *);
/* Appends {"error","kind","retryable","code","detail","context"}. Store failures keep their detail to
 * themselves. */
void wire_error_write(const struct ff_error *, struct buffer *);
/* The body of a 400 or 422 of wire_args_read. */
void wire_fault_write(enum wire_fault, const struct ff_error *, struct buffer *);
/* What an answer that is no success says, as the engine would have said it; *e is filled in any
 * case. */
void wire_error_read(int status, struct ff_str body, struct arena *, struct ff_error *e);

/* `lease_conflict` <-> `LeaseConflict`. false: too long, or not of that form. */
bool wire_pascal(const char *snake, char *out, size_t size);
bool wire_snake(struct ff_str pascal, char *out, size_t size) MUST_USE;

#endif
