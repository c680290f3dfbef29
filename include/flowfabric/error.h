/*
 * What went wrong: one caller-owned value, filled where the failure is known, never allocated.
 */
#ifndef FLOWFABRIC_ERROR_H
#define FLOWFABRIC_ERROR_H

#include "flowfabric/base.h"
#include "flowfabric/error_codes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a caller should do about an error (01 ER-5). */
enum ff_error_class {
  FF_CLASS_TERMINAL = 1,      /* do not retry */
  FF_CLASS_RETRYABLE = 2,     /* retry, possibly later */
  FF_CLASS_COOPERATIVE = 3,   /* stop cleanly */
  FF_CLASS_INFORMATIONAL = 4, /* already true, or nothing to do */
  FF_CLASS_ADVISORY = 5,
  FF_CLASS_EXPECTED = 6,
  FF_CLASS_SOFT_ERROR = 7,
  FF_CLASS_BUG = 8
};

enum ff_code {
  FF_CODE_none = 0,
#define FF_ERROR_CODE_ENUM(name, family, class_) FF_CODE_##name,
  FF_ERROR_CODES(FF_ERROR_CODE_ENUM)
#undef FF_ERROR_CODE_ENUM
      FF_CODE_COUNT
};

/* A named fact of an error, for example lease_epoch = "7" (01 §8.2, the fields in parentheses). */
struct ff_error_context {
  char key[24];
  char value[72];
};
#define FF_ERROR_CONTEXT_MAX 4

/* Filled by a failing call when the caller passed one; untouched by a successful call. Never holds
 * secrets. */
struct ff_error {
  enum ff_rc rc;
  enum ff_code code;
  int64_t retry_after_ms; /* -1 when the engine has no opinion */
  char field[48];         /* the argument or stored field at fault, "" when none */
  char detail[256];       /* for people, and fixed tokens such as `fence_required`; "" when none */
  struct ff_error_context context[FF_ERROR_CONTEXT_MAX];
  uint32_t context_count;
};

/* The snake_case text of a code, for example "lease_expired"; "none" for FF_CODE_none. Any thread.
 */
FF_API const char *ff_code_name(enum ff_code code);
FF_API enum ff_rc ff_code_family(enum ff_code code);
FF_API enum ff_error_class ff_code_class(enum ff_code code);
/* The code of a text, FF_CODE_none when it is no code. */
FF_API enum ff_code ff_code_parse(struct ff_str text);
/* The value of a context field, NULL when the error does not carry it. Valid as long as the error.
 */
FF_API const char *ff_error_context_get(const struct ff_error *error, const char *key);
/* Writes `code: detail` (or `code` when there is no detail) into out, always NUL-terminated (01
 * ER-8). */
FF_API void ff_error_format(const struct ff_error *error, char *out, size_t out_size);

#ifdef __cplusplus
}
#endif
#endif
