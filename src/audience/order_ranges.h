/*
 * order_ranges - references cut into ranges of keys that stand behind one another
 *
 * A sample of the first bytes of keys says where to cut, so that ranges are about equally long; one
 * is longer where many keys begin alike. Within a range references stay as they stood.
 */
#ifndef POSTROOM_AUDIENCE_ORDER_RANGES_H
#define POSTROOM_AUDIENCE_ORDER_RANGES_H

#include "audience/order.h"

enum { ORDER_RANGES_MAX = 255 }; /* one byte says which, or that a reference is left out */

/* Zero-initialised is empty. */
struct order_ranges {
    size_t count;
    size_t starts[ORDER_RANGES_MAX + 1];      /* range i: from starts[i] to before starts[i + 1] */
    uint64_t splitters[ORDER_RANGES_MAX + 1]; /* range i: prefixes below splitters[i], not below
                                                 the one before */
    size_t half; /* of the splitters that are searched: a power of two, more than half of them */
    struct order_ranges_part *parts; /* between counting and scattering */
    unsigned parts_count;
    unsigned char *range_of_ref;
};

/* order_ranges_choose - where to cut; each: how many references a range should have */
void order_ranges_choose(struct order_ranges *ranges, const struct order_ref *refs, size_t count,
                         size_t each);

/* Whether reference number `number` goes into a range at all; called by several threads. */
typedef bool order_ranges_is_in(const void *ctx, uint64_t number);

/*
 * order_ranges_count - how many there are of each range: starts are set
 * is_in     NULL: all of them are
 * Returns   false: no memory
 */
bool order_ranges_count(struct order_ranges *ranges, const struct order_ref *refs, size_t count,
                        unsigned threads, order_ranges_is_in *is_in, const void *ctx) MUST_CHECK;

/* order_ranges_scatter - the references that were counted, into `out` by ranges */
void order_ranges_scatter(struct order_ranges *ranges, const struct order_ref *refs,
                          struct order_ref *out);

/* order_ranges_of - in which range keys are that begin with prefix */
size_t order_ranges_of(const struct order_ranges *ranges, uint64_t prefix);

/* order_ranges_release - give back what lies between counting and scattering; NULL is allowed */
void order_ranges_release(struct order_ranges *ranges);

#endif
