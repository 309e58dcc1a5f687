/*
 * Stands before LMDB and libc in the processes of t/torture/disk.pl: maps as
 * small as the file MAP_SIZES says (control, usage), and syncs of data that
 * take the milliseconds that the file SLOW_SYNC says, as long as it is there.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>


#define STEP_MS  10

typedef struct MDB_env  MDB_env;

int mdb_env_set_mapsize(MDB_env *env, size_t size);


static int
read_sizes(const char *variable, size_t *a, size_t *b)
{
    int          n;
    FILE        *file;
    const char  *path = getenv(variable);

    if (path == NULL || (file = fopen(path, "re")) == NULL) {
        return 0;
    }

    n = fscanf(file, "%zu %zu", a, b);
    (void) fclose(file);

    return n;
}


int
mdb_env_set_mapsize(MDB_env *env, size_t size)
{
    int    (*next)(MDB_env *, size_t);
    size_t   control, usage;

    *(void **) &next = dlsym(RTLD_NEXT, "mdb_env_set_mapsize");

    if (size != 0 && read_sizes("MAP_SIZES", &control, &usage) == 2) {
        size = size > (size_t) 1 << 30 ? usage : control;
    }

    return next(env, size);
}


int
fdatasync(int fd)
{
    int              (*next)(int);
    size_t             ms, other, waited = 0;
    struct timespec    step = { 0, STEP_MS * 1000000 };

    *(void **) &next = dlsym(RTLD_NEXT, "fdatasync");

    while (read_sizes("SLOW_SYNC", &ms, &other) >= 1 && waited < ms) {
        (void) nanosleep(&step, NULL);
        waited += STEP_MS;
    }

    return next(fd);
}
