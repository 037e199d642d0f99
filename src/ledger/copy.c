/*
 * copy - entries that own their text: kept from a reader, or made to undo another
 */
#include "ledger/entry.h"

#include <stdio.h>

static enum rc no_memory(struct ledger_copy *copy, struct err *err)
{
    ledger_copy_release(copy);
    return err_set(err, RC_NOMEM, "no memory for a ledger entry");
}

enum rc ledger_copy_view(const struct ledger_view *view, struct ledger_copy *out, struct err *err)
{
    struct arena *arena = &out->arena;
    struct ledger_posting *postings = arena_array(arena, view->count, sizeof *postings);
    char *date = arena_text(arena, view->date);
    char *key = arena_text(arena, view->key);
    char *description = arena_text(arena, view->description);
    if (postings == NULL || date == NULL || key == NULL || description == NULL) {
        return no_memory(out, err);
    }
    for (size_t i = 0; i < view->count; i++) {
        const struct ledger_line *line = &view->lines[i];
        char *account = arena_text(arena, line->account);
        char *commodity = arena_text(arena, line->commodity);
        if (account == NULL || commodity == NULL) {
            return no_memory(out, err);
        }
        postings[i] = (struct ledger_posting){account, line->amount, commodity, line->digits};
    }
    out->entry = (struct ledger_entry){.date = date,
                                       .key = key,
                                       .description = description,
                                       .commodity = view->count > 0 ? postings[0].commodity : "",
                                       .digits = view->count > 0 ? postings[0].digits : 0,
                                       .postings = postings,
                                       .count = view->count};
    return RC_OK;
}

static enum rc flip(const struct ledger_entry *entry, struct ledger_posting *postings,
                    struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < entry->count; i++) {
        const struct ledger_posting *from = &entry->postings[i];
        if (from->amount == INT64_MIN) {
            return err_set(err, RC_RANGE, "ledger entry %.80s: an amount has no opposite",
                           entry->key);
        }
        const char *commodity = from->commodity == NULL ? entry->commodity : from->commodity;
        postings[i] =
            (struct ledger_posting){arena_text(arena, slice_of(from->account)), -from->amount,
                                    arena_text(arena, slice_of(commodity)),
                                    from->commodity == NULL ? entry->digits : from->digits};
        if (postings[i].account == NULL || postings[i].commodity == NULL) {
            return err_set(err, RC_NOMEM, "no memory for a ledger entry");
        }
    }
    return RC_OK;
}

enum rc ledger_reversal(const struct ledger_entry *entry, const char *date, struct ledger_copy *out,
                        struct err *err)
{
    char key[LEDGER_KEY_BYTES_MAX + 1];
    int length = snprintf(key, sizeof key, "%s/reversed", entry->key);
    if (length < 0 || (size_t)length >= sizeof key) {
        return err_set(err, RC_RANGE, "ledger entry %.80s: its reversal's key is longer than %d",
                       entry->key, LEDGER_KEY_BYTES_MAX);
    }
    struct arena *arena = &out->arena;
    struct ledger_posting *postings = arena_array(arena, entry->count, sizeof *postings);
    char *own_date = arena_text(arena, slice_of(date));
    char *own_key = arena_text(arena, slice_of(key));
    char *commodity = arena_text(arena, slice_of(entry->commodity));
    if (postings == NULL || own_date == NULL || own_key == NULL || commodity == NULL) {
        return no_memory(out, err);
    }
    enum rc rc = flip(entry, postings, arena, err);
    if (rc != RC_OK) {
        ledger_copy_release(out);
        return rc;
    }
    out->entry = (struct ledger_entry){.date = own_date,
                                       .key = own_key,
                                       .description = "reversed",
                                       .commodity = commodity,
                                       .digits = entry->digits,
                                       .postings = postings,
                                       .count = entry->count};
    return RC_OK;
}

void ledger_copy_release(struct ledger_copy *copy)
{
    arena_release(&copy->arena);
    *copy = LEDGER_COPY_EMPTY;
}
