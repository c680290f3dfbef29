/*
 * Replies: hiredis' reader, building into an arena of ours, and what is asked of a reply.
 *
 * What a server sends is outside data: sizes are bounded, nesting by hiredis.
 */
#include "store/valkey_impl.h"

#include <hiredis/read.h>

#include <stdlib.h>

#define ITEMS_MAX (16u << 20)

struct valkey_reader {
  redisReader *reader;
  struct arena *arena; /* of the reply under way */
};

static void *reply_new(const redisReadTask *task, enum valkey_reply_type type) {
  struct valkey_reader *r = task->privdata;
  struct valkey_reply *reply = ARENA_NEW(r->arena, struct valkey_reply);
  reply->type = type;
  if (task->parent) ((struct valkey_reply *)task->parent->obj)->items[task->idx] = reply;
  return reply;
}

static void *on_string(const redisReadTask *task, char *text, size_t len) {
  struct valkey_reader *r = task->privdata;
  struct valkey_reply *reply = reply_new(task, task->type == REDIS_REPLY_ERROR    ? VALKEY_ERROR
                                               : task->type == REDIS_REPLY_STATUS ? VALKEY_STATUS
                                                                                  : VALKEY_STRING);
  reply->text = arena_text(r->arena, text_of(text ? text : "", len));
  return reply;
}

static void *on_array(const redisReadTask *task, int count) {
  struct valkey_reader *r = task->privdata;
  if (count < 0 || (unsigned)count > ITEMS_MAX) return NULL;
  struct valkey_reply *reply = reply_new(task, VALKEY_ARRAY);
  reply->count = (uint32_t)count;
  reply->items = ARENA_ARRAY(r->arena, struct valkey_reply *, (size_t)count + 1);
  return reply;
}

static void *on_integer(const redisReadTask *task, long long n) {
  struct valkey_reply *reply = reply_new(task, VALKEY_INTEGER);
  reply->integer = n;
  return reply;
}

static void *on_nil(const redisReadTask *task) { return reply_new(task, VALKEY_NIL); }
static void on_free(void *object) { (void)object; } /* the arena's */

static redisReplyObjectFunctions functions = {.createString = on_string,
                                              .createArray = on_array,
                                              .createInteger = on_integer,
                                              .createNil = on_nil,
                                              .freeObject = on_free};

struct valkey_reader *valkey_reader_new(void) {
  struct valkey_reader *r = heap_zalloc(sizeof *r);
  r->reader = redisReaderCreateWithFunctions(&functions);
  INVARIANT(r->reader);
  r->reader->privdata = r; /* the macro casts the pointer to int */
  return r;
}

void valkey_reader_free(struct valkey_reader *r) {
  if (!r) return;
  redisReaderFree(r->reader);
  free(r);
}

bool valkey_reader_feed(struct valkey_reader *r, const void *ptr, size_t len) {
  return redisReaderFeed(r->reader, ptr, len) == REDIS_OK;
}

bool valkey_reader_next(struct valkey_reader *r, struct arena *arena,
                        const struct valkey_reply **out) {
  void *reply = NULL;
  r->arena = arena;
  bool ok = redisReaderGetReply(r->reader, &reply) == REDIS_OK;
  *out = ok ? reply : NULL;
  return ok;
}

/* ---- asking ---- */

bool valkey_is(const struct valkey_reply *r, enum valkey_reply_type type, uint32_t count) {
  return r && r->type == type && (type != VALKEY_ARRAY || r->count >= count);
}

bool valkey_error_is(const struct valkey_reply *r, const char *begin) {
  return valkey_is(r, VALKEY_ERROR, 0) && strncmp(r->text.ptr, begin, strlen(begin)) == 0;
}

const struct valkey_reply *valkey_item(const struct valkey_reply *r, uint32_t i) {
  return valkey_is(r, VALKEY_ARRAY, i + 1) ? r->items[i] : NULL;
}

/* ---- requests ---- */

static void put_bulk(struct buffer *b, const void *ptr, size_t len) {
  char head[24];
  int n = snprintf(head, sizeof head, "$%zu\r\n", len);
  buffer_append(b, head, (size_t)n);
  buffer_append(b, ptr, len);
  buffer_append(b, "\r\n", 2);
}

void valkey_word(struct valkey_words *w, const void *ptr, size_t len) {
  put_bulk(&w->text, ptr, len);
  w->count++;
}

void valkey_word_c(struct valkey_words *w, const char *text) { valkey_word(w, text, strlen(text)); }

void valkey_word_number(struct valkey_words *w, int64_t n) {
  char text[24];
  int len = snprintf(text, sizeof text, "%lld", (long long)n);
  valkey_word(w, text, (size_t)len);
}

void valkey_words_flush(struct valkey_words *w, struct buffer *request) {
  buffer_printf(request, "*%u\r\n", w->count);
  buffer_append(request, w->text.ptr, w->text.len);
  buffer_clear(&w->text);
  w->count = 0;
}

void valkey_command(struct buffer *request, ...) {
  struct valkey_words w = {.count = 0};
  va_list args;
  buffer_init(&w.text);
  va_start(args, request);
  for (const char *text; (text = va_arg(args, const char *));) valkey_word_c(&w, text);
  va_end(args);
  valkey_words_flush(&w, request);
  buffer_fini(&w.text);
}
