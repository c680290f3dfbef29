/*
 * What a fuzz target gives: the libFuzzer entry and a few inputs to mutate when libFuzzer is
 * absent.
 *
 * A target checks its properties with INVARIANT and must not keep state between inputs.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends with an absent text. */
extern const struct ff_str fuzz_seeds[];
#define SEED(bytes) {"" bytes, sizeof(bytes) - 1}

#endif
