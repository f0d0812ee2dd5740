/* The sieve of Eratosthenes to two millions, n times: tight loops of stores. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 2000000 };
static uint8_t composite[LIMIT + 1];

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  unsigned primes = 0;
  for (int round = 0; round < rounds; round++) {
    memset(composite, 0, sizeof composite);
    for (unsigned i = 2; i <= LIMIT; i++) {
      if (composite[i]) continue;
      primes++;
      for (uint64_t j = (uint64_t)i * i; j <= LIMIT; j += i) composite[j] = 1;
    }
  }
  printf("%u\n", primes);
  return 0;
}
