/* An interpreter of a small bytecode, a switch in a loop: it adds up the Collatz steps of the numbers below n. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PUSH, LOAD, STORE, ADD, MULTIPLY, HALVE, IS_ODD, IS_LESS, JUMP, JUMP_UNLESS, HALT };
enum { START, LIMIT, X, STEPS, VARIABLES };
enum { EACH_START = 0, EACH_STEP = 11, EVEN = 42, NEXT_START = 49, END = 58 };

static const int32_t program[] = {
  /*  0 */ LOAD, START, LOAD, LIMIT, IS_LESS, JUMP_UNLESS, END,
  /*  7 */ LOAD, START, STORE, X,
  /* 11 */ PUSH, 1, LOAD, X, IS_LESS, JUMP_UNLESS, NEXT_START,
  /* 18 */ LOAD, STEPS, PUSH, 1, ADD, STORE, STEPS,
  /* 25 */ LOAD, X, IS_ODD, JUMP_UNLESS, EVEN,
  /* 30 */ LOAD, X, PUSH, 3, MULTIPLY, PUSH, 1, ADD, STORE, X, JUMP, EACH_STEP,
  /* 42 */ LOAD, X, HALVE, STORE, X, JUMP, EACH_STEP,
  /* 49 */ LOAD, START, PUSH, 1, ADD, STORE, START, JUMP, EACH_START,
  /* 58 */ HALT};

static int64_t run(const int32_t *code, int64_t limit) {
  int64_t variables[VARIABLES] = {1, limit, 0, 0}, stack[16], *top = stack;
  for (const int32_t *at = code;;) {
    switch (*at++) {
      case PUSH: *top++ = *at++; break;
      case LOAD: *top++ = variables[*at++]; break;
      case STORE: variables[*at++] = *--top; break;
      case ADD: top--; top[-1] += *top; break;
      case MULTIPLY: top--; top[-1] *= *top; break;
      case HALVE: top[-1] /= 2; break;
      case IS_ODD: top[-1] &= 1; break;
      case IS_LESS: top--; top[-1] = top[-1] < *top; break;
      case JUMP: at = code + *at; break;
      case JUMP_UNLESS: at = *--top ? at + 1 : code + *at; break;
      case HALT: return variables[STEPS];
    }
  }
}

int main(int argc, char **argv) {
  printf("%lld\n", (long long)run(program, argc > 1 ? atoi(argv[1]) : 1000));
  return 0;
}
