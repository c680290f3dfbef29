/*
 * What a command of `ff run` puts out, as frames of its attempt while it runs: `ff tail --follow` shows them in another
 * terminal.
 *
 * Bounded: a frame every 200 ms at most, each with the newest bytes; what came too fast for that is counted and left
 * out. The result keeps its own copy. Never fails a run: a refused frame only ends the streaming of that attempt.
 */
#include "run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = 200, FIRST_MS = 50, FRAME_MAX_BYTES = 60000, MARKER_MAX = 80 };

void run_frames_begin(struct run_worker *worker, const struct ff_task *task) {
  worker->stream = (struct run_stream){
      .handle = &task->handle, .sent_at = cli_monotonic_ms() - INTERVAL_MS + FIRST_MS};
}

int64_t run_frames_due(const struct run_worker *worker) {
  const struct run_stream *s = &worker->stream;
  if (s->over || worker->output_total == s->sent) return INT64_MAX;
  return s->sent_at + INTERVAL_MS;
}

/* Without a character that is not whole yet: its rest comes with the next frame. */
static size_t whole_characters(const char *text, size_t size) {
  for (size_t back = 1; back <= 3 && back <= size; back++) {
    unsigned char c = (unsigned char)text[size - back];
    if (c < 0x80) return size;
    if (c < 0xc0) continue;
    size_t needed = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return back < needed ? size - back : size;
  }
  return size;
}

/* The newest bytes that were not sent yet, a marker in front when some are left out. */
static size_t next_frame(const struct run_worker *worker, char *frame, bool last, size_t *upto) {
  size_t total = worker->output_total, pending = total - worker->stream.sent, marker = 0;
  size_t taken = pending > FRAME_MAX_BYTES ? FRAME_MAX_BYTES : pending;
  size_t at = (total - taken) % RUN_OUTPUT_MAX, room = RUN_OUTPUT_MAX - at;
  if (pending > taken)
    marker = (size_t)snprintf(frame, MARKER_MAX, "[ff run: %zu bytes are not shown]\n",
                              pending - taken);
  size_t first = taken < room ? taken : room;
  memcpy(frame + marker, worker->output + at, first);
  memcpy(frame + marker + first, worker->output, taken - first);
  size_t kept = last ? taken : whole_characters(frame + marker, taken);
  *upto = total - (taken - kept);
  return kept ? marker + kept : 0;
}

void run_frames_send(struct run_worker *worker, bool last) {
  struct run_stream *s = &worker->stream;
  if (s->over || worker->output_total == s->sent) return;
  char *frame = cli_alloc(FRAME_MAX_BYTES + MARKER_MAX);
  struct ff_append_frame_args args = FF_ARGS(append_frame);
  struct ff_append_frame_result result;
  struct ff_error error = {0};
  size_t upto, size = next_frame(worker, frame, last, &upto);
  args.handle = *s->handle;
  args.bytes = (struct ff_bytes){frame, size};
  args.kind = FF_frame_kind_stdout;
  s->sent_at = cli_monotonic_ms();
  if (size && ff_append_frame(worker->run->cli->engine, &args, &result, &error) == FF_OK) {
    ff_clear(&result);
    s->sent = upto;
  } else if (size) {
    s->over = ff_code_class(error.code) != FF_CLASS_RETRYABLE;
  }
  free(frame);
}
