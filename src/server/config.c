/*
 * Reading the configuration: every variable is looked at, whatever the others said, and every
 * problem becomes a line. Values of secrets are never shown.
 */
#include "server/config.h"

#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Set and not empty, else NULL. */
static const char *given(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static void invalid(struct config *c, const char *name, const char *expected, const char *value) {
  buffer_printf(&c->problems, "invalid value for %s: %s", name, expected);
  if (value) buffer_printf(&c->problems, ", got '%s'", value);
  buffer_append_char(&c->problems, '\n');
}

static int64_t number(struct config *c, const char *name, int64_t low, int64_t high,
                      int64_t otherwise) {
  const char *value = given(name);
  char expected[80];
  int64_t n;
  if (!value) return otherwise;
  if (parse_i64(ff_text(value), &n) && n >= low && n <= high) return n;
  snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)low,
           (long long)high);
  invalid(c, name, expected, value);
  return otherwise;
}

static int word(struct config *c, const char *name, const char *const *words, int otherwise) {
  const char *value = given(name);
  char expected[120] = "one of";
  if (!value) return otherwise;
  for (int i = 0; words[i]; i++) {
    if (strcasecmp(words[i], value) == 0) return i;
    size_t len = strlen(expected);
    snprintf(expected + len, sizeof expected - len, "%s %s", i ? "," : "", words[i]);
  }
  invalid(c, name, expected, value);
  return otherwise;
}

/* The items of a comma list without the blanks around them; empty ones are left out. */
static struct ff_strs list(struct config *c, const char *value) {
  size_t count = 1;
  for (const char *p = value; *p; p++) count += *p == ',';
  struct ff_str *items = ARENA_ARRAY(&c->arena, struct ff_str, count);
  struct ff_strs found = {items, 0};
  for (const char *p = value; p;) {
    const char *comma = strchr(p, ',');
    size_t len = comma ? (size_t)(comma - p) : strlen(p);
    while (len && isspace((unsigned char)*p)) p++, len--;
    while (len && isspace((unsigned char)p[len - 1])) len--;
    if (len) items[found.count++] = arena_text(&c->arena, text_of(p, len));
    p = comma ? comma + 1 : NULL;
  }
  return found;
}

/* ---- the store (07 G-1 … G-8) ---- */

static const char *const backends[] = {"valkey", "postgres", "sqlite", "memory", NULL};
static const char *const schemes[] = {"valkey", "postgres", "sqlite", "memory", NULL};

static int scheme_of(const char *url) {
  for (int i = 0; schemes[i]; i++)
    if (strncmp(url, schemes[i], strlen(schemes[i])) == 0) return i;
  return -1;
}

static void sqlite_url(struct config *c) {
  static const char *const levels[] = {"full", "extra", "normal", "off", NULL};
  const char *path = given("FF_SQLITE_PATH"), *level = given("FF_SQLITE_SYNCHRONOUS");
  int chosen = word(c, "FF_SQLITE_SYNCHRONOUS", levels, 0);
  int64_t pool = number(c, "FF_SQLITE_POOL_SIZE", 1, 64, 4);
  if (!path && (level || given("FF_SQLITE_POOL_SIZE")))
    invalid(c, "FF_SQLITE_PATH", "needed with FF_SQLITE_SYNCHRONOUS or FF_SQLITE_POOL_SIZE", NULL);
  if (path)
    snprintf(c->url, sizeof c->url, "sqlite:%.4000s%csynchronous=%s&pool=%lld", path,
             strchr(path, '?') ? '&' : '?', levels[chosen], (long long)pool);
}

static void read_store(struct config *c) {
  const char *url = given("FF_STORE_URL"), *postgres = given("FF_POSTGRES_URL");
  int backend = word(c, "FF_BACKEND", backends, -1);
  if (url) {
    int scheme = scheme_of(url);
    if (scheme < 0 || strlen(url) >= sizeof c->url)
      invalid(c, "FF_STORE_URL", "valkey://…, postgres://…, sqlite:PATH or memory:", NULL);
    else if (backend >= 0 && backend != scheme)
      invalid(c, "FF_STORE_URL", "the store FF_BACKEND names", NULL);
    snprintf(c->url, sizeof c->url, "%s", url);
    c->backend = scheme < 0 ? "" : backends[scheme];
    return;
  }
  c->backend = backends[backend < 0 ? 2 : backend];
  int64_t port = number(c, "FF_PORT", 1, 65535, 6379);
  switch (backend) {
    case 0:
      snprintf(c->url, sizeof c->url, "valkey://%.256s:%lld",
               given("FF_HOST") ? given("FF_HOST") : "localhost", (long long)port);
      break;
    case 1:
      if (!postgres)
        buffer_append_c(&c->problems, "FF_BACKEND=postgres requires FF_POSTGRES_URL\n");
      snprintf(c->url, sizeof c->url, "%.4000s", postgres ? postgres : "");
      break;
    case 3: snprintf(c->url, sizeof c->url, "memory:ff-server"); break;
    default: sqlite_url(c); break;
  }
}

/* ---- where to listen, and who may talk (07 G-9, G-19, G-20) ---- */

static bool is_loopback(const struct sockaddr_storage *a) {
  const struct sockaddr_in *four = (const struct sockaddr_in *)a;
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
  if (a->ss_family == AF_INET) return ntohl(four->sin_addr.s_addr) >> 24 == 127;
  return a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static bool resolve(const char *host, const char *port, struct server_options *o) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
  struct addrinfo *found = NULL;
  if (getaddrinfo(host, port, &hints, &found) != 0 || !found) return false;
  memcpy(&o->address, found->ai_addr, found->ai_addrlen);
  o->address_size = found->ai_addrlen;
  freeaddrinfo(found);
  return true;
}

static void read_listen(struct config *c) {
  const char *value = given("FF_LISTEN_ADDR") ? given("FF_LISTEN_ADDR") : "127.0.0.1:9090";
  char host[256];
  uint64_t port;
  const char *colon = strrchr(value, ':');
  snprintf(c->listen, sizeof c->listen, "%.299s", value);
  size_t len = colon ? (size_t)(colon - value) : 0;
  bool brackets = len > 2 && value[0] == '[' && value[len - 1] == ']';
  bool shaped = len && len < sizeof host && parse_u64(ff_text(colon + 1), &port) && port <= 65535 &&
                (brackets || !memchr(value, ':', len));
  if (shaped) snprintf(host, sizeof host, "%.*s", (int)(len - 2u * brackets), value + brackets);
  if (!shaped || !resolve(host, colon + 1, &c->server)) {
    invalid(c, "FF_LISTEN_ADDR", "host:port, an IPv6 host in brackets", value);
    return;
  }
  if (!is_loopback(&c->server.address) && !c->auth.count && !c->open_to_all)
    buffer_printf(&c->problems,
                  "FF_LISTEN_ADDR=%s is not loopback and no token is set: set FF_API_TOKEN (or "
                  "FF_API_TOKEN_HASHES), or FF_ALLOW_UNAUTHENTICATED=1\n",
                  value);
}

static void read_tokens(struct config *c) {
  const char *token = given("FF_API_TOKEN"), *hashes = given("FF_API_TOKEN_HASHES");
  if (token) {
    bool plain = true;
    for (const char *p = token; *p; p++) plain &= *p > ' ' && *p <= '~';
    if (plain) auth_add_token(&c->auth, ff_text(token));
    else invalid(c, "FF_API_TOKEN", "visible ASCII characters without blanks", NULL);
  }
  struct ff_strs lines = hashes ? list(c, hashes) : (struct ff_strs){0};
  for (size_t i = 0; i < lines.count; i++)
    if (!auth_add_digest(&c->auth, lines.items[i]))
      invalid(c, "FF_API_TOKEN_HASHES",
              "SCOPE[+SCOPE…]:<64 hex digits>, … with scopes read, submit, work, admin", NULL);
  const char *open = given("FF_ALLOW_UNAUTHENTICATED");
  c->open_to_all = open && strcmp(open, "1") == 0;
  if (open && !c->open_to_all) invalid(c, "FF_ALLOW_UNAUTHENTICATED", "exactly 1", open);
}

static bool is_origin(struct ff_str o) {
  size_t skip = o.len > 8 && memcmp(o.ptr, "https://", 8) == 0  ? 8
                : o.len > 7 && memcmp(o.ptr, "http://", 7) == 0 ? 7
                                                                : 0;
  for (size_t i = skip; i < o.len; i++)
    if ((unsigned char)o.ptr[i] <= ' ' || o.ptr[i] == '/' || (unsigned char)o.ptr[i] > '~')
      return false;
  return skip > 0 || text_equal_c(o, "*");
}

static void read_origins(struct config *c) {
  const char *value = getenv("FF_CORS_ORIGINS");
  if (!value) return;
  c->origins = list(c, value);
  if (c->origins.count == 0) invalid(c, "FF_CORS_ORIGINS", "origins, or *", value);
  for (size_t i = 0; i < c->origins.count; i++)
    if (!is_origin(c->origins.items[i]))
      invalid(c, "FF_CORS_ORIGINS", "http://HOST[:PORT], https://HOST[:PORT] or *",
              c->origins.items[i].ptr);
}

/* ---- the rest ---- */

/* 07 G-10; the engine seeds them. */
static void read_lanes(struct config *c) {
  const char *value = given("FF_LANES");
  if (!value) {
    setenv("FF_LANES", "default", 1);
    return;
  }
  struct ff_strs lanes = list(c, value);
  if (lanes.count == 0) invalid(c, "FF_LANES", "at least one lane", value);
  for (size_t i = 0; i < lanes.count; i++) {
    bool fine = lanes.items[i].len <= 64;
    for (size_t k = 0; k < lanes.items[i].len; k++)
      fine &= lanes.items[i].ptr[k] >= ' ' && lanes.items[i].ptr[k] <= '~';
    if (!fine) invalid(c, "FF_LANES", "lanes of 1 to 64 printable ASCII characters", value);
    for (size_t k = 0; k < i; k++)
      if (text_equal(lanes.items[i], lanes.items[k]))
        invalid(c, "FF_LANES", "each lane once", lanes.items[i].ptr);
  }
}

static void read_log(struct config *c) {
  static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
  static const char *const formats[] = {"text", "json", NULL};
  c->log.level = (enum ff_log_level)word(c, "FF_LOG", levels, FF_LOG_INFO);
  c->log.json = word(c, "FF_LOG_FORMAT", formats, 0) == 1;
  c->log.out = stderr;
}

bool config_read(struct config *c) {
  memset(c, 0, sizeof *c);
  arena_init(&c->arena);
  buffer_init(&c->problems);
  c->server = (struct server_options)SERVER_OPTIONS_INIT;
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  c->server.threads =
      (uint32_t)number(c, "FF_WORKER_THREADS", 1, 256, cpus < 1 ? 1 : cpus > 64 ? 64 : cpus);
  c->server.connections = (uint32_t)number(c, "FF_MAX_CONNECTIONS", 1, 1000000, 20000);
  c->grace_ms = number(c, "FF_SHUTDOWN_GRACE_MS", 0, 3600000, 15000);
  c->server.no_metrics = number(c, "FF_METRICS", 0, 1, 1) == 0;
  const char *dev = given("FF_DEV_MODE");
  c->dev_mode = dev && strcmp(dev, "1") == 0;
  (void)number(c, "FF_FLOW_PARTITIONS", 1, 65535, 256);
  (void)number(c, "FF_MAX_CONCURRENT_STREAM_OPS", 1, 1000000, 64);
  read_store(c);
  read_tokens(c);
  read_listen(c);
  read_origins(c);
  read_lanes(c);
  read_log(c);
  return c->problems.len == 0;
}

void config_fini(struct config *c) {
  auth_fini(&c->auth);
  buffer_fini(&c->problems);
  arena_fini(&c->arena);
}

/* ---- variables as a whole ---- */

/* Those read here, by the engine and by other programs of ours. */
static const char *const known[] = {
    "FF_BACKEND", "FF_STORE_URL", "FF_HOST", "FF_PORT", "FF_POSTGRES_URL", "FF_SQLITE_PATH",
    "FF_SQLITE_POOL_SIZE", "FF_SQLITE_SYNCHRONOUS", "FF_DATA_DIR", "FF_DEV_MODE", "FF_LISTEN_ADDR",
    "FF_LANES", "FF_FLOW_PARTITIONS", "FF_WAITPOINT_HMAC_SECRET", "FF_API_TOKEN",
    "FF_API_TOKEN_HASHES", "FF_ALLOW_UNAUTHENTICATED", "FF_CORS_ORIGINS", "FF_MAX_CONNECTIONS",
    "FF_WORKER_THREADS", "FF_SHUTDOWN_GRACE_MS", "FF_LOG", "FF_LOG_FORMAT", "FF_MODULE_DIR",
    "FF_METRICS",
    "FF_MAX_CONCURRENT_STREAM_OPS", "FF_OUTBOX_RETENTION_MS", "FF_AUTO_RECLAIM_DELAY_MS", "FF_URL"};

void config_warn_unknown(const struct config *c, char **environment) {
  struct buffer names;
  buffer_init(&names);
  for (char **e = environment; *e; e++) {
    size_t len = strcspn(*e, "=");
    bool ours = strncmp(*e, "FF_", 3) != 0;
    for (size_t i = 0; !ours && i < ARRAY_LEN(known); i++)
      ours = strlen(known[i]) == len && memcmp(known[i], *e, len) == 0;
    if (!ours) buffer_printf(&names, "%s%.*s", names.len ? "," : "", (int)len, *e);
  }
  struct log_field field = {"variables", buffer_text(&names)};
  if (names.len)
    log_write(&c->log, FF_LOG_WARN, "server", "unknown variables are ignored", &field, 1);
  buffer_fini(&names);
}

static bool set_line(char *line) {
  char *name = line + strspn(line, " \t"), *equals = strchr(name, '=');
  line[strcspn(line, "\r\n")] = '\0';
  if (!*name || *name == '#') return true;
  if (!equals || equals == name) return false;
  *equals = '\0';
  for (const char *p = name; *p; p++)
    if (!isalnum((unsigned char)*p) && *p != '_') return false;
  return setenv(name, equals + 1, 0) == 0;
}

bool config_env_file(const char *path, char *problem, size_t size) {
  char line[8192];
  FILE *f = fopen(path, "re");
  int count = 0;
  bool fine = f != NULL;
  if (!f) snprintf(problem, size, "cannot read %s", path);
  while (fine && fgets(line, sizeof line, f)) {
    count++;
    fine = set_line(line);
    if (!fine) snprintf(problem, size, "%s:%d: expected NAME=VALUE", path, count);
  }
  if (f) fclose(f);
  return fine;
}
