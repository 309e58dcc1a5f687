/*
 * Puts rows into a store as nginx's workers do, for the tests of the CLI:
 * straight into the ledger, into a journal that nobody has drained, or as calls
 * that fly until the end of stdin. seed STORE ledger|journal|flight, a row a
 * line: time_ms user project key model status verdict settled attempts flags
 * prompt completion cost_nano [tag [cached reasoning version hold_nano]].
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aigw_ledger.h"
#include "aigw_live.h"
#include "aigw_store.h"


static char  fault[AIGW_FAULT_LEN + 1];


static void
must(aigw_err_t err, const char *what)
{
    if (err != AIGW_OK) {
        fprintf(stderr, "seed: %s: %s %s\n", what, aigw_strerror(err), fault);
        exit(1);
    }
}


static int
read_row(aigw_row_t *row)
{
    char      line[512];
    int       n;
    unsigned  status, verdict, settled, attempts, flags;

    memset(row, 0, sizeof(aigw_row_t));

    if (fgets(line, sizeof(line), stdin) == NULL || line[0] == '.') {
        return 0;
    }

    row->price_version = 1;
    row->hold_nano = -1;

    n = sscanf(line, "%" SCNd64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %128s %u %u %u %u %u %" SCNd64 " %" SCNd64 " %" SCNd64
               " %64s %" SCNd64 " %" SCNd64 " %" SCNu32 " %" SCNd64,
               &row->time_ms, &row->user_id, &row->project_id, &row->key_id,
               row->model, &status, &verdict, &settled, &attempts, &flags,
               &row->tokens.prompt_tokens, &row->tokens.completion_tokens,
               &row->cost_nano, row->tag, &row->tokens.cached_tokens,
               &row->tokens.reasoning_tokens, &row->price_version,
               &row->hold_nano);

    if (n < 13) {
        fprintf(stderr, "seed: not a row: %s", line);
        exit(1);
    }

    if (row->hold_nano < 0) {
        row->hold_nano = row->cost_nano;
    }

    row->settled_ms = row->time_ms + 250;
    row->duration_ms = 250;
    row->ttft_ms = 40;
    row->route = AIGW_ROUTE_CHAT;
    row->status = (uint16_t) status;
    row->verdict = (uint8_t) verdict;
    row->settled = (uint8_t) settled;
    row->attempts = (uint8_t) attempts;
    row->flags = (uint16_t) flags;

    return 1;
}


static void
to_ledger(aigw_store_t *store)
{
    int         i, n;
    size_t      doubles;
    aigw_row_t  row;

    for (n = 1; read_row(&row); n++) {
        for (i = 0; i < 6; i++) {
            row.id[i] = (uint8_t) (row.time_ms >> (40 - 8 * i));
        }

        row.id[14] = (uint8_t) (n >> 8);
        row.id[15] = (uint8_t) n;

        must(aigw_store_settle(store, &row, 1, NULL, 0, &doubles), "settle");
    }
}


/* attempts: whether it was sent; completion tokens: what has come of it. */
static void
fly(aigw_journal_t *journal, unsigned flight, const aigw_row_t *row)
{
    if (row->attempts != 0) {
        aigw_flight_sent(journal, flight);
    }

    if (row->tokens.completion_tokens != 0) {
        aigw_flight_update(journal, flight, &row->tokens,
                           (uint64_t) row->tokens.completion_tokens * 4);
    }
}


static void
to_journal(aigw_store_t *store, int in_flight)
{
    char                  path[AIGW_LIVE_PATH_LEN + 1];
    unsigned              flight, which;
    aigw_row_t            row;
    aigw_live_t          *live;
    aigw_price_t          price = { .version = 1 };
    aigw_journal_t       *journal;
    aigw_live_account_t   account[AIGW_LIVE_LEVELS];

    aigw_live_locate(aigw_store_id(store), path);
    must(aigw_live_prepare(path, geteuid(), getegid(), fault), "prepare");
    must(aigw_live_open(path, store, &live, fault), "open live");
    must(aigw_journal_claim(live, &journal, fault), "claim");

    while (read_row(&row)) {
        aigw_journal_new_id(journal, row.time_ms, row.id);

        account[0] = (aigw_live_account_t)
            { AIGW_ACCOUNT_KEY, row.key_id, AIGW_UNLIMITED };
        account[1] = (aigw_live_account_t)
            { AIGW_ACCOUNT_PROJECT, row.project_id, AIGW_UNLIMITED };
        account[2] = (aigw_live_account_t)
            { AIGW_ACCOUNT_USER, row.user_id, AIGW_UNLIMITED };

        must(aigw_flight_begin(live, journal, account, &row, &price, &flight,
                               &which), "begin");

        if (in_flight) {
            fly(journal, flight, &row);
            continue;
        }

        must(aigw_flight_end(live, journal, flight, &row), "end");
    }

    if (in_flight) {
        puts("in flight");
        fflush(stdout);
        (void) getchar();
    }

    aigw_journal_release(journal);
    aigw_live_close(live);
}


int
main(int argc, char **argv)
{
    aigw_store_t  *store;

    if (argc != 3) {
        fputs("usage: seed STORE ledger|journal|flight\n", stderr);
        return 2;
    }

    must(aigw_store_open(argv[1], AIGW_STORE_USAGE_WRITE, &store, fault),
         "open store");

    if (strcmp(argv[2], "ledger") == 0) {
        to_ledger(store);

    } else {
        to_journal(store, strcmp(argv[2], "flight") == 0);
    }

    aigw_store_close(store);

    return 0;
}
