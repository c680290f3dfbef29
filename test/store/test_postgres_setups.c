/*
 * PostgreSQL as operators set it up: TLS, a standby, a pooler, roles with few privileges, a full
 * disk, an old server, other partition counts (issue 3, bad input). Each works, or says what to do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flowfabric/flowfabric.h"
#include "store/calls.h"
#include "test/lib/servers.h"

static struct server server;
static struct ff_error error;

/* ---- helpers ---- */

static void assert_fine(enum ff_rc rc) {
  if (rc != FF_OK) fail_msg("%s: %s", ff_code_name(error.code), error.detail);
}

static void assert_refused(enum ff_rc rc, enum ff_code code, const char *cause) {
  if (rc == FF_OK || error.code != code || !strstr(error.detail, cause))
    fail_msg("wanted %s ~ %s, got %s: %s", ff_code_name(code), cause,
             rc ? ff_code_name(error.code) : "success", error.detail);
  assert_null(strstr(error.detail, server.password));
}

/* User, host and port as given; the schema and more parameters behind. */
static const char *url_of(const char *user, const char *password, const char *host, uint16_t port,
                          const char *more) {
  static char url[1600];
  snprintf(url, sizeof url, "postgres://%s:%s@%s:%u/postgres?%s", user, password, host, port, more);
  return url;
}
static const char *url_at(uint16_t port, const char *more) {
  return url_of("ff", server.password, "127.0.0.1", port, more);
}

static char answer[256];
static void sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void sql(const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  PGconn *conn = PQconnectdb(server.url);
  PGresult *r = PQexec(conn, text);
  if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
    fail_msg("%s: %s", text, PQerrorMessage(conn));
  answer[0] = '\0';
  if (PQntuples(r)) snprintf(answer, sizeof answer, "%s", PQgetvalue(r, 0, 0));
  PQclear(r);
  PQfinish(conn);
}

static enum ff_rc try_open(const char *url) {
  struct store *store = NULL;
  bool applied;
  error = (struct ff_error){0};
  enum ff_rc rc = store_open(ff_text(url), NULL, &store, &error);
  if (rc == FF_OK) rc = store_migrate(store, &applied, &error);
  store_close(store);
  return rc;
}

static struct ff_engine *open_engine(const char *url) {
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  assert_fine(ff_open(url, &options, &engine, &error));
  return engine;
}

static enum ff_rc submit(struct ff_engine *engine, size_t payload_size) {
  struct ff_submit_args args = FF_ARGS(submit);
  struct ff_submit_result result;
  char *payload = calloc(1, payload_size + 1);
  args.lane_id = TEXT_LIT("lane");
  /* not to be compressed away */
  for (size_t i = 0; i < payload_size; i++) payload[i] = (char)random_u64();
  args.input_payload = (struct ff_bytes){payload, payload_size};
  enum ff_rc rc = ff_submit(engine, &args, &result, &error);
  if (rc == FF_OK) ff_clear(&result);
  free(payload);
  return rc;
}

/* One execution from its submission to its end. */
static enum ff_rc work(struct ff_engine *engine) {
  struct ff_str lane = TEXT_LIT("lane");
  struct ff_claim_task_args claim = FF_ARGS(claim_task);
  struct ff_claim_task_result claimed;
  struct ff_complete_args complete = FF_ARGS(complete);
  struct ff_complete_result completed;
  enum ff_rc rc = submit(engine, 100);
  claim.lane_ids = (struct ff_strs){&lane, 1};
  claim.worker_id = claim.worker_instance_id = TEXT_LIT("w");
  claim.lease_ttl_ms = 60000;
  if (rc == FF_OK) rc = ff_claim_task(engine, &claim, &claimed, &error);
  if (rc != FF_OK) return rc;
  assert_int_equal(claimed.outcome, FF_outcome_claimed);
  complete.handle = claimed.task.handle;
  rc = ff_complete(engine, &complete, &completed, &error);
  if (rc == FF_OK) ff_clear(&completed);
  ff_clear(&claimed);
  return rc;
}

static size_t count_of(struct ff_engine *engine) {
  struct ff_query_executions_args args = FF_ARGS(query_executions);
  struct ff_query_executions_result page;
  args.limit = 1000;
  assert_fine(ff_query_executions(engine, &args, &page, &error));
  size_t count = page.executions.count;
  ff_clear(&page);
  return count;
}

/* Fails where everything must be there, else says loudly what is passed over. */
static void missing(const char *program) {
  const char *ci = getenv("CI");
  if (ci && strcmp(ci, "true") == 0) fail_msg("no %s", program);
  fprintf(stderr, "SKIP: %s is not installed; `./dev setup` installs it\n", program);
  skip();
}

/* ---- TLS ---- */

static int run_shell(const char *command) {
  pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  int status = -1;
  return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...) {
  char command[2000];
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof command, format, args);
  va_end(args);
  if (run_shell(command) != 0) fail_msg("%s", command);
}

/* A certificate authority, a certificate of it for the server's address, and another authority. */
static void make_certificates(void) {
  const char *d = server.directory;
  static const char make[] =
      "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
      "-subj /CN=%s -keyout %s.key -out %s.pem 2>/dev/null";
  shell(make, d, "authority", "ca", "ca");
  shell(make, d, "stranger", "other", "other");
  shell("cd '%s' && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-subj /CN=server -keyout server.key -out server.csr 2>/dev/null && "
        "printf 'subjectAltName=IP:127.0.0.1\\n' >ext && openssl x509 -req -days 2 -in server.csr "
        "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -out server.pem 2>/dev/null && "
        "chmod 600 server.key && chmod 644 *.pem && { chown --reference=data server.key || true; }",
        d);
}

static void tls(void **state) {
  (void)state;
  char more[900];
  const char *d = server.directory;
  if (run_shell("openssl version >/dev/null 2>&1") != 0) missing("openssl");
  make_certificates();
  sql("ALTER SYSTEM SET ssl_cert_file='%s/server.pem'", d);
  sql("ALTER SYSTEM SET ssl_key_file='%s/server.key'", d);
  sql("ALTER SYSTEM SET ssl=on");
  sql("SELECT pg_reload_conf()");
  snprintf(more, sizeof more, "sslmode=verify-full&sslrootcert=%s/ca.pem&schema=tls", d);
  char good[1600];
  snprintf(good, sizeof good, "%s", url_at(server.port[0], more));
  for (int i = 0; i < 100 && try_open(good) != FF_OK; i++) usleep(50000); /* until it is reloaded */
  struct ff_engine *engine = open_engine(good);
  assert_fine(work(engine));
  sql("SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING(pid) WHERE s.ssl AND "
      "a.pid<>pg_backend_pid() AND a.backend_type='client backend'");
  int64_t over_tls;
  assert_true(parse_i64(ff_text(answer), &over_tls) && over_tls >= 3);
  ff_close(engine);
  snprintf(more, sizeof more, "sslmode=verify-full&sslrootcert=%s/other.pem&schema=tls", d);
  assert_refused(try_open(url_at(server.port[0], more)), FF_CODE_config, "check sslrootcert");
  snprintf(more, sizeof more, "sslmode=verify-full&sslrootcert=%s/ca.pem&schema=tls", d);
  assert_refused(try_open(url_of("ff", server.password, "localhost", server.port[0], more)),
                 FF_CODE_config, "the host name");
  snprintf(more, sizeof more, "sslmode=verify-full&sslrootcert=%s/nowhere.pem&schema=tls", d);
  assert_refused(try_open(url_at(server.port[0], more)), FF_CODE_config, "check sslrootcert");
}

/* ---- a standby ---- */

static void standby(void **state) {
  (void)state;
  struct server replica;
  char both[1600];
  struct ff_engine *writer = open_engine(url_at(server.port[0], "schema=standby"));
  assert_fine(work(writer));
  if (!server_start_standby(&replica, &server)) fail_msg("%s", replica.reason);
  assert_refused(try_open(url_at(replica.port[0], "schema=standby&target_session_attrs=any")),
                 FF_CODE_store_read_only, "mode=ro");
  assert_int_not_equal(try_open(url_at(replica.port[0], "schema=standby")), FF_OK);
  assert_int_equal(error.code, FF_CODE_store_read_only);
  struct ff_engine *reader = open_engine(url_at(replica.port[0], "schema=standby&mode=ro"));
  assert_int_equal(count_of(reader), 1);
  assert_fine(work(writer));
  for (int i = 0; i < 200 && count_of(reader) < 2; i++) usleep(50000);
  assert_int_equal(count_of(reader), 2);
  assert_refused(submit(reader, 10), FF_CODE_store_read_only, "mode=ro");
  ff_close(reader);
  ff_close(writer);
  /* of several hosts the one that can be written is taken */
  snprintf(both, sizeof both,
           "postgres://ff:%s@127.0.0.1:%u,127.0.0.1:%u/postgres?schema=standby", server.password,
           replica.port[0], server.port[0]);
  writer = open_engine(both);
  assert_fine(work(writer));
  ff_close(writer);
  server_stop(&replica);
}

/* ---- a pooler ---- */

static void poolers(void **state) {
  (void)state;
  struct server pooler;
  if (!server_pooler_installed()) missing("pgbouncer");
  if (!server_start_pooler(&pooler, &server, "session")) fail_msg("%s", pooler.reason);
  struct ff_engine *engine = open_engine(url_at(pooler.port[0], "schema=pooled&sslmode=disable"));
  for (int i = 0; i < 5; i++) assert_fine(work(engine));
  assert_int_equal(count_of(engine), 5);
  ff_close(engine);
  engine = open_engine(url_at(pooler.port[0], "schema=pooled&sslmode=disable"));
  assert_fine(work(engine));
  ff_close(engine);
  server_stop(&pooler);
  if (!server_start_pooler(&pooler, &server, "transaction")) fail_msg("%s", pooler.reason);
  assert_refused(try_open(url_at(pooler.port[0], "schema=pooled&sslmode=disable")), FF_CODE_config,
                 "pool_mode=session");
  server_stop(&pooler);
}

/* ---- privileges ---- */

/* The three lines of doc/stores.md are enough; with less, reading works and writing says why. */
static void privileges(void **state) {
  (void)state;
  uint16_t port = server.port[0];
  char app[1600];
  ff_close(open_engine(url_at(port, "schema=granted")));
  sql("CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE looker LOGIN PASSWORD 'looker';"
      "GRANT USAGE ON SCHEMA granted TO app;"
      "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA granted TO app;"
      "GRANT USAGE ON ALL SEQUENCES IN SCHEMA granted TO app;"
      "GRANT USAGE ON SCHEMA granted TO looker;"
      "GRANT SELECT ON ALL TABLES IN SCHEMA granted TO looker");
  snprintf(app, sizeof app, "%s", url_of("app", "app", "127.0.0.1", port, "schema=granted"));
  struct ff_engine *engine = open_engine(app);
  assert_fine(work(engine));
  ff_close(engine);
  engine = open_engine(url_of("looker", "looker", "127.0.0.1", port, "schema=granted&mode=ro"));
  assert_int_equal(count_of(engine), 1);
  ff_close(engine);
  engine = open_engine(url_of("looker", "looker", "127.0.0.1", port, "schema=granted"));
  assert_refused(submit(engine, 10), FF_CODE_config, "lacks a privilege");
  assert_int_equal(count_of(engine), 1);
  ff_close(engine);
  assert_refused(try_open(url_of("looker", "looker", "127.0.0.1", port, "schema=standby")),
                 FF_CODE_config, "privilege");
}

/* ---- partition counts ---- */

static void partition_counts(void **state) {
  (void)state;
  struct ff_open_options options = FF_OPEN_OPTIONS_INIT;
  struct ff_engine *engine;
  char url[1600];
  snprintf(url, sizeof url, "%s", url_at(server.port[0], "schema=counts"));
  options.flow_partitions = 64;
  assert_fine(ff_open(url, &options, &engine, &error));
  ff_close(engine);
  options.flow_partitions = 32;
  assert_refused(ff_open(url, &options, &engine, &error), FF_CODE_corruption,
                 "partition_mismatch: num_flow_partitions: stored=64, config=32");
  snprintf(url, sizeof url, "%s", url_at(server.port[0], "schema=counts&mode=ro"));
  assert_refused(ff_open(url, &options, &engine, &error), FF_CODE_corruption, "partition_mismatch");
}

/* ---- a full disk ---- */

static char small[600]; /* where the small disk is mounted */

/* A file system of so few bytes, where that may be made. */
static bool small_disk(void) {
  const struct passwd *user = getpwnam("postgres");
  char directory[600];
  snprintf(directory, sizeof directory, "%s/small", server.directory);
  if (geteuid() != 0 || !user || mkdir(directory, 0700) != 0) return false;
  if (mount("none", directory, "tmpfs", 0, "size=12m") != 0) return false;
  memcpy(small, directory, sizeof small);
  return chown(directory, user->pw_uid, user->pw_gid) == 0;
}

/* What does not fit is refused as store_full and not stored; with room again, work goes on. */
static void fill_up(struct ff_engine *engine, void (*make_room)(void)) {
  size_t taken = count_of(engine);
  enum ff_rc rc = FF_OK;
  while (rc == FF_OK && taken < 500) {
    rc = submit(engine, 200000);
    taken += rc == FF_OK;
  }
  assert_refused(rc, FF_CODE_store_full, "disk is full");
  assert_int_equal(count_of(engine), taken);
  assert_refused(submit(engine, 200000), FF_CODE_store_full, "disk is full");
  make_room();
  assert_fine(submit(engine, 200000));
  assert_int_equal(count_of(engine), taken + 1);
}

static void drop_filler(void) { sql("DROP TABLE filler"); }
static void drop_trigger(void) { sql("DROP TRIGGER full_disk ON fullish.payload"); }

static void full_disk(void **state) {
  (void)state;
  struct ff_engine *engine = open_engine(url_at(server.port[0], "schema=fullish"));
  assert_fine(submit(engine, 10));
  if (small_disk()) {
    sql("CREATE TABLESPACE small LOCATION '%s'", small);
    sql("CREATE TABLE filler(t text) TABLESPACE small;"
        "ALTER TABLE filler ALTER t SET STORAGE EXTERNAL;"
        "INSERT INTO filler SELECT repeat(md5(i::text),100) FROM generate_series(1,1000) i");
    sql("ALTER TABLE fullish.payload SET TABLESPACE small");
    fill_up(engine, drop_filler);
    sql("ALTER TABLE fullish.payload SET TABLESPACE pg_default");
    ff_close(engine);
    sql("DROP TABLESPACE small");
    return;
  }
  /* no disk of one's own here: the server says the same by a trigger */
  sql("CREATE FUNCTION fullish.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
      "IF (SELECT count(*) FROM fullish.payload)>5 THEN RAISE EXCEPTION 'could not extend file' "
      "USING ERRCODE='53100'; END IF; RETURN NEW; END$$");
  sql("CREATE TRIGGER full_disk BEFORE INSERT ON fullish.payload FOR EACH ROW EXECUTE FUNCTION "
      "fullish.full_disk()");
  fill_up(engine, drop_trigger);
  ff_close(engine);
}

/* ---- an old server ---- */

/* Says what PostgreSQL 13 says to whoever logs in, and no more. */
static void *old_server(void *user) {
  static const char hello[] = "R\0\0\0\x08\0\0\0\0"
                              "S\0\0\0\x18server_version\0" "13.4\0"
                              "S\0\0\0\x19" "client_encoding\0UTF8\0"
                              "K\0\0\0\x0c\0\0\0\1\0\0\0\2"
                              "Z\0\0\0\x05I";
  char startup[1024];
  int listener = *(int *)user, fd = accept(listener, NULL, NULL);
  if (fd < 0) return NULL;
  if (recv(fd, startup, sizeof startup, 0) > 0) {
    (void)!send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL);
    (void)!recv(fd, startup, sizeof startup, 0); /* until it hangs up */
  }
  close(fd);
  return NULL;
}

static void an_old_server(void **state) {
  (void)state;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  pthread_t thread;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
  assert_int_equal(pthread_create(&thread, NULL, old_server, &listener), 0);
  const char *more = "sslmode=disable&gssencmode=disable&target_session_attrs=any";
  assert_refused(try_open(url_at(ntohs(address.sin_port), more)), FF_CODE_config,
                 "the server is PostgreSQL 13.4; at least 14 is needed");
  pthread_join(thread, NULL);
  close(listener);
}

static int begin(void **state) {
  (void)state;
  setenv("FF_DEV_MODE", "1", 1); /* the test server runs without fsync */
  if (server_start(&server, SERVER_POSTGRES)) return 0;
  fprintf(stderr, "%s\n", server.reason);
  return 1;
}

static int end(void **state) {
  (void)state;
  if (small[0]) umount2(small, MNT_DETACH);
  server_stop(&server);
  return 0;
}

int main(int argc, char **argv) {
  if (!server_installed(SERVER_POSTGRES)) return server_missing(SERVER_POSTGRES);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_old_server), cmocka_unit_test(partition_counts),
      cmocka_unit_test(standby),       cmocka_unit_test(privileges),
      cmocka_unit_test(poolers),       cmocka_unit_test(full_disk),
      cmocka_unit_test(tls),
  };
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests(tests, begin, end);
}
