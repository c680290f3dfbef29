/*
 * Making errors: the only way the library fills a struct ff_error. Every maker accepts a NULL error
 * and returns the family.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/base.h"
#include "flowfabric/error.h"

/* The one control-flow macro: hand up anything but FF_OK. */
#define TRY(call)                         \
  do {                                    \
    enum ff_rc try_rc_ = (call);          \
    if (try_rc_ != FF_OK) return try_rc_; \
  } while (0)

/* Sets code (and its family), no field, no context. format may be NULL for no detail. */
enum ff_rc error_set(struct ff_error *e, enum ff_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, naming the argument at fault. */
enum ff_rc error_field(struct ff_error *e, enum ff_code code, const char *field, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));
/* Adds a context field to an error already set. */
void error_context(struct ff_error *e, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
