/*
 * The script runner. Knows operations only by reflection, so a new operation needs nothing here.
 */
#include "test/lib/script.h"

#include "op/values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define START 1700000000000
#define VARIABLES 128
#define LINE_MAX_BYTES 65536

struct variable {
  char name[32];
  char *text;
  struct ff_handle handle;
};

struct script {
  struct engine *engine;
  char name[96];
  int64_t clock;
  struct variable variables[VARIABLES];
  int variable_count;
  char error[4096];
  struct buffer transcript;
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
  uint64_t events_seen;
};

static int64_t script_clock(void *user) { return ((struct script *)user)->clock; }
static void quiet(void *user, enum ff_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
}

struct script *script_open(const char *url, const char *name) {
  struct script *s = heap_zalloc(sizeof *s);
  struct ff_error error;
  snprintf(s->name, sizeof s->name, "%s", name);
  s->clock = START;
  buffer_init(&s->transcript);
  buffer_init(&s->before);
  arena_init(&s->arena);
  struct engine_options options = {.manual = true};
  options.open = (struct ff_open_options)FF_OPEN_OPTIONS_INIT;
  options.open.clock_ms = script_clock;
  options.open.clock_user = s;
  options.open.seed = 42;
  options.open.dev_mode = true;
  options.open.log = quiet;
  if (engine_open(ff_text(url), &options, &s->engine, &error) != FF_OK) {
    fprintf(stderr, "cannot open %s: %s: %s\n", url, ff_code_name(error.code), error.detail);
    free(s);
    return NULL;
  }
  return s;
}

void script_close(struct script *s) {
  if (!s) return;
  ff_clear(&s->result);
  engine_close(s->engine);
  for (int i = 0; i < s->variable_count; i++) free(s->variables[i].text);
  buffer_fini(&s->transcript);
  buffer_fini(&s->before);
  arena_fini(&s->arena);
  free(s);
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

/* `$name` becomes the variable's text; `$$` a dollar. */
static bool expand(struct script *s, const char *line, char *out, size_t size) {
  size_t n = 0;
  for (const char *p = line; *p;) {
    if (*p != '$' || p[1] == '$') {
      if (*p == '$') p++;
      if (n + 2 > size) return fail(s, "line too long");
      out[n++] = *p++;
      continue;
    }
    const char *start = ++p;
    while (isalnum((unsigned char)*p) || *p == '_') p++;
    struct variable *v = variable(s, start, (size_t)(p - start));
    if (!v) return fail(s, "no variable $%.*s", (int)(p - start), start);
    size_t len = strlen(v->text);
    if (n + len + 1 > size) return fail(s, "line too long");
    memcpy(out + n, v->text, len);
    n += len;
  }
  out[n] = '\0';
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

/* Finds what a path names: member.member, list.0.member. */
static bool resolve(const struct ff_struct *st, const void *base, const char *path,
                    const struct ff_field **field, const void **holder,
                    const struct ff_struct **of) {
  const char *dot = strchr(path, '.');
  size_t len = dot ? (size_t)(dot - path) : strlen(path);
  const struct ff_field *f = member(st, path, len);
  if (!f) return false;
  if (!dot) {
    *field = f;
    *holder = base;
    *of = st;
    return true;
  }
  const uint8_t *at = (const uint8_t *)base + f->offset;
  if (f->type == FF_FIELD_STRUCT) return resolve(f->fields, at, dot + 1, field, holder, of);
  if (f->type != FF_FIELD_LIST) return false;
  struct {
    const uint8_t *items;
    size_t count;
  } list;
  memcpy(&list, at, sizeof list);
  char *rest;
  unsigned long i = strtoul(dot + 1, &rest, 10);
  if (i >= list.count || *rest != '.') return false;
  return resolve(f->fields, list.items + i * f->fields->size, rest + 1, field, holder, of);
}

/* One member as values_print shows it, without its name; absent ones give "". */
static void print_member(const struct ff_struct *st, const struct ff_field *f, const void *holder,
                         struct buffer *out) {
  struct ff_struct one = {st->name, st->size, 1, f};
  struct buffer text;
  buffer_init(&text);
  values_print(&one, holder, &text);
  size_t skip = strlen(f->name) + 1;
  if (text.len > skip) buffer_append(out, text.ptr + skip, text.len - skip);
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

static bool expect_member(struct script *s, char *word, const char *whole) {
  const struct ff_struct *st = op_infos[s->op].result, *of;
  const struct ff_field *f;
  const void *holder;
  bool absent = word[0] == '-';
  char *equals = strchr(word, '=');
  if (equals) *equals = '\0';
  if (!equals && !absent && !values_field(st, ff_text(word)) && !strchr(word, '.')) {
    /* a bare word is the outcome */
    f = values_field(st, TEXT_LIT("outcome"));
    holder = &s->result;
    of = st;
    equals = word - 1;
    if (!f) return fail(s, "%s has no outcome", op_infos[s->op].name);
  } else if (!resolve(st, &s->result, word + absent, &f, &holder, &of)) {
    return absent ? true : mismatch(s, whole);
  }
  struct buffer text;
  buffer_init(&text);
  print_member(of, f, holder, &text);
  const char *got = buffer_text(&text).ptr;
  bool ok = absent ? !*got : equals ? strcmp(got, equals + 1) == 0 : *got;
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

/* ---- steps ---- */

static bool set_argument(struct script *s, const struct ff_struct *st, char *word,
                         const char *raw) {
  char *equals = strchr(word, '=');
  if (!equals) return fail(s, "expected member=value, got `%s`", word);
  *equals = '\0';
  const struct ff_struct *of;
  const struct ff_field *f;
  const void *holder;
  if (!resolve(st, s->args, word, &f, &holder, &of))
    return fail(s, "%s has no member %s", st->name, word);
  const char *value = equals + 1;
  uint8_t *target = (uint8_t *)(uintptr_t)holder;
  if (f->type == FF_FIELD_HANDLE && *raw == '$') {
    struct variable *v = variable(s, raw + 1, strlen(raw + 1));
    if (!v) return fail(s, "no variable %s", raw);
    memcpy(target + f->offset, &v->handle, sizeof v->handle);
    return true;
  }
  if (values_parse_field(of, f, target, arena_text(&s->arena, ff_text(value)), &s->arena, &s->ff) !=
      FF_OK)
    return fail(s, "%s: %s: %s", word, ff_code_name(s->ff.code), s->ff.detail);
  return true;
}

static void run_call(struct script *s) {
  values_free(s->result.memory);
  memset(&s->result, 0, sizeof s->result);
  s->ff = (struct ff_error){.retry_after_ms = -1};
  s->rc = engine_call(s->engine, s->op, s->args, &s->result, &s->ff);
}

static bool step_call(struct script *s, char *line) {
  char raw[LINE_MAX_BYTES], expanded[LINE_MAX_BYTES];
  char *arrow = strstr(line, " -> ");
  char wanted[LINE_MAX_BYTES] = "";
  if (arrow) {
    if (!expand(s, arrow + 4, wanted, sizeof wanted)) return false;
    *arrow = '\0';
  }
  snprintf(raw, sizeof raw, "%s", line);
  char *raw_at = raw;
  char *name = next_word(&raw_at);
  const struct ff_operation *op = NULL;
  for (int i = 0; i < OP_COUNT; i++)
    if (strcmp(op_infos[i].name, name) == 0) {
      s->op = (enum op_id)i;
      op = (const void *)&op_infos[i];
    }
  if (!op) return fail(s, "no operation `%s`", name);
  arena_reset(&s->arena);
  s->args = arena_zalloc(&s->arena, op_infos[s->op].args_size);
  memcpy(s->args, &op_infos[s->op].args_size, sizeof(uint32_t));
  for (char *w; (w = next_word(&raw_at));) {
    const char *equals = strchr(w, '=');
    if (!expand(s, w, expanded, sizeof expanded)) return false;
    if (!set_argument(s, op_infos[s->op].args, expanded, equals ? equals + 1 : "")) return false;
  }
  buffer_clear(&s->before);
  engine_dump(s->engine, &s->before);
  run_call(s);
  buffer_printf(&s->transcript, "%s -> ", name);
  print_answer(s, &s->transcript);
  buffer_append_char(&s->transcript, '\n');
  return arrow ? expect(s, wanted) : s->rc == FF_OK ? true : mismatch(s, "no error");
}

static bool step_save(struct script *s, char *rest) {
  char *name = next_word(&rest), *equals = next_word(&rest), *path = next_word(&rest);
  const struct ff_struct *of;
  const struct ff_field *f;
  const void *holder;
  if (!name || !equals || !path) return fail(s, "save NAME = PATH");
  if (s->rc != FF_OK || !resolve(op_infos[s->op].result, &s->result, path, &f, &holder, &of))
    return fail(s, "the last answer has no %s", path);
  if (f->type == FF_FIELD_HANDLE) {
    struct ff_handle handle;
    memcpy(&handle, (const uint8_t *)holder + f->offset, sizeof handle);
    set_variable(s, name, "handle", &handle);
    return true;
  }
  struct buffer text;
  buffer_init(&text);
  print_member(of, f, holder, &text);
  set_variable(s, name, buffer_text(&text).ptr, NULL);
  buffer_fini(&text);
  return true;
}

static bool step_let(struct script *s, char *rest) {
  char value[LINE_MAX_BYTES];
  char *name = next_word(&rest), *equals = next_word(&rest);
  if (!name || !equals) return fail(s, "let NAME = TEXT");
  while (*rest == ' ') rest++;
  if (!expand(s, rest, value, sizeof value)) return false;
  set_variable(s, name, value, NULL);
  return true;
}

/* A fixed execution id: partition (default 7) and a number spread over the uuid. */
static bool step_exec(struct script *s, char *rest) {
  char id[FF_ID_MAX];
  char *name = next_word(&rest), *partition = next_word(&rest), *number = next_word(&rest);
  unsigned n = number ? (unsigned)strtoul(number, NULL, 10) : (unsigned)s->variable_count + 1;
  snprintf(id, sizeof id, "{fp:%s}:01234567-89ab-7cde-8f00-%012u", partition ? partition : "7", n);
  set_variable(s, name, id, NULL);
  return true;
}

static bool step_stays(struct script *s) {
  struct buffer now;
  buffer_init(&now);
  engine_dump(s->engine, &now);
  bool same = text_equal(buffer_text(&now), buffer_text(&s->before));
  if (!same)
    fail(s, "records changed:\n--- before\n%.1800s\n--- after\n%.1800s",
         buffer_text(&s->before).ptr, buffer_text(&now).ptr);
  buffer_fini(&now);
  return same;
}

static bool step_same(struct script *s) {
  struct buffer first, second;
  buffer_init(&first);
  buffer_init(&second);
  print_answer(s, &first);
  buffer_clear(&s->before);
  engine_dump(s->engine, &s->before);
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
  if (e->revoked_by) buffer_printf(out, "/%s", ff_word(FF_WORD_revoked_by, e->revoked_by));
  for (size_t i = start; i < out->len; i++)
    if (out->ptr[i] == ' ') out->ptr[i] = '_';
}

static bool step_events(struct script *s, char *rest) {
  char expanded[LINE_MAX_BYTES], wanted[4096] = "";
  if (!expand(s, rest, expanded, sizeof expanded)) return false;
  char *arrow = strstr(expanded, " -> ");
  if (arrow) {
    *arrow = '\0';
    snprintf(wanted, sizeof wanted, "%s", arrow + 4);
  } else if ((arrow = strstr(expanded, " ->"))) {
    *arrow = '\0';
  }
  char *at = expanded;
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
  static char line[LINE_MAX_BYTES];
  snprintf(line, sizeof line, "%s", text);
  size_t len = strlen(line);
  while (len && isspace((unsigned char)line[len - 1])) line[--len] = '\0';
  char *p = line;
  while (*p == ' ' || *p == '\t') p++;
  if (!*p || *p == '#') return true;
  char verb[64] = "";
  sscanf(p, "%63s", verb);
  char *rest = p + strlen(verb);
  (void)number;
  if (strcmp(verb, "at") == 0) {
    s->clock = START + strtoll(rest, NULL, 10);
    return true;
  }
  if (strcmp(verb, "tick") == 0) {
    for (int i = 0; i < 1000 && engine_step(s->engine, s->clock); i++) {
    }
    return true;
  }
  if (strcmp(verb, "let") == 0) return step_let(s, rest);
  if (strcmp(verb, "exec") == 0) return step_exec(s, rest);
  if (strcmp(verb, "save") == 0) return step_save(s, rest);
  if (strcmp(verb, "stays") == 0) return step_stays(s);
  if (strcmp(verb, "same") == 0) return step_same(s);
  if (strcmp(verb, "events") == 0) return step_events(s, rest);
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
    if (script_line(s, line, number)) continue;
    failures++;
    line[strcspn(line, "\n")] = '\0';
    fprintf(stderr, "%s:%d: [%s] %s\n    %s\n", path, number, s->name, s->error, line);
    if (failures == 5) break;
  }
  fclose(f);
  return failures == 0;
}
