/*
 * Opening and closing a SQLite store, its connections and sessions, and its vtable.
 *
 * Order matters and is fixed here: consent, file, lock, connection, whose database it is, and only
 * then anything that writes.
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Never goes back, whatever the clock behind it does (02 L-3). */
int64_t sqlite_now(struct sqlite_store *s) {
  int64_t now = s->clock_ms ? s->clock_ms(s->clock_user) : clock_wall_ms();
  int64_t last = atomic_load(&s->last_now);
  while (now > last)
    if (atomic_compare_exchange_weak(&s->last_now, &last, now)) return now;
  return last;
}

/* ---- connections ---- */

static enum ff_rc configure(struct sqlite_store *s, sqlite3 *db, bool writer, struct ff_error *e) {
  char sql[320];
  static const char *const words[] = {"OFF", "NORMAL", "FULL"};
  /* A log that a stuck reader let grow is cut back to 32 MiB; the usual one is far shorter and
   * written over, never cut. */
  snprintf(sql, sizeof sql,
           "PRAGMA temp_store=MEMORY;PRAGMA mmap_size=0;PRAGMA trusted_schema=OFF;PRAGMA "
           "cache_size=%d;%s%s%s",
           writer ? -8192 : -1024,
           writer ? "PRAGMA journal_size_limit=33554432;PRAGMA secure_delete=OFF;" : "",
           writer ? "PRAGMA synchronous=" : "PRAGMA query_only=ON",
           writer ? words[s->target.synchronous] : "");
  int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
  if (!code) code = sqlite3_wal_autocheckpoint(db, 0);
  if (!code && !writer) code = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  return code ? sqlite_error(s, db, code, "configure", e) : FF_OK;
}

/* A plain name as a SQLite URI; everything that means something there is escaped. */
static void append_uri(struct buffer *out, const char *path, const char *query) {
  buffer_append_c(out, "file:");
  for (const char *p = path; *p; p++) {
    if (strchr("%?#", *p)) buffer_printf(out, "%%%02x", (unsigned)(unsigned char)*p);
    else buffer_append_char(out, *p);
  }
  buffer_printf(out, "?%s", query);
}

enum ff_rc sqlite_connect(struct sqlite_store *s, bool writer, sqlite3 **out, struct ff_error *e) {
  int flags =
      SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  flags |= s->target.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (s->target.memory) flags |= SQLITE_OPEN_CREATE;
  struct buffer uri;
  buffer_init(&uri);
  append_uri(&uri, s->name, s->target.memory ? "vfs=memdb" : s->immutable ? "immutable=1" : "");
  sqlite3 *db = NULL;
  bool gather = writer && s->target.synchronous == 2 && !s->target.memory;
  int code = sqlite3_open_v2(uri.ptr, &db, flags, gather ? sqlite_gathering_vfs() : NULL);
  buffer_fini(&uri);
  enum ff_rc rc = code ? sqlite_error(s, db, code, "open", e) : FF_OK;
  if (!rc) {
    sqlite3_busy_timeout(db, SQLITE_BUSY_TIMEOUT_MS);
    rc = configure(s, db, writer, e);
  }
  if (rc) {
    sqlite3_close(db);
    db = NULL;
  }
  *out = db;
  return rc;
}

/* ---- sessions ---- */

static void session_close(struct store_session *session) {
  struct sqlite_session *c = sqlite_session_of(session);
  if (!c) return;
  if (c->writer) sqlite_rollback(c);
  sqlite_finalize_all(c);
  arena_fini(&c->scratch);
  sqlite_cache_free(c->cache);
  if (c->writer) {
    sqlite3_wal_hook(c->db, NULL, NULL);
    atomic_store(&c->store->writing, false);
  } else {
    sqlite3_close(c->db);
  }
  free(c);
}

/* Takes the right to use the writer's connection before anything is asked of it. */
static enum ff_rc writer_claim(struct sqlite_store *s, struct ff_error *e) {
  if (!s->db)
    return error_set(e, FF_CODE_store_read_only, "%s is open read-only (mode=ro)", s->target.path);
  if (atomic_exchange(&s->writing, true))
    return error_set(e, FF_CODE_store_busy, "%s has one writer session, which is open",
                     s->target.path);
  enum ff_rc rc = sqlite_schema_check(s, s->db, e);
  if (rc) atomic_store(&s->writing, false);
  return rc;
}

static enum ff_rc session_open(struct store *store, enum store_session_kind kind,
                               struct store_session **out, struct ff_error *e) {
  struct sqlite_store *s = sqlite_store_of(store);
  bool writer = kind == STORE_WRITER;
  enum ff_rc rc = sqlite_usable(s, e);
  if (!rc && writer) rc = writer_claim(s, e);
  if (rc) return rc;
  struct sqlite_session *c = heap_zalloc(sizeof *c);
  c->store = s;
  c->writer = writer;
  arena_init(&c->scratch);
  if (writer) {
    c->db = s->db;
    c->cache = sqlite_cache_new();
    sqlite_checkpoint_watch(c);
    rc = sqlite_log_resume(c, e);
  } else {
    rc = sqlite_connect(s, false, &c->db, e);
    if (!rc && !s->db) rc = sqlite_schema_check(s, c->db, e);
  }
  if (!rc) {
    *out = (struct store_session *)c;
    return FF_OK;
  }
  if (c->db) session_close((struct store_session *)c);
  else arena_fini(&c->scratch), free(c);
  return rc;
}

/* ---- the store ---- */

static void close_store(struct store *store) {
  struct sqlite_store *s = sqlite_store_of(store);
  INVARIANT(!atomic_load(&s->writing));
  sqlite_registry_remove(s);
  if (s->db) {
    /* After a failed write the log is left alone: recovery at the next open decides from what is on
     * the medium. */
    if (atomic_load(&s->failed))
      sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(s->db);
  }
  sqlite_lock_drop(s->lock_fd);
  sqlite_target_fini(&s->target);
  pthread_mutex_destroy(&s->memory_lock);
  free(s->name);
  free(s);
}

static enum ff_rc migrate(struct store *store, bool *applied, struct ff_error *e) {
  return sqlite_schema_migrate(sqlite_store_of(store), applied, e);
}

/* The owner of a file is alone; who reads it becomes the owner, or finds that there is one. */
static enum ff_rc others(struct store *store, bool *any, struct ff_error *e) {
  struct sqlite_store *s = sqlite_store_of(store);
  struct ff_error problem;
  *any = false;
  if (s->db || s->lock_fd >= 0) return FF_OK;
  enum ff_rc rc = sqlite_lock_take(s->name, &s->lock_fd, &problem);
  *any = rc && problem.code == FF_CODE_store_busy;
  if (!rc || *any || s->immutable) return FF_OK;
  if (e) *e = problem;
  return rc;
}

static const struct store_vtable vtable = {
    .close = close_store,
    .migrate = migrate,
    .session_open = session_open,
    .session_close = session_close,
    .fetch = sqlite_fetch,
    .apply = sqlite_apply,
    .read_log = sqlite_read_log,
    .trim_log = sqlite_trim_log,
    .restore_log = sqlite_restore_log,
    .others = others,
    .idle = sqlite_idle,
    .listen = sqlite_listen,
    .unlisten = sqlite_unlisten,
    .notify = sqlite_notify,
};

static void traits_fill(struct sqlite_store *s) {
  static const char *const words[] = {"none (synchronous=off)", "checkpoint (synchronous=normal)",
                                      "fsync"};
  struct store_traits *t = &s->base.traits;
  t->backend = FF_backend_sqlite;
  t->writers = 1;
  t->one_domain = true;
  t->durable = !s->target.memory && s->target.synchronous == 2;
  snprintf(t->durability, sizeof t->durability, "%s",
           s->target.memory ? "none (memory)" : words[s->target.synchronous]);
  snprintf(t->version, sizeof t->version, "SQLite %s", sqlite3_libversion());
}

/* Turns a file that is ours (or empty) into one with a write-ahead log; one that is neither is left
 * as it is. */
static enum ff_rc prepare_file(struct sqlite_store *s, struct ff_error *e) {
  int64_t generation;
  uint64_t fingerprint;
  enum ff_rc rc = sqlite_schema_read(s, s->db, &generation, &fingerprint, e);
  if (rc) return rc;
  if (sqlite3_db_readonly(s->db, "main") == 1)
    return error_set(e, FF_CODE_store_read_only, "%s: the file may not be written", s->target.path);
  if (s->target.memory) return FF_OK;
  if (generation == 0)
    sqlite3_exec(s->db, "PRAGMA page_size=4096;PRAGMA auto_vacuum=NONE", NULL, NULL, NULL);
  sqlite3_stmt *st;
  int code = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode=WAL", -1, &st, NULL);
  bool wal = false;
  if (!code) {
    if (sqlite3_step(st) == SQLITE_ROW)
      wal = strcmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
    code = sqlite3_finalize(st);
  }
  if (!code && !wal)
    return error_set(e, FF_CODE_transport, "%s: this file system cannot hold a write-ahead log",
                     s->target.path);
  return code ? sqlite_error(s, s->db, code, "recover", e) : FF_OK;
}

static bool no_log(const char *path) {
  struct buffer name;
  buffer_init(&name);
  buffer_printf(&name, "%s-wal", path);
  struct stat st;
  bool none = stat(name.ptr, &st) != 0 || st.st_size == 0;
  buffer_fini(&name);
  return none;
}

static enum ff_rc look(struct sqlite_store *s, struct ff_error *e) {
  sqlite3 *db;
  int64_t generation;
  uint64_t fingerprint;
  enum ff_rc rc = sqlite_connect(s, false, &db, e);
  if (rc) return rc;
  rc = sqlite_schema_read(s, db, &generation, &fingerprint, e);
  sqlite3_close(db);
  return rc;
}

/* SQLite could not make the shared index of the log: the directory, or all of the medium, may not be
 * written. */
static bool lacks_shared_index(const struct ff_error *e) {
  const char *text = ff_error_context_get(e, "sqlite_code");
  int64_t code = 0;
  if (!text || !parse_i64(ff_text(text), &code)) return false;
  return (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY;
}

/* A first look with a connection of its own. A database where the shared index of the log cannot be
 * made has no writer; without a log it may be read as it is. */
static enum ff_rc probe_read_only(struct sqlite_store *s, struct ff_error *e) {
  struct ff_error problem;
  enum ff_rc rc = look(s, &problem);
  if (rc && lacks_shared_index(&problem) && no_log(s->name)) {
    s->immutable = true;
    rc = look(s, &problem);
  }
  if (rc && e) *e = problem;
  return rc;
}

static enum ff_rc open_file(struct sqlite_store *s, struct ff_error *e) {
  enum ff_rc rc = sqlite_file_locate(s->target.path, !s->target.read_only, &s->name, e);
  if (rc) return rc;
  if (s->target.read_only) return probe_read_only(s, e);
  rc = sqlite_lock_take(s->name, &s->lock_fd, e);
  if (!rc) rc = sqlite_harden_log(s, e);
  if (!rc) rc = sqlite_connect(s, true, &s->db, e);
  if (!rc) rc = prepare_file(s, e);
  return rc;
}

static enum ff_rc open_memory(struct sqlite_store *s, struct ff_error *e) {
  static atomic_uint counter;
  char name[64];
  snprintf(name, sizeof name, "/flowfabric-%u", atomic_fetch_add(&counter, 1));
  s->name = heap_alloc(sizeof name);
  memcpy(s->name, name, sizeof name);
  enum ff_rc rc = sqlite_connect(s, true, &s->db, e);
  return rc ? rc : prepare_file(s, e);
}

/* SQLite counts every allocation under a process-wide mutex, for statistics that nobody here reads:
 * a tenth of all our time in it. Where the embedding program has used SQLite before us, its choice
 * stands (the call is refused). */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static void library_configure(void) {
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum ff_rc store_sqlite_open(struct ff_str path_and_query, const struct store_options *options,
                             struct store **out, struct ff_error *e) {
  struct sqlite_target target;
  enum ff_rc rc = sqlite_target_parse(path_and_query, options && options->dev_mode, &target, e);
  if (rc) return rc;
  pthread_once(&library_once, library_configure);
  struct sqlite_store *s = heap_zalloc(sizeof *s);
  s->base.vtable = &vtable;
  s->target = target;
  s->lock_fd = -1;
  s->idle_frames = SQLITE_WAL_IDLE_FRAMES;
  s->hard_frames = SQLITE_WAL_HARD_FRAMES;
  s->clock_ms = options ? options->clock_ms : NULL;
  s->clock_user = options ? options->clock_user : NULL;
  pthread_mutex_init(&s->memory_lock, NULL);
  traits_fill(s);
  rc = target.memory ? open_memory(s, e) : open_file(s, e);
  if (rc) {
    close_store(&s->base);
    return rc;
  }
  sqlite_registry_add(s);
  *out = &s->base;
  return FF_OK;
}
