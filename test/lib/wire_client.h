/*
 * A plain HTTP client of the tests: octets out, one answer in. Fails the test when nothing comes.
 */
#ifndef TEST_LIB_WIRE_CLIENT_H
#define TEST_LIB_WIRE_CLIENT_H

#include "base/base.h"

struct wire_reply {
  int status; /* 0: closed without an answer */
  char text[65536]; /* head and body */
  const char *body;
};

int wire_connect(uint16_t port);
void wire_close(int fd);
void wire_send(int fd, const void *octets, size_t len);
/* Nothing more will be sent. */
void wire_end(int fd);
/* Reads one answer, head and body; what follows stays in the socket. */
void wire_read(int fd, struct wire_reply *);
/* The answer of HEAD: no body, whatever its length says. */
void wire_read_head(int fd, struct wire_reply *);
/* Waits for the end of the stream; false when more octets come. */
bool wire_is_closed(int fd);
/* Is there input within so many ms? */
bool wire_has_input(int fd, int ms);
/* \r \n \t \0 \\ \xHH, and {N:text} N times the text. */
void wire_unescape(const char *text, struct buffer *out);

#endif
