/*
 * What the fault tests of stores in servers share: a store with sessions behind a URL, one-row
 * transactions, and the checks that hold on every such store.
 */
#ifndef TEST_STORE_FAULTS_H
#define TEST_STORE_FAULTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/calls.h"
#include "test/lib/cut_proxy.h"
#include "test/lib/servers.h"

extern struct server server; /* the one under test */
extern struct ff_error error;
extern struct arena arena;

void assert_fine(enum ff_rc rc);
void assert_refused(enum ff_rc rc, enum ff_code code, const char *cause);

struct place {
  struct store *store;
  struct store_session *writer, *reader;
};
/* `options` NULL = none. */
void place_open(struct place *p, const char *url, const struct store_options *options);
void place_close(struct place *p);
/* Opens, migrates and closes; the error never shows the password. */
enum ff_rc try_open(const char *url);

struct execution *numbered(uint32_t n);
uint32_t number_of(const void *record);
enum ff_rc load(struct store_session *session, const void *key, const void **record);
bool is_there(struct place *p, const void *key);
enum ff_rc write_one(struct store_session *writer, enum store_write_kind how, const void *record,
                     uint64_t base, enum store_outcome *outcome);
void insert_one(struct place *p, uint32_t n);

/* DESIGN 5.2: an outcome is unknown only when it is, and a session finds back by itself. */
void check_cuts(const char *direct_url, const char *proxy_url, struct cut_proxy *proxy);
/* Reads go on after their connections broke; a transaction that had begun leaves nothing unsaid. */
void check_lost_readers(const char *proxy_url, struct cut_proxy *proxy);
/* The server is killed and started again on its data. */
void check_restart(const char *url);
/* Hints from another process on the same place. */
void check_hints(const char *url);

#endif
