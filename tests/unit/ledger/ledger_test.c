/*
 * ledger_test - the writer: appends, keys, dates, groups, faults of the disk
 */
#include "unit/ledger/support.h"

#include "ledger/writer.h"
#include "sys/fault.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static struct ledger_head head_of(const struct ledger *ledger)
{
    struct ledger_head head;
    ledger_head(ledger, &head);
    return head;
}

static bool has_key(const struct ledger *ledger, const char *key)
{
    bool has = false;
    assert_int_equal(ledger_has_key(ledger, key, &has, NULL), RC_OK);
    return has;
}

static uint64_t size_of(const struct house *house, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(house->dirfd, name, &status, 0), 0);
    return (uint64_t)status.st_size;
}

static void ledger_open__new__is_empty_with_zero_head(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_head head = head_of(ledger);
    assert_int_equal(head.number, 0);
    assert_int_equal(strspn(head.hash, "0"), 64);
    assert_string_equal(head.date, "");
    assert_false(has_key(ledger, "d/extraction/1"));
    struct stat status;
    assert_int_equal(fstatat(house.dirfd, JOURNAL, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__reopened__goes_on_where_it_was(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_entry entry = sample("a/extraction/1", "2027-03-01");
    struct ledger_receipt first = append_one(ledger, &entry);
    assert_int_equal(first.number, 1);
    assert_string_equal(first.date, "2027-03-01");
    ledger_close(ledger);
    ledger = house_open(&house, JOURNAL);
    assert_string_equal(head_of(ledger).hash, first.hash);
    assert_true(has_key(ledger, "a/extraction/1"));
    assert_false(has_key(ledger, "a/extraction/2"));
    entry.key = "a/extraction/2";
    struct ledger_receipt second = append_one(ledger, &entry);
    assert_int_equal(second.number, 2);
    assert_string_not_equal(second.hash, first.hash);
    ledger_close(ledger);
    struct ledger_extent extent;
    assert_int_equal(house_verify(&house, NULL, 0, &extent, NULL), RC_OK);
    assert_int_equal(extent.number, 2);
    assert_string_equal(extent.hash, second.hash);
    assert_int_equal(extent.bytes, size_of(&house, JOURNAL));
    house_release(&house);
}

static void ledger_append__key_stands__nothing_is_written(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 2);
    struct ledger *ledger = house_open(&house, JOURNAL);
    uint64_t size = size_of(&house, JOURNAL);
    struct err err = {""};
    struct ledger_entry entries[] = {sample("new/extraction/1", "2027-04-01"),
                                     sample("d-2/extraction/1", "2027-04-01")};
    assert_int_equal(ledger_append(ledger, entries, 2, NULL, &err), RC_EXISTS);
    assert_says(&err, "d-2/extraction/1 already");
    entries[1].key = "new/extraction/1";
    assert_int_equal(ledger_append(ledger, entries, 2, NULL, &err), RC_EXISTS);
    assert_says(&err, "new/extraction/1 stands twice");
    assert_int_equal(size_of(&house, JOURNAL), size);
    assert_false(has_key(ledger, "new/extraction/1"));
    assert_int_equal(head_of(ledger).number, 2);
    entries[1].key = "new/extraction/2";
    assert_int_equal(ledger_append(ledger, entries, 2, NULL, &err), RC_OK);
    assert_int_equal(ledger_append(ledger, entries, 2, NULL, &err), RC_EXISTS);
    assert_int_equal(ledger_append(ledger, entries, 0, NULL, &err), RC_OK);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__earlier_date__gets_the_last_date(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_entry entries[] = {sample("a", "2027-03-05"), sample("b", "2027-03-01"),
                                     sample("c", "2027-03-06"), sample("d", "2027-03-05")};
    struct ledger_receipt receipts[4];
    assert_int_equal(ledger_append(ledger, entries, 4, receipts, NULL), RC_OK);
    assert_string_equal(receipts[0].date, "2027-03-05");
    assert_string_equal(receipts[1].date, "2027-03-05");
    assert_string_equal(receipts[2].date, "2027-03-06");
    assert_string_equal(receipts[3].date, "2027-03-06");
    ledger_close(ledger);
    ledger = house_open(&house, JOURNAL);
    struct ledger_entry entry = sample("e", "1999-01-01");
    assert_string_equal(append_one(ledger, &entry).date, "2027-03-06");
    assert_string_equal(head_of(ledger).date, "2027-03-06");
    ledger_close(ledger);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    house_release(&house);
}

static void ledger_append__entry_that_cannot_be_written__nothing_is(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct err err = {""};
    struct ledger_entry entries[] = {sample("a", "2027-03-05"), sample("b c", "2027-03-01")};
    assert_int_equal(ledger_append(ledger, entries, 2, NULL, &err), RC_PERM);
    entries[1] = sample("b", "2027-03-01");
    entries[1].count = 0;
    assert_int_equal(ledger_append(ledger, entries, 2, NULL, &err), RC_RANGE);
    assert_int_equal(ledger_append(ledger, entries, LEDGER_GROUP_MAX + 1, NULL, &err), RC_RANGE);
    assert_says(&err, "at most 65536");
    assert_int_equal(size_of(&house, JOURNAL), 0);
    assert_int_equal(append_one(ledger, &entries[0]).number, 1);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__thousand_entries__one_write_one_sync(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static char keys[COUNT][32];
    static struct ledger_entry entries[COUNT];
    static struct ledger_receipt receipts[COUNT];
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "d-%d/extraction/1", i);
        entries[i] = sample(keys[i], "2027-03-01");
    }
    fault_watch();
    assert_int_equal(ledger_append(ledger, entries, COUNT, receipts, NULL), RC_OK);
    assert_int_equal(fault_count(FAULT_WRITE), 1);
    assert_int_equal(fault_count(FAULT_FSYNC), 1);
    fault_clear();
    assert_int_equal(receipts[COUNT - 1].number, COUNT);
    ledger_close(ledger);
    ledger = house_open(&house, JOURNAL);
    for (int i = 0; i < COUNT; i++) {
        assert_true(has_key(ledger, keys[i]));
    }
    assert_false(has_key(ledger, "d-1000/extraction/1"));
    assert_string_equal(head_of(ledger).hash, receipts[COUNT - 1].hash);
    ledger_close(ledger);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    house_release(&house);
}

static void ledger_append__largest_entry__is_read_back(void **state)
{
    (void)state;
    static struct ledger_posting postings[LEDGER_POSTINGS_MAX];
    char account[LEDGER_ACCOUNT_BYTES_MAX + 1];
    memset(account, 'a', sizeof account - 1);
    account[sizeof account - 1] = '\0';
    for (size_t i = 0; i < LEDGER_POSTINGS_MAX; i++) {
        postings[i] =
            (struct ledger_posting){account, i % 2 == 0 ? INT64_MAX : -INT64_MAX, NULL, 0};
    }
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_entry entry = {"2027-03-01",       "big", "committed", "EUR", 2, postings,
                                 LEDGER_POSTINGS_MAX};
    append_one(ledger, &entry);
    struct ledger_entry small = sample("small", "2027-03-01");
    append_one(ledger, &small);
    struct ledger_copy copy = LEDGER_COPY_EMPTY;
    assert_int_equal(ledger_find(ledger, "big", &copy, NULL), RC_OK);
    assert_int_equal(copy.entry.count, LEDGER_POSTINGS_MAX);
    assert_int_equal(copy.entry.postings[LEDGER_POSTINGS_MAX - 1].amount, -INT64_MAX);
    ledger_copy_release(&copy);
    ledger_close(ledger);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    ledger = house_open(&house, JOURNAL);
    assert_true(has_key(ledger, "small"));
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__group_too_large__reports_range(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    static struct ledger_posting postings[LEDGER_POSTINGS_MAX];
    static struct ledger_entry entries[COUNT];
    static char keys[COUNT][8];
    char account[LEDGER_ACCOUNT_BYTES_MAX + 1];
    memset(account, 'a', sizeof account - 1);
    account[sizeof account - 1] = '\0';
    for (size_t i = 0; i < LEDGER_POSTINGS_MAX; i++) {
        postings[i] = (struct ledger_posting){account, 0, NULL, 0};
    }
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%zu", i);
        entries[i] = (struct ledger_entry){
            "2027-03-01", keys[i], "committed", "EUR", 2, postings, LEDGER_POSTINGS_MAX};
    }
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct err err = {""};
    assert_int_equal(ledger_append(ledger, entries, COUNT, NULL, &err), RC_RANGE);
    assert_says(&err, "write it in parts");
    assert_int_equal(size_of(&house, JOURNAL), 0);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_find__key_stands__gives_the_entry_to_reverse(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 5);
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_copy found = LEDGER_COPY_EMPTY;
    struct ledger_copy reversal = LEDGER_COPY_EMPTY;
    assert_int_equal(ledger_find(ledger, "d-3/extraction/1", &found, NULL), RC_OK);
    assert_string_equal(found.entry.key, "d-3/extraction/1");
    assert_string_equal(found.entry.date, "2027-03-04");
    assert_string_equal(found.entry.commodity, "EUR");
    assert_int_equal(found.entry.count, 3);
    assert_int_equal(found.entry.postings[1].amount, 9564);
    assert_int_equal(ledger_reversal(&found.entry, "2027-03-20", &reversal, NULL), RC_OK);
    ledger_copy_release(&found);
    append_one(ledger, &reversal.entry);
    struct err err = {""};
    assert_int_equal(ledger_append(ledger, &reversal.entry, 1, NULL, &err), RC_EXISTS);
    ledger_copy_release(&reversal);
    assert_true(has_key(ledger, "d-3/extraction/1/reversed"));
    assert_int_equal(ledger_find(ledger, "d-9/extraction/1", &found, &err), RC_GONE);
    assert_says(&err, "d-9/extraction/1");
    ledger_close(ledger);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    house_release(&house);
}

static void ledger_stock__follows_appends_and_reopening(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, "stock.journal");
    struct ledger_posting opening[] = {{"stock:nord:env-c5", 200, NULL, 0},
                                       {"equity:opening", -200, NULL, 0}};
    struct ledger_posting taken[] = {{"consumed:p:c:d", 797, NULL, 0},
                                     {"stock:nord:env-c5", -797, NULL, 0}};
    struct ledger_entry entries[] = {
        {"2027-03-01", "opening/nord/env-c5", "opening", "env-c5", 0, opening, 2},
        {"2027-03-01", "d/extraction/1", "committed", "env-c5", 0, taken, 2}};
    assert_int_equal(ledger_stock(ledger, "nord", "env-c5"), 0);
    append_one(ledger, &entries[0]);
    assert_int_equal(ledger_stock(ledger, "nord", "env-c5"), 200);
    append_one(ledger, &entries[1]);
    assert_int_equal(ledger_stock(ledger, "nord", "env-c5"), -597);
    ledger_close(ledger);
    ledger = house_open(&house, "stock.journal");
    assert_int_equal(ledger_stock(ledger, "nord", "env-c5"), -597);
    assert_int_equal(ledger_stock(ledger, "nord", "env"), 0);
    ledger_close(ledger);
    house_release(&house);
}

/* After a failed append: nothing of it on disk, and the next one goes through. */
static void goes_on(const struct house *house, struct ledger *ledger, uint64_t size)
{
    assert_int_equal(size_of(house, JOURNAL), size);
    assert_int_equal(house_verify(house, NULL, 0, NULL, NULL), RC_OK);
    assert_false(has_key(ledger, "new"));
    struct ledger_entry entry = sample("new", "2027-04-01");
    append_one(ledger, &entry);
    assert_int_equal(house_verify(house, NULL, 0, NULL, NULL), RC_OK);
}

static void ledger_append__short_write__is_cut_back(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 2);
    struct ledger *ledger = house_open(&house, JOURNAL);
    uint64_t size = size_of(&house, JOURNAL);
    struct ledger_entry entry = sample("new", "2027-04-01");
    struct err err = {""};
    fault_at(FAULT_WRITE, 1, 0, FAULT_ONCE);
    assert_int_equal(ledger_append(ledger, &entry, 1, NULL, &err), RC_TEMP);
    assert_int_equal(fault_count(FAULT_TRUNCATE), 1);
    assert_int_equal(fault_count(FAULT_FSYNC), 1);
    fault_clear();
    assert_says(&err, "short write");
    goes_on(&house, ledger, size);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__no_space__is_cut_back(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 2);
    struct ledger *ledger = house_open(&house, JOURNAL);
    uint64_t size = size_of(&house, JOURNAL);
    struct ledger_entry entry = sample("new", "2027-04-01");
    struct err err = {""};
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(ledger_append(ledger, &entry, 1, NULL, &err), RC_TEMP);
    fault_clear();
    assert_says(&err, "No space left");
    goes_on(&house, ledger, size);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__file_size_limit_in_mid_record__is_cut_back(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 2);
    struct ledger *ledger = house_open(&house, JOURNAL);
    uint64_t size = size_of(&house, JOURNAL);
    struct ledger_entry entry = sample("new", "2027-04-01");
    struct err err = {""};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {size + 24, before.rlim_max}; /* the kernel's own torn append */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum rc rc = ledger_append(ledger, &entry, 1, NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(rc, RC_TEMP);
    goes_on(&house, ledger, size);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__interrupted__is_written_once(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    fault_at(FAULT_WRITE, 1, EINTR, FAULT_ONCE);
    struct ledger_entry entry = sample("new", "2027-04-01");
    append_one(ledger, &entry);
    fault_clear();
    ledger_close(ledger);
    struct ledger_extent extent;
    assert_int_equal(house_verify(&house, NULL, 0, &extent, NULL), RC_OK);
    assert_int_equal(extent.number, 1);
    house_release(&house);
}

static void ledger_append__interrupted_for_ever__reports_temp(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    fault_at(FAULT_WRITE, 1, EINTR, FAULT_FOREVER);
    struct ledger_entry entry = sample("new", "2027-04-01");
    assert_int_equal(ledger_append(ledger, &entry, 1, NULL, NULL), RC_TEMP);
    fault_clear();
    goes_on(&house, ledger, 0);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__sync_fails__is_never_tried_again(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 1);
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_entry entry = sample("new", "2027-04-01");
    struct err err = {""};
    fault_at(FAULT_FSYNC, 1, EIO, FAULT_ONCE);
    assert_int_equal(ledger_append(ledger, &entry, 1, NULL, &err), RC_IO);
    assert_int_equal(fault_count(FAULT_FSYNC), 1);
    entry.key = "other";
    assert_int_equal(ledger_append(ledger, &entry, 1, NULL, &err), RC_IO);
    assert_says(&err, "refuses appends");
    assert_int_equal(fault_count(FAULT_FSYNC), 1);
    assert_int_equal(fault_count(FAULT_WRITE), 1);
    fault_clear();
    ledger_close(ledger);
    /* started again, it goes on with what the disk holds */
    ledger = house_open(&house, JOURNAL);
    assert_true(has_key(ledger, "new"));
    append_one(ledger, &entry);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_append__cannot_be_cut_back__stops(void **state)
{
    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        struct house house = house_make();
        house_fill(&house, 1);
        struct ledger *ledger = house_open(&house, JOURNAL);
        struct ledger_entry entry = sample("new", "2027-04-01");
        struct err err = {""};
        fault_at(FAULT_WRITE, 1, 0, FAULT_ONCE);
        fault_at(sync ? FAULT_FSYNC : FAULT_TRUNCATE, 1, EIO, FAULT_ONCE);
        assert_int_equal(ledger_append(ledger, &entry, 1, NULL, &err), RC_IO);
        fault_clear();
        assert_says(&err, "cannot be cut back");
        assert_int_equal(ledger_append(ledger, &entry, 1, NULL, &err), RC_IO);
        ledger_close(ledger);
        ledger = house_open(&house, JOURNAL); /* the torn tail is cut off now */
        assert_false(has_key(ledger, "new"));
        append_one(ledger, &entry);
        ledger_close(ledger);
        house_release(&house);
    }
}

static void ledger_append__somebody_else_wrote__is_noticed(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 1);
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger *second = house_open(&house, JOURNAL);
    struct ledger_entry entry = sample("new", "2027-04-01");
    append_one(second, &entry);
    ledger_close(second);
    struct err err = {""};
    entry.key = "other";
    assert_int_equal(ledger_append(ledger, &entry, 1, NULL, &err), RC_CORRUPT);
    assert_says(&err, "somebody else wrote");
    ledger_close(ledger);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    house_release(&house);
}

static void ledger_has_key__file_was_changed__reports_corrupt(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 2);
    struct ledger *ledger = house_open(&house, JOURNAL);
    house_put(&house, JOURNAL, slice_of("not a ledger\n"));
    struct err err = {""};
    bool has = false;
    assert_int_equal(ledger_has_key(ledger, "d-1/extraction/1", &has, &err), RC_CORRUPT);
    assert_int_equal(ledger_has_key(ledger, "d-2/extraction/1", &has, &err), RC_CORRUPT);
    struct ledger_copy copy = LEDGER_COPY_EMPTY;
    assert_int_equal(ledger_find(ledger, "d-2/extraction/1", &copy, &err), RC_CORRUPT);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_has_key__another_key_with_its_hash__does_not_stand(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 1);
    struct ledger *ledger = house_open(&house, JOURNAL);
    assert_int_equal(ledger_index_reserve(&ledger->index, 1, NULL), RC_OK);
    ledger_index_put(&ledger->index, ledger_index_hash(&ledger->index, slice_of("twin")), 0);
    assert_false(has_key(ledger, "twin"));
    struct ledger_entry entry = sample("twin", "2027-04-01");
    append_one(ledger, &entry);
    assert_true(has_key(ledger, "twin"));
    struct ledger_copy copy = LEDGER_COPY_EMPTY;
    assert_int_equal(ledger_find(ledger, "twin", &copy, NULL), RC_OK);
    assert_string_equal(copy.entry.key, "twin");
    ledger_copy_release(&copy);
    ledger_close(ledger);
    house_release(&house);
}

static void ledger_open__no_regular_file__is_refused(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = NULL;
    struct err err = {""};
    assert_int_equal(mkfifoat(house.dirfd, JOURNAL, 0640), 0);
    assert_int_equal(ledger_open(house.dirfd, JOURNAL, TIME_TEXT, &ledger, NULL, &err), RC_PERM);
    assert_null(ledger);
    unlinkat(house.dirfd, JOURNAL, 0);
    house_put(&house, "other", slice_of(""));
    assert_int_equal(symlinkat("other", house.dirfd, JOURNAL), 0);
    assert_int_equal(ledger_open(house.dirfd, JOURNAL, TIME_TEXT, &ledger, NULL, &err), RC_PERM);
    assert_null(ledger);
    house_release(&house);
}

static void ledger_open__directory_cannot_be_synced__reports_io(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger *ledger = NULL;
    fault_at(FAULT_FSYNC, 1, EIO, FAULT_ONCE);
    assert_int_equal(ledger_open(house.dirfd, JOURNAL, TIME_TEXT, &ledger, NULL, NULL), RC_IO);
    fault_clear();
    assert_null(ledger);
    house_release(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ledger_open__new__is_empty_with_zero_head),
        cmocka_unit_test(ledger_append__reopened__goes_on_where_it_was),
        cmocka_unit_test(ledger_append__key_stands__nothing_is_written),
        cmocka_unit_test(ledger_append__earlier_date__gets_the_last_date),
        cmocka_unit_test(ledger_append__entry_that_cannot_be_written__nothing_is),
        cmocka_unit_test(ledger_append__thousand_entries__one_write_one_sync),
        cmocka_unit_test(ledger_append__largest_entry__is_read_back),
        cmocka_unit_test(ledger_append__group_too_large__reports_range),
        cmocka_unit_test(ledger_find__key_stands__gives_the_entry_to_reverse),
        cmocka_unit_test(ledger_stock__follows_appends_and_reopening),
        cmocka_unit_test(ledger_append__short_write__is_cut_back),
        cmocka_unit_test(ledger_append__no_space__is_cut_back),
        cmocka_unit_test(ledger_append__file_size_limit_in_mid_record__is_cut_back),
        cmocka_unit_test(ledger_append__interrupted__is_written_once),
        cmocka_unit_test(ledger_append__interrupted_for_ever__reports_temp),
        cmocka_unit_test(ledger_append__sync_fails__is_never_tried_again),
        cmocka_unit_test(ledger_append__cannot_be_cut_back__stops),
        cmocka_unit_test(ledger_append__somebody_else_wrote__is_noticed),
        cmocka_unit_test(ledger_has_key__file_was_changed__reports_corrupt),
        cmocka_unit_test(ledger_has_key__another_key_with_its_hash__does_not_stand),
        cmocka_unit_test(ledger_open__no_regular_file__is_refused),
        cmocka_unit_test(ledger_open__directory_cannot_be_synced__reports_io),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
