/* CRC-32C: the vectors of RFC 3720 B.4, and both ways against each other. */

#include <stdlib.h>

#include "aigw_crc.h"
#include "tap.h"


typedef uint32_t (*crc_pt)(uint32_t crc, const void *data, size_t len);


static void
test_vectors(crc_pt crc, const char *how)
{
    int      i;
    uint8_t  data[32];

    ok(crc(0, "", 0) == 0, "%s: of nothing", how);
    ok(crc(0, "123456789", 9) == 0xe3069283, "%s: check value", how);

    memset(data, 0, 32);
    ok(crc(0, data, 32) == 0x8a9136aa, "%s: 32 zeros", how);

    memset(data, 0xff, 32);
    ok(crc(0, data, 32) == 0x62a8ab43, "%s: 32 ones", how);

    for (i = 0; i < 32; i++) {
        data[i] = (uint8_t) i;
    }

    ok(crc(0, data, 32) == 0x46dd794e, "%s: rising", how);

    for (i = 0; i < 32; i++) {
        data[i] = (uint8_t) (31 - i);
    }

    ok(crc(0, data, 32) == 0x113fdb5c, "%s: falling", how);
}


/* Every length at every alignment, at once and cut in two, on exact copies so
   that a sanitizer sees a read past either end. */
static void
test_twins(void)
{
    size_t    len, at, bad = 0, cut = 0, copied = 0;
    uint8_t  *data, *copy;
    uint32_t  crc, seed = 1;

    for (len = 0; len <= 400; len++) {
        at = len % 8;
        data = malloc(at + len + 1);

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            data[at + i] = (uint8_t) (seed >> 16);
        }

        crc = aigw_crc32c_portable(0, data + at, len);
        bad += crc != aigw_crc32c(0, data + at, len);

        crc = aigw_crc32c(0, data + at, len / 3);
        crc = aigw_crc32c(crc, data + at + len / 3, len - len / 3);
        cut += crc != aigw_crc32c_portable(0, data + at, len);

        copy = malloc(len + 1);
        crc = aigw_crc32c(0, "head", 4);
        copied += aigw_crc32c_copy(copy, data + at, len, &crc)
                  != aigw_crc32c_portable(0, data + at, len)
                  || crc != aigw_crc32c(aigw_crc32c(0, "head", 4), data + at,
                                        len)
                  || memcmp(copy, data + at, len) != 0;
        free(copy);
        free(data);
    }

    is_int((int64_t) bad, 0, "by hardware as by table, 0 to 400 bytes");
    is_int((int64_t) cut, 0, "in two pieces as in one");
    is_int((int64_t) copied, 0, "as a copy is made, going on and alone");
}


int
main(void)
{
    test_vectors(aigw_crc32c, "chosen");
    test_vectors(aigw_crc32c_portable, "portable");
    test_twins();

    return done();
}
