/*
 * SQLite in memory, as it is, with the least of an operating system it can do with: no files, a fixed
 * clock. The workload fills a table, indexes it, and asks it questions, n times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sqlite3.h"

static int refuse_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  (void)vfs, (void)name, (void)flags, (void)out;
  file->pMethods = NULL;
  return SQLITE_CANTOPEN;
}

static int refuse_delete(sqlite3_vfs *vfs, const char *name, int sync) {
  (void)vfs, (void)name, (void)sync;
  return SQLITE_IOERR_DELETE;
}

static int say_absent(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
  (void)vfs, (void)name, (void)flags;
  *out = 0;
  return SQLITE_OK;
}

static int keep_name(sqlite3_vfs *vfs, const char *name, int size, char *out) {
  (void)vfs;
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

static int fill(sqlite3_vfs *vfs, int size, char *out) {
  (void)vfs;
  memset(out, 42, (size_t)size);
  return size;
}

static int no_sleep(sqlite3_vfs *vfs, int microseconds) {
  (void)vfs;
  return microseconds;
}

static int fixed_time(sqlite3_vfs *vfs, double *julian_day) {
  (void)vfs;
  *julian_day = 2460000.5;
  return SQLITE_OK;
}

int sqlite3_os_init(void) {
  static sqlite3_vfs vfs = {
    .iVersion = 1, .szOsFile = sizeof(sqlite3_file), .mxPathname = 64, .zName = "none", .xOpen = refuse_open,
    .xDelete = refuse_delete, .xAccess = say_absent, .xFullPathname = keep_name, .xRandomness = fill,
    .xSleep = no_sleep, .xCurrentTime = fixed_time};
  return sqlite3_vfs_register(&vfs, 1);
}

int sqlite3_os_end(void) { return SQLITE_OK; }

static sqlite3 *database;

static int print_row(void *unused, int columns, char **values, char **names) {
  (void)unused, (void)names;
  for (int i = 0; i < columns; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  printf("\n");
  return 0;
}

static int ignore_row(void *unused, int columns, char **values, char **names) {
  (void)unused, (void)columns, (void)values, (void)names;
  return 0;
}

static void run(const char *sql, int (*row)(void *, int, char **, char **)) {
  char *error = NULL;
  if (sqlite3_exec(database, sql, row, NULL, &error) == SQLITE_OK) return;
  printf("%s\n", error);
  exit(1);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  for (int round = 0; round < rounds; round++) {
    int (*row)(void *, int, char **, char **) = round + 1 == rounds ? print_row : ignore_row;
    if (sqlite3_open(":memory:", &database) != SQLITE_OK) return 1;
    run("CREATE TABLE host(id INTEGER PRIMARY KEY, name TEXT, site INT, load REAL)", NULL);
    run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
        " INSERT INTO host SELECT i, 'host-' || (i * 7919 % 4001), i % 37, (i * 31 % 1000) / 10.0 FROM n", NULL);
    run("CREATE INDEX by_name ON host(name)", NULL);
    run("UPDATE host SET load = load + 1 WHERE name LIKE 'host-1%'", NULL);
    run("DELETE FROM host WHERE id % 11 = 0", NULL);
    run("SELECT site, count(*), round(avg(load), 3), max(name) FROM host GROUP BY site ORDER BY 3 DESC LIMIT 5", row);
    run("SELECT count(*), sum(a.load > b.load) FROM host a JOIN host b ON b.name = 'host-' || a.id", row);
    run("SELECT group_concat(name, ' ') FROM (SELECT name FROM host ORDER BY load DESC, name LIMIT 4)", row);
    sqlite3_close(database);
  }
  return 0;
}
