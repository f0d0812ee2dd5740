/*
 * The image codecs of stb, as they are: draws a picture, writes it as PNG and as JPEG into memory,
 * reads both again, n times. Prints sizes and checksums.
 */
#include <stdio.h>
#include <stdlib.h>
#define STBI_NO_STDIO
#define STBI_NO_SIMD
#define STBI_NO_THREAD_LOCALS
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include "stb_image.h"
#include "stb_image_write.h"

enum { WIDTH = 96, HEIGHT = 64, MAX_BYTES = 1 << 18 };

static unsigned char file[MAX_BYTES];
static int file_size;

static void append(void *context, void *data, int size) {
  (void)context;
  if (file_size + size > MAX_BYTES) abort();
  memcpy(file + file_size, data, (size_t)size);
  file_size += size;
}

static unsigned checksum(const unsigned char *bytes, int size) {
  unsigned hash = 2166136261u;
  for (int i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

static unsigned read_again(int *out_size) {
  int width, height, channels;
  unsigned char *pixels = stbi_load_from_memory(file, file_size, &width, &height, &channels, 3);
  if (!pixels || width != WIDTH || height != HEIGHT) abort();
  unsigned hash = checksum(pixels, width * height * 3);
  stbi_image_free(pixels);
  *out_size = file_size;
  file_size = 0;
  return hash;
}

int main(int argc, char **argv) {
  static unsigned char pixels[WIDTH * HEIGHT * 3];
  int rounds = argc > 1 ? atoi(argv[1]) : 1, png_size = 0, jpeg_size = 0;
  unsigned png = 0, jpeg = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
      int x = i % WIDTH, y = i / WIDTH;
      pixels[3 * i] = (unsigned char)(x * y + round);
      pixels[3 * i + 1] = (unsigned char)(x ^ y);
      pixels[3 * i + 2] = (unsigned char)(x + 3 * y);
    }
    if (!stbi_write_png_to_func(append, NULL, WIDTH, HEIGHT, 3, pixels, WIDTH * 3)) return 1;
    png = read_again(&png_size);
    if (png != checksum(pixels, sizeof pixels)) return 2; /* PNG keeps every bit */
    if (!stbi_write_jpg_to_func(append, NULL, WIDTH, HEIGHT, 3, pixels, 80)) return 3;
    jpeg = read_again(&jpeg_size);
  }
  printf("%d %08x %d %08x\n", png_size, png, jpeg_size, jpeg);
  return 0;
}
