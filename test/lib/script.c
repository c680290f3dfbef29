/*
 * The script runner. Knows operations only by reflection, so a new operation needs nothing here.
 */
#include "test/lib/script.h"

#include "op/values.h"
#include "test/lib/script_http.h"
#include "test/lib/stores.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define START 1700000000000
#define VARIABLES 512
#define BEGUN 16
#define LINE_MAX_BYTES 65536 /* as written; expanded it may be of any length */

struct variable {
  char name[32];
  char *text;
  struct ff_handle handle;
};

/* A call of `begin` that has no answer yet, or one nobody has asked for. */
struct begun {
  char name[32];
  struct script *script;
  enum op_id op;
  bool answered;
  enum ff_rc rc;
  struct ff_error error;
  void *result;
};

struct script {
  struct engine *engine;
  struct script_http *http; /* NULL: calls go to the engine */
  char url[600], name[96];
  struct ff_open_options options;
  bool used; /* options come too late */
  int64_t clock;
  struct variable variables[VARIABLES];
  int variable_count;
  char error[4096];
  struct buffer transcript;
  struct buffer word, wanted; /* of the present line, expanded; never without memory */
  /* the last call */
  enum op_id op;
  struct arena arena;
  void *args;
  union {
    struct ff_memory *memory;
    uint8_t bytes[8192];
  } result;
  enum ff_rc rc;
  struct ff_error ff;
  struct buffer before;
  bool repeats; /* not the last of repeated steps */
  bool stays;   /* the step behind this one asks what it has changed */
  uint64_t events_seen;
  struct begun begun[BEGUN];
};

static int64_t script_clock(void *user) { return ((struct script *)user)->clock; }
static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

static void set_variable(struct script *s, const char *name, const char *text,
                         const struct ff_handle *handle);

static void begun_clear(struct begun *b) {
  if (b->result) values_free(*(struct ff_memory **)b->result);
  free(b->result);
  *b = (struct begun){0};
}

static const char *foreign_to(const char *name);

/* An engine with the options of the script on its store. */
static bool open_engine(struct script *s) {
  struct ff_error error;
  struct engine_options options = {.manual = true, .open = s->options};
  if (engine_open(ff_text(s->url), &options, &s->engine, &error) == FF_OK) return true;
  fprintf(stderr, "cannot open %s: %s: %s\n", s->url, ff_code_name(error.code), error.detail);
  return false;
}

struct script *script_open(const char *url, const char *name) {
  struct script *s = heap_zalloc(sizeof *s);
  snprintf(s->url, sizeof s->url, "%s", url);
  snprintf(s->name, sizeof s->name, "%s", name);
  s->clock = START;
  buffer_init(&s->transcript);
  buffer_init(&s->before);
  buffer_init(&s->word);
  buffer_init(&s->wanted);
  buffer_append_char(&s->word, ' ');
  buffer_append_char(&s->wanted, ' ');
  arena_init(&s->arena);
  s->options = (struct ff_open_options)FF_OPEN_OPTIONS_INIT;
  s->options.clock_ms = script_clock;
  s->options.clock_user = s;
  s->options.seed = 42;
  s->options.dev_mode = true;
  s->options.log = quiet;
  if (open_engine(s)) {
    set_variable(s, "store", name, NULL);
    set_variable(s, "foreign", foreign_to(name), NULL);
    return s;
  }
  script_close(s);
  return NULL;
}

void script_close(struct script *s) {
  if (!s) return;
  script_http_close(s->http);
  ff_clear(&s->result);
  engine_close(s->engine);
  for (int i = 0; i < s->variable_count; i++) free(s->variables[i].text);
  for (int i = 0; i < BEGUN; i++) begun_clear(&s->begun[i]);
  buffer_fini(&s->transcript);
  buffer_fini(&s->before);
  buffer_fini(&s->word);
  buffer_fini(&s->wanted);
  arena_fini(&s->arena);
  free(s);
}

bool script_over_http(struct script *s) {
  s->http = script_http_open(&s->engine);
  return s->http != NULL;
}

const char *script_error(const struct script *s) { return s->error; }
struct engine *script_engine(struct script *s) { return s->engine; }
const struct buffer *script_transcript(const struct script *s) { return &s->transcript; }

static bool fail(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct script *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(s->error, sizeof s->error, format, args);
  va_end(args);
  return false;
}

/* ---- variables ---- */

static struct variable *variable(struct script *s, const char *name, size_t len) {
  for (int i = 0; i < s->variable_count; i++)
    if (strlen(s->variables[i].name) == len && memcmp(s->variables[i].name, name, len) == 0)
      return &s->variables[i];
  return NULL;
}

static void set_variable(struct script *s, const char *name, const char *text,
                         const struct ff_handle *handle) {
  struct variable *v = variable(s, name, strlen(name));
  if (!v) {
    INVARIANT(s->variable_count < VARIABLES);
    v = &s->variables[s->variable_count++];
    snprintf(v->name, sizeof v->name, "%s", name);
  }
  free(v->text);
  v->text = heap_alloc(strlen(text) + 1);
  memcpy(v->text, text, strlen(text) + 1);
  if (handle) v->handle = *handle;
}

/* `$name` becomes the variable's text, `$name*3` three times it, `$$` a dollar. */
static bool expand(struct script *s, const char *line, struct buffer *out) {
  buffer_clear(out);
  for (const char *p = line; *p;) {
    if (*p != '$' || p[1] == '$') {
      if (*p == '$') p++;
      buffer_append_char(out, *p++);
      continue;
    }
    const char *start = ++p;
    while (isalnum((unsigned char)*p) || *p == '_') p++;
    struct variable *v = variable(s, start, (size_t)(p - start));
    if (!v) return fail(s, "no variable $%.*s", (int)(p - start), start);
    unsigned long times = 1;
    if (*p == '*' && isdigit((unsigned char)p[1])) {
      char *end;
      times = strtoul(p + 1, &end, 10);
      p = end;
    }
    for (size_t len = strlen(v->text); times; times--) buffer_append(out, v->text, len);
  }
  return true;
}

/* ---- words ---- */

/* The next blank-separated word; quotes, braces and brackets hold blanks together. */
static char *next_word(char **at) {
  char *p = *at;
  while (*p == ' ' || *p == '\t') p++;
  if (!*p) return NULL;
  char *start = p;
  int depth = 0;
  bool quoted = false;
  for (; *p && (depth || quoted || (*p != ' ' && *p != '\t')); p++) {
    if (*p == '\\' && quoted && p[1]) {
      p++;
    } else if (*p == '"') {
      quoted = !quoted;
    } else if (!quoted && (*p == '{' || *p == '[')) {
      depth++;
    } else if (!quoted && (*p == '}' || *p == ']')) {
      depth--;
    }
  }
  if (*p) *p++ = '\0';
  *at = p;
  return start;
}

/* ---- answers ---- */

static const struct ff_field *member(const struct ff_struct *st, const char *name, size_t len) {
  return values_field(st, text_of(name, len));
}

/* What a path such as member.member, list.0.member or list.count names in an answer. */
struct place {
  const struct ff_struct *of;
  const struct ff_field *field;
  const void *holder; /* NULL: behind the end of a list */
  bool count;         /* the number of its items */
};

struct any_list {
  const uint8_t *items;
  size_t count;
};

static struct any_list list_at(const void *at) {
  struct any_list list;
  memcpy(&list, at, sizeof list);
  return list;
}

/* False when there can be no such path. */
static bool resolve(const struct ff_struct *st, const void *base, const char *path,
                    struct place *out) {
  const char *dot = strchr(path, '.');
  size_t len = dot ? (size_t)(dot - path) : strlen(path);
  const struct ff_field *f = member(st, path, len);
  if (!f) return false;
  *out = (struct place){.of = st, .field = f, .holder = base};
  if (!dot) return true;
  const uint8_t *at = base ? (const uint8_t *)base + f->offset : NULL;
  bool countable = f->type == FF_FIELD_LIST || f->type == FF_FIELD_STRS ||
                   f->type == FF_FIELD_PAIRS;
  out->count = strcmp(dot, ".count") == 0;
  if (out->count) return countable;
  if (f->type == FF_FIELD_STRUCT) return resolve(f->fields, at, dot + 1, out);
  if (f->type != FF_FIELD_LIST || !isdigit((unsigned char)dot[1])) return false;
  char *rest;
  unsigned long i = strtoul(dot + 1, &rest, 10);
  if (*rest != '.') return false;
  struct any_list list = at ? list_at(at) : (struct any_list){0};
  const uint8_t *item = i < list.count ? list.items + i * f->fields->size : NULL;
  return resolve(f->fields, item, rest + 1, out);
}

/* A place as values_print shows it, without its name; absent ones give "". */
static void print_place(const struct place *p, struct buffer *out) {
  struct ff_struct one = {p->of->name, p->of->size, 1, p->field};
  struct buffer text;
  if (!p->holder) return;
  if (p->count) {
    buffer_printf(out, "%zu", list_at((const uint8_t *)p->holder + p->field->offset).count);
    return;
  }
  if (p->field->words == FF_FIELD_SECRET) { /* a script may use it, its transcript not show it */
    struct ff_str secret;
    memcpy(&secret, (const uint8_t *)p->holder + p->field->offset, sizeof secret);
    buffer_append_text(out, secret);
    return;
  }
  buffer_init(&text);
  values_print(&one, p->holder, &text);
  size_t skip = strlen(p->field->name) + 1;
  if (text.len > skip) buffer_append(out, text.ptr + skip, text.len - skip);
  buffer_fini(&text);
}

/* The same as JSON: what a list of handles is written with. */
static void print_json(const struct place *p, struct buffer *out) {
  struct ff_struct one = {p->of->name, p->of->size, 1, p->field};
  struct buffer text;
  buffer_init(&text);
  values_json(&one, p->holder, &text); /* {"name":VALUE} */
  size_t skip = strlen(p->field->name) + 4;
  if (text.len > skip) buffer_append(out, text.ptr + skip, text.len - skip - 1);
  buffer_fini(&text);
}

static void print_answer(const struct script *s, struct buffer *out) {
  if (s->rc == FF_OK) {
    values_print(op_infos[s->op].result, &s->result, out);
    return;
  }
  buffer_printf(out, "!%s", ff_code_name(s->ff.code));
  if (s->ff.detail[0]) buffer_printf(out, " %s", s->ff.detail);
  for (uint32_t i = 0; i < s->ff.context_count; i++)
    buffer_printf(out, " %s=%s", s->ff.context[i].key, s->ff.context[i].value);
}

static bool mismatch(struct script *s, const char *expected) {
  struct buffer got;
  buffer_init(&got);
  print_answer(s, &got);
  fail(s, "expected `%s`, got `%.3500s`", expected, buffer_text(&got).ptr);
  buffer_fini(&got);
  return false;
}

static bool expect_error(struct script *s, char *rest, const char *whole) {
  char *code = next_word(&rest);
  if (s->rc == FF_OK || strcmp(code + 1, ff_code_name(s->ff.code)) != 0) return mismatch(s, whole);
  for (char *w; (w = next_word(&rest));) {
    if (strcmp(w, "~") == 0) {
      while (*rest == ' ') rest++;
      return strstr(s->ff.detail, rest) ? true : mismatch(s, whole);
    }
    char *equals = strchr(w, '=');
    if (!equals) return fail(s, "bad expectation `%s`", w);
    *equals = '\0';
    const char *value = strcmp(w, "field") == 0 ? s->ff.field : ff_error_context_get(&s->ff, w);
    if (!value || strcmp(value, equals + 1) != 0) return mismatch(s, whole);
  }
  return true;
}

/* `outcome`, `member=value`, `member~part`, `member`, `-member`. */
static bool expect_member(struct script *s, char *word, const char *whole) {
  const struct ff_struct *st = op_infos[s->op].result;
  struct place place;
  bool absent = word[0] == '-';
  char *path = word + absent, *value = path + strcspn(path, "=~");
  char how = *value;
  if (how) *value++ = '\0';
  if (!how && !absent && !strchr(path, '.') && !values_field(st, ff_text(path))) {
    value = path;
    path = "outcome";
    how = '=';
  }
  if (!resolve(st, &s->result, path, &place))
    return fail(s, "%s answers no %s", op_infos[s->op].name, path);
  struct buffer text;
  buffer_init(&text);
  print_place(&place, &text);
  const char *got = buffer_text(&text).ptr;
  bool ok = *got;
  if (absent)
    ok = !*got;
  else if (how)
    ok = how == '=' ? strcmp(got, value) == 0 : strstr(got, value) != NULL;
  buffer_fini(&text);
  return ok ? true : mismatch(s, whole);
}

static bool expect(struct script *s, char *rest) {
  char whole[1024];
  snprintf(whole, sizeof whole, "%.1000s", rest);
  while (*rest == ' ') rest++;
  if (*rest == '!') return expect_error(s, rest, whole);
  if (s->rc != FF_OK) return mismatch(s, whole);
  for (char *w; (w = next_word(&rest));)
    if (!expect_member(s, w, whole)) return false;
  return true;
}

/* ---- calls ---- */

static bool set_argument(struct script *s, const struct ff_struct *st, char *word,
                         const char *raw) {
  struct place place;
  char *equals = strchr(word, '=');
  if (!equals) return fail(s, "expected member=value, got `%.200s`", word);
  *equals = '\0';
  if (!resolve(st, s->args, word, &place) || place.count || !place.holder)
    return fail(s, "%s has no member %s", st->name, word);
  struct ff_str value = arena_text(&s->arena, ff_text(equals + 1));
  uint8_t *target = (uint8_t *)(uintptr_t)place.holder;
  if (place.field->type == FF_FIELD_HANDLE && *raw == '$') {
    struct variable *v = variable(s, raw + 1, strlen(raw + 1));
    if (!v) return fail(s, "no variable %s", raw);
    memcpy(target + place.field->offset, &v->handle, sizeof v->handle);
    return true;
  }
  if (values_parse_field(place.of, place.field, target, value, &s->arena, &s->ff) != FF_OK)
    return fail(s, "%s: %s: %s", word, ff_code_name(s->ff.code), s->ff.detail);
  return true;
}

/* Reads `OP member=value …` into s->op and s->args. */
static bool read_call(struct script *s, char *line) {
  char *name = next_word(&line);
  int op = 0;
  while (name && op < OP_COUNT && strcmp(op_infos[op].name, name) != 0) op++;
  if (!name || op == OP_COUNT) return fail(s, "no operation `%s`", name ? name : "");
  s->op = (enum op_id)op;
  s->used = true;
  arena_reset(&s->arena);
  s->args = arena_zalloc(&s->arena, op_infos[op].args_size);
  memcpy(s->args, &op_infos[op].args_size, sizeof(uint32_t));
  for (char *word; (word = next_word(&line));) {
    const char *equals = strchr(word, '=');
    if (!expand(s, word, &s->word)) return false;
    if (!set_argument(s, op_infos[op].args, s->word.ptr, equals ? equals + 1 : "")) return false;
  }
  return true;
}

static void forget_answer(struct script *s) {
  values_free(s->result.memory);
  memset(&s->result, 0, sizeof s->result);
  s->ff = (struct ff_error){.retry_after_ms = -1};
  s->rc = FF_OK;
}

static void run_call(struct script *s) {
  buffer_clear(&s->before);
  if (s->stays && !s->repeats) engine_dump(s->engine, &s->before);
  forget_answer(s);
  s->rc = s->http ? script_http_call(s->http, s->op, s->args, &s->result, &s->ff)
                  : engine_call(s->engine, s->op, s->args, &s->result, &s->ff);
}

/* A store that this one is not: whose handles and cursors it refuses. */
static const char *foreign_to(const char *name) {
  return strcmp(name, "valkey") == 0 ? "postgres" : "valkey";
}

/* The answer as every store must give it: a store's own name is written $store, that of the foreign
 * one it was handed $foreign. */
static void record_answer(struct script *s) {
  struct buffer text;
  buffer_init(&text);
  print_answer(s, &text);
  test_store_hide(text.ptr);
  buffer_printf(&s->transcript, "%s -> ", op_infos[s->op].name);
  const char *p = buffer_text(&text).ptr;
  const char *foreign = foreign_to(s->name);
  while (*p) {
    bool own = strncmp(p, s->name, strlen(s->name)) == 0;
    if (own || strncmp(p, foreign, strlen(foreign)) == 0) {
      buffer_append_c(&s->transcript, own ? "$store" : "$foreign");
      p += strlen(own ? s->name : foreign);
    } else {
      buffer_append_char(&s->transcript, *p++);
    }
  }
  buffer_append_char(&s->transcript, '\n');
  buffer_fini(&text);
}

/* Cuts ` -> WANTED` off a line and expands it into s->wanted; false only when that fails. */
static bool take_wanted(struct script *s, char *line, bool *found) {
  char *arrow = strstr(line, " ->");
  while (arrow && arrow[3] && arrow[3] != ' ') arrow = strstr(arrow + 1, " ->");
  *found = arrow != NULL;
  if (!arrow) return true;
  *arrow = '\0';
  return expand(s, arrow + 3, &s->wanted);
}

static bool judge(struct script *s, bool wanted) {
  record_answer(s);
  if (wanted) return expect(s, s->wanted.ptr);
  return s->rc == FF_OK ? true : mismatch(s, "no error");
}

static bool step_call(struct script *s, char *line) {
  bool wanted;
  if (!take_wanted(s, line, &wanted) || !read_call(s, line)) return false;
  run_call(s);
  return judge(s, wanted);
}

/* ---- calls that wait ---- */

static void step_tick(struct script *s) {
  for (int i = 0; i < 1000 && engine_step(s->engine, s->clock); i++) {
  }
}

static void begun_done(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct begun *b = user;
  b->answered = true;
  b->rc = rc;
  if (rc != FF_OK) b->error = *error;
  memcpy(b->result, result, op_infos[b->op].result_size);
  memset(result, 0, op_infos[b->op].result_size); /* its memory is ours now */
}

static struct begun *begun_find(struct script *s, const char *name) {
  for (int i = 0; i < BEGUN; i++)
    if (strcmp(s->begun[i].name, name) == 0) return &s->begun[i];
  return NULL;
}

static bool step_begin(struct script *s, char *rest) {
  const char *name = next_word(&rest);
  struct begun *b = begun_find(s, "");
  if (!name || begun_find(s, name) || !b) return fail(s, "begin NAME OP …, %d at most", BEGUN);
  step_tick(s);
  forget_answer(s);
  if (!read_call(s, rest)) return false;
  snprintf(b->name, sizeof b->name, "%s", name);
  b->op = s->op;
  b->result = heap_zalloc(op_infos[s->op].result_size);
  enum ff_rc rc = engine_call_async(s->engine, s->op, s->args, begun_done, b, &b->error);
  if (rc != FF_OK) {
    b->answered = true;
    b->rc = rc;
  }
  step_tick(s);
  return true;
}

static bool step_end(struct script *s, char *rest) {
  bool wanted;
  if (!take_wanted(s, rest, &wanted)) return false;
  const char *name = next_word(&rest);
  struct begun *b = name ? begun_find(s, name) : NULL;
  if (!b) return fail(s, "nothing begun with that name");
  step_tick(s);
  bool pending = wanted && strcmp(s->wanted.ptr + strspn(s->wanted.ptr, " "), "pending") == 0;
  if (!b->answered || pending)
    return pending == !b->answered ? true : fail(s, b->answered ? "answered" : "still pending");
  forget_answer(s);
  s->op = b->op;
  s->rc = b->rc;
  s->ff = b->error;
  memcpy(&s->result, b->result, op_infos[b->op].result_size);
  memset(b->result, 0, op_infos[b->op].result_size);
  begun_clear(b);
  return judge(s, wanted);
}

/* ---- other steps ---- */

/* The options of ff_open a script may set, before its first call. */
static bool step_options(struct script *s, char *rest) {
  struct ff_open_options *o = &s->options;
  if (s->used) return fail(s, "options come before the first call");
  for (char *word; (word = next_word(&rest));) {
    char *value = strchr(word, '=');
    if (!value) return fail(s, "options NAME=VALUE …");
    *value++ = '\0';
    long long n = strtoll(value, NULL, 10);
    if (strcmp(word, "flow_partitions") == 0)
      o->flow_partitions = (uint32_t)n;
    else if (strcmp(word, "retention_ms") == 0)
      o->retention_ms = n;
    else if (strcmp(word, "auto_reclaim_delay_ms") == 0)
      o->auto_reclaim_delay_ms = n;
    else if (strcmp(word, "max_payload_bytes") == 0)
      o->max_payload_bytes = (uint64_t)n;
    else if (strcmp(word, "event_retention_ms") == 0)
      o->event_retention_ms = n;
    else if (strcmp(word, "cascade_steps") == 0)
      o->cascade_steps = (uint32_t)n;
    else if (strcmp(word, "max_stream_ops") == 0)
      o->max_stream_ops = (uint32_t)n;
    else
      return fail(s, "no option %s", word);
  }
  engine_close(s->engine);
  return open_engine(s) ? true : fail(s, "cannot open");
}

static bool step_save(struct script *s, char *rest) {
  char *name = next_word(&rest), *equals = next_word(&rest), *path = next_word(&rest);
  struct place place;
  if (!name || !equals || !path) return fail(s, "save NAME = PATH");
  if (s->rc != FF_OK || !resolve(op_infos[s->op].result, &s->result, path, &place) ||
      !place.holder)
    return fail(s, "the last answer has no %s", path);
  struct buffer text;
  buffer_init(&text);
  if (place.field->type == FF_FIELD_HANDLE) {
    struct ff_handle handle;
    memcpy(&handle, (const uint8_t *)place.holder + place.field->offset, sizeof handle);
    print_json(&place, &text);
    set_variable(s, name, buffer_text(&text).ptr, &handle);
    buffer_fini(&text);
    return true;
  }
  print_place(&place, &text);
  set_variable(s, name, buffer_text(&text).ptr, NULL);
  buffer_fini(&text);
  return true;
}

static bool step_let(struct script *s, char *rest) {
  char *name = next_word(&rest), *equals = next_word(&rest);
  if (!name || !equals) return fail(s, "let NAME = TEXT");
  while (*rest == ' ') rest++;
  if (!expand(s, rest, &s->word)) return false;
  set_variable(s, name, buffer_text(&s->word).ptr, NULL);
  return true;
}

/* `N STEP` or `FROM..TO STEP`. */
static bool step_repeat(struct script *s, char *rest, int number) {
  char count[24];
  unsigned long from = 0, to = strtoul(rest, &rest, 10);
  if (strncmp(rest, "..", 2) == 0) {
    from = to;
    to = strtoul(rest + 2, &rest, 10);
  }
  if (from >= to || *rest != ' ') return fail(s, "repeat N STEP or repeat FROM..TO STEP");
  while (*rest == ' ') rest++;
  for (unsigned long i = from; i < to; i++) {
    snprintf(count, sizeof count, "%lu", i);
    set_variable(s, "i", count, NULL);
    s->repeats = i + 1 < to;
    bool ok = script_line(s, rest, number);
    s->repeats = false;
    if (!ok) return false;
  }
  return true;
}

/* A fixed execution id: partition (default 7) and a number spread over the uuid. */
static bool step_exec(struct script *s, char *rest) {
  char id[FF_ID_MAX];
  if (!expand(s, rest, &s->word)) return false;
  rest = s->word.ptr;
  char *name = next_word(&rest), *partition = next_word(&rest), *number = next_word(&rest);
  if (!name) return fail(s, "exec NAME [partition] [number]");
  unsigned n = number ? (unsigned)strtoul(number, NULL, 10) : (unsigned)s->variable_count + 1;
  snprintf(id, sizeof id, "{fp:%s}:01234567-89ab-7cde-8f00-%012u", partition ? partition : "7", n);
  set_variable(s, name, id, NULL);
  return true;
}

static bool step_stays(struct script *s) {
  struct buffer now;
  if (s->http) return true;
  buffer_init(&now);
  engine_dump(s->engine, &now);
  const char *p = buffer_text(&s->before).ptr, *q = buffer_text(&now).ptr;
  bool same = strcmp(p, q) == 0;
  while (!same) {
    size_t n = strcspn(p, "\n"), m = strcspn(q, "\n");
    if (n != m || memcmp(p, q, n) != 0) {
      fail(s, "records changed:\n    before %.*s\n    after  %.*s", (int)(n < 900 ? n : 900), p,
           (int)(m < 900 ? m : 900), q);
      break;
    }
    p += n + (p[n] == '\n');
    q += m + (q[m] == '\n');
  }
  buffer_fini(&now);
  return same;
}

static bool step_same(struct script *s) {
  struct buffer first, second;
  buffer_init(&first);
  buffer_init(&second);
  print_answer(s, &first);
  run_call(s);
  print_answer(s, &second);
  bool same = text_equal(buffer_text(&first), buffer_text(&second));
  if (!same)
    fail(s, "the repeat answered `%.1800s`, first `%.1800s`", buffer_text(&second).ptr,
         buffer_text(&first).ptr);
  buffer_fini(&first);
  buffer_fini(&second);
  return same;
}

/* acquired, released:completed+success, cancelled … : lease part, reason, completion, operator and
 * tag parts. */
static void event_word(const struct ff_event *e, struct buffer *out) {
  size_t start = out->len;
  if (e->lease_event) buffer_append_c(out, ff_word(FF_WORD_lease_event, e->lease_event));
  if (text_nonempty(e->reason)) buffer_printf(out, ":" TEXT_FMT, TEXT_ARG(e->reason));
  if (e->completion) buffer_printf(out, "+%s", ff_word(FF_WORD_terminal_outcome, e->completion));
  if (e->operator_event)
    buffer_printf(out, "+%s", ff_word(FF_WORD_operator_event, e->operator_event));
  if (text_present(e->tag_key)) buffer_printf(out, "tag:" TEXT_FMT, TEXT_ARG(e->tag_key));
  if (e->signal_delivery)
    buffer_printf(out, "signal:%s:%s", ff_word(FF_WORD_signal_delivery, e->signal_delivery),
                  ff_word(FF_WORD_signal_effect, e->observed_effect));
  if (e->revoked_by) buffer_printf(out, "/%s", ff_word(FF_WORD_revoked_by, e->revoked_by));
  for (size_t i = start; i < out->len; i++)
    if (out->ptr[i] == ' ') out->ptr[i] = '_';
}

static bool step_events(struct script *s, char *rest) {
  bool found_wanted;
  if (!take_wanted(s, rest, &found_wanted) || !expand(s, rest, &s->word)) return false;
  char *at = s->word.ptr, *wanted = found_wanted ? s->wanted.ptr : NULL;
  if (!wanted) return fail(s, "events NAME -> WORD …");
  while (*wanted == ' ') wanted++;
  struct ff_list_events_args args = {
      .size = sizeof args, .execution_id = ff_text(next_word(&at)), .limit = 1000};
  struct ff_list_events_result found;
  if (engine_call(s->engine, OP_list_events, &args, &found, &s->ff) != FF_OK)
    return fail(s, "list_events: %s", s->ff.detail);
  struct buffer got;
  buffer_init(&got);
  uint64_t newest = s->events_seen;
  for (size_t i = 0; i < found.events.count; i++) {
    if (found.events.items[i].event_id <= s->events_seen) continue;
    newest = found.events.items[i].event_id;
    if (got.len) buffer_append_char(&got, ' ');
    event_word(&found.events.items[i], &got);
  }
  s->events_seen = newest;
  values_free(found.memory);
  size_t len = strlen(wanted);
  while (len && wanted[len - 1] == ' ') wanted[--len] = '\0';
  bool ok = text_equal_c(buffer_text(&got), wanted);
  if (!ok) fail(s, "expected events `%s`, got `%s`", wanted, buffer_text(&got).ptr);
  buffer_printf(&s->transcript, "events %s\n", buffer_text(&got).ptr);
  buffer_fini(&got);
  return ok;
}

bool script_line(struct script *s, const char *text, int number) {
  char line[LINE_MAX_BYTES]; /* repeat comes here again */
  snprintf(line, sizeof line, "%s", text);
  size_t len = strlen(line);
  while (len && isspace((unsigned char)line[len - 1])) line[--len] = '\0';
  char *p = line;
  while (*p == ' ' || *p == '\t') p++;
  if (!*p || *p == '#') return true;
  char verb[64] = "";
  sscanf(p, "%63s", verb);
  char *rest = p + strlen(verb);
  if (strcmp(verb, "at") == 0) {
    s->clock = START + strtoll(rest, NULL, 10);
    return true;
  }
  if (strcmp(verb, "tick") == 0) {
    step_tick(s);
    return true;
  }
  if (strcmp(verb, "options") == 0) return step_options(s, rest);
  if (strcmp(verb, "repeat") == 0) return step_repeat(s, rest, number);
  if (strcmp(verb, "begin") == 0) return step_begin(s, rest);
  if (strcmp(verb, "end") == 0) return step_end(s, rest);
  if (strcmp(verb, "let") == 0) return step_let(s, rest);
  if (strcmp(verb, "exec") == 0) return step_exec(s, rest);
  if (strcmp(verb, "save") == 0) return step_save(s, rest);
  if (strcmp(verb, "stays") == 0) return step_stays(s);
  if (strcmp(verb, "same") == 0) return step_same(s);
  if (strcmp(verb, "events") == 0) return step_events(s, rest);
  if (strcmp(verb, "row") == 0) {
    bool wanted;
    return take_wanted(s, rest, &wanted) && expand(s, rest, &s->word) && wanted &&
           script_row(s->engine, s->word.ptr, s->wanted.ptr, s->error, sizeof s->error);
  }
  if (strcmp(verb, "show") == 0) {
    struct buffer out;
    buffer_init(&out);
    print_answer(s, &out);
    fprintf(stderr, "%s\n", buffer_text(&out).ptr);
    buffer_fini(&out);
    return true;
  }
  return step_call(s, p);
}

bool script_run_file(struct script *s, const char *path) {
  static char line[LINE_MAX_BYTES];
  FILE *f = fopen(path, "r");
  if (!f) {
    fprintf(stderr, "cannot read %s\n", path);
    return false;
  }
  int number = 0, failures = 0;
  while (fgets(line, sizeof line, f)) {
    number++;
    s->stays = !s->http && script_stays_next(f); /* over HTTP the end is compared, not each step */
    if (script_line(s, line, number)) continue;
    failures++;
    line[strcspn(line, "\n")] = '\0';
    fprintf(stderr, "%s:%d: [%s] %s\n    %s\n", path, number, s->name, s->error, line);
    if (failures == 5) break;
  }
  fclose(f);
  return failures == 0;
}
