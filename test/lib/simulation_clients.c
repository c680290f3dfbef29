/*
 * Clients: each makes one call at a time, loses answers, loses patience, and sends the same call
 * again with the same arguments, perhaps to another engine while the first copy is still under way.
 */
#include "test/lib/simulation_impl.h"

#include <stdlib.h>

/* ---- copies ---- */

static void copy_free(struct copy *c) {
  *c->link = c->next;
  if (c->next) c->next->link = c->link;
  if (c->client && c->client->copy == c) c->client->copy = NULL;
  c->sim->copies--;
  history_call_release(c->call);
  free(c);
}

void copies_lose(struct rival *r) {
  while (r->copies) copy_free(r->copies);
}

static void client_rest(struct client *c) {
  history_call_release(c->call);
  *c = (struct client){0};
}

/* Told that it may not have happened, a client tries again, mostly. */
static bool worth_repeating(const struct ff_error *error) {
  return error->rc == FF_TRANSPORT || error->code == FF_CODE_retry_exhausted ||
         error->rc == FF_RESOURCE_EXHAUSTED;
}

static void trace_answer(struct simulation *s, const struct copy *copy, enum ff_rc rc,
                         const void *result, const struct ff_error *error, const char *fate) {
  if (!s->options.trace) return;
  struct buffer text;
  buffer_init(&text);
  history_print_answer(copy->call->op, rc, result, error, &text);
  sim_trace(s, "  answer to #%u %s%s: %s", copy->call->number, op_infos[copy->call->op].name, fate,
            buffer_text(&text).ptr);
  buffer_fini(&text);
}

static void hand_over(struct simulation *s, struct client *client, enum ff_rc rc,
                      const void *result, const struct ff_error *error) {
  if (rc != FF_OK && worth_repeating(error) && client->tries < 6 && sim_chance(s, 850)) return;
  history_learn(s->history, client->call, rc == FF_OK ? result : NULL);
  client_rest(client);
}

static void done(void *user, enum ff_rc rc, void *result, const struct ff_error *error) {
  struct copy *copy = user;
  struct simulation *s = copy->sim;
  struct client *client = copy->client;
  s->result->answers++;
  sim_mix(s, (uint64_t)copy->call->number << 32 ^ (uint64_t)(rc == FF_OK ? 0 : error->code));
  bool lost = client && !s->draining && sim_chance(s, s->weather.unknown ? 120 : 30);
  trace_answer(s, copy, rc, result, error, !client ? " (nobody waits)" : lost ? " (lost)" : "");
  if (sim_follow(s) && !(rc == FF_OK ? oracle_answer(s->oracle, copy->call, result)
                                     : oracle_refused(s->oracle, copy->call, error)))
    sim_fail(s, NULL);
  s->result->lost += lost;
  copy_free(copy);
  if (client && !lost) hand_over(s, client, rc, result, error);
}

static void send(struct simulation *s, struct client *client, struct history_call *call) {
  struct rival *r = rival_any(s);
  if (!r) return;
  struct copy *copy = heap_zalloc(sizeof *copy);
  struct ff_error error = {.retry_after_ms = -1};
  *copy = (struct copy){.sim = s, .client = client, .call = history_call_keep(call)};
  copy->next = r->copies;
  copy->link = &r->copies;
  if (copy->next) copy->next->link = &copy->next;
  r->copies = copy;
  s->copies++;
  s->result->copies++;
  if (client) {
    client->copy = copy;
    client->tries++;
  }
  oracle_sent(s->oracle, call);
  if (s->options.trace) {
    struct buffer text;
    buffer_init(&text);
    history_print_call(call, &text);
    sim_trace(s, "#%u to engine %d%s: %s", call->number, (int)(r - s->rivals),
              client ? "" : " (a duplicate)", buffer_text(&text).ptr);
    buffer_fini(&text);
  }
  if (engine_call_async(r->engine, call->op, call->args, done, copy, &error) == FF_OK) return;
  /* refused at the door: that is the answer */
  trace_answer(s, copy, error.rc, NULL, &error, "");
  copy_free(copy);
  if (client) hand_over(s, client, error.rc, NULL, &error);
}

/* ---- what a client does ---- */

static void draw_call(struct simulation *s, struct client *c) {
  c->call = history_next(s->history, s->now);
  s->result->operations++;
}

/* Waits, loses patience, gives up, or has its call sent once more behind its back. */
static void wait_on(struct simulation *s, struct client *c) {
  uint32_t n = sim_dice(s, 1000);
  if (n < 20) {
    send(s, NULL, c->call);
  } else if (n < 45) {
    c->copy->client = NULL;
    c->copy = NULL;
  } else if (n < 50) {
    c->copy->client = NULL;
    client_rest(c);
  }
}

bool client_act(struct simulation *s) {
  struct client *c = &s->clients[sim_dice(s, CLIENTS)];
  if (c->copy) {
    wait_on(s, c);
    return true;
  }
  if (!c->call && s->result->operations < s->options.operations) draw_call(s, c);
  if (!c->call) return false;
  send(s, c, c->call);
  return true;
}
