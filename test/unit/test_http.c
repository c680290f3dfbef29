/*
 * Heads and bodies of HTTP messages: what is read, and every way to be refused (07 §1.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/http.h"

#define HOST "Host: localhost\r\n"

/* The status a request is refused with, 0 when it is read. Whole or octet by octet: the same. */
static int status_of(const char *octets, size_t len, struct http_head *h) {
  const char *problem = NULL;
  long end = http_head_end(octets, 0, len), stepwise = 0;
  for (size_t n = 1; n <= len && stepwise == 0; n++) stepwise = http_head_end(octets, n - 1, n);
  assert_int_equal(end, stepwise);
  if (end < 0) return (int)-end;
  assert_true(end > 0);
  int status = http_request_read(octets, (size_t)end, h, &problem);
  assert_true(status == 0 || problem);
  return status;
}

static struct http_head read_text(const char *text, int wanted) {
  struct http_head h;
  int status = status_of(text, strlen(text), &h);
  if (status != wanted) print_error("%s\n", text);
  assert_int_equal(status, wanted);
  return h;
}

static void requests_that_are_read(void **state) {
  (void)state;
  struct http_head h =
      read_text("POST /v1/ops/ping?a=b HTTP/1.1\r\nhOsT: [::1]:9090\r\nContent-Length: 0012\r\n"
                "X-A:\t one two \t\r\nconnection: x , Close\r\n\r\n",
                0);
  assert_memory_equal(h.method.ptr, "POST", h.method.len);
  assert_memory_equal(h.target.ptr, "/v1/ops/ping?a=b", h.target.len);
  assert_int_equal(h.content_length, 12);
  assert_true(h.has_length);
  assert_false(h.keep_alive);
  struct ff_str x = http_header(&h, "x-a", NULL);
  assert_int_equal(x.len, 7);
  assert_memory_equal(x.ptr, "one two", 7);
  h = read_text("\r\nGET / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", 0);
  assert_true(h.keep_alive);
  assert_true(h.expects_continue);
  h = read_text("GET / HTTP/1.0\r\n\r\n", 0);
  assert_false(h.keep_alive);
  h = read_text("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0);
  assert_true(h.keep_alive);
  h = read_text("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", 0);
  assert_true(h.chunked);
  h = read_text("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0);
  h = read_text("GET / HTTP/1.1\r\n" HOST "Empty:\r\nBytes: \xe9\r\n\r\n", 0);
  assert_int_equal(http_header(&h, "empty", NULL).len, 0);
  assert_non_null(http_header(&h, "empty", NULL).ptr);
  assert_null(http_header(&h, "absent", NULL).ptr);
}

/* 07 H-13 */
static const struct {
  const char *text;
  int status;
} refused[] = {
    {"\r\n\r\n", 400},
    {"GET / HTTP/1.1\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /  HTTP/1.1\r\n" HOST "\r\n", 400},
    {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"GET /\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1 x\r\n" HOST "\r\n", 400},
    {"GET / http/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/11\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", 505},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /#f HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /\x80 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X y: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X\xe9: a\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\ncontent-length: 1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1 2\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n", 417},
};

static void requests_that_are_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < ARRAY_LEN(refused); i++)
    (void)read_text(refused[i].text, refused[i].status);
  struct http_head h;
  static const char nul[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
  assert_int_equal(status_of(nul, sizeof nul - 1, &h), 400);
}

/* A request with a target, then headers, of so many octets. */
static int status_of_size(size_t target, size_t headers, size_t count) {
  struct http_head h;
  struct buffer b;
  buffer_init(&b);
  buffer_append_c(&b, "GET /");
  for (size_t i = 1; i < target; i++) buffer_append_char(&b, 'a');
  buffer_append_c(&b, " HTTP/1.1\r\n" HOST);
  for (size_t i = 0; i < count; i++) {
    buffer_append_c(&b, "X: ");
    for (size_t n = 0; n < headers; n++) buffer_append_char(&b, 'v');
    buffer_append_c(&b, "\r\n");
  }
  buffer_append_c(&b, "\r\n");
  int status = status_of(b.ptr, b.len, &h);
  buffer_fini(&b);
  return status;
}

static void sizes_of_heads(void **state) {
  (void)state;
  assert_int_equal(status_of_size(HTTP_TARGET_MAX, 1, 1), 0);
  assert_int_equal(status_of_size(HTTP_TARGET_MAX + 1, 1, 1), 414);
  assert_int_equal(status_of_size(HTTP_HEAD_MAX + 1, 1, 1), 414);
  assert_int_equal(status_of_size(1, HTTP_HEAD_MAX - 64, 1), 0);
  assert_int_equal(status_of_size(1, HTTP_HEAD_MAX, 1), 431);
  assert_int_equal(status_of_size(1, 1, HTTP_HEADERS_MAX - 1), 0);
  assert_int_equal(status_of_size(1, 1, HTTP_HEADERS_MAX), 431);
}

/* ---- bodies in chunks ---- */

/* What reading answers in the end: 1 whole, 0 more wanted, -1 refused. */
static int body_of(const char *octets, size_t step, size_t max, struct buffer *out) {
  struct http_chunks c = {0};
  size_t len = strlen(octets), at = 0, used;
  bool too_long;
  int rc = 0;
  buffer_clear(out);
  while (rc == 0 && at < len) {
    size_t piece = len - at < step ? len - at : step;
    rc = http_chunks_read(&c, octets + at, piece, max, out, &used, &too_long);
    at += used;
  }
  return rc;
}

static void assert_body(const char *octets, int wanted, const char *content) {
  struct buffer out;
  buffer_init(&out);
  for (size_t step = 1; step < 40; step++) {
    int rc = body_of(octets, step, 20, &out);
    if (rc != wanted) print_error("%s in steps of %zu\n", octets, step);
    assert_int_equal(rc, wanted);
    if (content) assert_string_equal(buffer_text(&out).ptr, content);
  }
  buffer_fini(&out);
}

static void bodies_in_chunks(void **state) {
  (void)state;
  assert_body("0\r\n\r\n", 1, "");
  assert_body("3\r\nabc\r\n0\r\n\r\n", 1, "abc");
  assert_body("3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nGET", 1, "abc0123456789");
  assert_body("3;a=\"b\"\r\nabc\r\n0;x\r\nTrailer: x\r\nOther: y\r\n\r\n", 1, "abc");
  assert_body("14\r\n01234567890123456789\r\n0\r\n\r\n", 1, "01234567890123456789");
  assert_body("3\r\nabc\r\n0\r\n", 0, "abc");
  assert_body("3\r\nab", 0, "ab");
  assert_body("15\r\n012345678901234567890\r\n0\r\n\r\n", -1, NULL);
  assert_body("13\r\n0123456789012345678\r\n2\r\nab\r\n", -1, NULL);
  assert_body("\r\n", -1, NULL);
  assert_body("x\r\n", -1, NULL);
  assert_body("-1\r\n", -1, NULL);
  assert_body("0x3\r\nabc\r\n", -1, NULL);
  assert_body(" 3\r\nabc\r\n", -1, NULL);
  assert_body("3 \r\nabc\r\n", -1, NULL);
  assert_body("3\nabc\r\n", -1, NULL);
  assert_body("3\r\nabcd\r\n", -1, NULL);
  assert_body("3\r\nabc\n", -1, NULL);
  assert_body("3\r\nabc\rx", -1, NULL);
  assert_body("3;\x01\r\nabc\r\n", -1, NULL);
  assert_body("000000003\r\nabc\r\n", -1, NULL);
  assert_body("FFFFFFFF\r\n", -1, NULL);
  assert_body("0\r\nTrailer: \x01\r\n\r\n", -1, NULL);
  assert_body("0\r\n\rx", -1, NULL);
}

static void a_trailer_without_end(void **state) {
  (void)state;
  struct buffer octets, out;
  buffer_init(&octets);
  buffer_init(&out);
  buffer_append_c(&octets, "0\r\n");
  for (int i = 0; i < 10000; i++) buffer_append_c(&octets, "T: x\r\n");
  assert_int_equal(body_of(buffer_text(&octets).ptr, 4096, 20, &out), -1);
  buffer_fini(&octets);
  buffer_fini(&out);
}

static void answers(void **state) {
  (void)state;
  struct http_head h;
  static const char fine[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n";
  assert_int_equal(http_answer_read(fine, sizeof fine - 1, &h), 0);
  assert_int_equal(h.status, 404);
  assert_int_equal(h.content_length, 7);
  assert_true(h.keep_alive);
  static const char *const bad[] = {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
                                    "HTTP/2 200\r\n\r\n", "200 OK\r\n\r\n", "\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nA b\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    assert_int_equal(http_answer_read(bad[i], strlen(bad[i]), &h), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_that_are_read), cmocka_unit_test(requests_that_are_refused),
      cmocka_unit_test(sizes_of_heads),         cmocka_unit_test(bodies_in_chunks),
      cmocka_unit_test(a_trailer_without_end),  cmocka_unit_test(answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
