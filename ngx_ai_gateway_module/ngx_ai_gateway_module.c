/*
 * The face of the module: its directives, its configuration and where its
 * handlers are registered. Tables only; what they point to lives elsewhere.
 */

#include "ngx_ai_gateway.h"


static void *ngx_ai_gateway_create_main_conf(ngx_conf_t *cf);
static char *ngx_ai_gateway_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_ai_gateway_create_srv_conf(ngx_conf_t *cf);
static void *ngx_ai_gateway_create_loc_conf(ngx_conf_t *cf);
static char *ngx_ai_gateway_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_ai_gateway_check_name(ngx_conf_t *cf, void *post, void *data);
static char *ngx_ai_gateway_check_interval(ngx_conf_t *cf, void *post,
    void *data);
static ngx_int_t ngx_ai_gateway_init(ngx_conf_t *cf);


static ngx_conf_post_t  ngx_ai_gateway_name_post = {
    ngx_ai_gateway_check_name
};

static ngx_conf_post_t  ngx_ai_gateway_interval_post = {
    ngx_ai_gateway_check_interval
};


static ngx_command_t  ngx_ai_gateway_commands[] = {

    { ngx_string("ai_gateway"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_ai_gateway_loc_conf_t, enable),
      NULL },

    { ngx_string("ai_gateway_upstream"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_ai_gateway_loc_conf_t, upstream),
      &ngx_ai_gateway_name_post },

    { ngx_string("ai_gateway_quota_wait"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_ai_gateway_loc_conf_t, quota_wait),
      NULL },

    { ngx_string("ai_gateway_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_ai_gateway_main_conf_t, store),
      &ngx_ai_gateway_name_post },

    { ngx_string("ai_gateway_flush_interval"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_ai_gateway_main_conf_t, flush_interval),
      &ngx_ai_gateway_interval_post },

      ngx_null_command
};


static ngx_http_module_t  ngx_ai_gateway_module_ctx = {
    ngx_ai_gateway_add_variables,          /* preconfiguration */
    ngx_ai_gateway_init,                   /* postconfiguration */

    ngx_ai_gateway_create_main_conf,       /* create main configuration */
    ngx_ai_gateway_init_main_conf,         /* init main configuration */

    ngx_ai_gateway_create_srv_conf,        /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_ai_gateway_create_loc_conf,        /* create location configuration */
    ngx_ai_gateway_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_ai_gateway_module = {
    NGX_MODULE_V1,
    &ngx_ai_gateway_module_ctx,            /* module context */
    ngx_ai_gateway_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_ai_gateway_init_module,            /* init module */
    ngx_ai_gateway_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_ai_gateway_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* What these two return follows '"NAME" directive '. */
static char *
ngx_ai_gateway_check_name(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *name = data;

    return name->len ? NGX_CONF_OK : "must not be empty";
}


static char *
ngx_ai_gateway_check_interval(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *interval = data;

    return *interval >= 1 && *interval <= 5000 ? NGX_CONF_OK
                                               : "must be from 1ms to 5s";
}


static void *
ngx_ai_gateway_create_main_conf(ngx_conf_t *cf)
{
    ngx_ai_gateway_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_ai_gateway_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     amcf->store = { 0, NULL };
     *     amcf->master = NULL;
     */

    amcf->flush_interval = NGX_CONF_UNSET_MSEC;

    return amcf;
}


static char *
ngx_ai_gateway_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_ai_gateway_main_conf_t  *amcf = conf;

    ngx_conf_init_msec_value(amcf->flush_interval, 100);

    if (amcf->store.len
        && ngx_conf_full_name(cf->cycle, &amcf->store, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_ai_gateway_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_ai_gateway_srv_conf_t));
}


static void *
ngx_ai_gateway_create_loc_conf(ngx_conf_t *cf)
{
    ngx_ai_gateway_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_ai_gateway_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     alcf->upstream = { 0, NULL };
     */

    alcf->enable = NGX_CONF_UNSET;
    alcf->quota_wait = NGX_CONF_UNSET_MSEC;

    return alcf;
}


static char *
ngx_ai_gateway_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_ai_gateway_loc_conf_t  *prev = parent;
    ngx_ai_gateway_loc_conf_t  *conf = child;

    ngx_ai_gateway_srv_conf_t   *ascf;
    ngx_ai_gateway_main_conf_t  *amcf;

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_str_value(conf->upstream, prev->upstream, "4sapi");
    ngx_conf_merge_msec_value(conf->quota_wait, prev->quota_wait, 20000);

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_ai_gateway_module);

    if (conf->enable && amcf->store.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ai_gateway on\" needs \"ai_gateway_store DIR\""
                           " in the http block");
        return NGX_CONF_ERROR;
    }

    if (conf->enable) {
        ascf = ngx_http_conf_get_module_srv_conf(cf, ngx_ai_gateway_module);
        ascf->has_gateway = 1;
    }

    return NGX_CONF_OK;
}


/* Puts a handler at the head of its phase: in LOG before the access log, whose
   variables show what was settled. */
static ngx_int_t
ngx_ai_gateway_add_phase(ngx_http_core_main_conf_t *cmcf,
    ngx_http_phases phase, ngx_http_handler_pt handler)
{
    ngx_array_t          *handlers;
    ngx_http_handler_pt  *h;

    handlers = &cmcf->phases[phase].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;
    ngx_memmove(&h[1], &h[0], (handlers->nelts - 1) * sizeof(*h));
    h[0] = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_ai_gateway_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_ai_gateway_check_conf(cf,
            ngx_http_conf_get_module_main_conf(cf, ngx_ai_gateway_module))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* not ACCESS: "satisfy any" would let that be passed by */

    if (ngx_ai_gateway_add_phase(cmcf, NGX_HTTP_PREACCESS_PHASE,
                                 ngx_ai_gateway_access_handler)
        != NGX_OK
        || ngx_ai_gateway_add_phase(cmcf, NGX_HTTP_LOG_PHASE,
                                    ngx_ai_gateway_log_handler)
           != NGX_OK
        || ngx_ai_gateway_init_header_filter(cf) != NGX_OK
        || ngx_ai_gateway_init_body_filter(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
