/*
 * The whole store as text, for another machine, another version of LMDB or
 * another store: one flat JSON object a line (RFC 8259, UTF-8), in this order
 * of "type": aigw_export (format, schema), counters, user, project, key, gone,
 * model, price, upstream, subkey, setting, pruned, closing, row, return, sums,
 * end.
 *
 * Amounts are decimal strings (null: unlimited, or no such price), times
 * integers of milliseconds since 1970, ids and enums the numbers that the store
 * has, bytes hex. Text is as it is; a byte that is no UTF-8 is a lone low
 * surrogate, \udc80 for 0x80. Of keys there is the hash, of an upstream's key
 * and of sub-keys what is sealed by the key file, which does not go along: no
 * secret. A user's role is its name; format 1 had the boolean "admin".
 *
 * Not in it: the audit log, the store's id, accounts that make sub-keys or read
 * logs, numbers of rows, indices, roll-ups (rows and closings have all of
 * these), watermarks (of journals that are drained), passwords and tickets: who
 * logs in gets a new password first. Sums are, to be compared with the rows;
 * `end` has the number of lines before it and their CRC-32C. So an export of
 * what was imported is the same text.
 */

#ifndef AIGW_STORE_EXPORT_H
#define AIGW_STORE_EXPORT_H

#include "aigw.h"
#include "aigw_store.h"


#define AIGW_EXPORT_FORMAT    2
#define AIGW_EXPORT_LINE_MAX  16384   /* bytes, its newline among them */


/* A line with its newline; what it returns but AIGW_OK ends the export. done:
   so many rows of so many. */
typedef aigw_err_t (*aigw_store_line_pt)(void *data, const char *line,
    size_t len, uint64_t done, uint64_t all);

/* One snapshot of each environment, in constant memory; needs AIGW_STORE_USAGE.
   While it lasts the file cannot use again what others free. AIGW_ECORRUPT: a
   record cannot be read. */
aigw_err_t aigw_store_export(aigw_store_t *store, aigw_store_line_pt line,
    void *data) AIGW_CHECKED;


typedef struct aigw_store_import_s  aigw_store_import_t;

/*
 * Begins to import into a store that is as `init` made it and that no other
 * process has open (AIGW_EEXIST, AIGW_EBUSY). Needs AIGW_STORE_CONTROL_WRITE
 * and _USAGE_WRITE. Until the end nobody can open it: a store with half an
 * import says so. dry: writes nothing, and so does not add up. On error fault
 * gets a sentence.
 */
aigw_err_t aigw_store_import_begin(aigw_store_t *store, int dry,
    aigw_store_import_t **import, char fault[AIGW_FAULT_LEN + 1])
    AIGW_CHECKED;

/* The next line, without its newline; fault names it by its number. After an
   error only abort is left. */
aigw_err_t aigw_store_import_line(aigw_store_import_t *import,
    const char *line, size_t len, char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/*
 * After the last line: commits and frees it. The store has a new id from then
 * on (a live segment of the empty one must not be taken for its own): open it
 * anew. On error it is as after abort.
 */
aigw_err_t aigw_store_import_end(aigw_store_import_t *import,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* Takes back what was written, and frees it. An error: that failed, too, and
   the store cannot be opened any more. NULL does nothing. */
aigw_err_t aigw_store_import_abort(aigw_store_import_t *import) AIGW_CHECKED;

/* Lines so far, rows among them. */
void aigw_store_import_count(const aigw_store_import_t *import,
    uint64_t *lines, uint64_t *rows);

#endif /* AIGW_STORE_EXPORT_H */
