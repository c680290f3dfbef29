/*
 * The stores every suite runs on, as one table: a new store is a row in stores.c. A place is where
 * the data of one run lives; its label keeps the runs of a process apart. The server of a store is
 * private, started with its first place and gone with the process; FF_TEST_POSTGRES, FF_TEST_VALKEY,
 * FF_TEST_REDIS and FF_TEST_CLUSTER name servers that run already (their URLs).
 */
#ifndef TEST_LIB_STORES_H
#define TEST_LIB_STORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Index 0 is the reference the others are compared with. NULL behind the last one. */
const char *test_store(size_t index);
enum {
  TEST_STORES = 5,
  TEST_STORES_ALL /* the last is a cluster of six nodes: for the conformance suite */
};
/* What it calls itself: Redis is served by the store of Valkey. */
const char *test_store_backend(size_t index);
/* Does it live in a server? */
bool test_store_is_server(size_t index);
/* Starts its server, if it has one, from the main thread. Not installed: false, said loudly, and
 * *status is what the program is to exit with when nothing else fails (servers.h). */
bool test_store_available(size_t index, int *status);
/* Fills `chosen` with the reference and the available stores that live in servers, or do not;
 * answers how many there are. */
size_t test_stores_choose(bool servers, size_t chosen[TEST_STORES], int *status);
/* The URL of an empty place: what an earlier run left there is removed. `query` is for stores of
 * files ("" or "?…"). */
void test_store_place(size_t index, const char *label, const char *query, char *url, size_t size);
/* Removes what is stored there; nothing may be open. */
void test_store_remove(size_t index, const char *label);
/* Behind the store's back: lifecycle_phase of the executions created in [from, end) becomes no word.
 * Not of the memory store, which has a fault for that. */
void test_store_spoil(size_t index, const char *label, int64_t from, int64_t end);
/* Cursors name the store that minted them: makes those of a printed call or answer alike.
 * NULL is fine. */
void test_store_hide(char *text);

#endif
