/*
 * Test scripts: readable transcripts of operations and what they must answer, run against any store
 * (DESIGN §7).
 *
 * One line is one step; `#` begins a comment line. `$name` in a line is replaced by the variable's
 * text, `$name*3` by three times it, `$$` by a dollar.
 *
 *   OP member=value … -> EXPECT
 *       calls an operation by its one name; members as values_parse_field reads them
 *   stays
 *       the last call must not have changed any record (a refusal changes nothing)
 *   same
 *       calling the last operation again must answer the same (02 L-41); `stays` may follow
 *   events ID -> WORD …
 *       the events of an execution since the last `events`, in short form (see event_word)
 *   save NAME = PATH
 *       a variable from the last answer: member, member.member, list.0.member, list.count
 *       (a handle is passed on as it is by handle=$NAME, and is its JSON within other text)
 *   let NAME = TEXT
 *       a variable. $store is the name of the store ("memory", "sqlite" …), $foreign of one it is not
 *   exec NAME [partition] [number]
 *       a variable holding a fixed execution id
 *   at 1500
 *       sets the clock to start + 1500 ms (it never runs by itself); start is 1700000000000
 *   tick
 *       lets the engine do all due work at the present time
 *   repeat N STEP
 *       the step N times; $i counts from 0. `repeat 10..74 STEP`: from 10 to 73
 *   begin NAME OP member=value …
 *       starts a call that may wait, after all due work was done; sixteen at a time
 *   end NAME -> EXPECT
 *       does all due work, then takes its answer; `end NAME -> pending`: it still waits
 *   options NAME=VALUE …
 *       of ff_open, before the first call: flow_partitions, retention_ms, auto_reclaim_delay_ms,
 *       max_payload_bytes, event_retention_ms, max_stream_ops, cascade_steps
 *   row KIND FIELD=VALUE … -> FIELD=VALUE … -FIELD …
 *       the one stored record of the kind with these fields, as dumps show it, has (or lacks) those;
 *       `-> none`: there is no such record, `-> 3`: there are three
 *   show
 *       prints the last answer (for writing scripts)
 *
 * EXPECT is `!code [field=name] [key=value of the context] [~ part of the detail]` for an error,
 * else `outcome member=value …`. Every member named must print so, the others are free:
 * `member=value`, `member~part of it`, `member` must be present, `-member` must be absent (numbers
 * that are 0 are), `list.count=3`.
 */
#ifndef TEST_LIB_SCRIPT_H
#define TEST_LIB_SCRIPT_H

#include "engine/engine.h"

#include <stdio.h>

struct script;

/* Opens a manual engine with an injected clock and a fixed seed on the store of the URL. */
struct script *script_open(const char *url, const char *name);
void script_close(struct script *);
/* From now on its calls, but for those of `begin`, go through a server and a remote client. */
bool script_over_http(struct script *) MUST_USE;
/* Runs one line. False when it failed; the message is in script_error. */
bool script_line(struct script *, const char *line, int number);
const char *script_error(const struct script *);
/* Runs a whole file; prints what failed to standard error. */
bool script_run_file(struct script *, const char *path);
struct engine *script_engine(struct script *);
/* What was answered so far, one line a step: must be equal on every store. */
const struct buffer *script_transcript(const struct script *);
/* Every record of the store in a stable order, one line each. */
void script_dump(struct script *, struct buffer *out);
/* The step `row`; false with the reason in error. The texts are changed. */
bool script_row(struct engine *, char *which, char *wanted, char *error, size_t error_size);
/* The same of any engine. */
void engine_dump(struct engine *, struct buffer *out);

/* Whether the next step is `stays`: only then is a dump worth its time. Leaves the file where it is. */
bool script_stays_next(FILE *f);

#endif
