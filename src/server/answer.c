/*
 * Answers: head and body into the connection's buffer, one line of log for each.
 */
#include "base/json.h"
#include "server/impl.h"

#include <inttypes.h>
#include <time.h>

static const char *date(struct loop *loop) {
  time_t now = time(NULL);
  struct tm utc;
  if (now != loop->date_s) {
    loop->date_s = now;
    gmtime_r(&now, &utc);
    strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  }
  return loop->date;
}

/* Requests for the metrics themselves are left out (07 H-15). */
static void log_request(const struct connection *c, int status) {
  const struct log *log = c->loop->server->options.log;
  const struct request *r = &c->request;
  struct metrics *metrics = c->loop->server->metrics;
  if (r->route == ROUTE_METRICS) return;
  if (metrics)
    metrics_count(metrics, r->method, r->path ? r->path : "unknown", status,
                  (uint64_t)(clock_monotonic_us() - r->started_us));
  enum ff_log_level level = status >= 500 ? FF_LOG_ERROR : FF_LOG_DEBUG;
  if (level > log->level) return;
  char number[16], duration[32];
  int64_t us = r->started_us ? clock_monotonic_us() - r->started_us : 0;
  snprintf(number, sizeof number, "%d", status);
  snprintf(duration, sizeof duration, "%" PRId64 ".%03d", us / 1000, (int)(us % 1000));
  struct log_field fields[] = {{"method", ff_text(r->method)},
                               {"path", ff_text(r->path ? r->path : "unknown")},
                               {"status", ff_text(number)},
                               {"duration_ms", ff_text(duration)},
                               {"request_id", ff_text(r->id)},
                               {"op", ff_text(r->op ? r->op->name : "")}};
  log_write(log, level, "http", "request", fields, ARRAY_LEN(fields) - !r->op);
}

/* Closing is said to whom would go on. */
void answer_begin(struct connection *c, int status, struct ff_str body, const char *extra) {
  struct request *r = &c->request;
  struct buffer *out = &c->out;
  if (c->loop->server->draining) r->keep_alive = false;
  if (!r->keep_alive) c->closing = true;
  buffer_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status), date(c->loop));
  if (status != 204) {
    const char *type = r->content_type ? r->content_type : body.len ? "application/json" : NULL;
    if (type) buffer_printf(out, "Content-Type: %s\r\n", type);
    buffer_printf(out, "Content-Length: %zu\r\n", body.len);
  }
  if (r->id[0]) buffer_printf(out, "X-Request-Id: %s\r\n", r->id);
  if (r->origin[0])
    buffer_printf(out, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", r->origin);
  if (c->closing) buffer_append_c(out, "Connection: close\r\n");
  buffer_printf(out, "%s\r\n", extra);
  if (!r->head_only) buffer_append_text(out, body);
  log_request(c, status);
  c->state = CONNECTION_ANSWER;
  c->deadline_ms = c->loop->now_ms + c->loop->server->options.write_ms;
}

void answer_refuse(struct connection *c, int status, const char *text, const char *extra) {
  struct buffer *body = &c->loop->scratch;
  buffer_clear(body);
  buffer_append_c(body, "{\"error\":");
  json_write_text(body, ff_text(text));
  buffer_append_char(body, '}');
  answer_begin(c, status, buffer_text(body), extra);
}

void answer_error(struct connection *c, const struct ff_error *e) {
  struct buffer *body = &c->loop->scratch;
  char extra[64] = "";
  buffer_clear(body);
  wire_error_write(e, body);
  int status = wire_error_status(e);
  int64_t seconds = e->retry_after_ms > 0 ? (e->retry_after_ms + 999) / 1000 : 1;
  if (status == 429) snprintf(extra, sizeof extra, "Retry-After: %" PRId64 "\r\n", seconds);
  answer_begin(c, status, buffer_text(body), extra);
}

void answer_fault(struct connection *c, enum wire_fault fault, const struct ff_error *e) {
  struct buffer *body = &c->loop->scratch;
  buffer_clear(body);
  wire_fault_write(fault, e, body);
  answer_begin(c, fault == WIRE_SYNTAX ? 400 : 422, buffer_text(body), "");
}

/* 07 H-10 */
void answer_too_large(struct connection *c) {
  struct buffer *body = &c->loop->scratch;
  buffer_clear(body);
  buffer_printf(body, "{\"error\":\"payload_too_large\",\"limit_bytes\":%zu,\"route\":",
                c->request.body_max);
  json_write_text(body, ff_text(c->request.path));
  buffer_append_char(body, '}');
  c->request.keep_alive = false;
  answer_begin(c, 413, buffer_text(body), "");
}

void answer_bad_argument(struct connection *c, const struct ff_error *e) {
  struct buffer *body = &c->loop->scratch;
  buffer_clear(body);
  buffer_append_c(body, "{\"error\":");
  json_write_text(body, ff_text(e->detail));
  buffer_printf(body, ",\"code\":\"%s\"", ff_code_name(e->code));
  if (e->field[0]) {
    buffer_append_c(body, ",\"context\":{\"field\":");
    json_write_text(body, ff_text(e->field));
    buffer_append_char(body, '}');
  }
  buffer_append_char(body, '}');
  answer_begin(c, 400, buffer_text(body), "");
}

/* As the table of routes has it. */
static void answer_named(struct connection *c, const struct exchange *x, bool secret) {
  struct route_answer a = {.body = &c->loop->scratch};
  char extra[220];
  buffer_clear(a.body);
  route_reply(c->request.named, x->op->result, x->result, &a);
  snprintf(extra, sizeof extra, "%s%s", a.headers,
           secret && !strstr(a.headers, "no-store") ? "Cache-Control: no-store\r\n" : "");
  c->request.content_type = a.content_type;
  answer_begin(c, a.status, buffer_text(a.body), extra);
}

static void audit(const struct connection *c, const struct exchange *x) {
  struct log_field fields[] = {{"peer", ff_text(c->peer)}, {"request_id", ff_text(c->request.id)}};
  if (scope_of(x->op) == SCOPE_ADMIN && x->rc == FF_OK)
    log_write(c->loop->server->options.log, FF_LOG_INFO, "audit", x->op->name, fields,
              ARRAY_LEN(fields));
}

static void answer_ready(struct connection *c) {
  struct buffer *body = &c->loop->scratch;
  buffer_clear(body);
  buffer_printf(body, "{\"status\":\"ready\",\"backend\":\"%s\"}", c->loop->server->options.label);
  answer_begin(c, 200, buffer_text(body), "");
}

void answer_result(struct connection *c, struct exchange *x) {
  struct buffer *body = &c->loop->scratch;
  audit(c, x);
  if (x->rc != FF_OK && c->request.route == ROUTE_READY) {
    answer_begin(c, 503, TEXT_LIT("{\"status\":\"not_ready\",\"reason\":\"store\"}"), "");
    return;
  }
  if (x->rc != FF_OK) {
    answer_error(c, &x->error);
    return;
  }
  if (c->request.route == ROUTE_READY) {
    answer_ready(c);
    return;
  }
  bool secret = wire_has_credentials(x->op->result);
  if (!(c->request.scopes & SCOPE_WORK)) wire_hide_credentials(x->op->result, x->result);
  if (c->request.named) {
    answer_named(c, x, secret);
    return;
  }
  buffer_clear(body);
  wire_result_write(x->op->result, x->result, body);
  answer_begin(c, 200, buffer_text(body), secret ? "Cache-Control: no-store\r\n" : "");
}
