/*
 * ff-server: configuration, boot, signals, drain (07 §3.1, §3.2).
 */
#include "server/config.h"
#include "wire/route.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_CONFIG = 1, EXIT_USAGE = 2, EXIT_TWICE = 130 };

static const char help[] =
    "usage: ff-server [OPTIONS]\n"
    "Serves one store over HTTP: POST /v1/ops/OPERATION for every operation (ff ops lists them),\n"
    "named routes, GET /healthz and GET /readyz. Configured by environment variables; see man\n"
    "ff-server.\n"
    "\n"
    "  --listen HOST:PORT    FF_LISTEN_ADDR (127.0.0.1:9090; port 0 = any free one)\n"
    "  --backend NAME        FF_BACKEND: sqlite (default), postgres, memory\n"
    "  --store-url URL       FF_STORE_URL: sqlite:PATH, postgres://…, memory:\n"
    "  --env-file PATH       NAME=VALUE lines for variables that are not set\n"
    "  --check-config        read the configuration, say what is wrong with it, exit 0 or 1\n"
    "  --routes              list the named routes\n"
    "  --hash-token          read a token from standard input, print its hash for\n"
    "                        FF_API_TOKEN_HASHES\n"
    "  --version, --help\n"
    "\n"
    "Signals: SIGTERM and SIGINT drain and stop; a second one stops at once.\n"
    "Exit: 0 stopped; 1 configuration, store or listening failed; 2 usage, or no such store in\n"
    "this build.\n";

static int usage(const char *problem) {
  fprintf(stderr, "ff-server: %s; see ff-server --help\n", problem);
  return EXIT_USAGE;
}

static int list_routes(void) {
  size_t count;
  const struct route *routes = route_all(&count);
  for (size_t i = 0; i < count; i++)
    printf("%-4s %s -> %s\n", routes[i].method, routes[i].path, routes[i].op);
  return 0;
}

static int hash_token(void) {
  char line[1024], hex[65];
  uint8_t digest[32];
  if (!fgets(line, sizeof line, stdin)) return usage("no token on standard input");
  line[strcspn(line, "\r\n")] = '\0';
  if (!*line) return usage("the token is empty");
  token_digest(ff_text(line), digest);
  hex_encode(digest, sizeof digest, hex);
  puts(hex);
  return 0;
}

/* ---- serving ---- */

static enum ff_rc call_engine(void *user, const struct ff_operation *op, const void *args,
                              void (*done)(void *, enum ff_rc, void *, const struct ff_error *),
                              void *done_user, struct ff_error *e) {
  return ff_call_async(user, op, args, done, done_user, e);
}

static bool end_wait(void *user, const void *done_user) { return ff_end_wait(user, done_user); }

static void engine_log(void *user, enum ff_log_level level, const char *message) {
  log_write(user, level, "engine", message, NULL, 0);
}

static void banners(const struct config *c) {
  if (strcmp(c->backend, "memory") == 0)
    log_write(&c->log, FF_LOG_WARN, "server", "memory store: nothing persists", NULL, 0);
  if (c->auth.count) return;
  log_write(&c->log, FF_LOG_WARN, "server",
            "no token is set: administration is open to whoever can connect", NULL, 0);
  log_write(&c->log, FF_LOG_WARN, "server",
            "no token is set: tokens and results can be read by whoever can connect", NULL, 0);
}

static int failed(const struct config *c, const char *what, const struct ff_error *e) {
  char text[400];
  ff_error_format(e, text, sizeof text);
  bool guard = e->code == FF_CODE_requires_dev_mode;
  fprintf(stderr, "ff-server: %s%s%s\n", guard ? "sqlite requires FF_DEV_MODE=1: " : "", what,
          text);
  bool missing = (e->code == FF_CODE_config || e->code == FF_CODE_unavailable) &&
                 (strcmp(c->backend, "valkey") == 0 || strcmp(c->backend, "postgres") == 0);
  return missing ? EXIT_USAGE : EXIT_CONFIG;
}

static void stop_now(int signal) {
  (void)signal;
  _exit(EXIT_TWICE);
}

static void await_signal(sigset_t *signals) {
  struct sigaction now = {.sa_handler = stop_now};
  int got = 0;
  while (sigwait(signals, &got) != 0 || got == SIGHUP) {
  }
  sigaction(SIGINT, &now, NULL);
  sigaction(SIGTERM, &now, NULL);
  pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static void say_listening(const struct config *c, const struct server *server) {
  char port[8];
  snprintf(port, sizeof port, "%u", httpd_port(server));
  struct log_field fields[] = {{"address", ff_text(c->listen)},
                               {"port", ff_text(port)},
                               {"backend", ff_text(c->server.label)},
                               {"lanes", ff_text(getenv("FF_LANES"))},
                               {"version", ff_text(ff_version())}};
  log_write(&c->log, FF_LOG_INFO, "server", "listening", fields, ARRAY_LEN(fields));
}

/* 07 D-1 */
static void drain(const struct config *c, struct server *server, struct ff_engine *engine) {
  log_write(&c->log, FF_LOG_INFO, "server", "draining", NULL, 0);
  httpd_drain(server);
  if (ff_shutdown_prepare(engine, c->grace_ms, NULL) != FF_OK)
    log_write(&c->log, FF_LOG_WARN, "server", "calls were still under way after the grace", NULL,
              0);
  httpd_stop(server, c->grace_ms);
  ff_close(engine);
  log_write(&c->log, FF_LOG_INFO, "server", "stopped", NULL, 0);
}

static int serve(struct config *c) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  struct ff_error e;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  options.log = engine_log;
  options.log_user = &c->log;
  options.dev_mode = c->dev_mode;
  if (ff_open(c->url[0] ? c->url : NULL, &options, &engine, &e) != FF_OK)
    return failed(c, e.code == FF_CODE_config ? "backend not ready: " : "", &e);
  banners(c);
  c->server.backend = (struct backend){engine, call_engine, end_wait};
  c->server.label = ff_backend_label(engine);
  c->server.auth = &c->auth;
  c->server.log = &c->log;
  c->server.cors_origins = &c->origins;
  struct server *server = httpd_start(&c->server, &e);
  if (!server) {
    ff_close(engine);
    return failed(c, "", &e);
  }
  say_listening(c, server);
  await_signal(&signals);
  drain(c, server, engine);
  return 0;
}

/* ---- the command line ---- */

enum option_id { LISTEN = 1, BACKEND, STORE_URL, ENV_FILE, CHECK, ROUTES, HASH, VERSION, HELP };
static const struct option_variable {
  enum option_id option;
  const char *variable;
} variables[] = {{LISTEN, "FF_LISTEN_ADDR"}, {BACKEND, "FF_BACKEND"}, {STORE_URL, "FF_STORE_URL"}};

static void set_variable(int option, const char *value) {
  for (size_t i = 0; i < ARRAY_LEN(variables); i++)
    if ((int)variables[i].option == option) setenv(variables[i].variable, value, 1);
}

extern char **environ;

static int run(bool check) {
  struct config c;
  bool fine = config_read(&c);
  int code = fine ? 0 : EXIT_CONFIG;
  if (!fine) fputs(buffer_text(&c.problems).ptr, stderr);
  if (fine && !check) {
    config_warn_unknown(&c, environ);
    code = serve(&c);
  }
  config_fini(&c);
  return code;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"listen", required_argument, NULL, LISTEN},
      {"backend", required_argument, NULL, BACKEND},
      {"store-url", required_argument, NULL, STORE_URL},
      {"env-file", required_argument, NULL, ENV_FILE},
      {"check-config", no_argument, NULL, CHECK},
      {"routes", no_argument, NULL, ROUTES},
      {"hash-token", no_argument, NULL, HASH},
      {"version", no_argument, NULL, VERSION},
      {"help", no_argument, NULL, HELP},
      {0}};
  bool check = false;
  char problem[400];
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (option) {
      case ENV_FILE:
        if (config_env_file(optarg, problem, sizeof problem)) break;
        return usage(problem);
      case CHECK: check = true; break;
      case ROUTES: return list_routes();
      case HASH: return hash_token();
      case VERSION: printf("ff-server %s\n", ff_version()); return 0;
      case HELP: fputs(help, stdout); return 0;
      case '?': fputs(help, stderr); return EXIT_USAGE;
      default: set_variable(option, optarg); break;
    }
  }
  if (optind < argc) return usage("unexpected argument");
  return run(check);
}
