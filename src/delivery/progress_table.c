/*
 * progress_table - the states of a delivery's recipients, and what each record makes of them
 */
#include "delivery/progress_inner.h"

#include "base/instant.h"

#include <assert.h>
#include <stdlib.h>

#define S(state) (1U << (PROGRESS_##state))

static_assert(sizeof(struct progress_entry) == 12, "1,000,000 recipients fit into 12 MB");
static_assert(PROGRESS_STATES <= 32, "a set of states is an unsigned");
static_assert(PROGRESS_PARTS_MAX == 32, "a bit of an entry each");

static const char *const STATES[PROGRESS_STATES] = {[PROGRESS_UNSENT] = "unsent",
                                                    [PROGRESS_INTENDED] = "intended",
                                                    [PROGRESS_SENT] = "sent",
                                                    [PROGRESS_TEMPORARY] = "temporary",
                                                    [PROGRESS_PERMANENT] = "permanent",
                                                    [PROGRESS_UNCERTAIN] = "uncertain",
                                                    [PROGRESS_HELD] = "held",
                                                    [PROGRESS_EXPIRED] = "expired",
                                                    [PROGRESS_SUPPRESSED] = "suppressed",
                                                    [PROGRESS_DELIVERED] = "delivered",
                                                    [PROGRESS_UNDELIVERED] = "undelivered"};

const struct progress_kind progress_kinds[PROGRESS_ACTS] = {
    [PROGRESS_ACT_TRY] = {"try", S(UNSENT) | S(TEMPORARY), PROGRESS_INTENDED, 1},
    [PROGRESS_ACT_SENT] = {"sent", S(INTENDED), PROGRESS_SENT, 1},
    [PROGRESS_ACT_TEMPORARY] = {"temporary", S(INTENDED), PROGRESS_TEMPORARY, 2},
    [PROGRESS_ACT_PERMANENT] = {"permanent", S(UNSENT) | S(TEMPORARY) | S(INTENDED),
                                PROGRESS_PERMANENT, 1},
    [PROGRESS_ACT_UNCERTAIN] = {"uncertain", S(INTENDED), PROGRESS_UNCERTAIN, 1},
    [PROGRESS_ACT_UNTRIED] = {"untried", S(INTENDED), PROGRESS_UNSENT, 0},
    [PROGRESS_ACT_EXPIRED] = {"expired", S(UNSENT) | S(TEMPORARY), PROGRESS_EXPIRED, 0},
    [PROGRESS_ACT_SUPPRESSED] = {"suppressed", S(UNSENT) | S(TEMPORARY), PROGRESS_SUPPRESSED, 0},
    [PROGRESS_ACT_RESEND] = {"resend", S(UNCERTAIN) | S(HELD), PROGRESS_TEMPORARY, 2},
    [PROGRESS_ACT_HOLD] = {"hold", S(UNCERTAIN) | S(TEMPORARY), PROGRESS_HELD, 0},
    [PROGRESS_ACT_ID] = {"id", S(SENT), PROGRESS_SENT, 1},
    [PROGRESS_ACT_DELIVERED] = {"delivered", S(SENT), PROGRESS_DELIVERED, 1},
    [PROGRESS_ACT_UNDELIVERED] = {"undelivered", S(SENT), PROGRESS_UNDELIVERED, 1},
};

const char *progress_state_name(enum progress_state state)
{
    return state < PROGRESS_STATES ? STATES[state] : "?";
}

enum rc progress_table_open(struct progress_table *table, uint32_t total, struct err *err)
{
    *table = PROGRESS_TABLE_EMPTY;
    table->entries = calloc(total, sizeof *table->entries);
    if (table->entries == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the states of %u recipients", total);
    }
    table->total = total;
    table->counts[PROGRESS_UNSENT] = total;
    return RC_OK;
}

void progress_table_release(struct progress_table *table)
{
    free(table->entries);
    *table = PROGRESS_TABLE_EMPTY;
}

bool progress_is_of_part(enum progress_act act)
{
    return act == PROGRESS_ACT_ID || act == PROGRESS_ACT_DELIVERED ||
           act == PROGRESS_ACT_UNDELIVERED;
}

uint32_t progress_table_sent(const struct progress_table *table)
{
    return table->counts[PROGRESS_SENT] + table->counts[PROGRESS_DELIVERED] +
           table->counts[PROGRESS_UNDELIVERED];
}

static uint32_t bit_of(uint32_t part)
{
    return part >= 1 && part <= PROGRESS_PARTS_MAX ? 1U << (part - 1) : 0;
}

/* All that a receipt was asked for has arrived: the code of a result `sent` is how many parts the
 * message had. */
static bool has_arrived(const struct progress_entry *entry, uint32_t part)
{
    uint32_t parts = entry->parts | bit_of(part);
    uint32_t wanted = entry->code < 1 ? 1 : entry->code;
    wanted = wanted > PROGRESS_PARTS_MAX ? PROGRESS_PARTS_MAX : wanted;
    return part == 0 || (uint32_t)__builtin_popcount(parts) >= wanted;
}

/* Who was tried before and is untried now waits as it did. */
static enum progress_state state_after(const struct progress_entry *entry,
                                       const struct progress_step *step)
{
    if (step->act == PROGRESS_ACT_UNTRIED && entry->tries > 1) {
        return PROGRESS_TEMPORARY;
    }
    if (step->act == PROGRESS_ACT_DELIVERED && !has_arrived(entry, step->first)) {
        return PROGRESS_SENT;
    }
    return (enum progress_state)progress_kinds[step->act].to;
}

bool progress_may_follow(const struct progress_table *table, const struct progress_step *step)
{
    const struct progress_entry *entry = &table->entries[step->number - 1];
    if (step->act == PROGRESS_ACT_HOLD && !entry->is_doubtful) {
        return false;
    }
    bool is_known =
        step->act == PROGRESS_ACT_DELIVERED && (entry->parts & bit_of(step->first)) != 0;
    bool is_no_part = progress_is_of_part(step->act) && step->first > PROGRESS_PARTS_MAX;
    return (progress_kinds[step->act].from & 1U << entry->state) != 0 && !is_known && !is_no_part;
}

/* What was counted in an entry: tries, the code, when it is tried again, parts that arrived */
static void keep_numbers(struct progress_entry *entry, const struct progress_step *step)
{
    const struct progress_kind *kind = &progress_kinds[step->act];
    if (step->act == PROGRESS_ACT_TRY) {
        entry->tries = (uint8_t)step->first;
    } else if (step->act == PROGRESS_ACT_UNTRIED) {
        entry->tries = (uint8_t)(entry->tries - 1);
    } else if (step->act == PROGRESS_ACT_DELIVERED) {
        entry->parts |= bit_of(step->first);
    } else if (kind->numbers > 0 && !progress_is_of_part(step->act)) {
        entry->code = (uint16_t)step->first;
    }
    if (step->act == PROGRESS_ACT_SENT) {
        entry->parts = 0;
    }
    if (step->act == PROGRESS_ACT_TEMPORARY || step->act == PROGRESS_ACT_RESEND) {
        uint64_t next_s = (uint64_t)step->at_s + step->wait_s;
        entry->next_s = next_s > UINT32_MAX ? UINT32_MAX : (uint32_t)next_s;
    }
}

const char *progress_apply(struct progress_table *table, const struct progress_step *step)
{
    if (step->number < 1 || step->number > table->total) {
        return "a recipient that is not in the list";
    }
    struct progress_entry *entry = &table->entries[step->number - 1];
    if (!progress_may_follow(table, step)) {
        return "a record that cannot follow the one before it";
    }
    uint8_t next_try = entry->tries < PROGRESS_TRIES_MAX ? (uint8_t)(entry->tries + 1)
                                                         : (uint8_t)PROGRESS_TRIES_MAX;
    if (step->act == PROGRESS_ACT_TRY && step->first != next_try) {
        return "a try with a wrong number";
    }
    enum progress_state state = state_after(entry, step);
    table->counts[entry->state]--;
    table->counts[state]++;
    if (state != PROGRESS_SENT || step->act == PROGRESS_ACT_SENT) { /* else a part of several */
        entry->at_s = step->at_s;
    }
    entry->state = (uint8_t)state & 0x7FU;
    entry->is_doubtful = step->act == PROGRESS_ACT_UNCERTAIN ||
                         (entry->is_doubtful && step->act != PROGRESS_ACT_SENT);
    keep_numbers(entry, step);
    return NULL;
}

uint32_t progress_table_next(const struct progress_table *table, uint32_t from, uint32_t upto,
                             int64_t now_ns)
{
    int64_t now_s = now_ns / NS_PER_SECOND;
    uint32_t last = upto < table->total ? upto : table->total;
    for (uint32_t number = from < 1 ? 1 : from; number <= last; number++) {
        const struct progress_entry *entry = &table->entries[number - 1];
        if (entry->state == PROGRESS_UNSENT ||
            (entry->state == PROGRESS_TEMPORARY && (int64_t)entry->next_s <= now_s)) {
            return number;
        }
    }
    return 0;
}

int64_t progress_table_retry(const struct progress_table *table, uint32_t upto)
{
    int64_t first_s = INT64_MAX;
    uint32_t last = upto < table->total ? upto : table->total;
    for (uint32_t i = 0; i < last; i++) {
        if (table->entries[i].state == PROGRESS_TEMPORARY &&
            (int64_t)table->entries[i].next_s < first_s) {
            first_s = (int64_t)table->entries[i].next_s;
        }
    }
    return first_s == INT64_MAX ? INSTANT_NONE : first_s * NS_PER_SECOND;
}
