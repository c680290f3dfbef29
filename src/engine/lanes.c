/*
 * The lanes and requirement sets this process knows to be registered: spares each create the
 * registration step (OC-1).
 *
 * Entries are only ever added, after the commit that registered them; the store's registry never
 * shrinks either.
 */
#include "engine/impl.h"

#include <stdlib.h>

struct lane_key {
  struct lane_key *next;
  uint64_t hash;
  struct ff_str lane, requirement;
};

static uint64_t lane_hash(struct ff_str lane, struct ff_str requirement) {
  return hash_mix64(hash_fnv1a64(lane.ptr, lane.len) ^
                    (hash_fnv1a64(requirement.ptr, requirement.len) << 1));
}

static struct lane_key *find(const struct engine *e, struct ff_str lane,
                             struct ff_str requirement) {
  uint64_t hash = lane_hash(lane, requirement);
  struct lane_key *k = e->lanes[hash % LANE_BUCKETS];
  while (k && (k->hash != hash || !text_equal(k->lane, lane) ||
               !text_equal(k->requirement, requirement)))
    k = k->next;
  return k;
}

bool lane_known(struct engine *e, struct ff_str lane, struct ff_str requirement) {
  pthread_mutex_lock(&e->lane_lock);
  bool known = find(e, lane, requirement) != NULL;
  pthread_mutex_unlock(&e->lane_lock);
  return known;
}

static struct ff_str own(struct ff_str t) {
  char *copy = heap_alloc(t.len + 1);
  if (t.len) memcpy(copy, t.ptr, t.len);
  return text_of(copy, t.len);
}

void lane_learn(struct engine *e, struct ff_str lane, struct ff_str requirement) {
  pthread_mutex_lock(&e->lane_lock);
  if (!find(e, lane, requirement)) {
    struct lane_key *k = heap_zalloc(sizeof *k);
    k->hash = lane_hash(lane, requirement);
    k->lane = own(lane);
    k->requirement = own(requirement);
    k->next = e->lanes[k->hash % LANE_BUCKETS];
    e->lanes[k->hash % LANE_BUCKETS] = k;
  }
  pthread_mutex_unlock(&e->lane_lock);
}

void lanes_fini(struct engine *e) {
  for (int i = 0; i < LANE_BUCKETS; i++)
    while (e->lanes[i]) {
      struct lane_key *k = e->lanes[i];
      e->lanes[i] = k->next;
      free((void *)(uintptr_t)k->lane.ptr);
      free((void *)(uintptr_t)k->requirement.ptr);
      free(k);
    }
}

/* ---- seeding ---- */

static enum ff_rc seed_one(struct engine *e, struct call *call, struct ff_str lane,
                           struct ff_error *error) {
  struct ff_error why;
  if (lane_check(lane, "FF_LANES", &why) != FF_OK)
    return error_field(error, FF_CODE_config, "FF_LANES", "lane \"" TEXT_FMT "\": %s",
                       TEXT_ARG(lane), why.detail);
  struct ff_register_lane_args *args = ARENA_NEW(&call->arena, struct ff_register_lane_args);
  *args = (struct ff_register_lane_args){
      .size = sizeof *args, .lane_id = lane, .registered_by = TEXT_LIT("FF_LANES")};
  call_request(e, call, OP_register_lane, args);
  return FF_OK;
}

static struct ff_str trim(struct ff_str t) {
  while (t.len && (*t.ptr == ' ' || *t.ptr == '\t')) t = text_of(t.ptr + 1, t.len - 1);
  while (t.len && (t.ptr[t.len - 1] == ' ' || t.ptr[t.len - 1] == '\t')) t.len--;
  return t;
}

enum ff_rc lanes_seed(struct engine *e, struct ff_error *error) {
  const char *list = getenv("FF_LANES");
  if (!list || !*list) return FF_OK;
  struct call call = {.op = OP_prepare};
  enum ff_rc rc = FF_OK;
  arena_init(&call.arena);
  call.requests = ARENA_ARRAY(&call.arena, struct request, strlen(list) + 1);
  for (const char *at = list; *at && rc == FF_OK;) {
    size_t len = strcspn(at, ",");
    struct ff_str lane = trim(text_of(at, len));
    if (lane.len) rc = seed_one(e, &call, lane, error);
    at += len + (at[len] == ',');
  }
  if (rc == FF_OK && call.request_count) rc = internal_run(e, &call, error);
  for (uint32_t i = 0; i < call.request_count && rc == FF_OK; i++)
    if (call.requests[i].rc != FF_OK) {
      rc = call.requests[i].rc;
      if (error) *error = call.requests[i].error;
    }
  arena_fini(&call.arena);
  return rc;
}
