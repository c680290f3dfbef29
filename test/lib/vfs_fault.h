/*
 * A SQLite VFS that fails on demand and remembers what a power cut would lose.
 *
 * Sits on top of the system's VFS as the process's default one, so that code under test needs no
 * hook. Counts every write, sync, truncate and delete of database and log files. Thread-safe; one
 * configuration per process.
 */
#ifndef TEST_LIB_VFS_FAULT_H
#define TEST_LIB_VFS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum vfs_op { VFS_WRITE, VFS_SYNC, VFS_TRUNCATE, VFS_DELETE, VFS_OP_COUNT };

/* Makes this the default VFS; remove gives the former one back. No file may be open across either.
 */
void vfs_fault_install(void);
void vfs_fault_remove(void);
/* Opens from now on pass this VFS by; files open through it stay watched. */
void vfs_fault_bypass(bool on);

/* No faults, counters at 0, nothing recorded. */
void vfs_fault_reset(void);
uint64_t vfs_fault_count(enum vfs_op op);
/* The nth call of op from now on (1 = the next) answers `code`; with forever every later one of
 * that op too. A failing write writes nothing; a failing sync syncs nothing. */
void vfs_fault_fail(enum vfs_op op, uint64_t nth, bool forever, int code);
void vfs_fault_disarm(void);
/* Whether the fault has been hit. */
bool vfs_fault_hit(void);

/* ---- power loss ---- */

/* From here on every operation is remembered with its data. Files must not exist yet. */
void vfs_power_record(void);
/* Operations remembered so far: a point in time to cut at. */
uint64_t vfs_power_now(void);

enum vfs_loss {
  VFS_LOSS_NONE,   /* everything reached the medium: a killed process */
  VFS_LOSS_ALL,    /* nothing that was not synced did */
  VFS_LOSS_TORN,   /* of every unsynced write a random subset of its 512-byte sectors did */
  VFS_LOSS_SUBSET, /* a random subset of the unsynced writes did, as whole writes */
  VFS_LOSS_COUNT
};
/* Writes into directory `to` the files as a power cut behind the first `cut` operations leaves
 * them. */
void vfs_power_image(uint64_t cut, enum vfs_loss loss, uint64_t seed, const char *to);

#endif
