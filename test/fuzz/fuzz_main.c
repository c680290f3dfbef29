/*
 * A main() for fuzz targets built without libFuzzer: replays files, or makes inputs itself.
 *
 * Usage: prog [-runs=N] [-seed=S] [files…]. Files are replayed once each; without files, or with
 * -runs, N inputs (10000) are made from the target's seeds, always the same ones for the same S. A
 * failing input is left in ./crash-input.
 */
#include "fuzz.h"

#include <signal.h>
#include <stdlib.h>

#define INPUT_MAX 4096

static const uint8_t *current;
static size_t current_len;

/* Best effort while the process dies: the input is worth more than a clean death. */
static void keep_input(void) {
  FILE *f = current ? fopen("crash-input", "wb") : NULL;
  if (f == NULL) return;
  fwrite(current, 1, current_len, f);
  fclose(f);
  fprintf(stderr, "fuzz: the failing input is in crash-input (%zu bytes)\n", current_len);
}

static void on_abort(int number) {
  keep_input();
  signal(number, SIG_DFL);
  raise(number);
}

/* Present in sanitized builds only. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* The copy is exactly as long as the input, so that AddressSanitizer sees a read behind it. */
static void run_one(const uint8_t *data, size_t len) {
  uint8_t *exact = heap_alloc(len);
  if (len > 0) memcpy(exact, data, len);
  current = exact;
  current_len = len;
  LLVMFuzzerTestOneInput(exact, len);
  current = NULL;
  free(exact);
}

static bool replay(const char *path) {
  FILE *f = fopen(path, "rb");
  if (f == NULL) {
    perror(path);
    return false;
  }
  struct buffer b;
  buffer_init(&b);
  char block[4096];
  for (size_t got; (got = fread(block, 1, sizeof(block), f)) > 0;) buffer_append(&b, block, got);
  fclose(f);
  run_one((const uint8_t *)b.ptr, b.len);
  buffer_fini(&b);
  return true;
}

static uint64_t random_state;

static size_t below(size_t n) {
  random_state = hash_mix64(random_state);
  return n == 0 ? 0 : (size_t)(random_state % n);
}

/* Removes `gone` bytes at `at` and puts `len` bytes of `with` there. */
static size_t splice(uint8_t *data, size_t size, size_t at, size_t gone, const uint8_t *with,
                     size_t len) {
  if (size - gone + len > INPUT_MAX) return size;
  memmove(data + at + len, data + at + gone, size - at - gone);
  memcpy(data + at, with, len);
  return size - gone + len;
}

static size_t mutate(uint8_t *data, size_t size, const struct ff_str *other) {
  static const uint8_t sharp[] = {0, 1, 2, 3, 4, 0x7f, 0x80, 0xff, '"', '\\', '{', '}', '[', ']',
                                  ':', ',', '0', 'u'};
  uint8_t byte = below(2) ? sharp[below(sizeof(sharp))] : (uint8_t)below(256);
  size_t at = below(size + 1), left = size - at, from;
  switch (below(6)) {
  case 0: /* change a byte */
    if (left > 0) data[at] = byte;
    return size;
  case 1: /* flip a bit */
    if (left > 0) data[at] ^= (uint8_t)(1u << below(8));
    return size;
  case 2: return splice(data, size, at, 0, &byte, 1);
  case 3: return splice(data, size, at, below((left < 16 ? left : 16) + 1), &byte, 0);
  case 4: /* cut the end off */ return at;
  default: /* a piece of another seed */
    from = below(other->len);
    return splice(data, size, at, 0, (const uint8_t *)other->ptr + from,
                  below(other->len - from + 1));
  }
}

static void make_inputs(uint64_t runs) {
  uint8_t data[INPUT_MAX];
  size_t seeds = 0;
  while (text_present(fuzz_seeds[seeds])) seeds++;
  for (uint64_t i = 0; i < runs; i++) {
    const struct ff_str *seed = &fuzz_seeds[below(seeds)];
    size_t size = seed->len < INPUT_MAX ? seed->len : INPUT_MAX;
    memcpy(data, seed->ptr, size);
    for (size_t steps = below(6); steps > 0; steps--) size = mutate(data, size,
                                                                    &fuzz_seeds[below(seeds)]);
    run_one(data, size);
  }
}

int main(int argc, char **argv) {
  uint64_t runs = 0;
  bool runs_given = false, ok = true;
  int files = 0;
  random_state = 1;
  signal(SIGABRT, on_abort);
  if (__sanitizer_set_death_callback != NULL) __sanitizer_set_death_callback(keep_input);
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "-runs=", 6) == 0)
      runs_given = parse_u64(ff_text(argv[i] + 6), &runs);
    else if (strncmp(argv[i], "-seed=", 6) == 0)
      ok = parse_u64(ff_text(argv[i] + 6), &random_state) && ok;
    else if (argv[i][0] == '-')
      ok = false;
    else if (++files > 0)
      ok = replay(argv[i]) && ok;
  }
  if (!ok) {
    fprintf(stderr, "usage: %s [-runs=N] [-seed=S] [files…]\n", argv[0]);
    return 2;
  }
  if (!runs_given && files == 0) runs = 10000;
  make_inputs(runs);
  printf("fuzz: %d files, %llu made inputs, no failure\n", files, (unsigned long long)runs);
  return 0;
}
