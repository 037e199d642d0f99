/*
 * places - a few rows, and a share for each channel
 */
#include "engine/places.h"

#include "base/name.h"
#include "sys/clock.h"
#include "sys/shared.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_NS (30 * NS_PER_SECOND)

struct occupant {
    char id[ID_BYTES_MAX + 1]; /* "": free */
    int channel;
    int64_t since_ns;
    bool is_recalled;
};

struct places {
    struct occupant places[PLACES_MAX];
    struct share *shares; /* HOUSE_CHANNELS of them */
};

enum rc places_open(struct places **out, struct err *err)
{
    struct places *places = calloc(1, sizeof *places);
    void *shares = NULL;
    if (places == NULL) {
        return err_set(err, RC_NOMEM, "no memory for send workers");
    }
    enum rc rc = shared_open(HOUSE_CHANNELS * sizeof(struct share), &shares, err);
    if (rc != RC_OK) {
        free(places);
        return rc;
    }
    places->shares = shares;
    *out = places;
    return RC_OK;
}

void places_free(struct places *places)
{
    if (places != NULL) {
        shared_free(places->shares, HOUSE_CHANNELS * sizeof(struct share));
        free(places);
    }
}

struct share *places_share(struct places *places, int channel)
{
    return &places->shares[channel];
}

bool places_is_full(const struct places *places, int channel, int32_t most)
{
    return most > 0 && atomic_load(&places->shares[channel].senders) >= (uint32_t)most;
}

static struct occupant *place_of(struct places *places, const char *id)
{
    for (size_t i = 0; i < PLACES_MAX; i++) {
        if (strcmp(places->places[i].id, id) == 0) {
            return &places->places[i];
        }
    }
    return NULL;
}

bool places_take(struct places *places, const char *id, int channel, int32_t most, int64_t now_ns)
{
    struct occupant *place = place_of(places, "");
    if (places_is_full(places, channel, most)) {
        return false;
    }
    assert(place != NULL);
    *place = (struct occupant){.channel = channel, .since_ns = now_ns};
    (void)snprintf(place->id, sizeof place->id, "%s", id);
    atomic_fetch_add(&places->shares[channel].senders, 1);
    return true;
}

void places_leave(struct places *places, const char *id)
{
    struct occupant *place = place_of(places, id);
    if (place != NULL) {
        atomic_fetch_sub(&places->shares[place->channel].senders, 1);
        place->id[0] = '\0';
    }
}

const char *places_next(struct places *places, int channel, int64_t now_ns)
{
    struct occupant *oldest = NULL;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct occupant *place = &places->places[i];
        bool is_meant = place->id[0] != '\0' && (channel < 0 || place->channel == channel);
        if (is_meant && place->is_recalled) {
            return NULL; /* there will be room soon */
        }
        if (is_meant && (oldest == NULL || place->since_ns < oldest->since_ns)) {
            oldest = place;
        }
    }
    if (oldest == NULL || now_ns - oldest->since_ns < TURN_NS) {
        return NULL;
    }
    oldest->is_recalled = true;
    return oldest->id;
}
