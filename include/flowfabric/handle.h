/*
 * The worker's proof of ownership: a plain value to keep, copy, store and hand back (01 §7).
 */
#ifndef FLOWFABRIC_HANDLE_H
#define FLOWFABRIC_HANDLE_H

#include "flowfabric/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FF_HANDLE_OPAQUE_MAX 508

/* A cookie: clients never look inside. kind is an enum ff_handle_kind, backend an enum ff_backend;
 * len 0 means absent. */
struct ff_handle {
  uint8_t backend;
  uint8_t kind;
  uint16_t len;
  uint8_t opaque[FF_HANDLE_OPAQUE_MAX];
};

#ifdef __cplusplus
}
#endif
#endif
