/*
 * Whole deployments: saving one into a file, bringing it back, moving it to another store.
 *
 * None of these needs an open engine, and all but the backup of a SQLite file want that no engine is
 * at work on the stores they touch. They block until they are done; any thread.
 */
#ifndef FLOWFABRIC_TRANSFER_H
#define FLOWFABRIC_TRANSFER_H

#include "flowfabric/base.h"
#include "flowfabric/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How far it is. */
struct ff_transfer_progress {
  uint32_t size;
  const char *phase; /* "count", "copy", "verify" */
  const char *kind;  /* of record, NULL when it goes by pages */
  uint64_t done;     /* records or pages of this phase */
  uint64_t total;    /* 0 = not known yet */
};

/* Initialise with FF_TRANSFER_OPTIONS_INIT; a zero member means its default. */
struct ff_transfer_options {
  uint32_t size;
  bool force;    /* ff_backup: may replace the file */
  bool portable; /* ff_backup: the portable format, also of a SQLite file */
  bool cancel;   /* ff_move: takes back a move that has not ended; the source is usable again */
  bool dev_mode; /* as ff_open_options */
  /* Called now and then by the thread that called. False: stop; the error is unavailable. */
  bool (*progress)(void *user, const struct ff_transfer_progress *);
  void *progress_user;
};
#ifdef __cplusplus
#define FF_TRANSFER_OPTIONS_INIT \
  { sizeof(struct ff_transfer_options) }
#else
#define FF_TRANSFER_OPTIONS_INIT \
  { .size = sizeof(struct ff_transfer_options) }
#endif

/* What was done. */
struct ff_transfer_report {
  uint32_t size;     /* set by the caller */
  uint64_t records;  /* of all kinds, events included; of a copy by pages 0 */
  uint64_t events;   /* of these, entries of the event log */
  uint64_t bytes;    /* of the file that was written or read; 0 for a move */
  bool by_pages;     /* the file is a SQLite database */
};

/*
 * Saves the deployment of a store into a new file, readable by its owner only, synced before it gets
 * its name.
 *
 * Of a SQLite file (unless options.portable) the result is a SQLite database of its own, of one
 * instant; the process that owns the file may go on working. Any other store is written in a
 * portable format that ff_restore takes into any store; no engine may be at work meanwhile. The file
 * holds everything, the secrets of waitpoint tokens too. url NULL = the default file.
 *
 * Errors: config (bad URL; a file of that name exists), store_busy (an engine is at work),
 * store_full, transport, corruption (a row that cannot be read; context `row`), unavailable
 * (stopped by progress; no store there yet), and those of ff_open.
 */
FF_API FF_MUST_USE enum ff_rc ff_backup(const char *url, const char *file,
                                        const struct ff_transfer_options *options,
                                        struct ff_transfer_report *report, struct ff_error *error);

/*
 * Fills an empty store from a file that ff_backup wrote, of either format, and compares the counts.
 * Engines refuse the store until it is whole; one that was not finished must be emptied by hand.
 *
 * Errors: corruption (the file is damaged or cut off; the detail names the offset), schema_too_new
 * (of a later format or with fields this program does not know), config (bad URL; no such file; the
 * store is not empty), store_busy, store_full, transport, unavailable, and those of ff_open.
 */
FF_API FF_MUST_USE enum ff_rc ff_restore(const char *file, const char *url,
                                         const struct ff_transfer_options *options,
                                         struct ff_transfer_report *report,
                                         struct ff_error *error);

/*
 * Moves a deployment into an empty store and compares every record afterwards. From its beginning on
 * engines refuse both stores; at its end the source says where everything is, and stays as it was
 * otherwise. A move that was stopped or killed goes on when it is called again with the same stores.
 * Ids, versions, leases and the event log with its ids are kept. Handles and cursors name the kind of
 * their store: the new one refuses those of another kind (handle_from_other_backend, invalid_input).
 *
 * Errors: store_busy (an engine is at work on either, or another move), config (the target is not
 * empty; the source has moved elsewhere), corruption (a record that cannot be read or differs; the
 * detail names it), store_full, transport, unavailable, and those of ff_open.
 */
FF_API FF_MUST_USE enum ff_rc ff_move(const char *from, const char *to,
                                      const struct ff_transfer_options *options,
                                      struct ff_transfer_report *report, struct ff_error *error);

#ifdef __cplusplus
}
#endif

#endif
