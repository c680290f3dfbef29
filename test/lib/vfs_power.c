/*
 * The power-loss half of the test VFS: the journal of a run, and the files as a cut at any point of
 * it leaves them.
 *
 * A sync makes everything written to that file before it durable, and the file's name with it; a
 * failed sync makes what was waiting for it doubtful for good, as Linux does. What was not synced
 * may be lost, torn at sector boundaries, or reach the medium in any order. Creations and deletions
 * may be lost too until the directory is synced: by the first sync of a new log or journal
 * (SQLite's system VFS does that), or by a deletion that asks for it.
 */
#include "test/lib/vfs_power.h"

#include "base/base.h"
#include "test/lib/vfs_fault.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

enum entry_kind {
  ENTRY_CREATE,
  ENTRY_WRITE,
  ENTRY_TRUNCATE,
  ENTRY_SYNC,
  ENTRY_FAILED_SYNC,
  ENTRY_DELETE
};

struct entry {
  enum entry_kind kind;
  bool names_too;   /* a sync of the directory as well */
  bool durable;     /* scratch of vfs_power_image */
  unsigned name;    /* which path */
  uint64_t at, len; /* of a write; len is the new size of a truncation */
  uint8_t *data;
};

static bool recording;
static struct entry *entries;
static size_t entry_count, entry_capacity;
static char *names[8];
static bool exists[8], fresh[8]; /* fresh: a new log or journal whose first sync is to come */
static unsigned name_count;

void power_forget(void) {
  for (size_t i = 0; i < entry_count; i++) free(entries[i].data);
  for (unsigned i = 0; i < name_count; i++) free(names[i]);
  free(entries);
  entries = NULL;
  entry_count = entry_capacity = name_count = 0;
  recording = false;
}

void power_start(void) {
  power_forget();
  recording = true;
}

bool power_recording(void) {
  return recording;
}
uint64_t vfs_power_now(void) {
  return entry_count;
}

static unsigned name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  for (unsigned i = 0; i < name_count; i++)
    if (strcmp(names[i], base) == 0) return i;
  INVARIANT(name_count < ARRAY_LEN(names));
  size_t len = strlen(base);
  names[name_count] = heap_zalloc(len + 1);
  memcpy(names[name_count], base, len);
  exists[name_count] = fresh[name_count] = false;
  return name_count++;
}

static void note(const char *path, struct entry e) {
  if (!recording) return;
  e.name = name_of(path);
  if (entry_count == entry_capacity) {
    entry_capacity = entry_capacity ? 2 * entry_capacity : 256;
    entries = heap_realloc(entries, entry_capacity * sizeof *entries);
  }
  entries[entry_count++] = e;
}

void power_note_open(const char *path) {
  if (!recording || exists[name_of(path)]) return;
  exists[name_of(path)] = true;
  fresh[name_of(path)] = strchr(path, '-') && strrchr(path, '-') > strrchr(path, '/');
  note(path, (struct entry){.kind = ENTRY_CREATE});
}

void power_note_write(const char *path, const void *data, size_t len, uint64_t at) {
  if (!recording) return;
  uint8_t *copy = heap_alloc(len);
  memcpy(copy, data, len);
  note(path, (struct entry){.kind = ENTRY_WRITE, .at = at, .len = len, .data = copy});
}

void power_note_truncate(const char *path, uint64_t size) {
  note(path, (struct entry){.kind = ENTRY_TRUNCATE, .len = size});
}

void power_note_sync(const char *path) {
  if (!recording) return;
  unsigned name = name_of(path);
  note(path, (struct entry){.kind = ENTRY_SYNC, .names_too = fresh[name]});
  fresh[name] = false;
}

void power_note_failed_sync(const char *path) {
  note(path, (struct entry){.kind = ENTRY_FAILED_SYNC});
}

void power_note_delete(const char *path, bool sync_directory) {
  if (!recording) return;
  if (exists[name_of(path)])
    note(path, (struct entry){.kind = ENTRY_DELETE, .names_too = sync_directory});
  exists[name_of(path)] = false;
}

/* ---- images ---- */

struct content {
  uint8_t *data;
  uint64_t size, capacity;
  bool present;
};

static void resize(struct content *c, uint64_t size) {
  if (size > c->capacity) {
    c->capacity = size * 2;
    c->data = heap_realloc(c->data, c->capacity);
  }
  if (size > c->size) memset(c->data + c->size, 0, size - c->size);
  c->size = size;
}

static void put(struct content *c, const struct entry *e, uint64_t from, uint64_t end) {
  if (e->at + end > c->size) resize(c, e->at + end);
  memcpy(c->data + e->at + from, e->data + from, end - from);
}

/* One coin of a deterministic generator. */
static bool coin(uint64_t *seed) {
  *seed = hash_mix64(*seed);
  return *seed & 1;
}

static void put_torn(struct content *c, const struct entry *e, uint64_t *seed) {
  for (uint64_t from = 0; from < e->len;) {
    uint64_t end = ((e->at + from) / SECTOR + 1) * SECTOR - e->at;
    if (end > e->len) end = e->len;
    if (coin(seed)) put(c, e, from, end);
    from = end;
  }
}

/* Applies an entry that is not known to be on the medium. */
static void apply_lossy(struct content *c, const struct entry *e, enum vfs_loss loss,
                        uint64_t *seed) {
  if (loss == VFS_LOSS_ALL) return;
  if (e->kind == ENTRY_WRITE && loss == VFS_LOSS_TORN) {
    put_torn(c, e, seed);
    return;
  }
  if (loss != VFS_LOSS_NONE && !coin(seed)) return;
  if (e->kind == ENTRY_WRITE) put(c, e, 0, e->len);
  else if (e->kind == ENTRY_TRUNCATE) resize(c, e->len);
}

/* Everything that happened to names before this is on the medium. */
static uint64_t names_durable_until(uint64_t cut) {
  while (cut > 0 && !entries[cut - 1].names_too) cut--;
  return cut;
}

/* Which file of that name the medium holds: the entries [*start, *end) are its. */
static void life_of(unsigned name, uint64_t cut, enum vfs_loss loss, uint64_t *seed,
                    uint64_t *start, uint64_t *end, bool *present) {
  uint64_t created = cut, durable = names_durable_until(cut);
  *start = *end = cut;
  *present = false;
  for (uint64_t i = 0; i < cut; i++) {
    const struct entry *e = &entries[i];
    if (e->name != name) continue;
    bool lost = i >= durable && (loss == VFS_LOSS_ALL || (loss != VFS_LOSS_NONE && coin(seed)));
    if (e->kind == ENTRY_CREATE) created = i;
    if (e->kind == ENTRY_SYNC || (e->kind == ENTRY_CREATE && !lost && !*present)) {
      *start =
          created; /* with a sync the name is durable too; else an older file may still have it */
      *end = cut;
      *present = true;
    } else if (e->kind == ENTRY_DELETE && *present && *start == created) {
      *end = i;
      *present = lost;
    }
  }
}

static void write_file(const char *directory, const char *name, const struct content *c) {
  struct buffer path;
  buffer_init(&path);
  buffer_printf(&path, "%s/%s", directory, name);
  if (c->present) {
    int fd = open(path.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    INVARIANT(fd >= 0);
    INVARIANT(write(fd, c->data ? c->data : (uint8_t *)"", c->size) == (ssize_t)c->size);
    close(fd);
  } else {
    unlink(path.ptr);
  }
  buffer_fini(&path);
}

/* A write is durable when the first sync behind it went well. After one that failed nobody knows,
 * whatever later ones say. */
static void mark_durable(unsigned name, uint64_t start, uint64_t end) {
  bool durable = false;
  for (uint64_t i = end; i-- > start;) {
    struct entry *e = &entries[i];
    if (e->name != name) continue;
    if (e->kind == ENTRY_SYNC) durable = true;
    else if (e->kind == ENTRY_FAILED_SYNC) durable = false;
    e->durable = durable;
  }
}

void vfs_power_image(uint64_t cut, enum vfs_loss loss, uint64_t seed, const char *to) {
  INVARIANT(cut <= entry_count);
  for (unsigned name = 0; name < name_count; name++) {
    struct content c = {0};
    uint64_t start, end;
    life_of(name, cut, loss, &seed, &start, &end, &c.present);
    mark_durable(name, start, end);
    for (uint64_t i = start; c.present && i < end; i++) {
      const struct entry *e = &entries[i];
      if (e->name != name) continue;
      if (!e->durable) apply_lossy(&c, e, loss, &seed);
      else if (e->kind == ENTRY_WRITE) put(&c, e, 0, e->len);
      else if (e->kind == ENTRY_TRUNCATE) resize(&c, e->len);
    }
    write_file(to, names[name], &c);
    free(c.data);
  }
}
