/* Product of two 256 × 256 matrices of doubles, n times: floating point and regular memory access. */
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 256 };
static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      a[i][j] = (double)((i * j) % 17);
      b[i][j] = (double)((i + 3 * j) % 13);
    }
  double trace = 0;
  for (int round = 0; round < rounds; round++) {
    a[round % SIZE][0] += 1;
    for (int i = 0; i < SIZE; i++)
      for (int j = 0; j < SIZE; j++) {
        double sum = 0;
        for (int k = 0; k < SIZE; k++) sum += a[i][k] * b[k][j];
        c[i][j] = sum;
      }
    for (int i = 0; i < SIZE; i++) trace += c[i][i];
  }
  printf("%.1f\n", trace);
  return 0;
}
