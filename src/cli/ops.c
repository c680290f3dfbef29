/*
 * ff ops: every operation the library offers, from its own reflection.
 */
#include "args.h"
#include "out.h"

#include <string.h>

static const char *class_name(enum ff_operation_class class_) {
  static const char *const names[] = {"write", "read", "wait", "composite", "admin"};
  return (size_t)class_ < CLI_COUNT(names) ? names[class_] : "?";
}

static const char *type_name(enum ff_field_type type) {
  static const char *const names[] = {"bool",  "i32",   "u32",    "i64",  "u64",
                                      "text",  "bytes", "word",   "id",   "handle",
                                      "texts", "map",   "struct", "list", "error",
                                      "f64"};
  return (size_t)type < CLI_COUNT(names) ? names[type] : "?";
}

/* "lane_id, capabilities, …" */
static void field_names(const struct ff_struct *description, char *out, size_t out_size) {
  size_t used = 0;
  out[0] = '\0';
  for (uint32_t i = 0; i < description->field_count && used < out_size; i++)
    used += (size_t)snprintf(out + used, out_size - used, "%s%s", i ? ", " : "",
                             description->fields[i].name);
}

static void print_fields_json(const struct ff_struct *description) {
  putchar('[');
  for (uint32_t i = 0; i < description->field_count; i++) {
    const struct ff_field *field = &description->fields[i];
    printf("%s{\"name\":\"%s\",\"type\":\"%s\"", i ? "," : "", field->name, type_name(field->type));
    if (field->fields) {
      fputs(",\"fields\":", stdout);
      print_fields_json(field->fields);
    }
    putchar('}');
  }
  putchar(']');
}

static void print_operation_json(const struct ff_operation *op) {
  printf("{\"name\":\"%s\",\"class\":\"%s\",\"args\":", op->name, class_name(op->class_));
  print_fields_json(op->args);
  fputs(",\"result\":", stdout);
  print_fields_json(op->result);
  putchar('}');
}

static void print_all(const struct cli *cli) {
  static const char *const headings[] = {"OPERATION", "CLASS", "ARGUMENTS"};
  size_t count;
  const struct ff_operation *ops = ff_operations(&count);
  struct cli_table table;
  if (cli->format == CLI_TABLE) cli_table_init(&table, headings, CLI_COUNT(headings));
  if (cli->format == CLI_JSON) putchar('[');
  for (size_t i = 0; i < count; i++) {
    if (cli->format == CLI_TABLE) {
      char fields[1024];
      field_names(ops[i].args, fields, sizeof(fields));
      const char *cells[] = {ops[i].name, class_name(ops[i].class_), fields};
      cli_table_add(&table, cells);
      continue;
    }
    if (cli->format == CLI_JSON && i) fputs(",\n", stdout);
    print_operation_json(&ops[i]);
    if (cli->format == CLI_JSONL) putchar('\n');
  }
  if (cli->format == CLI_TABLE) cli_table_print(&table, stdout);
  if (cli->format == CLI_JSON) fputs("]\n", stdout);
}

static void print_words(int words) {
  for (int value = 0;; value++) {
    const char *word = ff_word((enum ff_word_enum)words, value);
    if (!word) return;
    printf("%s%s", value ? "|" : "", word);
  }
}

static void print_fields(const struct ff_struct *description, int depth) {
  for (uint32_t i = 0; i < description->field_count; i++) {
    const struct ff_field *field = &description->fields[i];
    printf("%*s%-*s  %s", 2 + depth * 2, "", 28 - depth * 2, field->name, type_name(field->type));
    if (field->words >= 0 && field->words != FF_WORD_outcome) {
      fputs("  ", stdout);
      print_words(field->words);
    }
    putchar('\n');
    if (field->fields) print_fields(field->fields, depth + 1);
  }
}

static int print_one(const struct cli *cli, const char *name) {
  const struct ff_operation *op = ff_operation_find(ff_text(name));
  if (!op) return cli_error(CLI_MISSING, "there is no operation '%s'; ff ops lists them", name);
  if (cli->format != CLI_TABLE) {
    print_operation_json(op);
    putchar('\n');
    return CLI_OK;
  }
  printf("%s (%s)\n\narguments:\n", op->name, class_name(op->class_));
  print_fields(op->args, 0);
  fputs("\nresult:\n", stdout);
  print_fields(op->result, 0);
  return CLI_OK;
}

static int run_ops(struct cli *cli, int argc, char **argv) {
  struct cli_args args;
  cli_args_init(&args, cli, argc, argv);
  int code = cli_args_next(&args);
  if (code != CLI_ARGS_END) return cli_args_stop(code);
  if (args.word_count > 1) return cli_usage(cli, "ops expects at most one operation");
  if (args.word_count == 1) return print_one(cli, args.words[0]);
  print_all(cli);
  return CLI_OK;
}

const struct cli_verb cli_verb_ops = {
    .name = "ops",
    .summary = "list every operation, or the fields of one",
    .usage = "ops [OPERATION]",
    .examples = "ff ops\nff ops claim_task\nff ops -o jsonl | jq -r .name",
    .run = run_ops,
};
