/*
 * CRC-32C (Castagnoli): what blocks of files are checked with.
 */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from the sum of what lies before; 0 at the beginning. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
