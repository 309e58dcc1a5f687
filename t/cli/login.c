/*
 * Lets people in as the sidecar does: login STORE name NAME (the password is
 * all of stdin), login STORE link|invite|bootstrap TOKEN [NAME]. Prints what
 * came of it, and whom: "ok ana member 3", "wrong", "not found".
 */

#include <stdio.h>
#include <string.h>

#include "aigw_password.h"
#include "aigw_store_login.h"


static aigw_str_t
str(const char *text)
{
    return (aigw_str_t) { strlen(text), text };
}


static aigw_err_t
by_password(aigw_store_t *store, const char *name, aigw_user_t *user,
    aigw_login_t *login)
{
    char        text[AIGW_PASSWORD_MAX + 2];
    aigw_err_t  err;
    aigw_str_t  password = { 0, text };

    password.len = fread(text, 1, sizeof(text), stdin);
    err = aigw_store_find_login(store, str(name), user, login);

    return err != AIGW_OK ? err
           : aigw_password_verify(password, &login->password);
}


/* No password that anybody knows: it is not about hashing. */
static aigw_err_t
by_ticket(aigw_store_t *store, const char *kind, const char *token,
    const char *name, aigw_user_t *user, aigw_login_t *login)
{
    aigw_password_t  password = { .scheme = AIGW_PASSWORD_SCRYPT };

    memset(user, 0, sizeof(*user));
    snprintf(user->name, sizeof(user->name), "%s", name);

    return strcmp(kind, "link") == 0
           ? aigw_store_take_link(store, str(token), user, login)
           : strcmp(kind, "invite") == 0
           ? aigw_store_take_invite(store, str(token), &password, user, login)
           : aigw_store_take_bootstrap(store, str(token), &password, user,
                                       login);
}


int
main(int argc, char **argv)
{
    char           fault[AIGW_FAULT_LEN + 1];
    aigw_err_t     err;
    aigw_user_t    user;
    aigw_login_t   login;
    aigw_store_t  *store;

    if (argc < 4 || aigw_store_open(argv[1], AIGW_STORE_CONTROL_WRITE, &store,
                                    fault) != AIGW_OK)
    {
        return 2;
    }

    err = strcmp(argv[2], "name") == 0
          ? by_password(store, argv[3], &user, &login)
          : by_ticket(store, argv[2], argv[3], argc > 4 ? argv[4] : "", &user,
                      &login);

    if (err == AIGW_OK) {
        printf("ok %s %s %lld\n", user.name, aigw_record_role_name(user.role),
               (long long) user.quota_nano);
    } else {
        printf("%s\n", err == AIGW_EACCESS ? "wrong" : aigw_strerror(err));
    }

    aigw_store_close(store);

    return 0;
}
