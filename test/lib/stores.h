/*
 * The stores every suite runs on, as one table: a new store is a row in stores.c. A place is where
 * the data of one run lives; its label keeps the runs of a process apart.
 */
#ifndef TEST_LIB_STORES_H
#define TEST_LIB_STORES_H

#include <stddef.h>

/* Index 0 is the reference the others are compared with. NULL behind the last one. */
const char *test_store(size_t index);
enum { TEST_STORES = 2 };
/* The URL of an empty place: what an earlier run left there is removed. `query` is for stores of
 * files ("" or "?…"). */
void test_store_place(size_t index, const char *label, const char *query, char *url, size_t size);
/* Removes what is stored there; nothing may be open. */
void test_store_remove(size_t index, const char *label);

#endif
