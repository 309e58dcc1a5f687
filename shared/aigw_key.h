/*
 * Client keys: "aigw_", 43 base62 digits of 256 random bits, 6 base62 digits
 * of the CRC-32C of all before them. The store has the SHA-256 of the whole
 * text and never the text. Threats A03, K16. Tickets, which let a person in
 * (aigw_store_login.h), are the same behind "aigwt_".
 */

#ifndef AIGW_KEY_H
#define AIGW_KEY_H

#include "aigw.h"


#define AIGW_KEY_LEN          54
#define AIGW_TICKET_LEN       55
#define AIGW_KEY_HASH_LEN     32
#define AIGW_KEY_PREFIX_LEN    9      /* "aigw_" and four digits: shown */
#define AIGW_KEY_LAST_LEN      4      /* shown */


/* A new key, terminated by NUL. AIGW_ECRYPTO: no random bytes, no key. */
aigw_err_t aigw_key_generate(char key[AIGW_KEY_LEN + 1]) AIGW_CHECKED;

/* AIGW_OK if text has a key's form and its checksum is right, else
   AIGW_EINVAL. Needs no store and leaks nothing: the checksum is public. */
aigw_err_t aigw_key_check(aigw_str_t text) AIGW_CHECKED;

/* The same for a ticket. */
aigw_err_t aigw_key_generate_ticket(char ticket[AIGW_TICKET_LEN + 1])
    AIGW_CHECKED;
aigw_err_t aigw_key_check_ticket(aigw_str_t text) AIGW_CHECKED;

/* SHA-256 of the text. AIGW_ECRYPTO if the library fails. */
aigw_err_t aigw_key_hash(aigw_str_t text, uint8_t hash[AIGW_KEY_HASH_LEN])
    AIGW_CHECKED;

#endif /* AIGW_KEY_H */
