/*
 * The calls of a script over HTTP: a server in front of its engine, a remote client in front of the
 * server. What the script sees must not differ (P9).
 */
#ifndef TEST_LIB_SCRIPT_HTTP_H
#define TEST_LIB_SCRIPT_HTTP_H

#include "engine/engine.h"

struct script_http;

/* The engine may be replaced between calls, never during one. NULL: no server, no client. */
struct script_http *script_http_open(struct engine *const *engine);
void script_http_close(struct script_http *);
enum ff_rc script_http_call(struct script_http *, enum op_id, const void *args, void *result,
                            struct ff_error *) MUST_USE;

#endif
