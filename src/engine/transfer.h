/*
 * Saving, restoring and moving whole deployments (flowfabric/transfer.h), on stores alone: no engine
 * is opened.
 */
#ifndef ENGINE_TRANSFER_H
#define ENGINE_TRANSFER_H

#include "flowfabric/transfer.h"
#include "store/copy.h"
#include "store/store.h"

/* A store that is being copied, with its sessions. */
struct transfer_side {
  struct store *store;
  struct store_session *reader, *writer; /* writer: NULL when it is only read */
  char shown[300];                       /* its URL without credentials */
};
/* Opens, brings the schema up to date, opens sessions. On errors nothing is left open. */
enum ff_rc transfer_open(struct transfer_side *, const char *url, bool writes,
                         const struct ff_transfer_options *, struct ff_error *) MUST_USE;
void transfer_close(struct transfer_side *);
/* store_busy when an engine is at work there. */
enum ff_rc transfer_alone(struct transfer_side *, struct ff_error *) MUST_USE;
/* config when anything is stored there. */
enum ff_rc transfer_empty(struct transfer_side *, struct ff_error *) MUST_USE;
/* The URL without user, password and parameters that may be secret. */
void transfer_shown(const char *url, char *out, size_t size);

/* What a phase tells its caller. */
struct transfer_phase {
  const struct ff_transfer_options *options;
  const char *name;
  uint64_t done, total;
};
bool transfer_progress(void *phase, enum record_kind kind, uint64_t more);
void transfer_report_counts(struct ff_transfer_report *, const uint64_t counts[RECORD_KIND_COUNT]);
/* Copies everything from one side to the other, then compares it all. */
enum ff_rc transfer_copy(struct transfer_side *from, struct transfer_side *to,
                         const struct ff_transfer_options *, struct ff_transfer_report *,
                         struct ff_error *) MUST_USE;

enum ff_rc engine_move(const char *from, const char *to, const struct ff_transfer_options *,
                       struct ff_transfer_report *, struct ff_error *) MUST_USE;
/* made_by: the program's version, for the header of a portable file. */
enum ff_rc engine_backup(const char *url, const char *file, const char *made_by,
                         const struct ff_transfer_options *, struct ff_transfer_report *,
                         struct ff_error *) MUST_USE;
enum ff_rc engine_restore(const char *file, const char *url, const struct ff_transfer_options *,
                          struct ff_transfer_report *, struct ff_error *) MUST_USE;

#endif
