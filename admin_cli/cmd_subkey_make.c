/*
 * Making a sub-key and taking one away, step by step: the store knows of it
 * before the upstream does, and until the upstream does no more. Whatever is
 * killed, `aigw upstream orphans` finds the rest.
 */

#include <string.h>

#include "aigw_seal.h"
#include "cmd_subkey.h"


#define LOCK_MS   30000
#define CALLER_MS 1000                /* others wait for it */
#define SAME_MAX  8                   /* of one name */

#define ORPHANS   "what may be there stands in: aigw upstream orphans"


__extension__ typedef __int128  wide_t;


int64_t
subkey_units(const subkey_at_t *at, int64_t nano)
{
    wide_t  units;

    units = ((wide_t) nano * at->driver.quota_per_unit + AIGW_UNIT_NANO - 1)
            / AIGW_UNIT_NANO;

    return units > INT64_MAX ? INT64_MAX : (int64_t) units;
}


const subkey_driver_t *
subkey_driver_of(const subkey_at_t *at)
{
    return at->driver.kind == AIGW_DRIVER_SEED ? &subkey_seed
                                               : &subkey_newapi;
}


/* The only one that makes any. */
static cli_exit_t
find_only(const cli_t *cli, subkey_at_t *at)
{
    char             after[AIGW_NAME_MAX + 1] = "";
    size_t           n, found = 0;
    aigw_err_t       err;
    aigw_driver_t    driver;
    aigw_upstream_t  upstream;

    for ( ;; ) {
        err = aigw_store_list_upstreams(cli->store, cli_str(after), &upstream,
                                        1, &n);

        if (err != AIGW_OK) {
            return cli_fail_store(cli, err, "upstreams", NULL);
        }

        if (n == 0) {
            break;
        }

        memcpy(after, upstream.name, sizeof(after));

        if (aigw_store_find_driver(cli->store, upstream.id, &driver)
            == AIGW_OK)
        {
            at->upstream = upstream;
            at->driver = driver;
            found++;
        }
    }

    if (found != 1) {
        return cli_fail(cli, CLI_USAGE, found == 0
                        ? "aigw upstream set NAME --url U --driver newapi ..."
                        : NULL, found == 0 ? "no upstream makes sub-keys"
                        : "which upstream? add --upstream U");
    }

    return CLI_OK;
}


cli_exit_t
subkey_find_upstream(const cli_t *cli, const char *name, subkey_at_t *at)
{
    aigw_err_t  err;

    memset(at, 0, sizeof(*at));
    at->cli = cli;
    at->hint = ORPHANS;

    if (name == NULL) {
        return find_only(cli, at);
    }

    err = aigw_store_find_upstream(cli->store, cli_str(name), &at->upstream);

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "upstream", name);
    }

    err = aigw_store_find_driver(cli->store, at->upstream.id, &at->driver);

    if (err == AIGW_ENOTFOUND) {
        return cli_fail(cli, CLI_CONFLICT, "aigw upstream set NAME --url U"
                        " --driver newapi ...", "upstream '%s' makes no"
                        " sub-keys", name);
    }

    return err == AIGW_OK ? CLI_OK
           : cli_fail_store(cli, err, "the driver of upstream", name);
}


cli_exit_t
subkey_lock(const cli_t *cli, int *fd)
{
    aigw_err_t  err;

    err = aigw_store_lock(cli->store, AIGW_STORE_LOCK_SUBKEYS,
                          cli->caller == NULL ? LOCK_MS : CALLER_MS, fd);

    if (err == AIGW_EBUSY) {
        return cli_fail(cli, CLI_UNREACHABLE, "try again when it has ended",
                        "another aigw makes or retires sub-keys");
    }

    return err == AIGW_OK ? CLI_OK
           : cli_fail_store(cli, err, "the lock of sub-keys", NULL);
}


void
subkey_unlock(int fd)
{
    aigw_store_unlock(fd);
}


/* It was refused, so that nothing of it is there. */
static void
give_up(const subkey_at_t *at, const aigw_subkey_t *subkey)
{
    if (aigw_store_drop_subkey(at->cli->store, cli_str(subkey->name))
        != AIGW_OK)
    {
        cli_warn(at->cli, "the plan of '%s' stays in the store",
                 subkey->name);
    }
}


static cli_exit_t
activate(const subkey_at_t *at, aigw_subkey_t *subkey, const char *secret,
    const char *replaces)
{
    aigw_err_t           err;
    cli_exit_t           code;
    aigw_seal_master_t   master;

    code = cli_read_master(at->cli, &master);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_activate_subkey(at->cli->store, &master, subkey,
                                     cli_str(secret),
                                     cli_str(replaces ? replaces : ""));
    aigw_cleanse(&master, sizeof(master));

    if (err == AIGW_OK) {
        return CLI_OK;
    }

    return cli_fail(at->cli, cli_exit_of(err), at->hint, "'%s' was made, but"
                    " cannot be used: %s", subkey->name,
                    err == AIGW_ENOTFOUND ? "its project is gone"
                    : err == AIGW_EEXIST ? "its project has another"
                    : aigw_strerror(err));
}


cli_exit_t
subkey_make(const subkey_at_t *at, aigw_subkey_t *subkey,
    const char *replaces)
{
    int         absent = 0;
    char        secret[AIGW_SECRET_MAX + 1];
    aigw_err_t  err;
    cli_exit_t  code;

    subkey->upstream_id = at->upstream.id;
    err = aigw_store_plan_subkey(at->cli->store, subkey);

    if (err != AIGW_OK) {
        return cli_fail_store(at->cli, err, "the plan of a sub-key", NULL);
    }

    if (at->cli->dry_run) {
        return CLI_OK;
    }

    code = subkey_driver_of(at)->create(at, subkey, secret, &absent);

    if (code == CLI_OK) {
        code = activate(at, subkey, secret, replaces);
        aigw_cleanse(secret, sizeof(secret));

    } else if (absent) {
        give_up(at, subkey);
    }

    return code;
}


/* --- taking one away --- */

typedef struct {
    const char  *name;
    size_t       n;
    uint64_t     ids[SAME_MAX];
} same_t;


static cli_exit_t
collect(void *data, const subkey_remote_t *remote)
{
    same_t  *same = data;

    if (same->n < SAME_MAX && strcmp(remote->name, same->name) == 0) {
        same->ids[same->n++] = remote->id;
    }

    return CLI_OK;
}


static cli_exit_t
forget(const subkey_at_t *at, const aigw_subkey_t *subkey)
{
    aigw_err_t     err;
    aigw_subkey_t  s = *subkey;

    err = aigw_store_retire_subkey(at->cli->store, AIGW_SUBKEY_FORGOTTEN, &s);

    return err == AIGW_OK ? CLI_OK
           : cli_fail_store(at->cli, err, "sub-key", subkey->name);
}


cli_exit_t
subkey_remove(const subkey_at_t *at, const aigw_subkey_t *subkey)
{
    size_t                  i;
    same_t                  same = { subkey->name, 0, { 0 } };
    aigw_err_t              err;
    cli_exit_t              code;
    const subkey_driver_t  *driver = subkey_driver_of(at);

    if (driver->remove == NULL) {
        return forget(at, subkey);
    }

    code = driver->walk(at, collect, &same);

    for (i = 0; code == CLI_OK && i < same.n; i++) {
        code = driver->remove(at, same.ids[i]);
    }

    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_drop_subkey(at->cli->store, cli_str(subkey->name));

    return err == AIGW_OK || err == AIGW_ENOTFOUND ? CLI_OK
           : cli_fail_store(at->cli, err, "sub-key", subkey->name);
}
