/*
 * aigw upstream: where calls go, and the key that we have there, sealed, with
 * the tokens of its log and of the account that makes sub-keys. They are read
 * here and opened by cli_http.c alone; they are never printed.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_seal.h"
#include "cmd_subkey.h"


static cli_exit_t
add_upstream(const cli_t *cli, cJSON *object, const void *thing)
{
    const aigw_upstream_t  *upstream = thing;

    cli_add_id(object, "id", upstream->id);
    cli_add_text(object, "name", upstream->name);
    cli_add_text(object, "url", upstream->url);
    cli_add_time(object, "created_at", upstream->created_ms);
    cli_add_time(object, "changed_at", upstream->changed_ms);
    cli_add_id(object, "log_user", upstream->log_user);
    subkey_add_account(cli, object, upstream->id);

    return CLI_OK;
}


/* Who is at no shell may not have this machine ask around in its own network:
   an address of it is set here once, and may be kept. Threat M17. */
static cli_exit_t
check_inside(const cli_t *cli, const char *url, const cli_url_t *parts)
{
    aigw_err_t        err;
    aigw_upstream_t   old;

    if (cli->caller == NULL || (parts->https && !parts->inside)) {
        return CLI_OK;
    }

    err = aigw_store_find_upstream(cli->store, cli_str(cli->arg[0].text), &old);

    if (err == AIGW_OK && strcmp(old.url, url) == 0) {
        return CLI_OK;
    }

    return cli_fail(cli, CLI_USAGE, "set it on the gateway's host: aigw"
                    " upstream set", "url: no address of this machine or its"
                    " network is taken here");
}


/* https, but for this machine itself; "/v1" at the end is ours to add. */
static cli_exit_t
check_url(const cli_t *cli, const char *text, char url[AIGW_URL_MAX + 1])
{
    size_t      len;
    cli_url_t   parts;
    cli_exit_t  code;

    code = cli_check_url(cli, text, url, &parts);
    if (code != CLI_OK) {
        return code;
    }

    if (!parts.https && !parts.loopback) {
        return cli_fail(cli, CLI_USAGE, "http would send its key in clear",
                        "--url: https is required, but for 127.0.0.1, ::1 and"
                        " localhost");
    }

    len = strlen(url);

    if (len > 3 && strcmp(url + len - 3, "/v1") == 0) {
        url[len - 3] = '\0';
    }

    return check_inside(cli, url, &parts);
}


/* The token that opens the account's log there, and whose it is; 0: no such
   option. Before anything is written. */
static cli_exit_t
read_log(const cli_t *cli, char token[AIGW_SECRET_MAX + 1], uint64_t *user)
{
    char        *end;
    const char  *file = cli_option(cli, "log-token-file")->text;
    const char  *whose = cli_option(cli, "log-user")->text;

    *user = whose != NULL && whose[0] != '-' ? strtoull(whose, &end, 10) : 0;

    if (file == NULL && whose == NULL) {
        return CLI_OK;
    }

    if (file == NULL || *user == 0 || *end != '\0') {
        return cli_fail(cli, CLI_USAGE, NULL, "--log-token-file F and"
                        " --log-user ID, a number, belong together");
    }

    return cli_read_secret(cli, file, NULL, token);
}


static cli_exit_t
fail(const cli_t *cli, aigw_err_t err, const aigw_upstream_t *upstream,
    const char *secret)
{
    if (err == AIGW_EINVAL && secret[0] == '\0') {
        return cli_fail(cli, CLI_USAGE, "one line on stdin, or --key-file F",
                        "a new upstream, or one with a new URL, needs its"
                        " key");
    }

    if (err == AIGW_EEXIST) {
        return cli_fail(cli, CLI_CONFLICT, "aigw subkey list, aigw upstream"
                        " orphans", "sub-keys are at the old URL of upstream"
                        " '%s': retire them first", upstream->name);
    }

    return cli_fail_store(cli, err, "upstream", upstream->name);
}


/* All of it, with what opens there. */
static cli_exit_t
save_all(const cli_t *cli, aigw_upstream_t *upstream, const char *secret,
    const char *token, uint64_t user, const subkey_account_t *account)
{
    aigw_err_t          err;
    cli_exit_t          code;
    aigw_seal_master_t  master;

    code = cli_read_master(cli, &master);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_set_upstream(cli->store, &master, upstream,
                                  cli_str(secret));

    if (err == AIGW_OK && user != 0) {
        err = aigw_store_set_upstream_log(cli->store, &master, upstream, user,
                                          cli_str(token));
    }

    code = err == AIGW_OK
           ? subkey_save_account(cli, &master, upstream, account)
           : fail(cli, err, upstream, secret);
    aigw_cleanse(&master, sizeof(master));

    return code;
}


static cli_exit_t
save(cli_t *cli, aigw_upstream_t *upstream, const char *secret)
{
    char               token[AIGW_SECRET_MAX + 1];
    uint64_t           user;
    cli_exit_t         code;
    subkey_account_t   account;

    code = read_log(cli, token, &user);

    if (code == CLI_OK) {
        code = subkey_read_account(cli, &account);
    }

    if (code == CLI_OK) {
        code = save_all(cli, upstream, secret, token, user, &account);
        aigw_cleanse(&account, sizeof(account));
    }

    aigw_cleanse(token, sizeof(token));

    if (code != CLI_OK) {
        return code;
    }

    cli->answer = cJSON_CreateObject();
    snprintf(cli->next, sizeof(cli->next), "next: aigw upstream test %s",
             upstream->name);

    return add_upstream(cli, cli->answer, upstream);
}


cli_exit_t
cmd_upstream_set(cli_t *cli)
{
    char              secret[AIGW_SECRET_MAX + 1];
    cli_exit_t        code;
    aigw_upstream_t   upstream;

    memset(&upstream, 0, sizeof(upstream));
    snprintf(upstream.name, sizeof(upstream.name), "%s", cli->arg[0].text);

    if (cli->caller != NULL) {
        cli->caller->field = "url";
    }

    code = check_url(cli, cli_option(cli, "url")->text, upstream.url);
    if (code != CLI_OK) {
        return code;
    }

    if (cli->caller != NULL) {
        cli->caller->field = NULL;
    }

    code = cli_read_secret(cli, cli_option(cli, "key-file")->text,
                           "Key of the upstream: ", secret);
    if (code != CLI_OK) {
        return code;
    }

    code = save(cli, &upstream, secret);
    aigw_cleanse(secret, sizeof(secret));

    return code;
}


static aigw_err_t
list_upstreams(const cli_t *cli, const void *of, const char *cursor,
    void *things, size_t max, size_t *n)
{
    (void) of;

    return aigw_store_list_upstreams(cli->store,
                                     cli_str(cursor ? cursor : ""), things,
                                     max, n);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    snprintf(text, CLI_CURSOR_LEN + 1, "%s",
             ((const aigw_upstream_t *) thing)->name);
}


cli_exit_t
cmd_upstream_list(cli_t *cli)
{
    static const cli_lister_t  lister = {
        "upstreams", sizeof(aigw_upstream_t), list_upstreams, add_upstream,
        cursor_of, NULL
    };

    return cli_list(cli, &lister, NULL);
}
