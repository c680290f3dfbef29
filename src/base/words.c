/*
 * The words of every closed enumeration, made from the lists of flowfabric/words.h.
 *
 * It holds no list of its own: a word is spelled once, in the header.
 */
#include "flowfabric/words.h"

#include "base/base.h"

/* Plain braces, not TEXT_LIT: that is a compound literal, no constant for a table. */
#define WORD(w) {#w, sizeof(#w) - 1},
#define WORD_TABLE(e)                                                                              \
  static const struct ff_str words_##e[] = {FF_WORDS_##e(WORD)};                                   \
  _Static_assert(ARRAY_LEN(words_##e) == FF_##e##_COUNT, #e " has one word per value");
FF_WORD_ENUMS(WORD_TABLE)

struct word_enum {
  const struct ff_str *words;
  int count;
};

static const struct word_enum word_enums[] = {
#define WORD_ENUM(e) [FF_WORD_##e] = {words_##e, FF_##e##_COUNT},
    FF_WORD_ENUMS(WORD_ENUM)
#undef WORD_ENUM
};
_Static_assert(ARRAY_LEN(word_enums) == FF_WORD_ENUM_COUNT, "every enumeration has its words");

static const struct word_enum *word_enum_of(enum ff_word_enum which) {
  return (unsigned)which < FF_WORD_ENUM_COUNT ? &word_enums[which] : NULL;
}

const char *ff_word(enum ff_word_enum which, int value) {
  const struct word_enum *e = word_enum_of(which);
  return e != NULL && value >= 0 && value < e->count ? e->words[value].ptr : NULL;
}

int ff_word_parse(enum ff_word_enum which, struct ff_str text) {
  const struct word_enum *e = word_enum_of(which);
  for (int i = 0; e != NULL && i < e->count; i++)
    if (text_equal(e->words[i], text)) return i;
  return -1;
}
