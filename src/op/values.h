/*
 * What can be done with any argument or result struct through its description (struct ff_struct):
 * copy, show, read.
 *
 * Works on every struct the tables of fields_*.c describe; knows no operation.
 */
#ifndef OP_VALUES_H
#define OP_VALUES_H

#include "base/base.h"
#include "base/error.h"
#include "base/json.h"
#include "flowfabric/engine.h"

/*
 * Copies *src to *dst with all it points to: texts, bytes, lists, nested structs. What is dynamic
 * goes into one heap block whose address *memory receives, NULL when there is nothing dynamic
 * (memory may be the first member of dst). Copied texts and bytes are followed by a NUL; an absent
 * text stays absent, an empty one stays present; the items of an empty list mean nothing. dst may
 * be src.
 */
void values_deep_copy(const struct ff_struct *, const void *src, void *dst,
                      struct ff_memory **memory);
/* The size of that block. */
size_t values_dynamic_size(const struct ff_struct *, const void *values);
/* Releases such a block; NULL is a no-op. */
void values_free(struct ff_memory *);

/*
 * Appends `name=value name=value` on one line, members in declared order. Left out: absent texts,
 * bytes and ids, zero numbers, false, empty lists, handles and structs, errors of items that
 * succeeded, and words that are `none` (an outcome is always shown).
 *
 * text             bare; JSON-quoted when empty or with blanks, quotes, backslashes, control chars
 * bytes            like text when UTF-8 without control characters, else hex:<digits>
 * texts, maps      [a b], {key=value key=value}
 * structs, lists   {name=value ...}, [{...} {...}]
 * handle, error    handle(<kind>), {code=... detail=... field=...}
 * secrets          as secret_print
 */
void values_print(const struct ff_struct *, const void *values, struct buffer *out);
/* A credential as logs may have it: `<kid>:<REDACTED:len=64>`, or `<REDACTED:malformed>` (03 H-18).
 * In token.c. */
void secret_print(struct ff_str secret, struct buffer *out);
/*
 * Appends one JSON object. Left out: absent texts, bytes, ids and handles, all-zero structs,
 * errors of items that succeeded. Bytes are base64 text, words text, times numbers, a handle
 * {"backend","kind","opaque"} (07 T-13 in lower case), an error {"code","detail","field"} with
 * "context" and "retry_after_ms" when it has them. values_parse_json reads it back.
 */
void values_json(const struct ff_struct *, const void *values, struct buffer *out);
/* Appends the context of an error as an object of texts; adds those of one (NULL is none) to an
 * error, all but the one named. */
void values_json_context(const struct ff_error *, struct buffer *out);
void values_parse_context(const struct json *object, const char *but, struct arena *,
                          struct ff_error *);

/*
 * Sets one member from text; what it points to lives in the arena. Refusals are invalid_input
 * naming the member.
 *
 * numbers, bools   decimal digits with an optional minus; true, false
 * words            the word
 * text             as it stands, or a JSON string when it begins with a quote
 * bytes            likewise, or hex:<digits>
 * texts, maps      a,b,c and k=v,k=v; an item may be a JSON string
 * struct           k=v,k=v or a JSON object
 * list, handle     JSON as values_json writes it
 */
enum ff_rc values_parse_field(const struct ff_struct *, const struct ff_field *, void *dst_struct,
                              struct ff_str text, struct arena *, struct ff_error *) MUST_USE;
/* Sets every member a JSON object names; null means absent but for sets, maps, lists and words (07
 * H-7), unknown keys are ignored (01 CV-6). Bytes: base64 or an array of octets. The error's field
 * is the path of the member: `items[3].tags`. */
enum ff_rc values_parse_json(const struct ff_struct *, void *dst_struct, const struct json *object,
                             struct arena *, struct ff_error *) MUST_USE;
/* The member of that name, NULL when there is none. */
const struct ff_field *values_field(const struct ff_struct *, struct ff_str name);

/* Standard alphabet with padding. */
void base64_append(struct buffer *out, struct ff_bytes bytes);
/* Padding is optional; false for anything outside the alphabet. */
bool base64_decode(struct ff_str text, struct arena *, struct ff_bytes *out) MUST_USE;

#endif
