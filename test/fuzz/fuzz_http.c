/*
 * Any octets as HTTP: a head is found and read the same however it is cut into pieces, and so is a
 * body in chunks; answers and error bodies of any content are read or refused, nothing else.
 */
#include "fuzz.h"

#include "op/op.h"
#include "wire/http.h"
#include "wire/wire.h"

const struct ff_str fuzz_seeds[] = {
    SEED("POST /v1/ops/ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"),
    SEED("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
         "3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n"),
    SEED("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
         "{\"Created\":{\"execution_id\":\"x\",\"public_state\":\"waiting\"}}"),
    SEED("\r\n\r\n{\"error\":\"contention: LeaseConflict\",\"code\":\"lease_conflict\","
         "\"context\":{\"field\":\"x\",\"retry_after_ms\":7,\"pool\":\"inbox\"}}"),
    {0},
};

static size_t head(const char *octets, size_t size) {
  struct http_head h;
  const char *problem = NULL;
  long whole = http_head_end(octets, 0, size), pieces = 0;
  for (size_t at = 0, step = 1; at < size && pieces == 0; step = step % 7 + 1) {
    size_t next = at + step < size ? at + step : size;
    pieces = http_head_end(octets, at, next);
    at = next;
  }
  INVARIANT(whole == pieces && whole <= (long)size && whole <= HTTP_HEAD_MAX);
  if (whole <= 0) return 0;
  int status = http_request_read(octets, (size_t)whole, &h, &problem);
  INVARIANT(status == 0 || (problem && *http_reason(status)));
  INVARIANT(status != 0 || (h.method.len && h.target.len && !(h.chunked && h.has_length)));
  INVARIANT(http_answer_read(octets, (size_t)whole, &h) != 0 || (h.status >= 0 && h.status <= 999));
  return (size_t)whole;
}

static int chunks(const char *octets, size_t size, size_t step, struct buffer *out) {
  struct http_chunks c = {0};
  size_t used;
  bool too_long;
  int rc = 0;
  for (size_t at = 0; rc == 0 && at < size; at += used)
    rc = http_chunks_read(&c, octets + at, size - at < step ? size - at : step, 64, out, &used,
                          &too_long);
  INVARIANT(out->len <= 64);
  return rc;
}

static void body(const char *octets, size_t size) {
  struct buffer whole, pieces;
  buffer_init(&whole);
  buffer_init(&pieces);
  int rc = chunks(octets, size, SIZE_MAX, &whole);
  INVARIANT(chunks(octets, size, 3, &pieces) == rc);
  INVARIANT(rc < 0 || text_equal(buffer_text(&whole), buffer_text(&pieces)));
  buffer_fini(&whole);
  buffer_fini(&pieces);
}

/* What was read as an answer is written and read again as the same. */
static void one_answer(const struct ff_struct *s, struct ff_str octets, struct arena *arena) {
  void *first = arena_zalloc(arena, s->size), *second = arena_zalloc(arena, s->size);
  struct buffer once, twice;
  if (!wire_result_read(s, octets, arena, first)) return;
  buffer_init(&once);
  buffer_init(&twice);
  wire_result_write(s, first, &once);
  INVARIANT(wire_result_read(s, buffer_text(&once), arena, second));
  wire_result_write(s, second, &twice);
  INVARIANT(text_equal(buffer_text(&once), buffer_text(&twice)));
  buffer_fini(&once);
  buffer_fini(&twice);
}

static void answer(const char *octets, size_t size) {
  struct arena arena;
  struct ff_error e = {0};
  void *args;
  arena_init(&arena);
  for (int op = 0; op < OP_COUNT; op += 7) {
    one_answer(op_infos[op].result, text_of(octets, size), &arena);
    bool fine = wire_args_read(op_infos[op].args, text_of(octets, size), &arena, &args, &e) ==
                WIRE_FINE;
    INVARIANT(fine ? args != NULL : e.code == FF_CODE_invalid_input);
  }
  wire_error_read(500, text_of(octets, size), &arena, &e);
  INVARIANT(e.code != FF_CODE_none);
  arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *octets = (const char *)data;
  size_t end = head(octets, size);
  body(octets + end, size - end);
  answer(octets + end, size - end);
  return 0;
}
