/*
 * The named routes of 07 §1.3 and §2 as one table: which operation, where each argument comes from,
 * what each outcome looks like. The generic route POST /v1/ops/{operation} is not among them.
 */
#ifndef WIRE_ROUTE_H
#define WIRE_ROUTE_H

#include "wire/wire.h"

enum route_limit { ROUTE_LIMIT_C, ROUTE_LIMIT_M, ROUTE_LIMIT_L }; /* 64 KiB, 256 KiB, 1 MiB */

struct route {
  const char *method, *path; /* the template */
  enum route_limit limit;
  const char *op;
  const char *params;  /* arguments the {…} of the path fill; `*fp`, `*handle`: route_args.c */
  const char *query;   /* `name`, `name:argument`, either with `=default`; NULL: none */
  const char *body;    /* NULL: none, or ignored; else renamed members, `name:argument` */
  const char *fixed;   /* `argument=text` */
  const char *replies; /* see route_reply.c */
};

/* The route of a method and a path (without its query). NULL: none; then *allow names the methods
 * the path has, "" when there is no such path. HEAD finds GET. */
const struct route *route_find(struct ff_str method, struct ff_str path, char *allow, size_t size);
/* Every route, for what is made from them. */
const struct route *route_all(size_t *count);

/* What is wrong with a request's arguments. */
struct route_problem {
  int status; /* 400, 422 */
  enum wire_fault fault; /* of the body */
  struct ff_error error;
};
/* The arguments of a request, in the arena. False: the problem says what to answer. *route becomes its
 * second row when there is one and the body has no handle. */
bool route_args(const struct route **route, struct ff_str path, struct ff_str query,
                struct ff_str body, struct arena *, void **args, struct route_problem *) MUST_USE;

/* An answer. `body` is appended to. */
struct route_answer {
  int status;
  const char *content_type; /* NULL: none */
  char headers[160];        /* whole lines */
  struct buffer *body;
};
/* What a result is told as. */
void route_reply(const struct route *, const struct ff_struct *, const void *result,
                 struct route_answer *);
/* Shapes of their own (route_shape.c). */
void route_shape(struct ff_str name, const struct ff_struct *, const void *result,
                 struct route_answer *);

#endif
