/*
 * What the URLs of servers have in common. Part of every module: must need nothing but base.
 */
#ifndef STORE_URL_H
#define STORE_URL_H

#include "base/base.h"

/* Percent-decoded and NUL-terminated into out; false when it does not fit, is malformed or holds a
 * NUL. */
bool url_decode(struct ff_str text, char *out, size_t size) MUST_USE;

/* Takes the next `key=value` of a query without its `?`; false at the end. An absent `=` leaves
 * value absent. */
bool url_parameter(struct ff_str *query, struct ff_str *pair, struct ff_str *key,
                   struct ff_str *value) MUST_USE;

#endif
