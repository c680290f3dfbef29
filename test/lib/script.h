/*
 * Test scripts: readable transcripts of operations and what they must answer, run against any store
 * (DESIGN §7).
 *
 * One line is one step; `#` starts a comment. `$name` anywhere in a line is replaced by the
 * variable's text.
 *
 *   at 1500                           set the clock to start + 1500 ms (it never runs by itself)
 *   tick                              let the engine do all due work at the present time
 *   let NAME = TEXT                   a variable; execution ids: `exec NAME [partition] [number]`
 * makes a fixed one OP member=value … -> EXPECT       calls an operation by its one name; members
 * as values_parse_field reads them save NAME = PATH                  from the answer of the last
 * call: member, member.member, list.0.member stays                             the last call must
 * not have changed any record (a refusal changes nothing) same                              calling
 * the last operation again must answer the same (02 L-41) show                              prints
 * the last answer (for writing scripts) events NAME -> WORD …             the events of an
 * execution since the last `events`, in short form (see event_word) corrupt KIND FIELD not for
 * scripts: see test_corrupt
 *
 * EXPECT is `!code [detail ~ text]` for an error, else `outcome member=value …`: every member named
 * must print so, others are free. `member` alone must be present, `-member` absent.
 */
#ifndef TEST_LIB_SCRIPT_H
#define TEST_LIB_SCRIPT_H

#include "engine/engine.h"

struct script;

/* Opens a manual engine with an injected clock and a fixed seed on the store of the URL. */
struct script *script_open(const char *url, const char *name);
void script_close(struct script *);
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
/* The same of any engine. */
void engine_dump(struct engine *, struct buffer *out);

#endif
