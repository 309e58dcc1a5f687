/*
 * aigw upstream orphans: sub-keys that are, or may be, at an upstream and that
 * nothing uses: what a killed command has left, what a deleted project had, and
 * what bears this store's name without being in it. With --retire they go.
 */

#include <string.h>

#include "aigw_limit.h"
#include "aigw_time.h"
#include "cmd_subkey.h"


typedef struct {
    aigw_subkey_t  subkey;            /* if it is known, what the store has */
    char           name[SUBKEY_REMOTE_NAME + 1];
    uint64_t       remote_id;
    int            known;
    int            there;             /* 1, 0, or -1: nobody can tell */
    const char    *state;             /* in the answer, once it was retired */
} orphan_t;

typedef struct {
    subkey_at_t    at;
    char           prefix[AIGW_SUBKEY_PREFIX_LEN + 1];
    size_t         n;
    size_t         room;
    orphan_t      *list;
} orphans_t;


static orphan_t *
add_orphan(orphans_t *o, const char *name, const aigw_subkey_t *subkey)
{
    orphan_t  *orphan;

    if (o->n == o->room) {
        o->room = 2 * o->room + 8;
        o->list = cli_realloc(o->list, o->room * sizeof(orphan_t));
    }

    orphan = &o->list[o->n++];
    memset(orphan, 0, sizeof(*orphan));
    snprintf(orphan->name, sizeof(orphan->name), "%s", name);

    if (subkey != NULL) {
        orphan->subkey = *subkey;
        orphan->remote_id = subkey->remote_id;
        orphan->known = 1;
    }

    return orphan;
}


/* One that the upstream lists. What is active by name, but not by number, is a
   second one of that name. */
static cli_exit_t
visit(void *data, const subkey_remote_t *remote)
{
    orphan_t       *orphan;
    orphans_t      *o = data;
    aigw_err_t      err;
    aigw_subkey_t   subkey;

    err = aigw_store_get_subkey(o->at.cli->store, cli_str(remote->name),
                                &subkey);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(o->at.cli, err, "sub-keys", NULL);
    }

    if (err == AIGW_ENOTFOUND
        ? strncmp(remote->name, o->prefix, AIGW_SUBKEY_PREFIX_LEN) != 0
        : subkey.upstream_id != o->at.upstream.id
          || (subkey.state == AIGW_SUBKEY_ACTIVE
              && subkey.remote_id == remote->id))
    {
        return CLI_OK;
    }

    orphan = add_orphan(o, remote->name,
                        err == AIGW_OK && subkey.state != AIGW_SUBKEY_ACTIVE
                        ? &subkey : NULL);
    orphan->remote_id = remote->id;
    orphan->there = 1;

    return CLI_OK;
}


static int
is_listed(const orphans_t *o, const char *name)
{
    size_t  i;

    for (i = 0; i < o->n; i++) {
        if (o->list[i].known && strcmp(o->list[i].name, name) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Those of the store that the upstream has not listed. */
static cli_exit_t
add_known(orphans_t *o, int there)
{
    size_t         n;
    aigw_err_t     err;
    aigw_subkey_t  subkey;

    subkey.name[0] = '\0';

    for ( ;; ) {
        err = aigw_store_list_subkeys(o->at.cli->store, cli_str(subkey.name),
                                      &subkey, 1, &n);

        if (err != AIGW_OK) {
            return cli_fail_store(o->at.cli, err, "sub-keys", NULL);
        }

        if (n == 0) {
            return CLI_OK;
        }

        if (subkey.upstream_id == o->at.upstream.id
            && subkey.state != AIGW_SUBKEY_ACTIVE
            && !is_listed(o, subkey.name))
        {
            add_orphan(o, subkey.name, &subkey)->there = there;
        }
    }
}


static cli_exit_t
find_orphans(orphans_t *o)
{
    cli_exit_t              code = CLI_OK;
    const subkey_driver_t  *driver = subkey_driver_of(&o->at);

    o->n = 0;
    aigw_store_subkey_prefix(o->at.cli->store, o->prefix);

    if (driver->walk != NULL && o->at.driver.kind != AIGW_DRIVER_NONE) {
        code = driver->walk(&o->at, visit, o);
    }

    return code != CLI_OK ? code
           : add_known(o, driver->walk == NULL
                          || o->at.driver.kind == AIGW_DRIVER_NONE ? -1 : 0);
}


/* --- what becomes of them --- */

static cli_exit_t
drop(const orphans_t *o, orphan_t *orphan)
{
    aigw_err_t  err = AIGW_OK;

    if (orphan->known) {
        err = aigw_store_drop_subkey(o->at.cli->store,
                                     cli_str(orphan->name));
    }

    if (err != AIGW_OK) {
        return cli_fail_store(o->at.cli, err, "sub-key", orphan->name);
    }

    orphan->state = "gone";

    return CLI_OK;
}


/* Where nobody can take one away it is forgotten until it has expired. */
static cli_exit_t
forget(const orphans_t *o, orphan_t *orphan)
{
    aigw_err_t  err = AIGW_OK;

    if (aigw_limit_expired(orphan->subkey.expires_ms, aigw_time_now_ms())) {
        return drop(o, orphan);
    }

    if (orphan->subkey.state != AIGW_SUBKEY_FORGOTTEN) {
        err = aigw_store_retire_subkey(o->at.cli->store,
                                       AIGW_SUBKEY_FORGOTTEN,
                                       &orphan->subkey);
    }

    return err == AIGW_OK ? CLI_OK
           : cli_fail_store(o->at.cli, err, "sub-key", orphan->name);
}


static cli_exit_t
retire(orphans_t *o)
{
    size_t                  i;
    cli_exit_t              code = CLI_OK;
    const subkey_driver_t  *driver = subkey_driver_of(&o->at);

    for (i = 0; code == CLI_OK && i < o->n; i++) {
        if (o->list[i].there < 0) {
            code = forget(o, &o->list[i]);
            continue;
        }

        if (o->list[i].there && !o->at.cli->dry_run) {
            code = driver->remove(&o->at, o->list[i].remote_id);
        }

        if (code == CLI_OK) {
            code = drop(o, &o->list[i]);
        }
    }

    return code;
}


/* --- the answer --- */

static void
add_unknown(cJSON *object, const orphans_t *o, const orphan_t *orphan)
{
    cli_add_text(object, "name", orphan->name);
    cli_add_text(object, "project", NULL);
    cli_add_id(object, "project_id", 0);
    cli_add_text(object, "upstream", o->at.upstream.name);
    cli_add_text(object, "state", "unknown");
    cli_add_id(object, "remote_id", orphan->remote_id);
    cJSON_AddNullToObject(object, "quota");
    cli_add_time(object, "expires_at", 0);
    cli_add_models(object, "models", "");
    cli_add_time(object, "created_at", 0);
}


static cli_exit_t
add_answer(const orphans_t *o, cJSON *items)
{
    size_t           i;
    cJSON           *object;
    cli_exit_t       code = CLI_OK;
    const orphan_t  *orphan;

    for (i = 0; code == CLI_OK && i < o->n; i++) {
        orphan = &o->list[i];
        object = cJSON_CreateObject();
        cJSON_AddItemToArray(items, object);

        if (orphan->known) {
            code = subkey_add(o->at.cli, object, &orphan->subkey);

        } else {
            add_unknown(object, o, orphan);
        }

        if (orphan->there < 0) {
            cJSON_AddNullToObject(object, "there");
        } else {
            cJSON_AddBoolToObject(object, "there", orphan->there);
        }

        if (orphan->state != NULL) {
            subkey_set_state(object, orphan->state);
        }
    }

    return code;
}


/* --- which upstreams --- */

static cli_exit_t
do_upstream(orphans_t *o, cJSON *items)
{
    aigw_err_t  err;
    cli_exit_t  code;

    err = aigw_store_find_driver(o->at.cli->store, o->at.upstream.id,
                                 &o->at.driver);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(o->at.cli, err, "the driver of upstream",
                              o->at.upstream.name);
    }

    if (err == AIGW_ENOTFOUND) {
        memset(&o->at.driver, 0, sizeof(o->at.driver));
    }

    code = find_orphans(o);

    if (code == CLI_OK && cli_option(o->at.cli, "retire")->text != NULL) {
        if (o->at.driver.kind == AIGW_DRIVER_NONE && o->n > 0) {
            cli_warn(o->at.cli, "upstream '%s' has no driver: what is there"
                     " stays there", o->at.upstream.name);

        } else {
            code = retire(o);
        }
    }

    return code != CLI_OK ? code : add_answer(o, items);
}


static cli_exit_t
do_all(orphans_t *o, cJSON *items)
{
    char        after[AIGW_NAME_MAX + 1] = "";
    size_t      n;
    aigw_err_t  err;
    cli_exit_t  code = CLI_OK;

    while (code == CLI_OK) {
        err = aigw_store_list_upstreams(o->at.cli->store, cli_str(after),
                                        &o->at.upstream, 1, &n);

        if (err != AIGW_OK) {
            return cli_fail_store(o->at.cli, err, "upstreams", NULL);
        }

        if (n == 0) {
            break;
        }

        memcpy(after, o->at.upstream.name, sizeof(after));
        code = do_upstream(o, items);
    }

    return code;
}


static cli_exit_t
do_forget(cli_t *cli, orphans_t *o, const char *name, cJSON *items)
{
    orphan_t       *orphan;
    aigw_err_t      err;
    cli_exit_t      code;
    aigw_subkey_t   subkey;

    err = aigw_store_get_subkey(cli->store, cli_str(name), &subkey);

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "sub-key", name);
    }

    if (subkey.state == AIGW_SUBKEY_ACTIVE) {
        return cli_fail(cli, CLI_CONFLICT, "aigw subkey retire",
                        "sub-key '%s' is in use", name);
    }

    orphan = add_orphan(o, name, &subkey);
    orphan->there = -1;
    code = drop(o, orphan);

    return code != CLI_OK ? code : add_answer(o, items);
}


static cli_exit_t
run(cli_t *cli, orphans_t *o)
{
    cJSON       *items = cli_new_list(cli);
    aigw_err_t   err;
    const char  *name = cli->arg[0].text;
    const char  *forgotten = cli_option(cli, "forget")->text;

    if (forgotten != NULL) {
        return do_forget(cli, o, forgotten, items);
    }

    if (name == NULL) {
        return do_all(o, items);
    }

    err = aigw_store_find_upstream(cli->store, cli_str(name),
                                   &o->at.upstream);

    return err != AIGW_OK ? cli_fail_store(cli, err, "upstream", name)
                          : do_upstream(o, items);
}


cli_exit_t
cmd_upstream_orphans(cli_t *cli)
{
    int          lock = -1;
    orphans_t    o = { .at = { .cli = cli } };
    cli_exit_t   code = CLI_OK;
    const char  *forgotten = cli_option(cli, "forget")->text;

    o.at.hint = "what the store knows of stands in: aigw subkey list";

    if (forgotten != NULL) {
        code = cli_confirm(cli, "forget, without asking its upstream,",
                           forgotten, 1);

    } else if (cli_option(cli, "retire")->text != NULL) {
        code = cli_confirm(cli, "retire all orphans of upstream",
                           cli->arg[0].text ? cli->arg[0].text : "all", 1);
    }

    if (code == CLI_OK && (forgotten != NULL
                           || cli_option(cli, "retire")->text != NULL))
    {
        code = subkey_lock(cli, &lock);
    }

    if (code == CLI_OK) {
        code = run(cli, &o);
    }

    if (lock >= 0) {
        subkey_unlock(lock);
    }

    cJSON_free(o.list);

    return code;
}
