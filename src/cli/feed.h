/*
 * The events of all executions, for `ff events` without an id: one subscription, page by page.
 */
#ifndef CLI_FEED_H
#define CLI_FEED_H

#include "cli.h"

struct cli_feed {
  int family; /* a row of feed.c; 0 = completion */
  struct ff_bytes cursor;
  unsigned char *owned; /* what cursor points to */
  bool from_start, follow;
  struct ff_event_filter filter;
  int64_t left; /* events to show */
};

/* Options as text; a mistake is reported and answers CLI_USAGE. */
int cli_feed_family(struct cli *cli, struct cli_feed *feed, const char *name);
int cli_feed_cursor(struct cli *cli, struct cli_feed *feed, const char *base64);
int cli_feed_tag(struct cli *cli, struct cli_feed *feed, const char *tag);

/* Shows what is kept, or with follow what comes from now on, until cli->timeout_ms. */
int cli_feed_show(struct cli *cli, struct cli_feed *feed);
void cli_feed_fini(struct cli_feed *feed);

#endif
