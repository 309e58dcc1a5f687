/*
 * Stands in for the fuzzer where there is none: plays every seed and every
 * input that was once a find, in TAP. Called without arguments it takes those
 * of the target that it is named after.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>

#include "fuzz.h"


static unsigned  played;


static void
play(const char *path)
{
    FILE     *file = fopen(path, "rb");
    size_t    n = 0;
    uint8_t  *data = malloc(FUZZ_PIECE), *exact;

    fuzz_check(file != NULL && data != NULL, path);
    n = fread(data, 1, FUZZ_PIECE, file);
    fclose(file);

    exact = malloc(n ? n : 1);
    fuzz_check(exact != NULL, path);
    memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    free(data);

    printf("ok %u - %s\n", ++played, path);
}


static void
play_all(const char *dir)
{
    int              i, n;
    char             path[512];
    struct dirent  **names;

    n = scandir(dir, &names, NULL, alphasort);

    for (i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
            play(path);
        }

        free(names[i]);
    }

    if (n >= 0) {
        free(names);
    }
}


int
main(int argc, char **argv)
{
    int          i;
    char         dir[256];
    const char  *slash = strrchr(argv[0], '/');
    const char  *name = slash ? slash + 1 : argv[0];

    for (i = 1; i < argc; i++) {
        play(argv[i]);
    }

    if (argc == 1) {
        snprintf(dir, sizeof(dir), "t/fuzz/%s.in", name);
        play_all(dir);
        fuzz_check(played > 0, "there are seeds");
        snprintf(dir, sizeof(dir), "t/fuzz/%s.repro", name);
        play_all(dir);
    }

    printf("1..%u\n", played);

    return 0;
}
