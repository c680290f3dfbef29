/*
 * A TCP proxy on loopback that cuts a connection at a chosen request: before the request is sent
 * on, after the server has begun to answer it, or in the middle of the answer. Knows no protocol: a
 * request begins when a client speaks first or after an answer, so a pipeline is one request. One
 * thread serves all connections.
 */
#ifndef TEST_LIB_CUT_PROXY_H
#define TEST_LIB_CUT_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct cut_proxy;

enum cut_kind {
  CUT_BEFORE_SEND, /* the server hears nothing of the request */
  CUT_AFTER_SEND,  /* the server heard it and answered; the client gets nothing */
  CUT_MID_REPLY,   /* the client gets half of what the server's first packet held */
  CUT_KINDS
};

/* Listens on *port and forwards to 127.0.0.1:target. */
struct cut_proxy *cut_proxy_start(uint16_t target, uint16_t *port);
/* Closes every connection. NULL is fine. */
void cut_proxy_stop(struct cut_proxy *p);
/* Cuts the n-th request (from 1) of all connections from now on, once; n = 0 cuts nothing. */
void cut_proxy_arm(struct cut_proxy *p, enum cut_kind kind, uint32_t n);
/* Requests since the last arming. */
uint32_t cut_proxy_requests(struct cut_proxy *p);
/* Has the cut happened? */
bool cut_proxy_fired(struct cut_proxy *p);
/* Closes every connection of the moment, as a network that fails does. */
void cut_proxy_drop(struct cut_proxy *p);

#endif
