/*
 * The strict reader of HTTP heads.
 *
 * One end of line (CR LF), one blank where one belongs, names that are tokens, no continued lines,
 * no control characters, one host, one length: there is one way to read what passes.
 */
#include "wire/http.h"

bool http_same(struct ff_str t, const char *word) {
  size_t len = strlen(word);
  if (t.len != len) return false;
  for (size_t i = 0; i < len; i++) {
    char a = t.ptr[i], b = word[i];
    if (a >= 'A' && a <= 'Z') a = (char)(a + 32);
    if (b >= 'A' && b <= 'Z') b = (char)(b + 32);
    if (a != b) return false;
  }
  return true;
}

static bool is_token(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool all_tokens(struct ff_str t) {
  for (size_t i = 0; i < t.len; i++)
    if (!is_token(t.ptr[i])) return false;
  return t.len > 0;
}

/* ---- where a head ends ---- */

static bool no_octet_of_a_head(unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; }

/* Past the end of the first line? */
static bool first_line_over(const char *octets, size_t len) {
  const char *end = memchr(octets, '\n', len);
  return end && end > octets + 1; /* an empty line may stand before it */
}

long http_head_end(const char *octets, size_t seen, size_t len) {
  size_t look = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
  for (size_t i = seen; i < look; i++) {
    unsigned char c = (unsigned char)octets[i];
    bool after_cr = i && octets[i - 1] == '\r';
    if (after_cr != (c == '\n')) return -400; /* a CR or LF of its own */
    if (c == '\r' || !no_octet_of_a_head(c)) continue;
    if (c != '\n') return -400;
    if (i >= 3 && octets[i - 2] == '\n') return (long)i + 1;
  }
  if (len < HTTP_HEAD_MAX) return 0;
  return first_line_over(octets, look) ? -431 : -414;
}

/* ---- lines ---- */

/* Takes a line, without its CR LF; false at the empty line that ends the head. */
static bool take_line(struct ff_str *rest, struct ff_str *line) {
  const char *end = memchr(rest->ptr, '\n', rest->len);
  if (!end) return false;
  size_t len = (size_t)(end - rest->ptr);
  *line = text_of(rest->ptr, len - 1);
  *rest = text_of(end + 1, rest->len - len - 1);
  return line->len > 0;
}

/* Takes what stands before the next blank, or all. */
static struct ff_str take_word(struct ff_str *line) {
  const char *end = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
  size_t len = end ? (size_t)(end - line->ptr) : line->len;
  struct ff_str word = text_of(line->ptr, len);
  size_t skip = end ? len + 1 : len;
  *line = text_of(line->ptr + skip, line->len - skip);
  return word;
}

static int read_header(struct ff_str line, struct http_head *h, const char **problem) {
  const char *colon = memchr(line.ptr, ':', line.len);
  *problem = "a header line is no `name: value`";
  if (!colon) return 400;
  struct ff_str name = text_of(line.ptr, (size_t)(colon - line.ptr));
  struct ff_str value = text_of(colon + 1, line.len - name.len - 1);
  *problem = "the name of a header is no token";
  if (!all_tokens(name)) return 400;
  *problem = "too many headers";
  if (h->header_count == HTTP_HEADERS_MAX) return 431;
  while (value.len && (*value.ptr == ' ' || *value.ptr == '\t')) value.ptr++, value.len--;
  while (value.len && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
    value.len--;
  h->headers[h->header_count++] = (struct http_header){name, value};
  return 0;
}

static int read_headers(struct ff_str rest, struct http_head *h, const char **problem) {
  struct ff_str line;
  int status = 0;
  while (status == 0 && take_line(&rest, &line)) status = read_header(line, h, problem);
  return status;
}

struct ff_str http_header(const struct http_head *h, const char *name, bool *many) {
  struct ff_str found = {NULL, 0};
  if (many) *many = false;
  for (size_t i = 0; i < h->header_count; i++) {
    if (!http_same(h->headers[i].name, name)) continue;
    if (found.ptr && many) *many = true;
    if (!found.ptr) found = h->headers[i].value;
  }
  return found;
}

/* ---- what the headers say about the message ---- */

static int read_length(struct http_head *h, const char **problem) {
  bool many;
  struct ff_str length = http_header(h, "content-length", &many);
  *problem = "more than one Content-Length";
  if (many) return 400;
  *problem = "Content-Length is no number";
  h->has_length = length.ptr != NULL;
  if (h->has_length) {
    while (length.len > 1 && *length.ptr == '0') length.ptr++, length.len--;
    if (!parse_u64(length, &h->content_length)) return 400;
  }
  struct ff_str coding = http_header(h, "transfer-encoding", &many);
  if (!coding.ptr) return 0;
  *problem = "both Transfer-Encoding and Content-Length";
  if (h->has_length) return 400;
  *problem = "Transfer-Encoding other than chunked";
  if (many || !http_same(coding, "chunked")) return 400;
  *problem = "Transfer-Encoding in HTTP/1.0";
  h->chunked = true;
  return h->minor == 0 ? 400 : 0;
}

static bool has_word(struct ff_str list, const char *word) {
  while (list.len) {
    const char *comma = memchr(list.ptr, ',', list.len);
    struct ff_str item = text_of(list.ptr, comma ? (size_t)(comma - list.ptr) : list.len);
    list = text_of(list.ptr + item.len + (comma != NULL), list.len - item.len - (comma != NULL));
    while (item.len && (*item.ptr == ' ' || *item.ptr == '\t')) item.ptr++, item.len--;
    while (item.len && (item.ptr[item.len - 1] == ' ' || item.ptr[item.len - 1] == '\t'))
      item.len--;
    if (http_same(item, word)) return true;
  }
  return false;
}

static void read_connection(struct http_head *h) {
  bool close = false, keep = h->minor == 1;
  for (size_t i = 0; i < h->header_count; i++) {
    if (!http_same(h->headers[i].name, "connection")) continue;
    close |= has_word(h->headers[i].value, "close");
    keep |= has_word(h->headers[i].value, "keep-alive");
  }
  h->keep_alive = keep && !close;
}

/* A name or address, and perhaps a port: what a Host may be made of. */
static bool host_is_plain(struct ff_str host) {
  for (size_t i = 0; i < host.len; i++) {
    char c = host.ptr[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 (c && strchr("-._~:[]", c));
    if (!plain) return false;
  }
  return host.len > 0;
}

static int read_host(const struct http_head *h, const char **problem) {
  bool many;
  struct ff_str host = http_header(h, "host", &many);
  *problem = "more than one Host";
  if (many) return 400;
  *problem = "no Host";
  if (!host.ptr) return h->minor == 1 ? 400 : 0;
  *problem = "Host is no name and port";
  return host_is_plain(host) ? 0 : 400;
}

static int read_expect(struct http_head *h, const char **problem) {
  struct ff_str expect = http_header(h, "expect", NULL);
  *problem = "Expect other than 100-continue";
  if (!expect.ptr) return 0;
  h->expects_continue = h->minor == 1;
  return http_same(expect, "100-continue") ? 0 : 417;
}

/* ---- heads ---- */

static int read_version(struct ff_str version, struct http_head *h, const char **problem) {
  *problem = "no version of HTTP";
  bool shaped = version.len == 8 && memcmp(version.ptr, "HTTP/", 5) == 0 &&
                version.ptr[5] >= '0' && version.ptr[5] <= '9' && version.ptr[6] == '.' &&
                version.ptr[7] >= '0' && version.ptr[7] <= '9';
  if (!shaped) return 400;
  *problem = "neither HTTP/1.0 nor HTTP/1.1";
  h->minor = version.ptr[7] - '0';
  return version.ptr[5] == '1' && h->minor <= 1 ? 0 : 505;
}

static int read_target(const struct http_head *h, const char **problem) {
  *problem = "the target is too long";
  if (h->target.len > HTTP_TARGET_MAX) return 414;
  *problem = "the target is no path";
  if (http_same(h->method, "options") && text_equal_c(h->target, "*")) return 0;
  if (!h->target.len || h->target.ptr[0] != '/') return 400;
  for (size_t i = 0; i < h->target.len; i++) {
    unsigned char c = (unsigned char)h->target.ptr[i];
    if (c <= ' ' || c > '~' || strchr("#\"<>\\^`", c)) return 400;
  }
  return 0;
}

int http_request_read(const char *octets, size_t len, struct http_head *h, const char **problem) {
  struct ff_str rest = text_of(octets, len), line;
  h->header_count = 0;
  h->content_length = 0;
  h->has_length = h->chunked = h->expects_continue = false;
  h->status = 0;
  if (!take_line(&rest, &line) && !take_line(&rest, &line)) {
    *problem = "no request line";
    return 400;
  }
  h->method = take_word(&line);
  h->target = take_word(&line);
  *problem = "the request line is no `METHOD target HTTP/1.1`";
  if (!all_tokens(h->method) || h->method.len > 32) return 400;
  int status = read_version(line, h, problem);
  if (status == 0) status = read_target(h, problem);
  if (status == 0) status = read_headers(rest, h, problem);
  if (status == 0) status = read_host(h, problem);
  if (status == 0) status = read_length(h, problem);
  if (status == 0) status = read_expect(h, problem);
  if (status == 0) read_connection(h);
  return status;
}

int http_answer_read(const char *octets, size_t len, struct http_head *h) {
  struct ff_str rest = text_of(octets, len), line;
  const char *problem;
  memset(h, 0, sizeof *h);
  if (!take_line(&rest, &line)) return -1;
  if (read_version(take_word(&line), h, &problem) != 0) return -1;
  struct ff_str digits = take_word(&line);
  uint64_t status;
  if (digits.len != 3 || !parse_u64(digits, &status)) return -1;
  h->status = (int)status;
  if (read_headers(rest, h, &problem) != 0 || read_length(h, &problem) != 0) return -1;
  read_connection(h);
  return 0;
}

const char *http_reason(int status) {
  static const struct {
    int status;
    const char *reason;
  } reasons[] = {{200, "OK"},
                 {201, "Created"},
                 {204, "No Content"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {415, "Unsupported Media Type"},
                 {417, "Expectation Failed"},
                 {422, "Unprocessable Entity"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"},
                 {505, "HTTP Version Not Supported"}};
  for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
    if (reasons[i].status == status) return reasons[i].reason;
  return "";
}
