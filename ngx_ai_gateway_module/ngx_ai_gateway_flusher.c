/*
 * The flusher's process, a child of each worker: started, asked to end, and
 * started again if it was killed. What it does is aigw_flusher_run's; nothing
 * here waits for it but the exit of the worker, and that not for long.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_FLUSHER_STEP_MS  2


static struct {
    ngx_pid_t        pid;               /* 0: none */
    ngx_shm_t        page;
    aigw_flusher_t  *shared;
} flusher;


static void
ngx_ai_gateway_flusher_main(ngx_ai_gateway_main_conf_t *amcf, pid_t worker,
    const char *live_path)
{
    ngx_setproctitle("ai gateway flusher");

    /* it has no use for the key that unseals upstream keys */
    ngx_explicit_memzero(amcf->master, sizeof(aigw_seal_master_t));

    aigw_flusher_run(flusher.shared, worker, (char *) amcf->store.data,
                     live_path, (unsigned) amcf->flush_interval);
    _exit(0);
}


static ngx_uint_t
ngx_ai_gateway_flusher_is_alive(void)
{
    /* nginx's handler of SIGCHLD may have been first */

    return flusher.pid && waitpid(flusher.pid, NULL, WNOHANG) == 0;
}


aigw_err_t
ngx_ai_gateway_flusher_start(ngx_ai_gateway_main_conf_t *amcf,
    const char *live_path)
{
    pid_t     pid, worker;
    sigset_t  all, old;

    if (ngx_ai_gateway_flusher_is_alive()) {
        return AIGW_OK;
    }

    ngx_ai_gateway_flusher_stop(0);
    flusher.page.size = sizeof(aigw_flusher_t);
    flusher.page.log = ngx_cycle->log;

    if (ngx_shm_alloc(&flusher.page) != NGX_OK) {
        return AIGW_ENOMEM;
    }

    flusher.shared = (aigw_flusher_t *) flusher.page.addr;
    worker = ngx_getpid();

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);

    pid = fork();

    if (pid == 0) {
        ngx_ai_gateway_flusher_main(amcf, worker, live_path);
    }

    sigprocmask(SIG_SETMASK, &old, NULL);

    if (pid == -1) {
        ngx_ai_gateway_flusher_stop(0);
        return AIGW_ENOMEM;
    }

    flusher.pid = pid;

    return AIGW_OK;
}


void
ngx_ai_gateway_flusher_stop(ngx_msec_t wait_ms)
{
    ngx_msec_t  waited;

    if (flusher.shared == NULL) {
        return;
    }

    atomic_store(&flusher.shared->stop, 1);

    if (ngx_ai_gateway_flusher_is_alive()) {
        kill(flusher.pid, AIGW_FLUSHER_WAKE);
    }

    for (waited = 0; waited < wait_ms && ngx_ai_gateway_flusher_is_alive();
         waited += NGX_AI_GATEWAY_FLUSHER_STEP_MS)
    {
        ngx_msleep(NGX_AI_GATEWAY_FLUSHER_STEP_MS);
    }

    ngx_shm_free(&flusher.page);
    flusher.shared = NULL;
    flusher.pid = 0;
}


aigw_err_t
ngx_ai_gateway_flusher_error(void)
{
    return flusher.shared ? (aigw_err_t) atomic_load(&flusher.shared->error)
                          : AIGW_OK;
}
