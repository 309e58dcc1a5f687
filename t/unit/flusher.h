/* A flusher for a test: a child that ends with it, however it ends. */

#ifndef T_FLUSHER_H
#define T_FLUSHER_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aigw_ledger.h"


typedef struct {
    pid_t            pid;
    aigw_flusher_t  *shared;
} flusher_t;


static inline flusher_t
flusher_start(const char *store_path, const char *live_path,
    unsigned interval_ms)
{
    pid_t      test = getpid();
    sigset_t   all, old;
    flusher_t  f;

    f.shared = mmap(NULL, sizeof(*f.shared), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (f.shared == MAP_FAILED) {
        abort();
    }

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    f.pid = fork();

    if (f.pid == 0) {
        aigw_flusher_run(f.shared, test, store_path, live_path, interval_ms);
        _exit(0);
    }

    sigprocmask(SIG_SETMASK, &old, NULL);

    return f;
}


/* After its last pass: 0 if it ended well. */
static inline int
flusher_stop(flusher_t f)
{
    int  status = -1;

    atomic_store(&f.shared->stop, 1);
    kill(f.pid, AIGW_FLUSHER_WAKE);
    waitpid(f.pid, &status, 0);
    munmap(f.shared, sizeof(*f.shared));

    return status;
}

#endif /* T_FLUSHER_H */
