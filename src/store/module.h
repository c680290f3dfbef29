/*
 * Stores that are loadable modules: who embeds SQLite links no client library of a server.
 *
 * A module is one shared object, flowfabric-<name>.so, that defines `ff_store_module`. It carries
 * its own copy of base and record; what crosses the border are the structs of store.h and of the
 * records, so both sides compare a fingerprint of those before anything else.
 */
#ifndef STORE_MODULE_H
#define STORE_MODULE_H

#include "store/store.h"

struct store_module {
  uint64_t (*fingerprint)(void); /* first, and for ever: asked before anything else is believed */
  /* Opens a store; `url` is the whole URL with its scheme. */
  enum ff_rc (*open)(struct ff_str url, const struct store_options *, struct store **,
                     struct ff_error *);
};

#define STORE_MODULE_SYMBOL "ff_store_module"
/* In the module, once. */
#define STORE_MODULE(open_function)                                                              \
  __attribute__((visibility("default"))) extern const struct store_module ff_store_module;       \
  static uint64_t module_fingerprint(void) { return store_module_fingerprint(); }                \
  const struct store_module ff_store_module = {module_fingerprint, open_function}

/* Everything both sides must agree about: the shape of records, indexes and of the calls. */
static inline uint64_t store_module_fingerprint(void) {
  uint64_t hash = hash_mix64(sizeof(struct store_vtable) ^ sizeof(struct store_options) << 16 ^
                             sizeof(struct store_traits) << 32 ^ sizeof(struct ff_error) << 48);
  hash = hash_mix64(hash ^ sizeof(struct store_get) ^ sizeof(struct store_scan) << 16);
  for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
    const struct record_info *info = &record_infos[kind];
    hash = hash_mix64(hash ^ hash_fnv1a64(info->name, strlen(info->name)) ^ info->size);
    for (unsigned i = 0; i < info->field_count; i++) {
      const struct field *f = &info->fields[i];
      hash = hash_mix64(hash ^ hash_fnv1a64(f->name, strlen(f->name)) ^ (uint64_t)f->type << 8 ^
                        (uint64_t)f->offset << 16 ^ (uint64_t)f->flags << 32);
    }
  }
  for (unsigned i = 0; i < INDEX_COUNT; i++) {
    const struct index_info *info = &index_infos[i];
    hash = hash_mix64(hash ^ hash_fnv1a64(info->name, strlen(info->name)) ^ info->part_count);
  }
  return hash;
}

/* What a store that is a module is called. */
struct store_module_name {
  const char *module;  /* flowfabric-<module>.so */
  const char *product; /* "PostgreSQL" */
  const char *library; /* the client library it needs, as an administrator knows it */
};

/* Loads the module once per process, never unloads it, and opens a store with it. Looked for in
 * $FF_MODULE_DIR alone when that is set; else beside this library or program, in `flowfabric/` there,
 * and where it is installed. A module that is not there, needs a missing library, or is of another
 * build: unavailable, saying so. */
enum ff_rc store_module_open(const struct store_module_name *, struct ff_str url,
                             const struct store_options *, struct store **,
                             struct ff_error *) MUST_USE;

#endif
