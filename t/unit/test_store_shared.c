/* A store that other processes grow, fill or die on (S01, S09, A24, L06). */

#include "store.h"

#include <signal.h>
#include <sys/mman.h>

#include "aigw_store_internal.h"


static aigw_store_t *
open_small(unsigned flags, size_t control_bytes, size_t usage_bytes)
{
    aigw_store_t       *s;
    aigw_store_maps_t   maps = { control_bytes, usage_bytes };

    if (aigw_store_open_maps(test_store, flags, &maps, &s, fault)
        != AIGW_OK)
    {
        printf("Bail out! %s\n", fault);
        exit(1);
    }

    return s;
}


static unsigned
add_settings(aigw_store_t *s, unsigned from, unsigned n, aigw_err_t *err)
{
    char      name[32];
    char      text[AIGW_VALUE_MAX];
    unsigned  i;

    memset(text, 'x', sizeof(text));
    *err = AIGW_OK;

    for (i = from; i < from + n; i++) {
        snprintf(name, sizeof(name), "s%08u", i);
        *err = aigw_store_set_setting(s, str(name), (aigw_str_t) {
                                      sizeof(text), text });

        if (*err != AIGW_OK) {
            break;
        }
    }

    return i - from;
}


/* Another process, with a larger map, makes the file outgrow ours. */
static void
test_growth(void)
{
    int            go[2], status;
    char           c, value[AIGW_VALUE_MAX + 1];
    pid_t          pid;
    unsigned       n;
    aigw_err_t     err;
    aigw_store_t  *s;

    aigw_store_close(test_fresh(0));
    (void) !pipe(go);
    pid = fork();

    if (pid == 0) {
        (void) !read(go[0], &c, 1);
        s = test_open(AIGW_STORE_CONTROL_WRITE);
        n = add_settings(s, 0, 2000, &err);
        aigw_store_close(s);
        _exit(n == 2000 ? 0 : 1);
    }

    s = open_small(AIGW_STORE_CONTROL_WRITE, 256 * 1024, 1 << 20);
    is_int(aigw_store_get_setting(s, str("s00000001"), value),
           AIGW_ENOTFOUND, "read with a small map");
    (void) !write(go[1], "x", 1);
    ok(waitpid(pid, &status, 0) == pid && status == 0, "the other wrote");

    is_int(aigw_store_get_setting(s, str("s00001999"), value), AIGW_OK,
           "L06 S09 the reader follows the grown map");
    is_int((int64_t) strlen(value), AIGW_VALUE_MAX, "reads it whole");
    is_int(add_settings(s, 5000, 10, &err), 10, "and writes again");

    aigw_store_close(s);
    (void) close(go[0]);
    (void) close(go[1]);
}


static void
test_full(void)
{
    char                value[AIGW_VALUE_MAX + 1], name[32];
    unsigned            n;
    aigw_err_t          err;
    aigw_store_t       *s;

    aigw_store_close(test_fresh(0));
    s = open_small(AIGW_STORE_CONTROL_WRITE, 256 * 1024, 1 << 20);
    n = add_settings(s, 0, 100000, &err);
    ok(n > 100 && err == AIGW_EFULL, "S09 full after %u", n);

    snprintf(name, sizeof(name), "s%08u", n - 1);
    is_int(aigw_store_get_setting(s, str(name), value), AIGW_OK,
           "S09 what was written is there");
    snprintf(name, sizeof(name), "s%08u", n);
    is_int(aigw_store_get_setting(s, str(name), value), AIGW_ENOTFOUND,
           "S09 what was not is not");
    aigw_store_close(s);

    s = test_open(AIGW_STORE_CONTROL_WRITE);
    is_int(add_settings(s, n, 500, &err), 500, "S09 a larger map goes on");
    aigw_store_close(s);
}


/* Killed readers leave slots behind. */
static void
test_dead_readers(void)
{
    int                  i, cleared, status, up[2];
    char                 c;
    pid_t                pid[3];
    aigw_store_t        *s;
    aigw_store_stats_t   stats;

    aigw_store_close(test_fresh(0));
    (void) !pipe(up);

    for (i = 0; i < 3; i++) {
        pid[i] = fork();

        if (pid[i] == 0) {
            s = test_open(AIGW_STORE_USAGE);
            (void) !write(up[1], "x", 1);
            pause();
            _exit(0);
        }

        (void) !read(up[0], &c, 1);
    }

    s = test_open(AIGW_STORE_USAGE);

    for (i = 0; i < 3; i++) {
        (void) kill(pid[i], SIGKILL);
        (void) waitpid(pid[i], &status, 0);
    }

    is_int(aigw_store_stats(s, &stats), AIGW_OK, "stats");
    is_int(stats.control_readers, 4, "three dead ones and us");
    is_int(aigw_store_check_readers(s, &cleared), AIGW_OK, "check");
    is_int(cleared, 6, "S01 cleared in both environments");
    is_int(aigw_store_stats(s, &stats), AIGW_OK, "stats");
    is_int(stats.control_readers, 1, "we are left");

    aigw_store_close(s);
    (void) close(up[0]);
    (void) close(up[1]);
}


/* Dead readers hold every slot: nobody would get one without a look. */
static void
test_readers_full(void)
{
    int            i, status, up[2], alive;
    char           c;
    pid_t          pid;
    aigw_store_t  *s;

    aigw_store_close(test_fresh(0));
    (void) !pipe(up);
    alive = fork();

    if (alive == 0) {
        s = test_open(0);
        (void) !write(up[1], "x", 1);
        pause();
        _exit(0);
    }

    (void) !read(up[0], &c, 1);

    for (i = 0; i < AIGW_DB_READERS + 5; i++) {
        pid = fork();

        if (pid == 0) {
            _exit(aigw_store_open(test_store, 0, &s, fault) == AIGW_OK ? 0
                                                                       : 1);
        }

        if (waitpid(pid, &status, 0) != pid || status != 0) {
            break;
        }
    }

    is_int(i, AIGW_DB_READERS + 5,
           "A24 more processes died reading than there are slots");
    (void) kill(alive, SIGKILL);
    (void) waitpid(alive, &status, 0);
    (void) close(up[0]);
    (void) close(up[1]);
}


/* Lets nobody of this process store into LMDB's lock files. */
static int
protect_locks(void)
{
    int             n = 0;
    char            line[512];
    FILE           *maps = fopen("/proc/self/maps", "r");
    unsigned long   from, to;

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, "/lock.mdb") != NULL
            && sscanf(line, "%lx-%lx", &from, &to) == 2
            && mprotect((void *) from, to - from, PROT_READ) == 0)
        {
            n++;
        }
    }

    if (maps != NULL) {
        (void) fclose(maps);
    }

    return n;
}


/* In a process of its own: 0, or the signal that reading such a store ends
   it with. */
static int
read_protected(int stay)
{
    char          value[AIGW_VALUE_MAX + 1];
    int           status;
    pid_t         pid = fork();
    aigw_store_t  *s;

    if (pid == 0) {
        /* a sanitizer would make an exit of it */
        (void) signal(SIGSEGV, SIG_DFL);

        s = test_open(0);
        aigw_store_stay(s, stay);
        (void) !aigw_store_get_setting(s, str("none"), value);

        if (protect_locks() != 1) {
            _exit(1);
        }

        aigw_store_stay(s, stay);
        _exit(aigw_store_get_setting(s, str("none"), value)
              == AIGW_ENOTFOUND ? 0 : 1);
    }

    if (waitpid(pid, &status, 0) != pid) {
        return -1;
    }

    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}


/* Another process commits so many times as each byte on its pipe says. */
static void
commit_forever(int in, int out)
{
    uint8_t        n;
    aigw_store_t  *s = test_open(AIGW_STORE_CONTROL_WRITE);

    while (read(in, &n, 1) == 1) {
        while (n > 0 && aigw_store_set_setting(s, str("one"), str("new"))
                        == AIGW_OK)
        {
            n--;
        }

        (void) !write(out, &n, 1);
    }

    aigw_store_close(s);
    _exit(0);
}


static void
test_stay(void)
{
    int                 go[2], back[2], status;
    char                value[AIGW_VALUE_MAX + 1];
    pid_t               pid;
    uint8_t             n;
    uint64_t            size[3];
    unsigned            i;
    aigw_store_t       *s;
    aigw_store_stats_t  stats;

    aigw_store_close(test_fresh(0));
    is_int(read_protected(1), 0, "I5 who stays stores into no file");
    is_int(read_protected(0), SIGSEGV, "who does not, does");

    (void) !pipe(go);
    (void) !pipe(back);
    pid = fork();

    if (pid == 0) {
        (void) close(go[1]);
        commit_forever(go[0], back[1]);
    }

    s = test_open(0);
    aigw_store_stay(s, 1);
    is_int(aigw_store_get_setting(s, str("one"), value), AIGW_ENOTFOUND,
           "nothing yet");

    for (i = 0; i < 41; i++) {
        n = i == 0 ? 1 : i == 21 ? 200 : 20;
        (void) !write(go[1], &n, 1);
        (void) !read(back[0], &n, 1);
        is_int(n, 0, "commits");

        if (i == 0) {
            is_int(aigw_store_get_setting(s, str("one"), value), AIGW_OK,
                   "another's commit is seen by the next read");
        }

        aigw_store_stay(s, i < 20);
        (void) !aigw_store_stats(s, &stats);
        size[i / 20] = stats.control_bytes;
    }

    ok(size[1] < 1024 * 1024 && size[2] == size[1], "S08 whoever follows"
       " keeps few old pages, whoever has let go none: %llu, then %llu bytes",
       (unsigned long long) size[1], (unsigned long long) size[2]);
    aigw_store_close(s);
    (void) close(go[1]);
    ok(waitpid(pid, &status, 0) == pid && status == 0, "the other ends");
    (void) close(go[0]);
    (void) close(back[0]);
    (void) close(back[1]);
}


int
main(void)
{
    test_begin();

    test_growth();
    test_full();
    test_dead_readers();
    test_readers_full();
    test_stay();

    test_remove(test_dir);

    return done();
}
