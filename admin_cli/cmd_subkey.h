/*
 * Sub-keys: what the commands about them and the drivers of upstreams that make
 * them have in common.
 */

#ifndef CMD_SUBKEY_H
#define CMD_SUBKEY_H

#include "aigw_store_subkey.h"
#include "cli_http.h"


/* The commands: cmd_subkey.c, cmd_subkey_json.c, cmd_orphans.c. */
cli_exit_t cmd_upstream_orphans(cli_t *cli);
cli_exit_t cmd_subkey_create(cli_t *cli);
cli_exit_t cmd_subkey_list(cli_t *cli);
cli_exit_t cmd_subkey_show(cli_t *cli);
cli_exit_t cmd_subkey_rotate(cli_t *cli);
cli_exit_t cmd_subkey_retire(cli_t *cli);


#define SUBKEY_REMOTE_NAME  255       /* of what somebody else has made */

/* An upstream that makes sub-keys. */
typedef struct {
    const cli_t      *cli;
    aigw_upstream_t   upstream;
    aigw_driver_t     driver;
    const char       *hint;           /* of what fails, or NULL */
} subkey_at_t;

/* One that is there. */
typedef struct {
    uint64_t  id;
    char      name[SUBKEY_REMOTE_NAME + 1];
    char      key[AIGW_SECRET_MAX + 1];   /* without what it may begin with;
                                             or masked */
} subkey_remote_t;

/* Anything but CLI_OK ends the walk, and is returned. */
typedef cli_exit_t (*subkey_visit_pt)(void *data,
    const subkey_remote_t *remote);

/* How an upstream of a kind is spoken to. All explain what fails. */
typedef struct {
    /* Makes what subkey plans, sets its remote_id and secret, which the caller
       cleanses. On failure *absent is 1 if surely nothing was made. */
    cli_exit_t (*create)(const subkey_at_t *at, aigw_subkey_t *subkey,
                         char secret[AIGW_SECRET_MAX + 1], int *absent);
    /* All that there are, newest first. NULL: nobody can tell. */
    cli_exit_t (*walk)(const subkey_at_t *at, subkey_visit_pt visit,
                       void *data);
    /* Takes one away that a walk has just seen. NULL: nobody can. */
    cli_exit_t (*remove)(const subkey_at_t *at, uint64_t remote_id);
} subkey_driver_t;

/* cmd_subkey_newapi.c, cmd_subkey_seed.c */
extern const subkey_driver_t  subkey_newapi;
extern const subkey_driver_t  subkey_seed;

/* cmd_subkey_make.c: what several commands do with one. */
const subkey_driver_t *subkey_driver_of(const subkey_at_t *at);
/* The upstream of that name, or the only one that makes any (NULL). */
cli_exit_t subkey_find_upstream(const cli_t *cli, const char *name,
    subkey_at_t *at);
/* From here on to the end nobody else makes or retires any. */
cli_exit_t subkey_lock(const cli_t *cli, int *fd);
void subkey_unlock(int fd);
/* Makes what subkey plans, in place of `replaces` (NULL: of none), and sets
   subkey to what is stored. In a trial nothing is asked for. */
cli_exit_t subkey_make(const subkey_at_t *at, aigw_subkey_t *subkey,
    const char *replaces);
/* Of one that is used no more: it goes there, and then in the store; where the
   upstream takes none back, it is forgotten. */
cli_exit_t subkey_remove(const subkey_at_t *at, const aigw_subkey_t *subkey);

/* cmd_subkey_json.c: its fields, state as a word. */
cli_exit_t subkey_add(const cli_t *cli, cJSON *object, const void *subkey);
void subkey_set_state(cJSON *object, const char *state);

/* cmd_upstream_driver.c: what --driver and its kin say. */
typedef struct {
    unsigned  given:1;                /* any of them */
    unsigned  has_token:1;
    uint64_t  user;                   /* 0: not given */
    char      token[AIGW_SECRET_MAX + 1];   /* who asks cleanses it */
} subkey_account_t;

/* Before anything is written; and then. */
cli_exit_t subkey_read_account(const cli_t *cli, subkey_account_t *account);
cli_exit_t subkey_save_account(const cli_t *cli,
    const aigw_seal_master_t *master, const aigw_upstream_t *upstream,
    const subkey_account_t *account);
void subkey_add_account(const cli_t *cli, cJSON *object,
    uint64_t upstream_id);

/* Nano-units as the upstream counts them, rounded up. */
int64_t subkey_units(const subkey_at_t *at, int64_t nano);

#endif /* CMD_SUBKEY_H */
