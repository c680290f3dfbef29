/*
 * park over Linux futexes. The only place of the project that knows them.
 */
#include "base/park.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* 0 empty, SLEEPING a thread is in the kernel: only then does a waker pay for a system call. */
#define SLEEPING UINT32_MAX

uint32_t park_wait(struct park *p, int64_t timeout_us) {
  int64_t until = timeout_us < 0 ? 0 : clock_monotonic_us() + timeout_us;
  uint32_t empty = 0;
  __atomic_compare_exchange_n(&p->word, &empty, SLEEPING, false, __ATOMIC_ACQ_REL,
                              __ATOMIC_ACQUIRE);
  while (__atomic_load_n(&p->word, __ATOMIC_ACQUIRE) == SLEEPING) {
    struct timespec left, *timeout = NULL;
    if (timeout_us >= 0) {
      int64_t us = until - clock_monotonic_us();
      if (us <= 0) break;
      left = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = (us % 1000000) * 1000};
      timeout = &left;
    }
    syscall(SYS_futex, &p->word, FUTEX_WAIT_PRIVATE, SLEEPING, timeout, NULL, 0);
  }
  uint32_t said = __atomic_exchange_n(&p->word, 0, __ATOMIC_ACQ_REL);
  return said == SLEEPING ? 0 : said;
}

void park_wake(struct park *p, uint32_t word) {
  /* The sleeper may free the park as soon as it sees the word; a futex wake on freed memory is
   * harmless by the kernel's contract. */
  if (__atomic_exchange_n(&p->word, word, __ATOMIC_ACQ_REL) == SLEEPING)
    syscall(SYS_futex, &p->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
