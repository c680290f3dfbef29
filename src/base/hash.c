/*
 * The hashes of 01 §1 and §2: FNV-1a 64, xor8hex, CRC16-XMODEM, and hex text.
 *
 * None is security relevant and none may be used against an adversary. Their values are stored and
 * routed by: they never change.
 */
#include "base/base.h"

uint64_t hash_fnv1a64(const void *ptr, size_t len) {
  const uint8_t *p = ptr;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < len; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
  return hash;
}

uint16_t hash_crc16_xmodem(const void *ptr, size_t len) {
  /* Four bits at a time: 32 bytes of table serve 16-byte uuids as well as 512 bytes would. */
  static const uint16_t table[16] = {
      0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
      0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
  };
  const uint8_t *p = ptr;
  uint16_t crc = 0;
  for (size_t i = 0; i < len; i++) {
    crc = (uint16_t)((unsigned)crc << 4 ^ table[crc >> 12 ^ p[i] >> 4]);
    crc = (uint16_t)((unsigned)crc << 4 ^ table[crc >> 12 ^ (p[i] & 15)]);
  }
  return crc;
}

void hex_encode(const void *ptr, size_t len, char *out) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *p = ptr;
  for (size_t i = 0; i < len; i++) {
    out[2 * i] = digits[p[i] >> 4];
    out[2 * i + 1] = digits[p[i] & 15];
  }
  out[2 * len] = '\0';
}

void hash_xor8hex(const void *ptr, size_t len, char out[9]) {
  uint64_t hash = hash_fnv1a64(ptr, len);
  uint32_t folded = (uint32_t)hash ^ (uint32_t)(hash >> 32);
  uint8_t bytes[4];
  for (unsigned i = 0; i < 4; i++) bytes[i] = (uint8_t)(folded >> (24 - 8 * i));
  hex_encode(bytes, 4, out);
}
