/*
 * The functions in the server: one library whose name carries the hash of its text, so that programs
 * of different versions do not replace each other's. Where a server or its rules of access know no
 * functions, the same text serves as scripts.
 */
#include "store/valkey_impl.h"
#include "valkey_lua.h" /* made of valkey.lua by CMake: valkey_lua_text */

#include <stdlib.h>

static const char *const names[VALKEY_FUNCTIONS] = {"fetch",    "apply",       "read_log",
                                                    "trim_log", "restore_log", "migrate"};

static struct ff_str body(void) {
  return text_of((const char *)valkey_lua_text, sizeof valkey_lua_text);
}

static void library_text(const struct valkey_library *l, struct buffer *out) {
  buffer_printf(out, "#!lua name=%s\n", l->name);
  buffer_append_text(out, body());
  for (int f = 0; f < VALKEY_FUNCTIONS; f++) {
    bool reads = f == VALKEY_FETCH || f == VALKEY_READ_LOG;
    buffer_printf(out, "redis.register_function{function_name='%s',callback=%s,flags={%s}}\n",
                  l->functions[f], names[f], reads ? "'no-writes'" : "");
  }
}

static enum ff_rc load_scripts(struct valkey_store *s, struct valkey_wire *w, struct ff_error *e) {
  struct buffer request, text;
  struct arena arena;
  const struct valkey_reply *replies[VALKEY_FUNCTIONS];
  buffer_init(&request);
  buffer_init(&text);
  arena_init(&arena);
  for (int f = 0; f < VALKEY_FUNCTIONS; f++) {
    buffer_clear(&text);
    buffer_append_text(&text, body());
    buffer_printf(&text, "return %s(KEYS, ARGV)", names[f]);
    valkey_command(&request, "SCRIPT", "LOAD", buffer_text(&text).ptr, NULL);
  }
  enum ff_rc rc = valkey_ask(s, w, &request, &arena, replies, VALKEY_FUNCTIONS,
                             "load the scripts", e);
  for (int f = 0; f < VALKEY_FUNCTIONS && !rc; f++)
    if (valkey_is(replies[f], VALKEY_STRING, 0) && replies[f]->text.len == 40)
      snprintf(s->library.functions[f], sizeof s->library.functions[f], "%s",
               replies[f]->text.ptr);
    else rc = valkey_strange(s, "load the scripts", e);
  buffer_fini(&request);
  buffer_fini(&text);
  arena_fini(&arena);
  return rc;
}

/* No functions for us: an older or foreign server, or a user who may not. */
static bool refuses_functions(const struct valkey_reply *r) {
  return valkey_error_is(r, "NOPERM") || valkey_error_is(r, "ERR unknown command") ||
         valkey_error_is(r, "ERR This instance has");
}

static bool is_there_already(const struct valkey_reply *r) {
  return valkey_error_is(r, "ERR Library '") || valkey_error_is(r, "READONLY");
}

enum ff_rc valkey_library_load(struct valkey_store *s, struct valkey_wire *w, struct ff_error *e) {
  struct valkey_library *l = &s->library;
  if (l->scripts) return load_scripts(s, w, e);
  struct buffer request, text;
  struct arena arena;
  unsigned long long hash = hash_fnv1a64(body().ptr, body().len);
  snprintf(l->name, sizeof l->name, "flowfabric_%016llx", hash);
  for (int f = 0; f < VALKEY_FUNCTIONS; f++)
    snprintf(l->functions[f], sizeof l->functions[f], "ff_%016llx_%s", hash, names[f]);
  buffer_init(&request);
  buffer_init(&text);
  arena_init(&arena);
  library_text(l, &text);
  valkey_command(&request, "FUNCTION", "LOAD", buffer_text(&text).ptr, NULL);
  enum ff_rc rc = FF_OK;
  const struct valkey_reply *r = NULL;
  if (valkey_wire_send(w, request.ptr, request.len)) r = valkey_wire_receive(w, &arena);
  if (!r) {
    rc = valkey_lost(s, w, "load the functions", e);
  } else if (refuses_functions(r)) {
    l->scripts = true;
    rc = load_scripts(s, w, e);
  } else if (r->type == VALKEY_ERROR && !is_there_already(r)) {
    rc = valkey_error(s, r, "load the functions", e);
  }
  buffer_fini(&request);
  buffer_fini(&text);
  arena_fini(&arena);
  return rc;
}

void valkey_call(const struct valkey_store *s, enum valkey_function f, uint32_t keys,
                 struct valkey_words *w) {
  valkey_word_c(w, s->library.scripts ? "EVALSHA" : "FCALL");
  valkey_word_c(w, s->library.functions[f]);
  valkey_word_number(w, keys);
}

bool valkey_is_unloaded(const struct valkey_reply *r) {
  return valkey_error_is(r, "NOSCRIPT") || valkey_error_is(r, "ERR Function not found");
}
