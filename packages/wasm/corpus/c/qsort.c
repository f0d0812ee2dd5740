/* The C library's qsort with a comparison callback, n times: indirect calls in a tight loop. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 50000 };
static uint32_t items[COUNT];

static int compare(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  uint32_t state = 1, sum = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < COUNT; i++) items[i] = state = state * 1664525 + 1013904223;
    qsort(items, COUNT, sizeof *items, compare);
    for (int i = 0; i < COUNT; i++) sum = sum * 31 + items[i];
  }
  printf("%08x\n", sum);
  return 0;
}
