/*
 * Private servers for tests: how they start, answer and end. See servers.h.
 *
 * fsync is off in PostgreSQL: tests kill processes, never the machine, and what a process wrote survives it.
 */
#define _GNU_SOURCE /* nftw */
#include "test/lib/servers.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_US (60 * INT64_C(1000000))
#define TRIES 5 /* another process may take a free port before the server does */
#define ARGS 48

static const char *const names[SERVER_KINDS] = {"postgres", "valkey", "redis", "cluster"};
static const char *const programs[SERVER_KINDS] = {"postgres", "valkey-server", "redis-server",
                                                   "valkey-server"};

const char *server_name(enum server_kind kind) { return names[kind]; }

/* ---- programs ---- */

/* Debian keeps PostgreSQL's programs out of the PATH, by version; the newest serves. */
static bool find_postgres(const char *program, char *out, size_t size) {
  glob_t found = {0};
  bool ok = glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0;
  long best = -1;
  for (size_t i = 0; ok && i < found.gl_pathc; i++) {
    char path[256];
    long version = strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);
    snprintf(path, sizeof path, "%s/%s", found.gl_pathv[i], program);
    if (version <= best || access(path, X_OK) != 0) continue;
    best = version;
    snprintf(out, size, "%s", path);
  }
  globfree(&found);
  return best >= 0;
}

static bool find_program(const char *program, char *out, size_t size) {
  const char *path = getenv("PATH");
  for (const char *p = path ? path : ""; *p;) {
    size_t n = strcspn(p, ":");
    snprintf(out, size, "%.*s/%s", (int)n, p, program);
    if (n && access(out, X_OK) == 0) return true;
    p += n + (p[n] == ':');
  }
  return find_postgres(program, out, size);
}

bool server_installed(enum server_kind kind) {
  char path[512];
  return find_program(programs[kind], path, sizeof path);
}

int server_missing(enum server_kind kind) {
  const char *ci = getenv("CI");
  bool must = ci && strcmp(ci, "true") == 0;
  fprintf(stderr, "%s: %s is not installed; `./dev setup` installs it\n", must ? "FAIL" : "SKIP",
          programs[kind]);
  return must ? 1 : SERVER_SKIP;
}

/* ---- processes ---- */

/* PostgreSQL refuses to run as root; its Debian user, or nobody, runs it then. */
static const struct passwd *runner(enum server_kind kind) {
  if (kind != SERVER_POSTGRES || geteuid() != 0) return NULL;
  const struct passwd *user = getpwnam("postgres");
  return user ? user : getpwnam("nobody");
}

/* In the child. SIGQUIT is PostgreSQL's immediate shutdown and takes its own children along. */
static void become(const struct server *s, char *const argv[], pid_t parent, bool tied) {
  char log[600];
  const struct passwd *user = runner(s->kind);
  snprintf(log, sizeof log, "%s/log", s->directory);
  int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) _exit(126);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, 0) < 0) _exit(126);
  if (user && (setgid(user->pw_gid) || setuid(user->pw_uid))) _exit(126);
  if (chdir(s->directory)) _exit(126);
  if (tied) {
    prctl(PR_SET_PDEATHSIG, s->kind == SERVER_POSTGRES ? SIGQUIT : SIGKILL);
    if (getppid() != parent) _exit(126);
  }
  execv(argv[0], argv);
  _exit(127);
}

static pid_t spawn(const struct server *s, char *const argv[], bool tied) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid == 0) become(s, argv, parent, tied);
  return pid;
}

/* Runs a tool to its end; its exit code, or -1. */
static int run(const struct server *s, char *const argv[]) {
  int status;
  pid_t pid = spawn(s, argv, true);
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_dead(struct server *s, uint32_t node) {
  if (s->pid[node] && waitpid(s->pid[node], NULL, WNOHANG) == s->pid[node]) s->pid[node] = 0;
  return s->pid[node] == 0;
}

void server_signal(struct server *s, uint32_t node, int signal) {
  if (is_dead(s, node)) return;
  kill(s->pid[node], signal);
  if (signal != SIGKILL) return;
  waitpid(s->pid[node], NULL, 0);
  s->pid[node] = 0;
}

static uint16_t free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  INVARIANT(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
  INVARIANT(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

/* ---- asking ---- */

static int dial(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

bool server_ask(const struct server *s, uint32_t node, const char *commands, const char *want) {
  char request[1024], answer[16384];
  size_t got = 0;
  int fd = dial(s->port[node]);
  if (fd < 0) return false;
  int n = snprintf(request, sizeof request, "AUTH %s\r\n%s", s->password, commands);
  bool ok = false, sent = send(fd, request, (size_t)n, MSG_NOSIGNAL) == n;
  while (sent && !ok && got < sizeof answer - 1) {
    struct pollfd ready = {fd, POLLIN, 0};
    if (poll(&ready, 1, 1000) != 1) break;
    ssize_t more = recv(fd, answer + got, sizeof answer - 1 - got, 0);
    if (more <= 0) break;
    got += (size_t)more;
    answer[got] = 0;
    ok = strstr(answer, want) != NULL;
  }
  close(fd);
  return ok;
}

static bool answers(const struct server *s, uint32_t node) {
  if (s->kind != SERVER_POSTGRES) return server_ask(s, node, "PING\r\n", "+PONG");
  char program[512], port[8];
  snprintf(port, sizeof port, "%u", s->port[node]);
  if (!find_program("pg_isready", program, sizeof program)) return false;
  return run(s, (char *[]){program, "-q", "-h", "127.0.0.1", "-p", port, NULL}) == 0;
}

static bool wait_for(struct server *s, uint32_t node,
                     bool (*ready)(const struct server *, uint32_t)) {
  int64_t until = clock_monotonic_us() + READY_US;
  while (!is_dead(s, node) && clock_monotonic_us() < until) {
    if (ready(s, node)) return true;
    usleep(20000);
  }
  return false;
}

/* ---- starting ---- */

static bool start_postgres(struct server *s) {
  char program[512], data[600], port[32];
  if (!find_program("postgres", program, sizeof program)) return false;
  snprintf(data, sizeof data, "%s/data", s->directory);
  snprintf(port, sizeof port, "%u", s->port[0]);
  char *argv[] = {program, "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1",
                  "-c", "unix_socket_directories=", "-c", "fsync=off",
                  "-c", "max_connections=200", "-c", "log_min_messages=warning", NULL};
  s->pid[0] = spawn(s, argv, true);
  return s->pid[0] > 0 && wait_for(s, 0, answers);
}

static bool start_valkey(struct server *s, uint32_t node) {
  char program[512], directory[600], port[8], bus[8];
  if (!find_program(programs[s->kind], program, sizeof program)) return false;
  snprintf(directory, sizeof directory, "%s/%u", s->directory, node);
  if (mkdir(directory, 0700) && errno != EEXIST) return false;
  snprintf(port, sizeof port, "%u", s->port[node]);
  snprintf(bus, sizeof bus, "%u", s->bus_port[node]);
  char *argv[ARGS] = {program, "--port", port, "--bind", "127.0.0.1", "--dir", directory,
                      "--daemonize", "no", "--save", "", "--appendonly", "yes",
                      "--appendfsync", "always", "--requirepass", s->password,
                      "--masterauth", s->password};
  static char *const cluster[] = {"--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                                  "--cluster-port"};
  size_t n = 0;
  while (argv[n]) n++;
  if (s->kind == SERVER_CLUSTER) {
    memcpy(argv + n, cluster, sizeof cluster);
    argv[n + ARRAY_LEN(cluster)] = bus;
  }
  s->pid[node] = spawn(s, argv, true);
  return s->pid[node] > 0 && wait_for(s, node, answers);
}

bool server_restart(struct server *s, uint32_t node) {
  INVARIANT(is_dead(s, node));
  if (s->kind != SERVER_POSTGRES) return start_valkey(s, node);
  /* The children of a killed postmaster hold its shared memory until they notice; it refuses so long. */
  int64_t until = clock_monotonic_us() + READY_US;
  while (!start_postgres(s)) {
    server_signal(s, node, SIGKILL);
    if (clock_monotonic_us() > until) return false;
    usleep(100000);
  }
  return true;
}

static bool create_postgres(struct server *s) {
  char program[512], data[600], secret[600], option[640];
  if (!find_program("initdb", program, sizeof program)) return false;
  snprintf(data, sizeof data, "%s/data", s->directory);
  snprintf(secret, sizeof secret, "%s/secret", s->directory);
  snprintf(option, sizeof option, "--pwfile=%s", secret);
  FILE *file = fopen(secret, "w");
  if (!file) return false;
  fprintf(file, "%s\n", s->password);
  fclose(file);
  char *argv[] = {program, "-D", data, "-U", "ff", "-A", "scram-sha-256", option,
                  "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", NULL};
  return run(s, argv) == 0;
}

/* A node sees all others and every slot served; a replica hears its master. */
static bool is_joined(const struct server *s, uint32_t node) {
  return server_ask(s, node, "CLUSTER INFO\r\n", "cluster_state:ok") &&
         server_ask(s, node, "CLUSTER INFO\r\n", "cluster_known_nodes:6") &&
         (server_ask(s, node, "ROLE\r\n", "master") ||
          server_ask(s, node, "ROLE\r\n", "connected"));
}

static bool create_cluster(struct server *s) {
  char program[512], address[SERVER_NODES][32];
  char *argv[ARGS] = {program, "-a", s->password, "--no-auth-warning", "--cluster", "create"};
  size_t n = 6;
  if (!find_program("valkey-cli", program, sizeof program)) return false;
  for (uint32_t i = 0; i < s->node_count; i++) {
    snprintf(address[i], sizeof address[i], "127.0.0.1:%u", s->port[i]);
    argv[n++] = address[i];
  }
  argv[n++] = "--cluster-replicas";
  argv[n++] = "1";
  argv[n++] = "--cluster-yes";
  if (run(s, argv) != 0) return false;
  for (uint32_t i = 0; i < s->node_count; i++)
    if (!wait_for(s, i, is_joined)) return false;
  return true;
}

static bool start_nodes(struct server *s) {
  if (s->kind == SERVER_POSTGRES) return create_postgres(s) && start_postgres(s);
  for (uint32_t i = 0; i < s->node_count; i++)
    if (!start_valkey(s, i)) return false;
  return s->kind != SERVER_CLUSTER || create_cluster(s);
}

/* ---- beside a PostgreSQL server ---- */

static bool start_standby(struct server *s, const struct server *primary, const char *mode) {
  char program[512], data[600], source[200];
  (void)mode;
  if (!find_program("pg_basebackup", program, sizeof program)) return false;
  snprintf(data, sizeof data, "%s/data", s->directory);
  snprintf(source, sizeof source, "host=127.0.0.1 port=%u user=ff password=%s", primary->port[0],
           primary->password);
  char *argv[] = {program, "-D", data, "-d", source, "-R", "-X", "stream", "-c", "fast",
                  "--no-sync", NULL};
  return run(s, argv) == 0 && start_postgres(s);
}

/* Debian keeps it where only administrators look. */
static bool find_pooler(char *out, size_t size) {
  if (find_program("pgbouncer", out, size)) return true;
  snprintf(out, size, "/usr/sbin/pgbouncer");
  return access(out, X_OK) == 0;
}

bool server_pooler_installed(void) {
  char path[512];
  return find_pooler(path, sizeof path);
}

static bool write_pooler_files(const struct server *s, const struct server *behind,
                               const char *mode, const char *settings) {
  char users[600];
  snprintf(users, sizeof users, "%s/users", s->directory);
  FILE *list = fopen(users, "w"), *file = fopen(settings, "w");
  if (list) fprintf(list, "\"ff\" \"%s\"\n", s->password);
  if (file)
    fprintf(file,
            "[databases]\n* = host=127.0.0.1 port=%u\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
            "listen_port=%u\nunix_socket_dir=\nauth_type=plain\nauth_file=%s\npool_mode=%s\n"
            "default_pool_size=50\nignore_startup_parameters=extra_float_digits,options\n",
            behind->port[0], s->port[0], users, mode);
  if (list) fclose(list);
  if (file) fclose(file);
  return list && file;
}

static bool start_pooler(struct server *s, const struct server *behind, const char *mode) {
  char program[512], settings[600];
  snprintf(settings, sizeof settings, "%s/settings", s->directory);
  if (!find_pooler(program, sizeof program) || !write_pooler_files(s, behind, mode, settings))
    return false;
  char *argv[] = {program, settings, NULL};
  s->pid[0] = spawn(s, argv, true);
  return s->pid[0] > 0 && wait_for(s, 0, answers);
}

/* ---- directories ---- */

/* May any user pass every directory above? A home of root's is closed to PostgreSQL's user. */
static bool is_open_to_all(const char *directory) {
  char path[512];
  struct stat st;
  snprintf(path, sizeof path, "%s/", directory);
  for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    bool ok = stat(path, &st) == 0 && (st.st_mode & S_IXOTH);
    *slash = '/';
    if (!ok) return false;
  }
  return true;
}

static bool make_directory(struct server *s) {
  char parent[400];
  const struct passwd *user = runner(s->kind);
  if (!getcwd(parent, sizeof parent) || (user && !is_open_to_all(parent)))
    snprintf(parent, sizeof parent, "/tmp");
  snprintf(s->directory, sizeof s->directory, "%s/%s-XXXXXX", parent, names[s->kind]);
  if (!mkdtemp(s->directory)) return false;
  return !user || chown(s->directory, user->pw_uid, user->pw_gid) == 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at) {
  (void)st, (void)flag, (void)at;
  remove(path);
  return 0;
}

/* The last lines of the log, so that a failed start explains itself. */
static void explain(struct server *s) {
  char path[600], tail[300] = "";
  snprintf(path, sizeof path, "%s/log", s->directory);
  FILE *file = fopen(path, "r");
  if (file) {
    if (fseek(file, -(long)(sizeof tail - 1), SEEK_END)) rewind(file);
    tail[fread(tail, 1, sizeof tail - 1, file)] = 0;
    fclose(file);
  }
  snprintf(s->reason, sizeof s->reason, "%s did not start: %s", names[s->kind], tail);
}

void server_stop(struct server *s) {
  for (uint32_t i = 0; i < s->node_count; i++) {
    if (s->pid[i] && s->kind == SERVER_POSTGRES) {
      kill(s->pid[i], SIGCONT); /* a stopped one would not hear of it */
      kill(s->pid[i], SIGQUIT);
      waitpid(s->pid[i], NULL, 0);
      s->pid[i] = 0;
    }
    server_signal(s, i, SIGKILL);
  }
  if (s->directory[0]) nftw(s->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  s->directory[0] = 0;
}

/* A name, ports and a password; of `beside` when there is one. */
static void prepare(struct server *s, enum server_kind kind, const struct server *beside) {
  memset(s, 0, sizeof *s);
  s->kind = kind;
  s->node_count = kind == SERVER_CLUSTER ? SERVER_NODES : 1;
  for (uint32_t n = 0; n < s->node_count; n++) {
    s->port[n] = free_port();
    s->bus_port[n] = free_port();
  }
  uint64_t secret[] = {random_u64(), random_u64()};
  hex_encode(secret, sizeof secret, s->password);
  if (beside) memcpy(s->password, beside->password, sizeof s->password);
  snprintf(s->url, sizeof s->url, "%s://%s:%s@127.0.0.1:%u%s",
           kind == SERVER_CLUSTER ? "valkey" : names[kind],
           kind == SERVER_POSTGRES ? "ff" : "default", s->password, s->port[0],
           kind == SERVER_POSTGRES ? "/postgres" : "");
}

typedef bool start_fn(struct server *s, const struct server *beside, const char *mode);

static bool start_alone(struct server *s, const struct server *beside, const char *mode) {
  (void)beside, (void)mode;
  return start_nodes(s);
}

static bool try_start(struct server *s, enum server_kind kind, const struct server *beside,
                      const char *mode, start_fn *start) {
  char reason[sizeof s->reason] = "";
  for (int i = 0; i < TRIES; i++) {
    prepare(s, kind, beside);
    if (make_directory(s) && start(s, beside, mode)) return true;
    explain(s);
    server_stop(s);
    memcpy(reason, s->reason, sizeof reason);
    if (!strstr(reason, "in use") && !strstr(reason, "bind")) break;
  }
  return false;
}

bool server_start(struct server *s, enum server_kind kind) {
  return try_start(s, kind, NULL, NULL, start_alone);
}

bool server_start_standby(struct server *s, const struct server *primary) {
  return try_start(s, SERVER_POSTGRES, primary, NULL, start_standby);
}

bool server_start_pooler(struct server *s, const struct server *behind, const char *pool_mode) {
  return try_start(s, SERVER_POSTGRES, behind, pool_mode, start_pooler);
}
