/*
 * zlib, as it is: compresses text that this program writes, at every level, and takes it apart
 * again, n times. Prints sizes and a checksum.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "zlib.h"

enum { SIZE = 1 << 16 };

static unsigned char text[SIZE], packed[SIZE + SIZE / 2], unpacked[SIZE];

static void write_text(void) {
  static const char *const words[] = {"guard ", "change ", "proof ", "drift ", "host ", "policy ", "order\n"};
  unsigned state = 1, at = 0;
  while (at + 8 < SIZE) {
    state = state * 1664525u + 1013904223u;
    const char *word = words[(state >> 24) % 7];
    memcpy(text + at, word, strlen(word));
    at += (unsigned)strlen(word);
  }
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  unsigned long total = 0, check = 0;
  write_text();
  for (int round = 0; round < rounds; round++) {
    for (int level = 1; level <= 9; level++) {
      uLongf packed_size = sizeof packed, unpacked_size = SIZE;
      if (compress2(packed, &packed_size, text, SIZE, level) != Z_OK) return 1;
      if (uncompress(unpacked, &unpacked_size, packed, packed_size) != Z_OK) return 2;
      if (unpacked_size != SIZE || memcmp(text, unpacked, SIZE) != 0) return 3;
      total += packed_size;
      check = crc32(check, packed, (uInt)packed_size);
    }
  }
  printf("%lu %08lx\n", total, check);
  return 0;
}
