/*
 * What a worker holds for its whole life: store, live segment, its journal,
 * the flusher. The master only reads the key file and prepares the
 * live directory while it is root; it keeps no LMDB environment open.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_TICK_MS      1000
#define NGX_AI_GATEWAY_EXIT_MS      1000   /* for the flusher's last pass */


/* The one process global of the module. */
static struct {
    aigw_store_t      *store;
    aigw_live_t       *live;
    aigw_journal_t    *journal;
    ngx_event_t        timer;
    ngx_connection_t   dummy;           /* nginx logs the fd of a timer */

    ngx_ai_gateway_main_conf_t  *amcf;

    aigw_err_t         flusher_error;   /* as last logged */
    ngx_uint_t         generation;      /* of the journal */
    char               live_path[AIGW_LIVE_PATH_LEN + 1];
    char               fault[AIGW_FAULT_LEN + 1];
} worker;


static ngx_ai_gateway_main_conf_t *
ngx_ai_gateway_cycle_conf(ngx_cycle_t *cycle)
{
    ngx_ai_gateway_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_ai_gateway_module);

    return (amcf != NULL && amcf->store.len) ? amcf : NULL;
}


static ngx_int_t
ngx_ai_gateway_load_master(ngx_conf_t *cf, ngx_ai_gateway_main_conf_t *amcf)
{
    u_char      *path;
    aigw_err_t   err;

    amcf->master = ngx_palloc(cf->pool, sizeof(aigw_seal_master_t));
    path = ngx_pnalloc(cf->pool, amcf->store.len + sizeof("/key"));

    if (amcf->master == NULL || path == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(path, "%V/key%Z", &amcf->store);

    err = aigw_seal_load((char *) path, amcf->master);

    if (err != AIGW_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "ai_gateway_store: cannot read master key \"%s\": %s"
                      " (it is made by \"aigw store init\", has mode 0600 and"
                      " belongs to who starts nginx: restore it)",
                      path, aigw_strerror(err));
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* While the configuration is read: later an error would end a master that
   reloads. */
ngx_int_t
ngx_ai_gateway_check_conf(ngx_conf_t *cf, ngx_ai_gateway_main_conf_t *amcf)
{
    char           fault[AIGW_FAULT_LEN + 1];
    aigw_store_t  *store;

    /* "nginx -s stop" must work without a store */

    if (amcf->store.len == 0 || ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_OK;
    }

    /* a process must not open an environment twice: with master_process off
       this one has it open already */

    if (worker.store == NULL) {

        if (aigw_store_open((char *) amcf->store.data, AIGW_STORE_USAGE,
                            &store, fault)
            != AIGW_OK)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "ai_gateway_store: %s", fault);
            return NGX_ERROR;
        }

        aigw_store_close(store);
    }

    return ngx_ai_gateway_load_master(cf, amcf);
}


/* Makes the live directory for the workers' user; for the master. */
static aigw_err_t
ngx_ai_gateway_prepare_live(ngx_cycle_t *cycle,
    ngx_ai_gateway_main_conf_t *amcf, char fault[AIGW_FAULT_LEN + 1])
{
    char              path[AIGW_LIVE_PATH_LEN + 1];
    uid_t             uid;
    gid_t             gid;
    aigw_err_t        err;
    aigw_store_t     *store;
    ngx_core_conf_t  *ccf;

    err = aigw_store_open((char *) amcf->store.data, 0, &store, fault);
    if (err != AIGW_OK) {
        return err;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    uid = geteuid();
    gid = getegid();

    if (uid == 0 && ccf->master) {
        uid = ccf->user;
        gid = ccf->group;
    }

    aigw_live_locate(aigw_store_id(store), path);
    err = aigw_live_prepare(path, uid, gid, fault);

    aigw_store_close(store);

    return err;
}


ngx_int_t
ngx_ai_gateway_init_module(ngx_cycle_t *cycle)
{
    char                         fault[AIGW_FAULT_LEN + 1];
    ngx_ai_gateway_main_conf_t  *amcf;

    amcf = ngx_ai_gateway_cycle_conf(cycle);

    if (amcf == NULL || ngx_test_config || worker.store != NULL
        || ngx_ai_gateway_prepare_live(cycle, amcf, fault) == AIGW_OK)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "ai_gateway_store: %s", fault);

    /* an error here ends nginx: at a reload its workers answer 503 instead,
       until it works */

    return ngx_is_init_cycle(cycle->old_cycle) ? NGX_ERROR : NGX_OK;
}


static void
ngx_ai_gateway_close_live(void)
{
    aigw_journal_release(worker.journal);
    worker.journal = NULL;

    aigw_live_close(worker.live);
    worker.live = NULL;
}


static aigw_err_t
ngx_ai_gateway_open_store(ngx_ai_gateway_main_conf_t *amcf,
    char fault[AIGW_FAULT_LEN + 1])
{
    int         cleared;
    aigw_err_t  err;

    err = aigw_store_open((char *) amcf->store.data, AIGW_STORE_USAGE_WRITE,
                          &worker.store, fault);

    if (err == AIGW_OK) {
        aigw_store_stay(worker.store, 1);
    }

    if (err == AIGW_OK
        && aigw_store_check_readers(worker.store, &cleared) == AIGW_OK
        && cleared)
    {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ai_gateway: %d stale reader slots cleared", cleared);
    }

    return err;
}


/* Opens what is not open. Live segment and journal outlast a lost store:
   calls that are under way still settle. */
static aigw_err_t
ngx_ai_gateway_open(ngx_ai_gateway_main_conf_t *amcf,
    char fault[AIGW_FAULT_LEN + 1])
{
    char        path[AIGW_LIVE_PATH_LEN + 1];
    aigw_err_t  err;

    err = ngx_ai_gateway_open_store(amcf, fault);
    if (err != AIGW_OK) {
        return err;
    }

    aigw_live_locate(aigw_store_id(worker.store), path);

    if (ngx_strcmp(path, worker.live_path) != 0) {
        ngx_ai_gateway_close_live();
        ngx_memcpy(worker.live_path, path, sizeof(path));
    }

    if (worker.live == NULL) {
        err = aigw_live_open(path, worker.store, &worker.live, fault);
    }

    if (err == AIGW_OK && worker.journal == NULL) {
        err = aigw_journal_claim(worker.live, &worker.journal, fault);
        worker.generation++;
    }

    if (err != AIGW_OK) {
        return err;
    }

    err = ngx_ai_gateway_flusher_start(amcf, worker.live_path);
    if (err != AIGW_OK) {
        ngx_snprintf((u_char *) fault, AIGW_FAULT_LEN,
                     "cannot start the flusher: %s%Z", aigw_strerror(err));
    }

    return err;
}


/* Opens everything that is needed; one line in the log for each new cause. */
static void
ngx_ai_gateway_attach(ngx_ai_gateway_main_conf_t *amcf)
{
    char  fault[AIGW_FAULT_LEN + 1];

    ngx_memzero(fault, sizeof(fault));

    if (ngx_ai_gateway_open(amcf, fault) == AIGW_OK) {

        if (worker.fault[0]) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "ai_gateway: the store is back");
            worker.fault[0] = '\0';
        }

        return;
    }

    aigw_store_close(worker.store);
    worker.store = NULL;

    if (ngx_strcmp(fault, worker.fault) != 0) {
        ngx_memcpy(worker.fault, fault, sizeof(fault));
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ai_gateway answers 503: %s", fault);
    }
}


/* Lets go of a store that is not there any more. */
static void
ngx_ai_gateway_detach(void)
{
    ngx_ai_gateway_flusher_stop(0);

    aigw_store_close(worker.store);
    worker.store = NULL;
}


static void
ngx_ai_gateway_check(void)
{
    aigw_err_t  err, started;

    if (!aigw_store_is_current(worker.store)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ai_gateway answers 503: store \"%V\" has been moved,"
                      " replaced or made unreadable", &worker.amcf->store);
        ngx_memcpy(worker.fault, "lost", sizeof("lost"));
        ngx_ai_gateway_detach();
        return;
    }

    aigw_store_stay(worker.store, !ngx_exiting);

    err = ngx_ai_gateway_flusher_error();

    started = ngx_ai_gateway_flusher_start(worker.amcf, worker.live_path);

    if (err == AIGW_OK) {
        err = started;
    }

    if (err == worker.flusher_error) {
        return;
    }

    worker.flusher_error = err;

    if (err == AIGW_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ai_gateway writes calls to the store again");
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ai_gateway cannot write calls to store \"%V\": %s (is its"
                  " disk full?): they are kept in memory, new ones get 503"
                  " until it works", &worker.amcf->store, aigw_strerror(err));
}


static void
ngx_ai_gateway_timer(ngx_event_t *ev)
{
    if (worker.store != NULL) {
        ngx_ai_gateway_check();
    }

    if (worker.store == NULL) {
        ngx_ai_gateway_attach(worker.amcf);
    }

    if (!ngx_exiting && !ngx_quit && !ngx_terminate) {
        ngx_add_timer(ev, NGX_AI_GATEWAY_TICK_MS);
    }
}


ngx_int_t
ngx_ai_gateway_init_process(ngx_cycle_t *cycle)
{
    ngx_ai_gateway_main_conf_t  *amcf;

    amcf = ngx_ai_gateway_cycle_conf(cycle);

    if (amcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    /* NGX_ERROR here would leave nginx without workers: 503 until it works */

    ngx_ai_gateway_attach(amcf);

    worker.amcf = amcf;
    worker.dummy.fd = (ngx_socket_t) -1;
    worker.timer.handler = ngx_ai_gateway_timer;
    worker.timer.data = &worker.dummy;
    worker.timer.log = cycle->log;
    worker.timer.cancelable = 1;

    ngx_add_timer(&worker.timer, NGX_AI_GATEWAY_TICK_MS);

    return NGX_OK;
}


void
ngx_ai_gateway_exit_process(ngx_cycle_t *cycle)
{
    ngx_ai_gateway_flusher_stop(NGX_AI_GATEWAY_EXIT_MS);
    ngx_ai_gateway_close_live();
    aigw_store_close(worker.store);
    worker.store = NULL;
    ngx_ai_gateway_forget_keys();
}


aigw_store_t *
ngx_ai_gateway_store(void)
{
    return worker.store;
}


aigw_live_t *
ngx_ai_gateway_live(void)
{
    return worker.live;
}


aigw_journal_t *
ngx_ai_gateway_journal(void)
{
    return worker.journal;
}


ngx_uint_t
ngx_ai_gateway_generation(void)
{
    return worker.generation;
}
