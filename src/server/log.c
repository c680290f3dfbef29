/*
 * Structured log lines on one stream: text for people, JSON for machines.
 */
#include "base/json.h"
#include "server/server.h"

#include <time.h>

static const char *const level_names[] = {
    [FF_LOG_ERROR] = "error",
    [FF_LOG_WARN] = "warn",
    [FF_LOG_INFO] = "info",
    [FF_LOG_DEBUG] = "debug"};

static void timestamp(char *out, size_t size) {
  struct timespec now;
  struct tm utc;
  char seconds[32];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(out, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static bool is_bare(struct ff_str t) {
  for (size_t i = 0; i < t.len; i++)
    if ((unsigned char)t.ptr[i] <= ' ' || strchr("\"=\\\x7f", t.ptr[i])) return false;
  return t.len > 0;
}

void log_write(const struct log *log, enum ff_log_level level, const char *target,
               const char *message, const struct log_field *fields, size_t count) {
  char at[64];
  struct buffer line;
  if (!log->out || level > log->level) return;
  timestamp(at, sizeof at);
  buffer_init(&line);
  if (log->json)
    buffer_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"target\":\"%s\",\"message\":", at,
                  level_names[level], target);
  else
    buffer_printf(&line, "%s %-5s %s ", at, level_names[level], target);
  if (log->json)
    json_write_text(&line, ff_text(message));
  else
    buffer_append_c(&line, message);
  for (size_t i = 0; i < count; i++) {
    buffer_printf(&line, log->json ? ",\"%s\":" : " %s=", fields[i].name);
    if (log->json || !is_bare(fields[i].value))
      json_write_text(&line, fields[i].value);
    else
      buffer_append_text(&line, fields[i].value);
  }
  buffer_append_c(&line, log->json ? "}\n" : "\n");
  fwrite(line.ptr, 1, line.len, log->out);
  fflush(log->out);
  buffer_fini(&line);
}
