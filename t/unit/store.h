/* What the tests of the store share: a directory, a store in it, records. */

#ifndef AIGW_TEST_STORE_H
#define AIGW_TEST_STORE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aigw_store.h"
#include "tap.h"


#define NO_GROUP  ((gid_t) -1)

static char  test_dir[] = "/tmp/aigw-store-XXXXXX";
static char  test_store[sizeof(test_dir) + 8];
static char  fault[AIGW_FAULT_LEN + 1];


static inline aigw_str_t
str(const char *text)
{
    return (aigw_str_t) { strlen(text), text };
}


/* A directory that others may pass through; the store's path in it. */
static inline void
test_begin(void)
{
    if (mkdtemp(test_dir) == NULL || chmod(test_dir, 0755) != 0) {
        exit(1);
    }

    snprintf(test_store, sizeof(test_store), "%s/store", test_dir);
}


static inline void
test_remove(const char *path)
{
    char  command[300];

    snprintf(command, sizeof(command), "rm -rf '%s'", path);

    if (system(command) != 0) {
        exit(1);
    }
}


/* A fresh store, open. */
static inline aigw_store_t *
test_open(unsigned flags)
{
    aigw_store_t  *store;

    if (aigw_store_open(test_store, flags, &store, fault) != AIGW_OK) {
        printf("Bail out! %s\n", fault);
        exit(1);
    }

    return store;
}


static inline aigw_store_t *
test_fresh(unsigned flags)
{
    test_remove(test_store);

    if (aigw_store_init(test_store, NO_GROUP, NULL, fault) != AIGW_OK) {
        printf("Bail out! %s\n", fault);
        exit(1);
    }

    return test_open(flags);
}


static inline aigw_user_t
a_user(const char *name)
{
    aigw_user_t  user;

    memset(&user, 0, sizeof(user));
    snprintf(user.name, sizeof(user.name), "%s", name);
    user.enabled = 1;
    user.quota_nano = AIGW_UNLIMITED;

    return user;
}


static inline aigw_project_t
a_project(const char *name)
{
    aigw_project_t  project;

    memset(&project, 0, sizeof(project));
    snprintf(project.name, sizeof(project.name), "%s", name);
    project.user_id = 1;
    project.enabled = 1;
    project.quota_nano = 25 * AIGW_UNIT_NANO;
    strcpy(project.models, "gpt-4o*,claude-*");

    return project;
}


/* Its hash is made of n. */
static inline aigw_key_t
a_key(const char *name, unsigned n)
{
    aigw_key_t  key;

    memset(&key, 0, sizeof(key));
    snprintf(key.name, sizeof(key.name), "%s", name);
    memset(key.hash, (int) (n * 37 & 0xff), sizeof(key.hash));
    memcpy(key.hash, &n, sizeof(n));
    strcpy(key.prefix, "aigw_Ab12");
    strcpy(key.last4, "wxyz");
    key.enabled = 1;
    key.quota_nano = AIGW_UNLIMITED;
    strcpy(key.models, "*");

    return key;
}


static inline aigw_price_entry_t
a_price(const char *model, int64_t from_ms, int64_t nano)
{
    aigw_price_entry_t  entry;

    memset(&entry, 0, sizeof(entry));
    snprintf(entry.model, sizeof(entry.model), "%s", model);
    entry.from_ms = from_ms;
    entry.price.prompt_nano = nano;
    entry.price.completion_nano = nano;
    entry.price.cached_nano = AIGW_PRICE_NONE;
    entry.price.cache_write_nano = AIGW_PRICE_NONE;
    entry.price.reasoning_nano = AIGW_PRICE_NONE;

    return entry;
}

/* What name stands for. AIGW_ENOTFOUND: it is no alias. */
static inline aigw_err_t
find_alias(aigw_store_t *store, aigw_str_t name,
    char target[AIGW_MODEL_MAX + 1])
{
    aigw_err_t     err;
    aigw_called_t  called;

    err = aigw_store_find_called(store, name, &called);

    if (err == AIGW_EINVAL || (err == AIGW_OK && !called.alias)) {
        return AIGW_ENOTFOUND;
    }

    if (err == AIGW_OK) {
        memcpy(target, called.model, called.model_len + 1);
    }

    return err;
}

#endif /* AIGW_TEST_STORE_H */
