/* CRC-32C (Castagnoli, RFC 3720 B.4), by SSE4.2 where the CPU has it. */

#ifndef AIGW_CRC_H
#define AIGW_CRC_H

#include "aigw.h"


/* The checksum of data; crc is 0 for the first piece, else the last result. */
uint32_t aigw_crc32c(uint32_t crc, const void *data, size_t len);

/* Copies len bytes, of which what is returned is the checksum; *crc goes on
   with them. Of the copy, whoever writes to `from` meanwhile. */
uint32_t aigw_crc32c_copy(void *to, const void *from, size_t len,
    uint32_t *crc);

/* aigw_crc32c by table: what other CPUs run, and what tests compare with. */
uint32_t aigw_crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif /* AIGW_CRC_H */
