/*
 * cost - what a delivery costs and takes from stock, and the ledger entries that say so
 */
#ifndef POSTROOM_STAGE_COST_H
#define POSTROOM_STAGE_COST_H

#include "base/arena.h"
#include "money/lines.h"
#include "stage/subject.h"

/*
 * cost_of_order - the cost lines of an order for q pieces
 *
 * quantity  records and seeds
 * at_ns     the moment; its local date is the day charged
 * out       COST_LINES_EMPTY; borrows names from the order; cost_lines_release()
 * Returns   RC_OK; RC_PERM a rule is not valid on that day; RC_RANGE; RC_NOMEM
 */
enum rc cost_of_order(const struct order *order, uint64_t quantity, int64_t at_ns,
                      struct cost_lines *out, struct err *err) MUST_CHECK;

/* The entries of one step of many deliveries, to be appended in one go to each ledger. */
struct cost_book {
    struct arena arena;
    struct ledger_entry *cost;
    struct ledger_entry *stock;
    struct ledger_receipt *cost_receipts; /* after cost_book_append */
    struct ledger_receipt *stock_receipts;
    size_t cost_count, stock_count;
};

/* Where one delivery's entries stand in a book; COST_NO_ENTRY: it has none, or had it before. */
#define COST_NO_ENTRY ((size_t)-1)
struct cost_slot {
    size_t cost;
    size_t stock;
};

enum { COST_KEY_BYTES = ID_BYTES_MAX + 64 };

/* cost_key - "ID/extraction/N", online "ID/sending/N", into out (COST_KEY_BYTES); returns out */
char *cost_key(const struct order *order, uint64_t round, char *out);

/* cost_book_open - room for so many deliveries; RC_NOMEM */
enum rc cost_book_open(size_t deliveries, struct cost_book *out, struct err *err) MUST_CHECK;
void cost_book_release(struct cost_book *book);

/*
 * cost_book_commit - add the `committed` entries of one extraction, but for those whose key stands
 * already
 *
 * env      the ledgers (keys) and the house (opening stock)
 * out      which entries of the book are its
 * Returns  RC_OK, also when there is nothing to book; RC_PERM, RC_RANGE as cost_of_order; RC_NOMEM;
 * RC_IO, RC_CORRUPT
 */
enum rc cost_book_commit(struct cost_book *book, const struct stage_env *env,
                         const struct order *order, uint64_t round, uint64_t quantity,
                         int64_t at_ns, struct cost_slot *out, struct err *err) MUST_CHECK;

/* cost_book_append - write the collected entries, fdatasync. RC_TEMP nothing was written; RC_IO
 * stop */
enum rc cost_book_append(struct cost_book *book, const struct stage_env *env,
                         struct err *err) MUST_CHECK;

/*
 * cost_reverse - reverse what an extraction, or the start of a sending, booked, unless that was
 * done: KEY/reversed in both ledgers Returns RC_OK, also when nothing had been booked; RC_TEMP,
 * RC_IO, RC_CORRUPT, RC_NOMEM
 */
enum rc cost_reverse(const struct stage_env *env, const struct order *order, uint64_t round,
                     int64_t at_ns, struct err *err) MUST_CHECK;

/*
 * cost_spend - the end of an online delivery: what was committed is reversed, what was really sent
 * is `spent`, keyed "ID/spent/N", unless that was done
 *
 * quantity   messages sent; 0: nothing is spent
 * priced_ns  when its costs were committed: prices are those of that day, also where it ends later
 * Returns   RC_OK, also when nothing had been booked; RC_PERM, RC_RANGE as cost_of_order; RC_TEMP,
 * RC_IO, RC_CORRUPT, RC_NOMEM
 */
enum rc cost_spend(const struct stage_env *env, const struct order *order, uint64_t round,
                   uint64_t quantity, int64_t priced_ns, int64_t at_ns, struct err *err) MUST_CHECK;

/* cost_is_reversed - the entries of that extraction are reversed; RC_IO, RC_CORRUPT a ledger cannot
 * be read */
enum rc cost_is_reversed(const struct stage_env *env, const struct order *order, uint64_t round,
                         bool *out, struct err *err) MUST_CHECK;

/*
 * cost_open_stock - append the `opening` entry of every stock line of the house that has none yet
 * Returns as cost_book_append
 */
enum rc cost_open_stock(const struct stage_env *env, int64_t at_ns, struct err *err) MUST_CHECK;

#endif
