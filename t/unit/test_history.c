/* Random histories of the ledger, written down and judged afterwards by what
   was written alone: workers with limits are killed, journals drained by many,
   counters lost and made anew. TEST_ROUNDS (6), TEST_SEED, TEST_HISTORY (a file
   that is to stay). I1 to I4 of the design. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <sys/prctl.h>

#include "flight_env.h"


#define WORKERS   3
#define EVENTS    60000               /* of one worker */
#define OPEN      6                   /* in flight in one worker */
#define ACCOUNTS  4
#define FIRST     40                  /* their ids */
#define ROUNDS    6


/* What a worker writes down: before it does something, and when it was done. */
typedef enum {
    WANTED = 1, ADMITTED, REFUSED, SENT, ENDING, ENDED
} event_kind_t;

typedef struct {
    event_kind_t  kind;
    unsigned      account;
    int64_t       amount;             /* hold, or cost */
    uint8_t       id[AIGW_ROW_ID_LEN];
} event_t;

typedef struct {
    int64_t           limit[ACCOUNTS];
    _Atomic unsigned  n[WORKERS];
    event_t           events[WORKERS][EVENTS];
} notes_t;

/* A call as the history file tells it. */
typedef struct {
    uint8_t       id[AIGW_ROW_ID_LEN];
    unsigned      account;
    unsigned      seen;               /* bits of event_kind_t */
    unsigned      rows;
    int64_t       hold;
    int64_t       cost;
} told_t;


static notes_t   *notes;
static uint64_t   seed;
static unsigned   all_ended, all_refused, all_killed;


static unsigned
dice(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;

    return (unsigned) (seed >> 33) % n;
}


/* --- the history --- */

static void
note(unsigned worker, event_kind_t kind, const aigw_row_t *row, int64_t amount)
{
    event_t   *e;
    unsigned   n = atomic_load(&notes->n[worker]);

    e = &notes->events[worker][n];
    e->kind = kind;
    e->account = (unsigned) row->key_id - FIRST;
    e->amount = amount;
    memcpy(e->id, row->id, AIGW_ROW_ID_LEN);
    atomic_store(&notes->n[worker], n + 1);
}


typedef struct {
    aigw_row_t  row;
    unsigned    flight;
    int         used;
} call_t;


static void
start_call(unsigned worker, aigw_journal_t *journal, call_t *c)
{
    unsigned         which, account = dice(ACCOUNTS);
    aigw_err_t       err;
    flight_limits_t  limits;

    limits.nano[0] = limits.nano[1] = limits.nano[2] = notes->limit[account];
    flight_row(&c->row, journal, FIRST + account, 30 + dice(900));
    note(worker, WANTED, &c->row, c->row.hold_nano);
    err = flight_begin(journal, &c->row, &limits, &c->flight, &which);
    note(worker, err == AIGW_OK ? ADMITTED : REFUSED, &c->row,
         c->row.hold_nano);
    c->used = err == AIGW_OK;
}


static void
go_on(unsigned worker, aigw_journal_t *journal, call_t *c)
{
    int64_t        cost;
    aigw_tokens_t  tokens = { .prompt_tokens = 10 };

    switch (dice(3)) {
    case 0:
        note(worker, SENT, &c->row, 0);
        aigw_flight_sent(journal, c->flight);
        break;
    case 1:
        /* 10 at 2 and these at 3: what is held pays them */
        tokens.completion_tokens = dice((unsigned) c->row.hold_nano / 3 - 6);
        aigw_flight_update(journal, c->flight, &tokens, dice(4000));
        break;
    default:
        cost = dice((unsigned) c->row.hold_nano + 1);
        note(worker, ENDING, &c->row, cost);
        flight_end(journal, c->flight, &c->row, cost);
        note(worker, ENDED, &c->row, cost);
        c->used = 0;
    }
}


static void
work(unsigned worker)
{
    call_t          *c, calls[OPEN];
    aigw_journal_t  *journal = env_claim();

    memset(calls, 0, sizeof(calls));

    while (atomic_load(&notes->n[worker]) < EVENTS - 4) {
        c = &calls[dice(OPEN)];

        if (c->used) {
            go_on(worker, journal, c);
        } else {
            start_call(worker, journal, c);
        }

        if (dice(40) == 0) {
            env_sleep_ms(1);
        }
    }

    pause();
}


static pid_t
spawn(unsigned worker)
{
    pid_t     pid;
    uint64_t  mine = seed + dice(1000000);

    pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        seed = mine;
        work(worker);
        _exit(0);
    }

    return pid;
}


/* Some are killed while a flusher is at work, some of these have a successor;
   then all, and sometimes the counters go with them. */
static void
live_through(void)
{
    char       fault[AIGW_FAULT_LEN + 1] = "";
    pid_t      child[WORKERS];
    unsigned   i, kills;
    flusher_t  f = env_flusher(1 + dice(5));

    for (i = 0; i < WORKERS; i++) {
        child[i] = spawn(i);
    }

    for (kills = WORKERS + dice(4); kills > 0; kills--) {
        env_sleep_ms(1 + dice(6));
        i = dice(WORKERS);
        kill(child[i], SIGKILL);
        waitpid(child[i], NULL, 0);
        child[i] = spawn(i);
    }

    for (i = 0; i < WORKERS; i++) {
        kill(child[i], SIGKILL);
        waitpid(child[i], NULL, 0);
    }

    env_flusher_stop(f);

    if (dice(2)) {
        aigw_live_close(env_live);
        env_remove("counters");
        must(aigw_live_open(env_live_path, env_store, &env_live, fault),
             "rebuild", fault);
    }

    aigw_journal_release(env_claim());
    env_drain();
}


/* --- the file: limits, events, rows, counters; a line each --- */

static void
write_id(FILE *out, const uint8_t *id)
{
    unsigned  i;

    for (i = 0; i < AIGW_ROW_ID_LEN; i++) {
        fprintf(out, "%02x", id[i]);
    }

    fputc('\n', out);
}


static void
write_rows(FILE *out)
{
    size_t             i, n;
    uint64_t           before, seq = 0;
    aigw_row_t         rows[100];
    aigw_row_filter_t  filter = { .status = -1 };

    do {
        before = seq;
        n = 0;
        must(aigw_store_follow_rows(env_store, &filter, &seq, rows, 100, &n),
             "rows", "");

        for (i = 0; i < n; i++) {
            fprintf(out, "row %u %" PRId64 " ",
                    (unsigned) rows[i].key_id - FIRST, rows[i].cost_nano);
            write_id(out, rows[i].id);
        }
    } while (seq != before);
}


static void
write_history(FILE *out)
{
    unsigned        i, n;
    const event_t  *e;

    for (i = 0; i < ACCOUNTS; i++) {
        fprintf(out, "account %u %" PRId64 " %" PRId64 " %" PRId64 "\n", i,
                notes->limit[i], flight_spent(FIRST + i),
                flight_held(FIRST + i));
    }

    for (i = 0; i < WORKERS; i++) {
        for (n = 0; n < atomic_load(&notes->n[i]); n++) {
            e = &notes->events[i][n];
            fprintf(out, "event %u %u %" PRId64 " ", (unsigned) e->kind,
                    e->account, e->amount);
            write_id(out, e->id);
        }
    }

    write_rows(out);
}


/* --- the checker: knows the file alone --- */

static struct {
    told_t    *calls;
    size_t     n;
    int64_t    limit[ACCOUNTS], spent[ACCOUNTS], held[ACCOUNTS];
    int64_t    rows[ACCOUNTS];
    unsigned   ended, refused, killed;
} told;


static int
by_id(const void *a, const void *b)
{
    const told_t  *x = a, *y = b;

    return memcmp(x->id, y->id, AIGW_ROW_ID_LEN);
}


static void
read_id(const char *hex, uint8_t *id)
{
    unsigned  i;

    for (i = 0; i < AIGW_ROW_ID_LEN; i++) {
        must(sscanf(hex + 2 * i, "%2hhx", &id[i]) == 1 ? AIGW_OK : AIGW_EINVAL,
             "a line", hex);
    }
}


/* One line each of a call's; sorted by id they are joined. */
static void
read_line(const char *line)
{
    char      id[40], word[10];
    int64_t   a, b, c;
    unsigned  i, kind;
    told_t   *t = &told.calls[told.n];

    if (sscanf(line, "account %u %" SCNd64 " %" SCNd64 " %" SCNd64, &i, &a, &b,
               &c) == 4)
    {
        told.limit[i] = a;
        told.spent[i] = b;
        told.held[i] = c;
        return;
    }

    memset(t, 0, sizeof(*t));
    told.n++;

    if (sscanf(line, "event %u %u %" SCNd64 " %39s", &kind, &t->account, &a, id)
        == 4)
    {
        t->seen = 1u << kind;
        t->hold = kind == WANTED ? a : 0;
        t->cost = kind == ENDING ? a : 0;

    } else {
        must(sscanf(line, "%9s %u %" SCNd64 " %39s", word, &t->account, &a, id)
             == 4 ? AIGW_OK : AIGW_EINVAL, "a line", line);
        t->rows = 1;
        told.rows[t->account] += a;
        t->cost = a << 20;
    }

    read_id(id, t->id);
}


static int
saw(const told_t *t, event_kind_t kind)
{
    return (t->seen & 1u << kind) != 0;
}


/* row: the cost in its row, where there is one. */
static const char *
judge(const told_t *t, int64_t row)
{
    if (t->rows > 1) {
        return "two rows";
    }

    if (!saw(t, WANTED)) {
        return "a row of nobody";
    }

    if (saw(t, ADMITTED) && t->rows == 0) {
        return "let in, and no row";
    }

    if (saw(t, REFUSED) && t->rows != 0) {
        return "refused, and a row";
    }

    if (saw(t, ENDED) && row != t->cost) {
        return "another cost than settled";
    }

    if (row < 0 || row > t->hold) {
        return "more than was held";
    }

    return t->rows && row > 0 && !saw(t, SENT) && !saw(t, ENDING)
           ? "never sent, and charged" : NULL;
}


/* Joins the lines of each id. Returns how many calls are wrong. */
static unsigned
judge_all(void)
{
    size_t       i, k;
    told_t       t;
    int64_t      row;
    unsigned     wrong = 0;
    const char  *what;

    qsort(told.calls, told.n, sizeof(told.calls[0]), by_id);

    for (i = 0; i < told.n; i = k) {
        memset(&t, 0, sizeof(t));
        row = 0;

        for (k = i; k < told.n && by_id(&told.calls[i], &told.calls[k]) == 0;
             k++)
        {
            t.seen |= told.calls[k].seen;
            t.hold += told.calls[k].hold;
            t.rows += told.calls[k].rows;
            row += told.calls[k].rows ? told.calls[k].cost >> 20 : 0;
            t.cost += told.calls[k].rows ? 0 : told.calls[k].cost;
        }

        told.ended += saw(&t, ENDED) != 0;
        told.refused += saw(&t, REFUSED) != 0;
        told.killed += saw(&t, ADMITTED) && !saw(&t, ENDED);
        what = judge(&t, row);

        if (what != NULL && wrong++ == 0) {
            printf("# %s: events %x, hold %" PRId64 ", cost %" PRId64 ", row %"
                   PRId64 "\n", what, t.seen, t.hold, t.cost, row);
        }
    }

    return wrong;
}


static void
check(const char *path)
{
    char       line[200];
    FILE      *in = fopen(path, "r");
    size_t     lines = 0;
    unsigned   i, over = 0, wrong = 0, held = 0, odd;

    must(in == NULL ? AIGW_EIO : AIGW_OK, "history", path);

    while (fgets(line, sizeof(line), in) != NULL) {
        lines++;
    }

    memset(&told, 0, sizeof(told));
    told.calls = calloc(lines, sizeof(told.calls[0]));
    rewind(in);

    while (fgets(line, sizeof(line), in) != NULL) {
        read_line(line);
    }

    fclose(in);
    odd = judge_all();

    for (i = 0; i < ACCOUNTS; i++) {
        over += told.rows[i] > told.limit[i];
        wrong += told.spent[i] != 3 * told.rows[i];
        held += told.held[i] != 0;
    }

    ok(odd == 0, "I2, I3, I4 of each call: %u ended, %u refused, %u killed",
       told.ended, told.refused, told.killed);
    is_int(over, 0, "I1: no account above its limit");
    is_int(wrong, 0, "I1: spent = sum of the rows");
    is_int(held, 0, "I3: nothing held");
    free(told.calls);
    all_ended += told.ended;
    all_refused += told.refused;
    all_killed += told.killed;
}


static void
test_round(const char *keep)
{
    char      path[100];
    FILE     *out;
    unsigned  i;

    env_start();
    memset(notes, 0, sizeof(*notes));

    for (i = 0; i < ACCOUNTS; i++) {
        notes->limit[i] = 2000 + dice(60000);
    }

    live_through();
    snprintf(path, sizeof(path), "%s/history", env_root);
    out = fopen(keep ? keep : path, "w");
    must(out == NULL ? AIGW_EIO : AIGW_OK, "history", "");
    write_history(out);
    must(fclose(out) ? AIGW_EIO : AIGW_OK, "history", "");
    check(keep ? keep : path);
    env_stop();
}


int
main(void)
{
    unsigned     i, rounds;
    const char  *start = getenv("TEST_SEED"), *n = getenv("TEST_ROUNDS");

    rounds = n != NULL ? (unsigned) atoi(n) : ROUNDS;
    seed = start != NULL ? strtoull(start, NULL, 10)
                         : (uint64_t) aigw_time_now_ms();
    printf("# TEST_SEED=%" PRIu64 "\n", seed);
    notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(notes == MAP_FAILED ? AIGW_ENOMEM : AIGW_OK, "mmap", "");

    for (i = 0; i < rounds; i++) {
        fflush(stdout);
        test_round(getenv("TEST_HISTORY"));
    }

    ok(all_ended > rounds && all_refused > 0 && all_killed > rounds,
       "in all %u ended, %u refused, %u killed", all_ended, all_refused,
       all_killed);

    return done();
}
