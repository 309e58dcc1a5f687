/*
 * A cell: a number that all workers change at once, by a compare-and-swap that
 * leaves its author's mark, so that after a death at any instruction it can be
 * told whether the last change was made. Must not lock, wait or lose a mark.
 */

#include "aigw_live_internal.h"


#define AIGW_LIVE_CELL_SEQ  ((UINT64_C(1) << 56) - 1)

/* gcc and clang have 16 bytes on x86-64 where a function says so; clang would
   inline it where none does */
#if defined(__x86_64__)
#define AIGW_LIVE_CELL_WIDE    __attribute__((target("cx16"), noinline))
#define AIGW_LIVE_CELL_INSIDE                                                 \
    static inline __attribute__((target("cx16"), always_inline))
#elif defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
#define AIGW_LIVE_CELL_WIDE
#define AIGW_LIVE_CELL_INSIDE  static inline
#else
#error "no lock-free compare-and-swap of 16 bytes on this machine"
#endif

__extension__ typedef unsigned __int128
    aigw_live_cell_wide_t __attribute__((may_alias));

typedef union {
    struct {
        int64_t             value;
        uint64_t            op;
    } half;
    aigw_live_cell_wide_t   whole;
} aigw_live_cell_pair_t;


/* Keeps the trace of an op that is about to go from its cell. The greatest is
   enough: what somebody asks for after a death is the last of its writer. */
static void
aigw_live_cell_see(aigw_live_counters_t *counters, unsigned writer, uint64_t op)
{
    uint64_t           last, seq = op & AIGW_LIVE_CELL_SEQ;
    unsigned           author = (unsigned) (op >> 56);
    _Atomic uint64_t  *seen;

    /* its own last one is done, or it would not be at another */
    if (author == writer || author >= AIGW_JOURNAL_MAX) {
        return;
    }

    seen = &counters->writers[writer].seen[author];
    last = atomic_load_explicit(seen, memory_order_relaxed);

    /* a loop for those without a journal, who share a row */
    while (last < seq
           && !atomic_compare_exchange_weak(seen, &last, seq)) { /* void */ }
}


AIGW_LIVE_CELL_INSIDE int
swap(aigw_live_counters_t *counters, unsigned writer,
    aigw_live_cell_t *cell, int64_t value, uint64_t seen, int64_t to,
    uint64_t op)
{
    int                     swapped;
    aigw_live_cell_pair_t   old, new;
    aigw_live_cell_wide_t  *whole = (void *) cell;

    aigw_live_cell_see(counters, writer, seen);
    AIGW_LIVE_STEP();

    old.half.value = value;
    old.half.op = seen;
    new.half.value = to;
    new.half.op = op;

    swapped = __sync_bool_compare_and_swap(whole, old.whole, new.whole);
    AIGW_LIVE_STEP();

    return swapped;
}


AIGW_LIVE_CELL_WIDE int
aigw_live_cell_swap(aigw_live_counters_t *counters, unsigned writer,
    aigw_live_cell_t *cell, int64_t value, uint64_t seen, int64_t to,
    uint64_t op)
{
    return swap(counters, writer, cell, value, seen, to, op);
}


AIGW_LIVE_CELL_WIDE void
aigw_live_cell_add(aigw_live_counters_t *counters, unsigned writer,
    aigw_live_cell_t *cell, int64_t delta, uint64_t op)
{
    int64_t   value, to;
    uint64_t  seen;

    do {
        /* two loads: if they do not belong together the swap fails */
        value = atomic_load_explicit(&cell->value, memory_order_relaxed);
        seen = atomic_load_explicit(&cell->op, memory_order_relaxed);

        if (__builtin_add_overflow(value, delta, &to)) {
            to = delta > 0 ? INT64_MAX : INT64_MIN;
        }
    } while (!swap(counters, writer, cell, value, seen, to, op));
}


/* The cell first: whoever replaced op there had noted it before. */
int
aigw_live_cell_happened(const aigw_live_counters_t *counters,
    const aigw_live_cell_t *cell, uint64_t op)
{
    unsigned  i, author = (unsigned) (op >> 56);
    uint64_t  seq = op & AIGW_LIVE_CELL_SEQ;

    if (atomic_load_explicit(&cell->op, memory_order_acquire) == op) {
        return 1;
    }

    for (i = 0; i <= AIGW_JOURNAL_MAX; i++) {
        if (atomic_load_explicit(&counters->writers[i].seen[author],
                                 memory_order_acquire) == seq)
        {
            return 1;
        }
    }

    return 0;
}
