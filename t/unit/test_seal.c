/* Upstream keys at rest (threats K09, K10, K11, K17, M02). */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aigw_seal.h"
#include "tap.h"


static char                dir[] = "/tmp/aigw-seal-XXXXXX";
static aigw_seal_master_t  master = { { 1, 2, 3, 4, 5, 6, 7, 8 } };


static const char *
in_dir(const char *name)
{
    static char  path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    return path;
}


static aigw_err_t
unseal(uint64_t id, const uint8_t *sealed, size_t len)
{
    char                 text[AIGW_SECRET_MAX];
    size_t               n;
    uint8_t             *copy;
    aigw_err_t           err;

    copy = malloc(len ? len : 1);
    memcpy(copy, sealed, len);
    err = aigw_unseal(&master, id, copy, len, text, &n);
    free(copy);

    return err;
}


static void
test_round_trip(void)
{
    char        text[AIGW_SECRET_MAX + 1], back[AIGW_SECRET_MAX];
    size_t      len, n, bad;
    uint8_t     sealed[AIGW_SEALED_MAX];
    aigw_str_t  s;

    memset(text, 'k', sizeof(text));
    s.data = text;
    bad = 0;

    for (s.len = 0; s.len <= AIGW_SECRET_MAX; s.len++) {
        bad += aigw_seal(&master, 42, s, sealed, &len) != AIGW_OK
               || len != s.len + AIGW_SEAL_OVERHEAD
               || aigw_unseal(&master, 42, sealed, len, back, &n) != AIGW_OK
               || n != s.len || memcmp(back, text, n) != 0;
    }

    is_int((int64_t) bad, 0, "each length is sealed and opened");
    is_int(aigw_seal(&master, 42, s, sealed, &len), AIGW_EINVAL,
           "a secret too long is refused");
}


static void
test_tampering(void)
{
    size_t              i, len, opened;
    uint8_t             sealed[AIGW_SEALED_MAX + 1];
    unsigned            bit;
    aigw_str_t          s = aigw_str("sk-upstream-secret-0123456789");
    aigw_seal_master_t  saved;

    is_int(aigw_seal(&master, 42, s, sealed, &len), AIGW_OK, "sealed");
    ok(memmem(sealed, len, "secret", 6) == NULL, "K06 not in clear");

    opened = 0;

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            sealed[i] ^= (uint8_t) (1u << bit);
            opened += unseal(42, sealed, len) != AIGW_ECRYPTO;
            sealed[i] ^= (uint8_t) (1u << bit);
        }
    }

    is_int((int64_t) opened, 0,
           "K09 any bit of nonce, ciphertext, tag flipped: closed");

    opened = 0;

    for (i = 0; i < 64; i++) {
        opened += unseal(42 ^ (UINT64_C(1) << i), sealed, len)
                  != AIGW_ECRYPTO;
    }

    is_int((int64_t) opened, 0, "K09 under another record's id: closed");

    opened = 0;

    for (i = 0; i < len; i++) {
        opened += unseal(42, sealed, i) != AIGW_ECRYPTO;
    }

    is_int((int64_t) opened, 0, "K09 cut: closed");
    is_int(unseal(42, sealed, AIGW_SEALED_MAX + 1), AIGW_ECRYPTO,
           "too long: closed, unread");

    saved = master;
    opened = 0;

    for (i = 0; i < AIGW_SEAL_MASTER_LEN * 8; i++) {
        master.bytes[i / 8] ^= (uint8_t) (1u << i % 8);
        opened += unseal(42, sealed, len) != AIGW_ECRYPTO;
        master = saved;
    }

    is_int((int64_t) opened, 0, "K11 under another master key: closed");
    is_int(unseal(42, sealed, len), AIGW_OK, "and as it was: open");
}


/* Two records that change places. */
static void
test_swap(void)
{
    size_t      n1, n2;
    uint8_t     one[AIGW_SEALED_MAX], two[AIGW_SEALED_MAX];
    aigw_str_t  s = aigw_str("the same secret");

    ok(aigw_seal(&master, 1, s, one, &n1) == AIGW_OK
       && aigw_seal(&master, 2, s, two, &n2) == AIGW_OK, "two records");
    ok(unseal(1, one, n1) == AIGW_OK && unseal(2, two, n2) == AIGW_OK,
       "each opens in its place");
    ok(unseal(2, one, n1) == AIGW_ECRYPTO
       && unseal(1, two, n2) == AIGW_ECRYPTO, "K09 swapped: neither opens");
}


static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}


static void
test_nonces(void)
{
    size_t      i, len, twice;
    aigw_str_t  s = aigw_str("x");

    static uint8_t  sealed[20000][AIGW_SEALED_MAX];

    for (i = 0; i < 20000; i++) {
        if (aigw_seal(&master, 1, s, sealed[i], &len) != AIGW_OK) {
            break;
        }
    }

    is_int((int64_t) i, 20000, "20,000 seals");
    qsort(sealed, 20000, sizeof(sealed[0]), compare);
    twice = 0;

    for (i = 1; i < 20000; i++) {
        twice += compare(sealed[i - 1], sealed[i]) == 0;
    }

    is_int((int64_t) twice, 0, "K10 no nonce comes twice");
}


static void
put_file(const char *name, const char *text, mode_t mode)
{
    FILE  *file;

    file = fopen(in_dir(name), "w");

    if (file != NULL) {
        fputs(text, file);
        fclose(file);
        (void) chmod(in_dir(name), mode);
    }
}


#define HEX  "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"


static void
test_file(void)
{
    struct stat         st;
    aigw_seal_master_t  one, two;

    (void) umask(0);
    is_int(aigw_seal_create(in_dir("a")), AIGW_OK, "a key file is made");
    ok(stat(in_dir("a"), &st) == 0 && (st.st_mode & 07777) == 0600
       && st.st_size == 65, "K17 mode 0600 under umask 0, 64 digits");

    (void) umask(0777);
    is_int(aigw_seal_create(in_dir("b")), AIGW_OK, "under umask 0777 too");
    (void) umask(022);
    ok(stat(in_dir("b"), &st) == 0 && (st.st_mode & 07777) == 0600,
       "K17 mode 0600 there too");

    is_int(aigw_seal_create(in_dir("a")), AIGW_EEXIST, "never overwritten");
    is_int(aigw_seal_create(in_dir("no/such")), AIGW_ENOTFOUND,
           "no directory");
    ok(aigw_seal_load(in_dir("a"), &one) == AIGW_OK
       && aigw_seal_load(in_dir("b"), &two) == AIGW_OK
       && memcmp(&one, &two, sizeof(one)) != 0, "both load and differ");
}


static void
test_bad_files(void)
{
    size_t              i;
    aigw_seal_master_t  got, same;

    static const struct {
        const char  *text;
        mode_t       mode;
        aigw_err_t   err;
        const char  *name;
    } files[] = {
        { HEX "\n", 0600, AIGW_OK, "hex and a newline" },
        { HEX, 0400, AIGW_OK, "hex alone, read only" },
        { HEX "\n", 0640, AIGW_EACCESS, "M02 readable by the group" },
        { HEX "\n", 0604, AIGW_EACCESS, "M02 readable by the world" },
        { HEX "\n", 0620, AIGW_EACCESS, "writable by the group" },
        { "", 0600, AIGW_EINVAL, "M02 empty" },
        { "00", 0600, AIGW_EINVAL, "M02 too short" },
        { HEX "0", 0600, AIGW_EINVAL, "a digit too many" },
        { HEX "\n\n", 0600, AIGW_EINVAL, "a newline too many" },
        { "g" HEX, 0600, AIGW_EINVAL, "not hex" },
        { "7777777777777777777777777777777777777777777777777777777777777777",
          0600, AIGW_EINVAL, "M02 all the same byte" },
    };

    memset(&same, 0x99, sizeof(same));

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        put_file("f", files[i].text, files[i].mode);
        got = same;
        is_int(aigw_seal_load(in_dir("f"), &got), files[i].err,
               files[i].name);
        ok((memcmp(&got, &same, sizeof(got)) == 0)
           == (files[i].err != AIGW_OK), "master is set only on success");
        (void) unlink(in_dir("f"));
    }

    is_int(aigw_seal_load(in_dir("f"), &got), AIGW_ENOTFOUND, "missing");
    is_int(aigw_seal_load(dir, &got), AIGW_EACCESS, "a directory");

    ok(mkfifo(in_dir("f"), 0600) == 0
       && aigw_seal_load(in_dir("f"), &got) == AIGW_EACCESS,
       "a FIFO does not hold us");
    (void) unlink(in_dir("f"));

    ok(symlink("a", in_dir("f")) == 0
       && aigw_seal_load(in_dir("f"), &got) == AIGW_EACCESS,
       "S14 a symbolic link");
    (void) unlink(in_dir("f"));
}


/* Known answers by Python's hmac, step by step as RFC 5869 has it. */
static void
test_derive(void)
{
    size_t              i;
    uint8_t             one[AIGW_SEAL_MASTER_LEN], two[AIGW_SEAL_MASTER_LEN];
    aigw_str_t          label = aigw_str("tokens"), none = { 0, "" };
    aigw_seal_master_t  m, same;

    static const uint8_t  known[AIGW_SEAL_MASTER_LEN] = {
        0x54, 0x47, 0xb1, 0x00, 0xa0, 0x67, 0x4b, 0x4d,
        0x75, 0x1a, 0x3b, 0xd6, 0xaa, 0x64, 0xbd, 0x8d,
        0xe0, 0x84, 0x83, 0xbb, 0x47, 0x11, 0x4e, 0x7d,
        0x22, 0xdd, 0x9d, 0xc5, 0xf8, 0x7b, 0xb1, 0x4d
    };

    for (i = 0; i < AIGW_SEAL_MASTER_LEN; i++) {
        m.bytes[i] = (uint8_t) i;
    }

    ok(aigw_seal_derive(&m, label, one) == AIGW_OK
       && memcmp(one, known, sizeof(one)) == 0, "HKDF-SHA256 of a master");
    ok(aigw_seal_derive(&m, label, two) == AIGW_OK
       && memcmp(one, two, sizeof(one)) == 0, "the same again");
    label.len--;
    ok(aigw_seal_derive(&m, label, two) == AIGW_OK
       && memcmp(one, two, sizeof(one)) != 0, "another label, another secret");
    m.bytes[31] ^= 1;
    label.len++;
    ok(aigw_seal_derive(&m, label, two) == AIGW_OK
       && memcmp(one, two, sizeof(one)) != 0, "another master, too");

    memset(two, 0x5a, sizeof(two));
    is_int(aigw_seal_derive(&m, none, two), AIGW_EINVAL, "no label");

    for (i = 0; i < 256; i += 85) {
        memset(&same, (int) i, sizeof(same));
        is_int(aigw_seal_derive(&same, label, two), AIGW_EINVAL,
               "M02 a master of one byte repeated signs nothing");
    }

    ok(two[0] == 0x5a && two[31] == 0x5a, "... and nothing is set");
}


/* What is bound to bytes opens for these alone, and for no id. */
static void
test_bound(void)
{
    char        text[AIGW_SECRET_MAX], like[AIGW_SEAL_BOUND_MAX + 1];
    size_t      i, len, n, opened;
    uint8_t     sealed[AIGW_SEALED_MAX];
    aigw_str_t  secret = aigw_str("sk-sub-key"), id = { 8, like };
    aigw_str_t  bound = aigw_str("project 1, upstream 2, name"), other;

    is_int(aigw_seal_bound(&master, bound, secret, sealed, &len), AIGW_OK,
           "bound to bytes");
    ok(aigw_seal_open_bound(&master, bound, sealed, len, text, &n) == AIGW_OK
       && n == secret.len && memcmp(text, secret.data, n) == 0, "... opens");

    for (i = 0, opened = 0; i < bound.len; i++) {
        memcpy(like, bound.data, bound.len);
        like[i] ^= 1;
        other = (aigw_str_t) { bound.len, like };
        opened += aigw_seal_open_bound(&master, other, sealed, len, text, &n)
                  != AIGW_ECRYPTO;
        other = (aigw_str_t) { i, bound.data };
        opened += aigw_seal_open_bound(&master, other, sealed, len, text, &n)
                  != AIGW_ECRYPTO;
    }

    is_int((int64_t) opened, 0, "K09 bound to other bytes: closed");

    for (i = 0, opened = 0; i < len * 8; i++) {
        sealed[i / 8] ^= (uint8_t) (1u << i % 8);
        opened += aigw_seal_open_bound(&master, bound, sealed, len, text, &n)
                  != AIGW_ECRYPTO;
        sealed[i / 8] ^= (uint8_t) (1u << i % 8);
    }

    is_int((int64_t) opened, 0, "K09 any bit flipped: closed");

    /* the same eight bytes as an id and as bytes */

    memset(like, 0, sizeof(like));
    like[7] = 42;
    is_int(aigw_seal(&master, 42, secret, sealed, &len), AIGW_OK, "an id's");
    is_int(aigw_seal_open_bound(&master, id, sealed, len, text, &n),
           AIGW_ECRYPTO, "K09 ... is not that of its bytes");
    is_int(aigw_seal_bound(&master, id, secret, sealed, &len), AIGW_OK,
           "that of eight bytes");
    is_int(unseal(42, sealed, len), AIGW_ECRYPTO, "K09 ... is no id's");

    other = (aigw_str_t) { AIGW_SEAL_BOUND_MAX + 1, like };
    is_int(aigw_seal_bound(&master, other, secret, sealed, &len), AIGW_EINVAL,
           "too many bytes");
    is_int(aigw_seal_open_bound(&master, other, sealed, len, text, &n),
           AIGW_EINVAL, "... nor to open");
}


int
main(void)
{
    if (mkdtemp(dir) == NULL) {
        return 1;
    }

    test_round_trip();
    test_bound();
    test_tampering();
    test_swap();
    test_nonces();
    test_file();
    test_bad_files();
    test_derive();

    (void) unlink(in_dir("a"));
    (void) unlink(in_dir("b"));
    ok(rmdir(dir) == 0, "nothing else was left");

    return done();
}
