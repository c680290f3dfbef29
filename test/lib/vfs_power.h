/*
 * What the test VFS tells the power-loss journal. Callers hold the lock of vfs_fault.c.
 */
#ifndef TEST_LIB_VFS_POWER_H
#define TEST_LIB_VFS_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void power_start(void);
void power_forget(void);
bool power_recording(void);
void power_note_open(const char *path);
void power_note_write(const char *path, const void *data, size_t len, uint64_t at);
void power_note_truncate(const char *path, uint64_t size);
void power_note_sync(const char *path);
void power_note_failed_sync(const char *path);
void power_note_delete(const char *path, bool sync_directory);

#endif
