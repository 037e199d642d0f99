/*
 * cost - what a delivery costs and takes from stock, and the ledger entries that say so
 */
#include "stage/cost.h"

#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNT_BYTES = 8 * (ID_BYTES_MAX + 2) };

static struct cost_rule rule_of(const struct house_cost *cost, struct cost_step *steps)
{
    static const enum cost_kind kinds[] = {
        [HOUSE_FIXED_PRICE] = COST_FIXED,
        [HOUSE_LINEAR] = COST_LINEAR,
        [HOUSE_LINEAR_BY_THRESHOLD] = COST_LINEAR_BY_THRESHOLD,
        [HOUSE_CONSTANT_BY_THRESHOLD] = COST_CONSTANT_BY_THRESHOLD,
    };
    for (size_t i = 0; i < cost->step_count; i++) {
        steps[i] = (struct cost_step){(uint64_t)cost->steps[i].upto, cost->steps[i].amount};
    }
    return (struct cost_rule){
        .kind = kinds[cost->rule],
        .amount = decimal_is_set(cost->amount) ? cost->amount : (struct decimal){0, 0},
        .per = cost->per > 0 ? (uint64_t)cost->per : 1,
        .steps = steps,
        .step_count = cost->step_count,
        .has_beyond = decimal_is_set(cost->beyond),
        .beyond = decimal_is_set(cost->beyond) ? cost->beyond : (struct decimal){0, 0},
        .has_minimum = decimal_is_set(cost->minimum),
        .minimum = decimal_is_set(cost->minimum) ? cost->minimum : (struct decimal){0, 0},
        .valid_from_day = cost->valid_from == DATE_NONE ? COST_DAY_FIRST : cost->valid_from,
        .valid_until_day = cost->valid_until == DATE_NONE ? COST_DAY_LAST : cost->valid_until,
    };
}

enum rc cost_of_order(const struct order *order, uint64_t quantity, int64_t at_ns,
                      struct cost_lines *out, struct err *err)
{
    struct arena arena = ARENA_EMPTY;
    size_t count = order->cost_count;
    struct cost_type *types = arena_array(&arena, count + 1, sizeof *types);
    struct cost_choice *choices = arena_array(&arena, count + 1, sizeof *choices);
    if (types == NULL || choices == NULL) {
        arena_release(&arena);
        return err_set(err, RC_NOMEM, "no memory for costs");
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        const struct house_cost *cost = &order->costs[i];
        struct cost_step *steps = arena_array(&arena, cost->step_count + 1, sizeof *steps);
        if (steps == NULL) {
            rc = err_set(err, RC_NOMEM, "no memory for costs");
            break;
        }
        types[i] = (struct cost_type){.category = cost->category,
                                      .type = cost->type,
                                      .rule = rule_of(cost, steps),
                                      .is_selected = true,
                                      .stock = cost->stock};
        choices[i] = (struct cost_choice){cost->category, cost->type,
                                          decimal_is_set(cost->surcharge) ? cost->surcharge
                                                                          : (struct decimal){0, 0}};
    }
    if (rc == RC_OK) {
        /* The order holds the lines that count and no others, so all of them are chosen. */
        rc = cost_lines_for(types, count, choices, count, quantity, clock_local_date(at_ns, NULL),
                            currency_digits(order->currency), out, err);
    }
    arena_release(&arena);
    return rc;
}

char *cost_key(const struct order *order, uint64_t round, char *out)
{
    (void)snprintf(out, COST_KEY_BYTES, "%s/%s/%llu", order->id,
                   order->channel == HOUSE_MAIL ? "extraction" : "sending",
                   (unsigned long long)round);
    return out;
}

enum rc cost_book_open(size_t deliveries, struct cost_book *out, struct err *err)
{
    *out = (struct cost_book){.arena = ARENA_EMPTY};
    out->cost = arena_array(&out->arena, deliveries + 1, sizeof *out->cost);
    out->stock = arena_array(&out->arena, deliveries + 1, sizeof *out->stock);
    out->cost_receipts = arena_array(&out->arena, deliveries + 1, sizeof *out->cost_receipts);
    out->stock_receipts = arena_array(&out->arena, deliveries + 1, sizeof *out->stock_receipts);
    if (out->cost == NULL || out->stock == NULL || out->cost_receipts == NULL ||
        out->stock_receipts == NULL) {
        cost_book_release(out);
        return err_set(err, RC_NOMEM, "no memory for ledger entries");
    }
    return RC_OK;
}

void cost_book_release(struct cost_book *book)
{
    arena_release(&book->arena);
    *book = (struct cost_book){.arena = ARENA_EMPTY};
}

static const char *arena_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

static const char *arena_format(struct arena *arena, const char *format, ...)
{
    char text[ACCOUNT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_text(arena, slice_of(text));
}

/* What an entry is about: its key, its day, and the level that stands in its accounts. */
struct heading {
    const char *key;
    const char *date;
    const char *level; /* "committed", "spent" */
};

/* The accounts of one delivery's costs, against what is due to the provider. */
static enum rc add_cost_entry(struct cost_book *book, const struct order *order,
                              const struct heading *heading, const struct cost_lines *lines,
                              struct err *err)
{
    struct ledger_posting *postings = arena_array(&book->arena, lines->count + 1, sizeof *postings);
    bool is_whole = postings != NULL;
    for (size_t i = 0; is_whole && i < lines->count; i++) {
        const struct cost_line *line = &lines->lines[i];
        postings[i] = (struct ledger_posting){
            .account = arena_format(&book->arena, "cost:%s:%s:%s:%s:%s:%s", heading->level,
                                    order->programme, order->campaign, order->id, line->category,
                                    line->type),
            .amount = line->amount_minor};
        is_whole = postings[i].account != NULL;
    }
    if (is_whole) {
        postings[lines->count] = (struct ledger_posting){
            .account = arena_format(&book->arena, "due:%s:%s:%s", heading->level, order->provider,
                                    order->service),
            .amount = -lines->total_minor};
        is_whole = postings[lines->count].account != NULL;
    }
    if (!is_whole) {
        return err_set(err, RC_NOMEM, "no memory for ledger entries");
    }
    book->cost[book->cost_count++] =
        (struct ledger_entry){.date = heading->date,
                              .key = heading->key,
                              .description = heading->level,
                              .commodity = arena_text(&book->arena, slice_of(order->currency)),
                              .digits = currency_digits(order->currency),
                              .postings = postings,
                              .count = lines->count + 1};
    return book->cost[book->cost_count - 1].commodity == NULL
               ? err_set(err, RC_NOMEM, "no memory for ledger entries")
               : RC_OK;
}

/* "nord/env-c5" as an account, "stock:nord:env-c5", and the line's name, which is the commodity */
static const char *stock_account(struct arena *arena, const char *path, const char **out_line)
{
    const char *slash = strchr(path, '/');
    if (slash == NULL) {
        return NULL;
    }
    *out_line = arena_text(arena, slice_of(slash + 1));
    return arena_format(arena, "stock:%.*s:%s", (int)(slash - path), path, slash + 1);
}

static enum rc add_stock_entry(struct cost_book *book, const struct order *order,
                               const struct heading *heading, const struct cost_lines *lines,
                               struct err *err)
{
    struct ledger_posting *postings =
        arena_array(&book->arena, 2 * lines->count + 2, sizeof *postings);
    size_t used = 0;
    bool is_whole = postings != NULL;
    for (size_t i = 0; is_whole && i < lines->count; i++) {
        const struct cost_line *line = &lines->lines[i];
        if (line->stock == NULL || line->stock_quantity == 0) {
            continue;
        }
        const char *commodity = NULL;
        const char *from = stock_account(&book->arena, line->stock, &commodity);
        const char *to = arena_format(&book->arena, "consumed:%s:%s:%s", order->programme,
                                      order->campaign, order->id);
        is_whole = from != NULL && commodity != NULL && to != NULL;
        postings[used++] = (struct ledger_posting){to, (int64_t)line->stock_quantity, commodity, 0};
        postings[used++] =
            (struct ledger_posting){from, -(int64_t)line->stock_quantity, commodity, 0};
    }
    if (!is_whole) {
        return err_set(err, RC_NOMEM, "no memory for ledger entries");
    }
    if (used > 0) {
        book->stock[book->stock_count++] = (struct ledger_entry){.date = heading->date,
                                                                 .key = heading->key,
                                                                 .description = heading->level,
                                                                 .commodity = postings[0].commodity,
                                                                 .digits = 0,
                                                                 .postings = postings,
                                                                 .count = used};
    }
    return RC_OK;
}

struct pricing {
    uint64_t quantity;
    int64_t priced_ns; /* prices of that day */
    int64_t at_ns;     /* the entry's day */
};

/* The entries of one delivery under a key, but for those that stand already. */
static enum rc book_level(struct cost_book *book, const struct stage_env *env,
                          const struct order *order, const char *key_text, const char *level,
                          const struct pricing *pricing, struct cost_slot *out, struct err *err)
{
    struct cost_lines lines = COST_LINES_EMPTY;
    *out = (struct cost_slot){COST_NO_ENTRY, COST_NO_ENTRY};
    enum rc rc = cost_of_order(order, pricing->quantity, pricing->priced_ns, &lines, err);
    if (rc != RC_OK) {
        return rc;
    }
    char date_text[CLOCK_DATE_BYTES];
    clock_local_date(pricing->at_ns, date_text);
    struct heading heading = {arena_text(&book->arena, slice_of(key_text)),
                              arena_text(&book->arena, slice_of(date_text)), level};
    bool has_cost = false;
    bool has_stock = false;
    rc = heading.key == NULL || heading.date == NULL
             ? err_set(err, RC_NOMEM, "no memory for ledger entries")
             : ledger_has_key(env->cost, key_text, &has_cost, err);
    rc = rc == RC_OK ? ledger_has_key(env->stock, key_text, &has_stock, err) : rc;
    if (rc == RC_OK && lines.count > 0 && !has_cost) {
        out->cost = book->cost_count;
        rc = add_cost_entry(book, order, &heading, &lines, err);
    }
    if (rc == RC_OK && !has_stock) {
        size_t before = book->stock_count;
        rc = add_stock_entry(book, order, &heading, &lines, err);
        out->stock = book->stock_count > before ? before : COST_NO_ENTRY;
    }
    cost_lines_release(&lines);
    return rc;
}

enum rc cost_book_commit(struct cost_book *book, const struct stage_env *env,
                         const struct order *order, uint64_t round, uint64_t quantity,
                         int64_t at_ns, struct cost_slot *out, struct err *err)
{
    char key[COST_KEY_BYTES];
    struct pricing pricing = {quantity, at_ns, at_ns};
    return book_level(book, env, order, cost_key(order, round, key), "committed", &pricing, out,
                      err);
}

/* Costs and stock are two files: whichever is written first, a restart finds the other by its key.
 */
enum rc cost_book_append(struct cost_book *book, const struct stage_env *env, struct err *err)
{
    enum rc rc = RC_OK;
    if (book->cost_count > 0) {
        rc = ledger_append(env->cost, book->cost, book->cost_count, book->cost_receipts, err);
    }
    if (rc == RC_OK && book->stock_count > 0) {
        rc = ledger_append(env->stock, book->stock, book->stock_count, book->stock_receipts, err);
    }
    return rc;
}

static enum rc reverse_in(struct ledger *ledger, const char *key, const char *date, struct err *err)
{
    char reversed[COST_KEY_BYTES + 16];
    (void)snprintf(reversed, sizeof reversed, "%s/reversed", key);
    bool is_booked = false;
    bool is_reversed = false;
    enum rc rc = ledger_has_key(ledger, key, &is_booked, err);
    rc = rc == RC_OK ? ledger_has_key(ledger, reversed, &is_reversed, err) : rc;
    if (rc != RC_OK || !is_booked || is_reversed) {
        return rc;
    }
    struct ledger_copy found = LEDGER_COPY_EMPTY;
    struct ledger_copy opposite = LEDGER_COPY_EMPTY;
    rc = ledger_find(ledger, key, &found, err);
    if (rc == RC_OK) {
        rc = ledger_reversal(&found.entry, date, &opposite, err);
    }
    if (rc == RC_OK) {
        rc = ledger_append(ledger, &opposite.entry, 1, NULL, err);
    }
    ledger_copy_release(&found);
    ledger_copy_release(&opposite);
    return rc;
}

enum rc cost_reverse(const struct stage_env *env, const struct order *order, uint64_t round,
                     int64_t at_ns, struct err *err)
{
    char key[COST_KEY_BYTES];
    char date[CLOCK_DATE_BYTES];
    clock_local_date(at_ns, date);
    cost_key(order, round, key);
    enum rc rc = reverse_in(env->cost, key, date, err);
    return rc == RC_OK ? reverse_in(env->stock, key, date, err) : rc;
}

/* Only what can be priced and written is begun: the reversal comes behind everything that may say
 * no. */
enum rc cost_spend(const struct stage_env *env, const struct order *order, uint64_t round,
                   uint64_t quantity, int64_t priced_ns, int64_t at_ns, struct err *err)
{
    char key[COST_KEY_BYTES];
    struct cost_book book;
    struct cost_slot slot;
    enum rc rc = cost_book_open(1, &book, err);
    if (rc != RC_OK) {
        return rc;
    }
    (void)snprintf(key, sizeof key, "%s/spent/%llu", order->id, (unsigned long long)round);
    if (quantity > 0) {
        struct pricing pricing = {quantity, priced_ns, at_ns};
        rc = book_level(&book, env, order, key, "spent", &pricing, &slot, err);
    }
    rc = rc == RC_OK ? cost_reverse(env, order, round, at_ns, err) : rc;
    rc = rc == RC_OK ? cost_book_append(&book, env, err) : rc;
    cost_book_release(&book);
    return rc;
}

enum rc cost_is_reversed(const struct stage_env *env, const struct order *order, uint64_t round,
                         bool *out, struct err *err)
{
    char key[COST_KEY_BYTES];
    char reversed[COST_KEY_BYTES + 16];
    (void)snprintf(reversed, sizeof reversed, "%s/reversed", cost_key(order, round, key));
    enum rc rc = ledger_has_key(env->cost, reversed, out, err);
    return rc == RC_OK && !*out ? ledger_has_key(env->stock, reversed, out, err) : rc;
}

/* One entry into a stock line: its opening, or an order that has arrived. */
static enum rc add_to_stock(const struct stage_env *env, const struct house_stock *stock,
                            const struct house_stock_line *line, const char *key,
                            const char *description, int32_t day, int64_t quantity, struct err *err)
{
    bool is_booked = false;
    enum rc rc = ledger_has_key(env->stock, key, &is_booked, err);
    if (rc != RC_OK || quantity == 0 || is_booked) {
        return rc;
    }
    char date[DATE_TEXT_BYTES];
    char account[ACCOUNT_BYTES];
    (void)snprintf(account, sizeof account, "stock:%s:%s", stock->name, line->name);
    struct ledger_posting postings[] = {
        {account, quantity, NULL, 0},
        {strcmp(description, "opening") == 0 ? "equity:opening" : "orders:received", -quantity,
         NULL, 0},
    };
    struct ledger_entry entry = {.date = date_format(day, date),
                                 .key = key,
                                 .description = description,
                                 .commodity = line->name,
                                 .digits = 0,
                                 .postings = postings,
                                 .count = 2};
    return ledger_append(env->stock, &entry, 1, NULL, err);
}

enum rc cost_open_stock(const struct stage_env *env, int64_t at_ns, struct err *err)
{
    int32_t today = clock_local_date(at_ns, NULL);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < env->house->stock_count; i++) {
        const struct house_stock *stock = &env->house->stocks[i];
        for (size_t j = 0; rc == RC_OK && j < stock->line_count; j++) {
            const struct house_stock_line *line = &stock->lines[j];
            char key[COST_KEY_BYTES + 2 * ID_BYTES_MAX];
            (void)snprintf(key, sizeof key, "opening/%s/%s", stock->name, line->name);
            rc = add_to_stock(env, stock, line, key, "opening", today, line->initial, err);
            for (size_t k = 0; rc == RC_OK && k < line->order_count; k++) {
                const struct house_stock_order *order = &line->orders[k];
                if (order->date > today) {
                    continue;
                }
                (void)snprintf(key, sizeof key, "order/%s/%s/%s", stock->name, line->name,
                               order->id);
                rc = add_to_stock(env, stock, line, key, "received", today, order->quantity, err);
            }
        }
    }
    return rc;
}
