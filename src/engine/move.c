/*
 * Moving a deployment from one store to another.
 *
 * Both sides carry the mark of the move from before the first record is copied until the last was
 * compared; the source's becomes `moved` before the target's goes, so that at no instant both are
 * usable. Cut off anywhere, the same call goes on from the marks and from what the target has.
 */
#include "engine/transfer.h"

#include "base/error.h"
#include "store/calls.h"
#include "store/mark.h"

#include <stdio.h>
#include <string.h>

struct move {
  struct transfer_side from, to;
  struct mark source, target; /* as they were found, then as they are */
};

static enum ff_rc read_marks(struct move *m, struct ff_error *e) {
  TRY(mark_read(m->from.reader, MARK_SOURCE, &m->source, e));
  return mark_read(m->to.reader, MARK_TARGET, &m->target, e);
}

static bool same_move(const struct move *m) {
  return m->target.state == MARK_FILLING && strcmp(m->source.id, m->target.id) == 0;
}

/* May this move begin, or go on? */
static enum ff_rc judge(struct move *m, struct ff_error *e) {
  struct mark inner;
  TRY(mark_read(m->from.reader, MARK_TARGET, &inner, e));
  if (inner.state != MARK_NONE)
    return error_set(e, FF_CODE_config, "%s is not whole: it is the target of a copy from %s",
                     m->from.shown, inner.other);
  if (m->source.state != MARK_NONE && same_move(m)) return FF_OK;
  if (m->source.state == MARK_MOVED)
    return error_set(e, FF_CODE_config, "%s has moved to %s already", m->from.shown,
                     m->source.other);
  if (m->target.state != MARK_NONE)
    return error_set(e, FF_CODE_config, "%s is the target of another copy, from %s; empty it first",
                     m->to.shown, m->target.other);
  if (m->source.state == MARK_MOVING && strcmp(m->source.other, m->to.shown) != 0)
    return error_set(e, FF_CODE_config,
                     "%s is being moved to %s: finish that, or take it back with --cancel",
                     m->from.shown, m->source.other);
  return transfer_empty(&m->to, e);
}

static void new_id(char out[33]) {
  snprintf(out, 33, "%016llx%016llx", (unsigned long long)random_u64(),
           (unsigned long long)random_u64());
}

/* The source first: a target that is marked has a marked source. */
static enum ff_rc mark_both(struct move *m, struct ff_error *e) {
  if (m->source.state == MARK_NONE) {
    m->source.state = MARK_MOVING;
    new_id(m->source.id);
    snprintf(m->source.other, sizeof m->source.other, "%s", m->to.shown);
    TRY(mark_write(m->from.writer, MARK_SOURCE, &m->source, e));
  }
  if (m->target.state != MARK_NONE) return FF_OK;
  m->target = m->source;
  m->target.state = MARK_FILLING;
  snprintf(m->target.other, sizeof m->target.other, "%s", m->from.shown);
  return mark_write(m->to.writer, MARK_TARGET, &m->target, e);
}

static enum ff_rc finish(struct move *m, struct ff_error *e) {
  m->source.state = MARK_MOVED;
  snprintf(m->source.other, sizeof m->source.other, "%s", m->to.shown);
  TRY(mark_write(m->from.writer, MARK_SOURCE, &m->source, e));
  m->target.state = MARK_NONE;
  return mark_write(m->to.writer, MARK_TARGET, &m->target, e);
}

/* Engines that opened before the marks were there are found behind them. */
static enum ff_rc alone(struct move *m, struct ff_error *e) {
  TRY(transfer_alone(&m->from, e));
  return transfer_alone(&m->to, e);
}

static enum ff_rc run(struct move *m, const struct ff_transfer_options *o,
                      struct ff_transfer_report *report, struct ff_error *e) {
  TRY(alone(m, e));
  TRY(read_marks(m, e));
  TRY(judge(m, e));
  TRY(mark_both(m, e));
  TRY(alone(m, e));
  if (m->source.state != MARK_MOVED) TRY(transfer_copy(&m->from, &m->to, o, report, e));
  return finish(m, e);
}

/* Takes the mark of the source away; the target stays unusable until it is emptied. */
static enum ff_rc cancel(const char *from, const struct ff_transfer_options *o,
                         struct ff_error *e) {
  struct transfer_side side;
  struct mark mark;
  TRY(transfer_open(&side, from, true, o, e));
  enum ff_rc rc = transfer_alone(&side, e);
  if (!rc) rc = mark_read(side.reader, MARK_SOURCE, &mark, e);
  if (!rc && mark.state == MARK_MOVED)
    rc = error_set(e, FF_CODE_config, "%s has moved to %s: that is over", side.shown, mark.other);
  else if (!rc && mark.state == MARK_NONE)
    rc = error_set(e, FF_CODE_config, "%s is not being moved", side.shown);
  mark.state = MARK_NONE;
  if (!rc) rc = mark_write(side.writer, MARK_SOURCE, &mark, e);
  transfer_close(&side);
  return rc;
}

enum ff_rc engine_move(const char *from, const char *to, const struct ff_transfer_options *o,
                       struct ff_transfer_report *report, struct ff_error *e) {
  struct move m;
  if (o->cancel) return cancel(from, o, e);
  TRY(transfer_open(&m.from, from, true, o, e));
  enum ff_rc rc = transfer_open(&m.to, to, true, o, e);
  if (!rc) {
    rc = run(&m, o, report, e);
    transfer_close(&m.to);
  }
  transfer_close(&m.from);
  return rc;
}
