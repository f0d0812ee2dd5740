/*
 * The mix of work that embedded benchmarks such as CoreMark measure, in a program of our own: sorting
 * and searching a linked list, a small integer matrix, a state machine over text, and a CRC over it all.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 400, SIDE = 24, TEXT = 2000 };

struct node {
  struct node *next;
  uint16_t key, index;
};

static struct node nodes[NODES];
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static char text[TEXT];

static uint16_t crc16(uint16_t crc, uint16_t value) {
  for (int bit = 0; bit < 16; bit++) {
    int carry = (crc ^ value) & 1;
    crc >>= 1;
    value >>= 1;
    if (carry) crc ^= 0xa001;
  }
  return crc;
}

static int by_key(const struct node *a, const struct node *b) { return a->key - b->key; }
static int by_index(const struct node *a, const struct node *b) { return a->index - b->index; }

static struct node *merge_sort(struct node *list, int (*compare)(const struct node *, const struct node *)) {
  if (!list || !list->next) return list;
  struct node *slow = list, *fast = list->next;
  while (fast && fast->next) slow = slow->next, fast = fast->next->next;
  struct node *second = slow->next, *sorted = NULL, **tail = &sorted;
  slow->next = NULL;
  list = merge_sort(list, compare);
  second = merge_sort(second, compare);
  while (list && second) {
    struct node **least = compare(list, second) <= 0 ? &list : &second;
    *tail = *least;
    *least = (*least)->next;
    tail = &(*tail)->next;
  }
  *tail = list ? list : second;
  return sorted;
}

static uint16_t lists(uint16_t crc, uint16_t round) {
  for (int i = 0; i < NODES; i++)
    nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : NULL, (uint16_t)(i * 2477 + round * 31), (uint16_t)i};
  struct node *list = merge_sort(nodes, by_key);
  for (uint16_t wanted = 0; wanted < 20; wanted++)
    for (struct node *node = list; node; node = node->next)
      if (node->index == wanted * 7) {
        crc = crc16(crc, node->key);
        break;
      }
  list = merge_sort(list, by_index);
  return crc16(crc, list->key);
}

static uint16_t matrices(uint16_t crc, int16_t round) {
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) left[i][j] = (int16_t)(i * j + round), right[i][j] = (int16_t)(i - j);
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      int32_t sum = 0;
      for (int k = 0; k < SIDE; k++) sum += left[i][k] * right[k][j];
      crc = crc16(crc, (uint16_t)(sum ^ sum >> 16));
    }
  return crc;
}

static uint16_t machine(uint16_t crc, unsigned round) {
  static const char *const samples[] = {"5012", "-7.25", "+1.5e-3", "0x7f", "e55", "1e+9", "12a"};
  enum { START, SIGN, INTEGER, FRACTION, EXPONENT, EXPONENT_SIGN, SCIENTIFIC, INVALID, STATES } state = START;
  uint16_t counts[STATES] = {0};
  size_t length = 0;
  for (unsigned i = round; length + 10 < TEXT; i++) {
    const char *sample = samples[i % (sizeof samples / sizeof *samples)];
    strcpy(text + length, sample);
    length += strlen(sample);
    text[length++] = ',';
  }
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    int digit = c >= '0' && c <= '9', sign = c == '+' || c == '-';
    if (c == ',') {
      counts[state]++;
      state = START;
      continue;
    }
    switch (state) {
      case START: state = digit ? INTEGER : sign ? SIGN : INVALID; break;
      case SIGN: state = digit ? INTEGER : INVALID; break;
      case INTEGER: state = digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
      case FRACTION: state = digit ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
      case EXPONENT: state = digit ? SCIENTIFIC : sign ? EXPONENT_SIGN : INVALID; break;
      case EXPONENT_SIGN:
      case SCIENTIFIC: state = digit ? SCIENTIFIC : INVALID; break;
      default: break;
    }
  }
  for (int i = 0; i < STATES; i++) crc = crc16(crc, counts[i]);
  return crc;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  uint16_t crc = 0xffff;
  for (int round = 0; round < rounds; round++)
    crc = machine(matrices(lists(crc, (uint16_t)round), (int16_t)round), (unsigned)round);
  printf("%04x\n", crc);
  return 0;
}
