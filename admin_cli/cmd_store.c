/* aigw store: make one, look at one. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aigw_seal.h"
#include "cmd_audit.h"


#define WORKERS_GROUP  "www-data"


/* The group of nginx's workers: as asked, or Debian's where there is one and
   the caller may give files away. */
static cli_exit_t
find_group(const cli_t *cli, gid_t *gid, const char **name)
{
    struct group       *group;
    const cli_value_t  *option;

    option = cli_option(cli, "group");
    *name = option->text;

    if (*name == NULL && geteuid() == 0) {
        *name = WORKERS_GROUP;
    }

    *gid = (gid_t) -1;

    if (*name == NULL) {
        return CLI_OK;
    }

    errno = 0;
    group = getgrnam(*name);

    if (group != NULL) {
        *gid = group->gr_gid;
        return CLI_OK;
    }

    if (option->text == NULL) {
        *name = NULL;
        return CLI_OK;
    }

    return cli_fail(cli, CLI_NOT_FOUND, NULL, "no such group: '%s'", *name);
}


static cli_exit_t
init(cli_t *cli, const char *path, gid_t gid,
    char bootstrap[AIGW_TICKET_LEN + 1])
{
    char        fault[AIGW_FAULT_LEN + 1];
    aigw_err_t  err;

    fault[0] = '\0';
    err = aigw_store_init(path, gid, bootstrap, fault);

    if (err == AIGW_OK) {
        err = aigw_store_open(path, AIGW_STORE_CONTROL_WRITE, &cli->store,
                              fault);
    }

    if (err != AIGW_OK) {
        return cli_fail(cli, cli_exit_of(err), NULL, "%s",
                        fault[0] != '\0' ? fault : aigw_strerror(err));
    }

    cli_act_as_shell(cli);

    return cmd_audit_note(cli, "create", "store", 0, path, NULL);
}


/* What init would say of path, without making anything there. */
static cli_exit_t
try_init(const cli_t *cli, const char *path)
{
    int            n;
    DIR           *dir;
    char           parent[4096];
    struct stat    st;

    if (lstat(path, &st) != 0) {
        snprintf(parent, sizeof(parent), "%s", path);

        return errno == ENOENT && access(dirname(parent), W_OK|X_OK) == 0
               ? CLI_OK
               : cli_fail(cli, errno == EACCES ? CLI_DENIED : CLI_UNREACHABLE,
                          NULL, "cannot make '%s': %s", path,
                          strerror(errno));
    }

    dir = S_ISDIR(st.st_mode) ? opendir(path) : NULL;

    if (dir == NULL) {
        return cli_fail(cli, S_ISDIR(st.st_mode) ? CLI_DENIED : CLI_CONFLICT,
                        NULL, "'%s' is no directory that can be used", path);
    }

    for (n = 0; readdir(dir) != NULL; n++) {
        /* void */
    }

    (void) closedir(dir);

    return n <= 2 ? CLI_OK
           : cli_fail(cli, CLI_CONFLICT, NULL, "'%s' is not empty", path);
}


cli_exit_t
cmd_store_init(cli_t *cli)
{
    char          id[AIGW_STORE_ID_LEN + 1];
    char          bootstrap[AIGW_TICKET_LEN + 1];
    char         *real, key_file[4096];
    gid_t         gid;
    cJSON        *answer;
    aigw_str_t    store_id;
    cli_exit_t    code;
    const char   *path, *group;

    path = cli->arg[0].text;

    code = find_group(cli, &gid, &group);
    if (code != CLI_OK) {
        return code;
    }

    code = cli->dry_run ? try_init(cli, path) : init(cli, path, gid, bootstrap);
    if (code != CLI_OK) {
        return code;
    }

    store_id = cli->store ? aigw_store_id(cli->store) : cli_str("");
    snprintf(id, sizeof(id), "%.*s", (int) store_id.len, store_id.data);
    real = realpath(path, NULL);
    snprintf(key_file, sizeof(key_file), "%s/key", real ? real : path);

    answer = cJSON_CreateObject();
    cli_add_text(answer, "path", real ? real : path);
    cli_add_text(answer, "id", cli->store ? id : NULL);
    cli_add_text(answer, "group", group);
    cli_add_text(answer, "key_file", key_file);
    cli_add_text(answer, "admin", "admin");
    cli_add_text(answer, "bootstrap_token", cli->store ? bootstrap : NULL);
    cli->answer = answer;
    aigw_cleanse(bootstrap, sizeof(bootstrap));

    snprintf(cli->next, sizeof(cli->next), "The bootstrap token gives the user"
             " admin a password, once; so does aigw user password admin.\n"
             "next: export AIGW_STORE=%s; aigw project create NAME",
             real ? real : path);
    free(real);

    return CLI_OK;
}


static void
add_live(cJSON *answer, const aigw_live_t *live, const char *path)
{
    aigw_live_stats_t  stats;

    if (live == NULL) {
        cJSON_AddNullToObject(answer, "live_path");
        cJSON_AddNullToObject(answer, "accounts");
        cJSON_AddNullToObject(answer, "journals");
        cJSON_AddNullToObject(answer, "undrained");
        cJSON_AddNullToObject(answer, "refusals_unlogged");

        return;
    }

    aigw_live_stats(live, &stats);
    cli_add_text(answer, "live_path", path);
    cli_add_count(answer, "accounts", (int64_t) stats.accounts);
    cli_add_count(answer, "journals", (int64_t) stats.journals);
    cli_add_count(answer, "undrained", (int64_t) stats.undrained);
    cli_add_count(answer, "refusals_unlogged",
                  (int64_t) stats.refusals_unlogged);
}


/* Drains nothing: what waits in the journals is what it tells. */
cli_exit_t
cmd_store_stats(cli_t *cli)
{
    char                 path[AIGW_LIVE_PATH_LEN + 1];
    char                 fault[AIGW_FAULT_LEN + 1];
    char                 id[AIGW_STORE_ID_LEN + 1];
    size_t               i;
    cJSON               *answer;
    aigw_err_t           err;
    aigw_str_t           store_id;
    aigw_store_stats_t   s;

    err = aigw_store_stats(cli->store, &s);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the store's figures", NULL);
    }

    const struct {
        const char  *name;
        uint64_t     count;
    } counts[] = {
        { "schema", AIGW_STORE_SCHEMA },
        { "users", s.users },
        { "projects", s.projects },
        { "keys", s.keys },
        { "models", s.models },
        { "prices", s.prices },
        { "upstreams", s.upstreams },
        { "rows", s.rows },
        { "rollups", s.rollups },
        { "control_bytes", s.control_bytes },
        { "usage_bytes", s.usage_bytes },
        { "control_map_bytes", s.control_map_bytes },
        { "usage_map_bytes", s.usage_map_bytes },
        { "control_readers", s.control_readers },
        { "usage_readers", s.usage_readers }
    };

    store_id = aigw_store_id(cli->store);
    snprintf(id, sizeof(id), "%.*s", (int) store_id.len, store_id.data);
    aigw_live_locate(store_id, path);

    if (aigw_live_open(path, NULL, &cli->live, fault) != AIGW_OK) {
        cli->live = NULL;
    }

    answer = cJSON_CreateObject();
    cli_add_text(answer, "path", cli->store_path);
    cli_add_text(answer, "id", id);

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        cli_add_count(answer, counts[i].name, (int64_t) counts[i].count);
    }

    add_live(answer, cli->live, path);
    cli->answer = answer;

    return CLI_OK;
}


/* Makes it, and looks at what was made. */
static cli_exit_t
backup(const cli_t *cli, const char *path, char id[AIGW_STORE_ID_LEN + 1],
    aigw_store_stats_t *stats)
{
    char           fault[AIGW_FAULT_LEN + 1];
    aigw_err_t     err;
    aigw_store_t  *copy;

    fault[0] = '\0';
    copy = NULL;
    err = aigw_store_backup(cli->store, path, id, fault);

    if (err == AIGW_OK) {
        err = aigw_store_open(path, AIGW_STORE_USAGE, &copy, fault);
    }

    if (err == AIGW_OK) {
        err = aigw_store_stats(copy, stats);
        aigw_store_close(copy);
    }

    return err == AIGW_OK ? CLI_OK
           : cli_fail(cli, cli_exit_of(err), NULL, "%s",
                      fault[0] != '\0' ? fault : aigw_strerror(err));
}


/* The key file stays where it is: who has both has the upstreams' keys. */
cli_exit_t
cmd_store_backup(cli_t *cli)
{
    char                 id[AIGW_STORE_ID_LEN + 1], key_file[4096];
    cli_exit_t           code;
    const char          *path;
    aigw_store_stats_t   stats = { 0 };

    path = cli->arg[0].text;
    cli_report(cli);

    code = cli->dry_run ? try_init(cli, path)
                        : backup(cli, path, id, &stats);
    if (code != CLI_OK) {
        return code;
    }

    snprintf(key_file, sizeof(key_file), "%s/key", cli->store_path);

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "path", path);
    cli_add_text(cli->answer, "id", cli->dry_run ? NULL : id);
    cli_add_count(cli->answer, "rows", (int64_t) stats.rows);
    cli_add_text(cli->answer, "key_file", key_file);

    snprintf(cli->next, sizeof(cli->next), "Keep a copy of %.200s elsewhere:"
             " without it the upstreams' keys in the backup do not open.",
             key_file);

    return CLI_OK;
}
