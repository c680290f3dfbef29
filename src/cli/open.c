/*
 * Opening the store for a verb: which file, how, and what to do when another process owns it.
 *
 * One process owns a SQLite file. A verb that only reads goes on beside the owner with mode=ro and says so; a verb
 * that writes waits a moment, because the owner may be another short command, and then shows the error.
 */
#include "args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_PATIENCE_MS = 1000, WRITE_PAUSE_MS = 50 };

static bool is_memory(const char *path, size_t len) {
  return len == 8 && memcmp(path, ":memory:", 8) == 0;
}

/* The directory of the default file, as ff_open(NULL) chooses it. False when no variable names one. */
static bool default_file(char *out, size_t out_size) {
  const char *own = getenv("FF_DATA_DIR"), *state = getenv("XDG_STATE_HOME"),
             *home = getenv("HOME");
  int len;
  if (own && *own) len = snprintf(out, out_size, "%s/flowfabric.db", own);
  else if (state && *state == '/')
    len = snprintf(out, out_size, "%s/flowfabric/flowfabric.db", state);
  else if (home && *home)
    len = snprintf(out, out_size, "%s/.local/state/flowfabric/flowfabric.db", home);
  else return false;
  return len > 0 && (size_t)len < out_size;
}

bool cli_store_path(const struct cli *cli, char *out, size_t out_size) {
  if (!cli->url) return default_file(out, out_size);
  if (strncmp(cli->url, "sqlite:", 7) != 0) return false;
  const char *path = cli->url + 7;
  size_t len = strcspn(path, "?");
  if (!len || is_memory(path, len) || len >= out_size) return false;
  memcpy(out, path, len);
  out[len] = '\0';
  return true;
}

static bool is_secret(const char *parameter, size_t len) {
  size_t name = strcspn(parameter, "=&");
  for (size_t i = 0; i + 8 <= name && i + 8 <= len; i++)
    if (strncmp(parameter + i, "password", 8) == 0) return true;
  return false;
}

/* scheme://user:password@host/…?a=b&password=c: without the passwords. */
const char *cli_url_shown(const struct cli *cli, char *out, size_t out_size) {
  const char *url = cli->url ? cli->url : "the default file", *query = strchr(url, '?');
  const char *user = strstr(url, "://"), *at = NULL, *end = url + strcspn(url, "?");
  for (const char *p = user ? user + 3 : end; p < end && *p != '/'; p++)
    if (*p == '@') at = p;
  const char *colon = at ? memchr(user + 3, ':', (size_t)(at - user) - 3) : NULL;
  int n = colon ? snprintf(out, out_size, "%.*s%.*s", (int)(colon - url), url, (int)(end - at), at)
                : snprintf(out, out_size, "%.*s", (int)(end - url), url);
  for (char glue = '?'; query && n > 0 && (size_t)n < out_size; query = strchr(query + 1, '&')) {
    size_t len = strcspn(query + 1, "&");
    if (is_secret(query + 1, len)) continue;
    n += snprintf(out + n, out_size - (size_t)n, "%c%.*s", glue, (int)len, query + 1);
    glue = '&';
  }
  return out;
}

/* cli->url with mode=ro added. */
static char *read_only_url(const struct cli *cli, const char *path) {
  const char *parameters = cli->url ? strchr(cli->url, '?') : NULL;
  size_t size = strlen(path) + (parameters ? strlen(parameters) : 0) + 32;
  char *url = cli_alloc(size);
  snprintf(url, size, "sqlite:%s%s%smode=ro", path, parameters ? parameters : "",
           parameters ? "&" : "?");
  return url;
}

static bool asks_read_only(const struct cli *cli) {
  const char *parameters = cli->url ? strchr(cli->url, '?') : NULL;
  return parameters && strstr(parameters, "mode=ro") != NULL;
}

static enum ff_rc open_read_only(struct cli *cli, const char *path, struct ff_error *error) {
  char *url = read_only_url(cli, path);
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  options.no_scanners = true;
  enum ff_rc rc = ff_open(url, &options, &cli->engine, error);
  free(url);
  cli->read_only = rc == FF_OK;
  return rc;
}

/* Opens as the owner; waits `patience_ms` while somebody else owns the file. */
static enum ff_rc open_owner(struct cli *cli, const struct ff_open_options *options,
                             int64_t patience_ms, struct ff_error *error) {
  int64_t until = cli_monotonic_ms() + patience_ms;
  for (;;) {
    enum ff_rc rc = ff_open(cli->url, options, &cli->engine, error);
    if (rc == FF_OK) cli->read_only = asks_read_only(cli);
    if (rc == FF_OK || error->code != FF_CODE_store_busy || cli_monotonic_ms() >= until) return rc;
    cli_sleep_ms(WRITE_PAUSE_MS);
  }
}

static enum ff_rc open_reader(struct cli *cli, const char *path, struct ff_error *error) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  options.no_scanners = true;
  enum ff_rc rc = open_owner(cli, &options, 0, error);
  bool beside =
      rc != FF_OK && (error->code == FF_CODE_store_busy || error->code == FF_CODE_store_read_only);
  if (!beside) return rc;
  enum ff_code why = error->code;
  rc = open_read_only(cli, path, error);
  if (rc == FF_OK)
    cli_note(
        cli, "ff: note: %s, opened read-only",
        why == FF_CODE_store_busy ? "another process owns the file" : "the file can only be read");
  return rc;
}

/* A store that does not open is a store failure, whatever the code says. */
static int not_opened(const struct cli *cli, const struct ff_error *error) {
  int code = cli_fail(cli, error);
  return code == CLI_REFUSED ? CLI_UNREACHABLE : code;
}

int cli_open(struct cli *cli, enum cli_access access) {
  struct ff_error error = {0};
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  options.no_scanners = true;
  char path[4096];
  bool file = cli_store_path(cli, path, sizeof(path));
  struct stat about;
  if (file && access != CLI_WRITE && stat(path, &about) != 0) {
    cli_error(CLI_UNREACHABLE, "transport: cannot open %s: %s", path, strerror(errno));
    fputs("    hint: ff submit and ff run make the file; is --url right?\n", stderr);
    cli_hint_run_store(cli);
    return CLI_UNREACHABLE;
  }
  enum ff_rc rc;
  if (file && access == CLI_WATCH) rc = open_read_only(cli, path, &error);
  else if (file && access == CLI_READ) rc = open_reader(cli, path, &error);
  else rc = open_owner(cli, &options, file ? WRITE_PATIENCE_MS : 0, &error);
  return rc == FF_OK ? CLI_OK : not_opened(cli, &error);
}

int cli_open_worker(struct cli *cli, const struct ff_open_options *options) {
  struct ff_error error = {0};
  enum ff_rc rc = open_owner(cli, options, WRITE_PATIENCE_MS, &error);
  return rc == FF_OK ? CLI_OK : not_opened(cli, &error);
}

void cli_close(struct cli *cli) {
  ff_close(cli->engine);
  cli->engine = NULL;
}
