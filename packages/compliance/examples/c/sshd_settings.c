/*
 * A custom check in C: the SSH server refuses root and passwords.
 *
 * Declares one file as its input, /etc/ssh/sshd_config. Reads the document from standard input, writes
 * the findings to standard output. Build it with
 *   clang --target=wasm32-wasi --sysroot=/usr -O2 -Wl,--strip-all -o sshd_settings.wasm sshd_settings.c
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

static char document[1 << 20], config[1 << 18];

/*
 * Copies the JSON string behind `key`, which is written with its quotes and colon. Looking for the bytes
 * is enough: inside of a string a quote always has a backslash before it. Returns 0 when there is none.
 */
static int string_behind(const char *key, char *out, size_t size) {
  const char *at = strstr(document, key);
  size_t length = 0;
  if (!at) return 0;
  for (at += strlen(key); *at && *at != '"' && length + 1 < size; at++) {
    char c = *at;
    if (c == '\\') {
      at++;
      c = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at;
    }
    out[length++] = c;
  }
  out[length] = 0;
  return 1;
}

/* sshd_config(5): the first value given to a keyword is the one that counts; keywords know no case. */
static int setting_is_no(const char *keyword) {
  size_t length = strlen(keyword);
  for (const char *line = config; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
    line += strspn(line, " \t");
    if (strncasecmp(line, keyword, length) != 0 || !strchr(" \t=", line[length])) continue;
    line += length + strspn(line + length, " \t=");
    return strncmp(line, "no", 2) == 0 && strchr(" \t\r\n#", line[2]) != NULL;
  }
  return 0;
}

static void report(const char *keyword, int is_last) {
  int good = setting_is_no(keyword);
  printf("{\"status\":\"%s\",\"severity\":\"high\",\"kind\":\"sshd-setting\",\"subject\":\"%s\","
         "\"message\":\"%s %s no\",\"observed\":%s,\"expected\":\"no\"}%s",
         good ? "pass" : "fail", keyword, keyword, good ? "is" : "is not", good ? "\"no\"" : "null", is_last ? "" : ",");
}

int main(void) {
  size_t length = fread(document, 1, sizeof document - 1, stdin);
  if (length == 0 || !feof(stdin)) return 1;
  printf("{\"version\":1,\"findings\":[");
  if (string_behind("\"text\":\"", config, sizeof config)) {
    report("PermitRootLogin", 0);
    report("PasswordAuthentication", 1);
  } else {
    printf("{\"status\":\"unknown\",\"severity\":\"high\",\"kind\":\"sshd-unreadable\",\"subject\":\"sshd_config\","
           "\"message\":\"The configuration of the SSH server cannot be read\"}");
  }
  printf("]}\n");
  return 0;
}
