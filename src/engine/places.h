/*
 * places - which deliveries are being sent: of each channel as many as it has connections, in turns
 *
 * A relay counts connections and messages a second, not deliveries. A delivery that finds no place
 * waits for one; where some wait, the one that has been sending longest makes room after a while
 * and waits in its turn.
 */
#ifndef POSTROOM_ENGINE_PLACES_H
#define POSTROOM_ENGINE_PLACES_H

#include "channel/share.h"
#include "conf/house.h"
#include "engine/items.h"

enum { PLACES_MAX = 8 }; /* of all channels together */

struct places;

/* places_open - none is taken; RC_NOMEM */
enum rc places_open(struct places **out, struct err *err) MUST_CHECK;
void places_free(struct places *places);

/* places_share - what the senders of this channel have in common */
struct share *places_share(struct places *places, int channel);

/* places_take - for this delivery, of at most so many of the channel (0: no limit); false: there is
 * none. id is copied. Asserted: not more than PLACES_MAX in all */
bool places_take(struct places *places, const char *id, int channel, int32_t most, int64_t now_ns);

/* places_leave - it is not being sent any more; no fault where it has no place */
void places_leave(struct places *places, const char *id);

/* places_is_full - nobody else of this channel finds a place */
bool places_is_full(const struct places *places, int channel, int32_t most);

/*
 * places_next - who has to make room
 * channel  for one of this channel; -1: for any
 * Returns  the id of the one that has been sending longest, where that is longer than a turn, once
 * for each place; NULL: nobody. Valid until the next call. now_ns is monotonic here and above
 */
const char *places_next(struct places *places, int channel, int64_t now_ns);

#endif
