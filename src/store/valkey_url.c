/*
 * What a Valkey or Redis URL says:
 * valkey://[user[:password]@]host[:port][/database][?parameter=value&…]; valkeys:// and rediss:// use
 * TLS.
 *
 * Messages never show a URL: it may hold a password.
 */
#include "store/url.h"
#include "store/valkey_impl.h"

#define PORT_DEFAULT 6379

static enum ff_rc refuse(struct ff_error *e, const char *problem) {
  return error_field(e, FF_CODE_config, "url", "valkey: %s", problem);
}

/* ---- parameters ---- */

static bool take_text(struct ff_str value, char *out, size_t size) {
  return url_decode(value, out, size) && out[0] && text_is_utf8(ff_text(out));
}

static bool take_flag(struct ff_str value, bool *out) {
  *out = text_equal_c(value, "1") || text_equal_c(value, "true");
  return *out || text_equal_c(value, "0") || text_equal_c(value, "false");
}

static bool take_number(struct ff_str value, uint64_t min, uint64_t max, uint64_t *out) {
  return parse_u64(value, out) && *out >= min && *out <= max;
}

/* The hash tag: no braces, nothing that a pattern or an eye would stumble over. */
static bool take_prefix(struct ff_str value, char out[VALKEY_PREFIX_MAX + 1]) {
  static const char good[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:";
  return url_decode(value, out, VALKEY_PREFIX_MAX + 1) && out[0] &&
         strspn(out, good) == strlen(out);
}

static bool take_wait(struct ff_str value, struct valkey_target *t) {
  uint64_t replicas;
  if (text_equal_c(value, "aof")) {
    t->wait_aof = true;
    return true;
  }
  if (!take_number(value, 0, 16, &replicas)) return false;
  t->wait_replicas = (uint32_t)replicas;
  return true;
}

/* NULL, or what the value must be. */
static const char *take_value(struct ff_str key, struct ff_str value, struct valkey_target *t,
                              bool *known) {
  uint64_t n = 0;
  *known = true;
  if (text_equal_c(key, "prefix"))
    return take_prefix(value, t->prefix) ? NULL : "1..64 letters, digits and any of _-.:";
  if (text_equal_c(key, "mode")) {
    t->read_only = text_equal_c(value, "ro");
    return t->read_only || text_equal_c(value, "rw") ? NULL : "ro or rw";
  }
  if (text_equal_c(key, "writers")) {
    bool ok = take_number(value, 1, 8, &n);
    t->writers = (uint32_t)n;
    return ok ? NULL : "1..8";
  }
  if (text_equal_c(key, "timeout_ms")) {
    bool ok = take_number(value, 100, 3600000, &n);
    t->timeout_ms = (int64_t)n;
    return ok ? NULL : "100..3600000";
  }
  if (text_equal_c(key, "wait"))
    return take_wait(value, t) ? NULL : "aof, or a number of replicas 0..16";
  if (text_equal_c(key, "tls")) return take_flag(value, &t->tls) ? NULL : "0 or 1";
  if (text_equal_c(key, "tls_insecure"))
    return take_flag(value, &t->tls_insecure) ? NULL : "0 or 1";
  if (text_equal_c(key, "tls_ca"))
    return take_text(value, t->ca_file, sizeof t->ca_file) ? NULL : "the path of a file";
  if (text_equal_c(key, "tls_cert"))
    return take_text(value, t->cert_file, sizeof t->cert_file) ? NULL : "the path of a file";
  if (text_equal_c(key, "tls_key"))
    return take_text(value, t->key_file, sizeof t->key_file) ? NULL : "the path of a file";
  *known = false;
  return "";
}

static enum ff_rc take_query(struct ff_str query, struct valkey_target *t, struct ff_error *e) {
  struct ff_str pair, key, value;
  while (url_parameter(&query, &pair, &key, &value)) {
    bool known;
    const char *wanted = take_value(key, value, t, &known);
    if (!wanted) continue;
    int shown = key.len < 64 ? (int)key.len : 64;
    if (known)
      return error_field(e, FF_CODE_config, "url", "valkey: %.*s must be %s, got \"%.*s\"", shown,
                         key.ptr, wanted, value.len < 32 ? (int)value.len : 32,
                         value.len ? value.ptr : "");
    return error_field(e, FF_CODE_config, "url",
                       "valkey: unknown parameter `%.*s`; accepted are prefix, mode, writers, "
                       "timeout_ms, wait, tls, tls_insecure, tls_ca, tls_cert and tls_key",
                       shown, key.ptr);
  }
  return FF_OK;
}

/* ---- the address ---- */

static struct ff_str cut(struct ff_str *text, char at, bool *found) {
  const char *p = text->len ? memchr(text->ptr, at, text->len) : NULL;
  struct ff_str before = text_of(text->ptr, p ? (size_t)(p - text->ptr) : text->len);
  *found = p != NULL;
  *text = p ? text_of(p + 1, text->len - before.len - 1) : text_of(text->ptr + text->len, 0);
  return before;
}

static enum ff_rc take_user(struct ff_str text, struct valkey_target *t, struct ff_error *e) {
  bool colon;
  struct ff_str user = cut(&text, ':', &colon);
  if (!url_decode(user, t->user, sizeof t->user) ||
      !url_decode(text, t->password, sizeof t->password))
    return refuse(e, "user or password is malformed or too long; percent-encode what is special");
  return FF_OK;
}

static enum ff_rc take_host(struct ff_str text, struct valkey_target *t, struct ff_error *e) {
  bool found;
  struct ff_str host = text;
  uint64_t port = PORT_DEFAULT;
  if (text.len && text.ptr[0] == '[') { /* an IPv6 address */
    text = text_of(text.ptr + 1, text.len - 1);
    host = cut(&text, ']', &found);
    if (!found || (text.len && text.ptr[0] != ':')) return refuse(e, "an IPv6 address reads [::1]");
    if (text.len) text = text_of(text.ptr + 1, text.len - 1);
  } else {
    host = cut(&text, ':', &found);
  }
  if (text.len && !take_number(text, 1, 65535, &port))
    return refuse(e, "the port must be 1..65535");
  t->port = (uint16_t)port;
  if (!host.len) host = TEXT_LIT("localhost");
  return url_decode(host, t->host, sizeof t->host) ? FF_OK : refuse(e, "the host is malformed");
}

static enum ff_rc take_address(struct ff_str text, struct valkey_target *t, struct ff_error *e) {
  bool found;
  uint64_t database = 0;
  struct ff_str authority = cut(&text, '/', &found);
  const char *at = NULL;
  for (size_t i = 0; i < authority.len; i++)
    if (authority.ptr[i] == '@') at = authority.ptr + i;
  enum ff_rc rc = FF_OK;
  if (at) {
    size_t used = (size_t)(at - authority.ptr);
    rc = take_user(text_of(authority.ptr, used), t, e);
    authority = text_of(at + 1, authority.len - used - 1);
  }
  if (!rc) rc = take_host(authority, t, e);
  if (!rc && text.len && !take_number(text, 0, 65535, &database))
    rc = refuse(e, "the database behind the host must be a number");
  t->database = (uint32_t)database;
  return rc;
}

enum ff_rc valkey_target_parse(struct ff_str url, struct valkey_target *out, struct ff_error *e) {
  bool query, scheme;
  *out = (struct valkey_target){.writers = 1, .timeout_ms = 30000, .prefix = "ff"};
  struct ff_str rest = url, name = cut(&rest, ':', &scheme);
  out->tls = text_equal_c(name, "valkeys") || text_equal_c(name, "rediss");
  struct ff_str address = cut(&rest, '?', &query);
  enum ff_rc rc = take_query(rest, out, e);
  if (!rc && (address.len < 2 || memcmp(address.ptr, "//", 2) != 0))
    rc = refuse(e, "a URL reads valkey://<user>:<password>@<host>:<port>/<database>");
  if (!rc) rc = take_address(text_of(address.ptr + 2, address.len - 2), out, e);
  if (!rc)
    snprintf(out->shown, sizeof out->shown, "valkey %s:%u/%u", out->host, out->port,
             out->database);
  return rc;
}
