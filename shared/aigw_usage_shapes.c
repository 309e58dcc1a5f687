/*
 * Which shapes the answers of one kind have. A shape is worth what answers
 * come that have it; looking for new ones must stay cheap where all differ.
 */

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_shape.h"
#include "aigw_usage.h"
#include "aigw_usage_internal.h"


#define SHAPES_LESSON     8            /* what learning one costs: it is paid
                                          for by what fits */
#define SHAPES_DEBT      32
#define SHAPES_PATIENCE  64            /* misses that pay for one */
#define SHAPES_USED     255


static void
shapes_pay(aigw_usage_shapes_t *shapes, unsigned n)
{
    shapes->debt = (uint8_t) (shapes->debt > n ? shapes->debt - n : 0);
}


int
aigw_usage_shapes_feed(aigw_usage_meter_t *m, const unsigned char *data,
    size_t len, aigw_err_t *err)
{
    unsigned              i, k;
    aigw_usage_shapes_t  *shapes = m->shapes;

    for (k = 0; k < AIGW_USAGE_SHAPES; k++) {
        i = (shapes->last + k) % AIGW_USAGE_SHAPES;

        if (aigw_json_shape_feed(&shapes->shape[i], &m->json, data, len, m,
                                 err))
        {
            shapes->last = (uint8_t) i;
            shapes->used[i] = (uint8_t) (shapes->used[i]
                                         + (shapes->used[i] < SHAPES_USED));
            shapes_pay(shapes, 1);
            return 1;
        }
    }

    return 0;
}


/* Where there is room, or the one that is used least, the oldest of such; the
   past counts by half then. */
static unsigned
shapes_least(aigw_usage_shapes_t *shapes)
{
    unsigned  i, k, least = shapes->next;

    for (k = 1; k < AIGW_USAGE_SHAPES; k++) {
        i = (shapes->next + k) % AIGW_USAGE_SHAPES;
        least = shapes->used[i] < shapes->used[least] ? i : least;
    }

    shapes->next = (uint8_t) ((least + 1) % AIGW_USAGE_SHAPES);

    if (shapes->used[least] > 0) {
        for (i = 0; i < AIGW_USAGE_SHAPES; i++) {
            shapes->used[i] = (uint8_t) ((shapes->used[i] + 1) / 2);
        }
    }

    return least;
}


void
aigw_usage_shapes_learn(aigw_usage_shapes_t *shapes,
    const unsigned char *data, size_t len)
{
    unsigned  i;

    if (++shapes->misses == SHAPES_PATIENCE) {
        shapes->misses = 0;
        shapes_pay(shapes, SHAPES_LESSON);
    }

    if (shapes->debt > SHAPES_DEBT - SHAPES_LESSON) {
        return;
    }

    shapes->debt += SHAPES_LESSON;
    i = shapes_least(shapes);
    shapes->used[i] = aigw_json_shape_learn(&shapes->shape[i],
                                            &aigw_usage_schema, data, len)
                      == AIGW_OK;
}
