/*
 * What the SQL stores share: numbers of columns into fields, and the parts of the views for
 * operators that every dialect spells alike. Part of every module too: must need nothing but base
 * and record.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "record/record.h"

/* Stores the number in a numeric or enum field; NULL, or what is wrong with it. */
const char *sql_load_number(const struct field *, int64_t n, void *at);

/* `CASE column WHEN 0 THEN 'word' ... END` */
void sql_append_words(const char *column, int words, struct buffer *out);
/* The public state of an execution as the column public_state (01 SV-1). */
void sql_append_public_state(struct buffer *out);
/* Whether a field holds a time in ms, by its name. */
bool sql_is_time(const struct field *);

#endif
