/* A recursive-descent JSON parser over a document it makes: branches on bytes, recursion, small copies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char document[1 << 18];
static const char *at;
static unsigned long values, depth, deepest, sum;

static void fail(void) {
  printf("not JSON at %ld\n", (long)(at - document));
  exit(1);
}

static void skip_blanks(void) {
  while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
}

static void parse_string(void) {
  char copy[256];
  size_t length = 0;
  for (at++; *at != '"'; at++) {
    if (*at == 0 || length == sizeof copy) fail();
    if (*at == '\\') at++;
    copy[length++] = *at;
  }
  at++;
  for (size_t i = 0; i < length; i++) sum = sum * 31 + (unsigned char)copy[i];
}

static void parse_number(void) {
  int negative = *at == '-';
  if (negative) at++;
  if (*at < '0' || *at > '9') fail();
  unsigned long value = 0;
  while (*at >= '0' && *at <= '9') value = value * 10 + (unsigned long)(*at++ - '0');
  if (*at == '.')
    for (at++; *at >= '0' && *at <= '9'; at++) value += (unsigned long)(*at - '0');
  sum += negative ? ~value : value;
}

static void parse_word(const char *word) {
  size_t length = strlen(word);
  if (strncmp(at, word, length) != 0) fail();
  at += length;
}

static void parse_value(void) {
  values++;
  if (++depth > deepest) deepest = depth;
  skip_blanks();
  switch (*at) {
    case '{':
    case '[': {
      char close = *at == '{' ? '}' : ']';
      at++;
      skip_blanks();
      while (*at != close) {
        if (close == '}') {
          if (*at != '"') fail();
          parse_string();
          skip_blanks();
          if (*at++ != ':') fail();
        }
        parse_value();
        skip_blanks();
        if (*at == ',') at++;
        else if (*at != close) fail();
        skip_blanks();
      }
      at++;
      break;
    }
    case '"': parse_string(); break;
    case 't': parse_word("true"); break;
    case 'f': parse_word("false"); break;
    case 'n': parse_word("null"); break;
    default: parse_number();
  }
  depth--;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  char *end = document;
  *end++ = '[';
  for (int i = 0; end < document + sizeof document - 256; i++)
    end += sprintf(end, "%s{\"id\": %d, \"name\": \"host \\\"%d\\\"\", \"up\": %s, \"load\": [%d.%d, -%d], \"tags\": {\"a\": {\"b\": [[], null]}}}",
                   i ? ",\n" : "", i, i * 7, i % 3 ? "true" : "false", i % 5, i % 10, i);
  strcpy(end, "]");
  for (int round = 0; round < rounds; round++) {
    at = document;
    parse_value();
    if (*at != 0) fail();
  }
  printf("%lu values, %lu deep, %08lx\n", values, deepest, sum & 0xffffffff);
  return 0;
}
