/*
 * JSON merge patch (RFC 7396) between objects, with a word that stores null (05 A.6).
 */
#ifndef BASE_MERGE_PATCH_H
#define BASE_MERGE_PATCH_H

#include "base/json.h"

/* Objects nested in one another, the root counted as 1; arrays and objects together. */
#define MERGE_PATCH_OBJECTS_MAX 16
#define MERGE_PATCH_NESTING_MAX 32
/* This string as a value is stored as null; null itself removes the key. */
#define MERGE_PATCH_NULL "__ff_null__"

enum merge_patch_fault {
  MERGE_PATCH_OK,
  MERGE_PATCH_NOT_JSON,
  MERGE_PATCH_NOT_OBJECT,
  MERGE_PATCH_TOO_DEEP
};

/* Reads and checks a patch, in that order of faults. *out only after MERGE_PATCH_OK. A key given
 * twice in one object is no fault: the last one counts. */
enum merge_patch_fault merge_patch_read(struct ff_str text, struct arena *arena,
                                        const struct json **out) MUST_USE;
/* The document after the patch, keys in byte order at every level the patch touched, so that
 * documents made by patches alone and equal in content are equal in bytes. target: NULL or not an
 * object reads as {}. patch comes from merge_patch_read. Both stay as they are; the answer shares
 * their text and untouched values and lives as long as all three. */
const struct json *merge_patch_apply(const struct json *target, const struct json *patch,
                                     struct arena *arena) MUST_USE;

#endif
