/*
 * report_test - sums by programme, campaign, delivery, category; stock levels; and that hledger and
 * ledger read both journals and agree
 */
#include "unit/ledger/support.h"

#include "ledger/index.h"
#include "ledger/report.h"
#include "ledger/tally.h"

static void post(struct ledger *ledger, const char *date, const char *key, const char *account,
                 int64_t amount, const char *currency)
{
    struct ledger_posting postings[] = {{account, amount, NULL, 0}, {"due:x", -amount, NULL, 0}};
    struct ledger_entry entry = {date, key, "committed", currency, 2, postings, 2};
    append_one(ledger, &entry);
}

static void reverse(struct ledger *ledger, const char *key, const char *date)
{
    struct ledger_copy found = LEDGER_COPY_EMPTY;
    struct ledger_copy reversal = LEDGER_COPY_EMPTY;
    assert_int_equal(ledger_find(ledger, key, &found, NULL), RC_OK);
    assert_int_equal(ledger_reversal(&found.entry, date, &reversal, NULL), RC_OK);
    append_one(ledger, &reversal.entry);
    ledger_copy_release(&found);
    ledger_copy_release(&reversal);
}

static void make_costs(const struct house *house)
{
    struct ledger *ledger = house_open(house, JOURNAL);
    post(ledger, "2027-03-01", "a1", "cost:planned:loyalty:spring:letter:postage:eco", 10000,
         "EUR");
    post(ledger, "2027-03-02", "a2", "cost:committed:loyalty:spring:letter:postage:eco", 9564,
         "EUR");
    reverse(ledger, "a1", "2027-03-02");
    post(ledger, "2027-03-02", "a3", "cost:committed:loyalty:spring:letter:envelope:c5", 956,
         "EUR");
    post(ledger, "2027-03-03", "b1", "cost:spent:loyalty:spring:letter-2:postage:eco", 700, "EUR");
    post(ledger, "2027-03-04", "c1", "cost:planned:loyalty:autumn:card:postage:eco", 50, "EUR");
    post(ledger, "2027-03-05", "d1", "cost:planned:loyalty:spring:letter:postage:eco", 1, "USD");
    post(ledger, "2027-03-06", "e1", "cost:invoiced:brand:x:y:z:t", 30, "EUR");
    post(ledger, "2027-03-06", "f1", "cost:elsewhere", 99, "EUR");
    post(ledger, "2027-03-06", "f2", "cost:unknown:a:b:c:d:e", 99, "EUR");
    post(ledger, "2027-03-07", "g1", "cost:planned:loyalty:spring:gone:postage:eco", 40, "EUR");
    reverse(ledger, "g1", "2027-03-07"); /* sums to zero: no row */
    ledger_close(ledger);
}

static struct ledger_cost_report costs_of(const struct house *house, struct ledger_cost_query query)
{
    struct ledger_cost_report report = LEDGER_COST_REPORT_EMPTY;
    struct err err = {""};
    int fd = openat(house->dirfd, JOURNAL, O_RDONLY | O_CLOEXEC);
    if (ledger_cost_report(fd, JOURNAL, &query, &report, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    close(fd);
    return report;
}

static void cost_report__by_delivery__sorted_and_net_of_reversals(void **state)
{
    (void)state;
    struct house house = house_make();
    make_costs(&house);
    struct ledger_cost_report report =
        costs_of(&house, (struct ledger_cost_query){.depth = LEDGER_BY_DELIVERY});
    assert_int_equal(report.count, 5);
    assert_int_equal(report.other_postings, 2);
    assert_int_equal(report.extent.number, 12);
    assert_string_equal(report.rows[0].names[0], "brand");
    assert_int_equal(report.rows[0].amounts[LEDGER_INVOICED], 30);
    assert_string_equal(report.rows[1].names[1], "autumn");
    assert_string_equal(report.rows[2].names[2], "letter");
    assert_string_equal(report.rows[2].currency, "EUR");
    assert_null(report.rows[2].names[3]);
    assert_int_equal(report.rows[2].amounts[LEDGER_PLANNED], 0);
    assert_int_equal(report.rows[2].amounts[LEDGER_COMMITTED], 10520);
    assert_int_equal(report.rows[2].total, 10520);
    assert_int_equal(report.rows[2].digits, 2);
    assert_string_equal(report.rows[3].currency, "USD");
    assert_int_equal(report.rows[3].total, 1);
    assert_string_equal(report.rows[4].names[2], "letter-2");
    ledger_cost_report_release(&report);
    house_release(&house);
}

static void cost_report__each_depth__has_its_rows(void **state)
{
    (void)state;
    struct house house = house_make();
    make_costs(&house);
    static const size_t counts[] = {2, 3, 4, 5, 6, 6};
    for (int depth = LEDGER_BY_CURRENCY; depth < LEDGER_DEPTHS; depth++) {
        struct ledger_cost_report report =
            costs_of(&house, (struct ledger_cost_query){.depth = (enum ledger_depth)depth});
        assert_int_equal(report.count, counts[depth]);
        int64_t euros = 0;
        for (size_t i = 0; i < report.count; i++) {
            for (int name = 0; name < LEDGER_DEPTHS - 1; name++) {
                assert_int_equal(report.rows[i].names[name] != NULL, name < depth);
            }
            euros += strcmp(report.rows[i].currency, "EUR") == 0 ? report.rows[i].total : 0;
        }
        assert_int_equal(euros, 9564 + 956 + 700 + 50 + 30);
        ledger_cost_report_release(&report);
    }
    house_release(&house);
}

static void cost_report__filters_and_dates__inclusive(void **state)
{
    (void)state;
    struct house house = house_make();
    make_costs(&house);
    struct ledger_cost_report report =
        costs_of(&house, (struct ledger_cost_query){.programme = "loyalty",
                                                    .campaign = "spring",
                                                    .delivery = "letter",
                                                    .from = "2027-03-02",
                                                    .to = "2027-03-02",
                                                    .depth = LEDGER_BY_CATEGORY});
    assert_int_equal(report.count, 2);
    assert_string_equal(report.rows[0].names[3], "envelope");
    assert_int_equal(report.rows[0].total, 956);
    assert_string_equal(report.rows[1].names[3], "postage");
    assert_int_equal(report.rows[1].amounts[LEDGER_PLANNED], -10000); /* reversed in the range */
    assert_int_equal(report.rows[1].amounts[LEDGER_COMMITTED], 9564);
    ledger_cost_report_release(&report);
    report = costs_of(&house, (struct ledger_cost_query){.programme = "nobody"});
    assert_int_equal(report.count, 0);
    ledger_cost_report_release(&report);
    house_release(&house);
}

static void cost_report__while_an_append_is_under_way__leaves_the_tail_out(void **state)
{
    (void)state;
    struct house house = house_make();
    make_costs(&house);
    int fd = openat(house.dirfd, JOURNAL, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "2027-03-09 * (half", 18), 18);
    close(fd);
    struct ledger_cost_report report = costs_of(&house, (struct ledger_cost_query){.depth = 0});
    assert_int_equal(report.extent.number, 12);
    assert_int_equal(report.extent.torn_bytes, 18);
    ledger_cost_report_release(&report);
    house_release(&house);
}

static void cost_report__damaged_journal__reports_corrupt(void **state)
{
    (void)state;
    struct house house = house_make();
    make_costs(&house);
    int fd = openat(house.dirfd, JOURNAL, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "3", 1, 3), 1);
    struct ledger_cost_report report = LEDGER_COST_REPORT_EMPTY;
    struct ledger_stock_report stock = LEDGER_STOCK_REPORT_EMPTY;
    struct ledger_cost_query query = {.depth = LEDGER_BY_TYPE};
    struct err err = {""};
    assert_int_equal(ledger_cost_report(fd, JOURNAL, &query, &report, &err), RC_CORRUPT);
    assert_null(report.rows);
    assert_int_equal(ledger_stock_report(fd, JOURNAL, &stock, &err), RC_CORRUPT);
    assert_null(stock.rows);
    close(fd);
    house_release(&house);
}

static enum rc stop_at_two(void *ctx, const struct ledger_view *view, struct err *err)
{
    int *calls = ctx;
    (*calls)++;
    return view->number == 2 ? err_set(err, RC_GONE, "enough") : RC_OK;
}

static void ledger_read__callback_stops__its_result_comes_back(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 5);
    int calls = 0;
    struct ledger_extent extent;
    struct err err = {""};
    int fd = openat(house.dirfd, JOURNAL, O_RDONLY | O_CLOEXEC);
    assert_int_equal(ledger_read(fd, JOURNAL, stop_at_two, &calls, &extent, &err), RC_GONE);
    assert_string_equal(err.text, "enough");
    assert_int_equal(calls, 2);
    assert_int_equal(extent.number, 2);
    close(fd);
    house_release(&house);
}

static void move_stock(struct ledger *ledger, const char *key, const char *line, const char *other,
                       int64_t pieces)
{
    char account[64];
    (void)snprintf(account, sizeof account, "stock:nord:%s", line);
    struct ledger_posting postings[] = {{account, pieces, NULL, 0}, {other, -pieces, NULL, 0}};
    struct ledger_entry entry = {"2027-03-01", key, "opening", line, 0, postings, 2};
    append_one(ledger, &entry);
}

static void make_stock(const struct house *house)
{
    struct ledger *ledger = house_open(house, "stock.journal");
    move_stock(ledger, "opening/nord/env-c5", "env-c5", "equity:opening", 1000);
    move_stock(ledger, "opening/nord/123", "123", "equity:opening", 7);
    move_stock(ledger, "letter/extraction/1", "env-c5", "consumed:loyalty:spring:letter", -797);
    reverse(ledger, "letter/extraction/1", "2027-03-02");
    move_stock(ledger, "letter/extraction/2", "env-c5", "consumed:loyalty:spring:letter", -1200);
    move_stock(ledger, "order/nord/env-c5/o-17", "env-c5", "equity:orders", 5000);
    move_stock(ledger, "adjust/1", "env-c5", "equity:adjusted", -3);
    ledger_close(ledger);
}

static void stock_report__each_line__what_came_and_went(void **state)
{
    (void)state;
    struct house house = house_make();
    make_stock(&house);
    struct ledger_stock_report report = LEDGER_STOCK_REPORT_EMPTY;
    int fd = openat(house.dirfd, "stock.journal", O_RDONLY | O_CLOEXEC);
    assert_int_equal(ledger_stock_report(fd, "stock.journal", &report, NULL), RC_OK);
    close(fd);
    assert_int_equal(report.count, 2);
    assert_string_equal(report.rows[0].line, "123");
    assert_int_equal(report.rows[0].in_stock, 7);
    assert_string_equal(report.rows[1].stock, "nord");
    assert_string_equal(report.rows[1].line, "env-c5");
    assert_int_equal(report.rows[1].opened, 1000);
    assert_int_equal(report.rows[1].received, 5000);
    assert_int_equal(report.rows[1].adjusted, -3);
    assert_int_equal(report.rows[1].consumed, 1200);
    assert_int_equal(report.rows[1].in_stock, 4797);
    ledger_stock_report_release(&report);
    house_release(&house);
}

/* What `program -f FILE bal ACCOUNT` prints first; skips the test where it is not installed. */
static void expect_balance(const struct house *house, const char *program, const char *file,
                           const char *account, const char *want)
{
    char command[512];
    char answer[512] = "";
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    if (system(command) != 0) {
        printf("SKIPPED: %s is not installed\n", program);
        skip();
    }
    (void)snprintf(command, sizeof command, "%s -f '%s/%s' bal '%s' 2>&1", program, house->path,
                   file, account);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t len = fread(answer, 1, sizeof answer - 1, pipe);
    answer[len] = '\0';
    assert_int_equal(pclose(pipe), 0);
    if (strstr(answer, want) == NULL) {
        fail_msg("%s does not say \"%s\" but \"%s\"", program, want, answer);
    }
}

static void read_by(const char *program)
{
    struct house house = house_make();
    make_costs(&house);
    make_stock(&house);
    expect_balance(&house, program, JOURNAL, "cost:committed", "105.20 EUR");
    expect_balance(&house, program, JOURNAL, "cost:spent", "7.00 EUR");
    expect_balance(&house, program, JOURNAL, "due:x", "-114.98 EUR");
    expect_balance(&house, program, "stock.journal", "stock:nord:env-c5", "4797 ");
    expect_balance(&house, program, "stock.journal", "consumed", "1200 ");
    expect_balance(&house, program, "stock.journal", "stock:nord:123", "7 \"123\"");
    house_release(&house);
}

static void hledger__reads_both_journals(void **state)
{
    (void)state;
    read_by("hledger");
}

static void ledger_cli__reads_both_journals(void **state)
{
    (void)state;
    read_by("ledger");
}

static void other_program_reads_currencies(const char *program)
{
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_posting postings[] = {{"cost:spent:p:c:d:e:f", 10520, NULL, 0},
                                        {"due:x", -10520, NULL, 0}};
    struct ledger_entry yen = {"2027-03-01", "y", "spent", "JPY", 0, postings, 2};
    struct ledger_entry dinar = {"2027-03-01", "k", "spent", "KWD", 3, postings, 2};
    append_one(ledger, &yen);
    append_one(ledger, &dinar);
    ledger_close(ledger);
    expect_balance(&house, program, JOURNAL, "cost", "10520 JPY");
    expect_balance(&house, program, JOURNAL, "cost", "10.520 KWD");
    house_release(&house);
}

static void hledger__reads_currencies_with_0_and_3_digits(void **state)
{
    (void)state;
    other_program_reads_currencies("hledger");
}

static void ledger_cli__reads_currencies_with_0_and_3_digits(void **state)
{
    (void)state;
    other_program_reads_currencies("ledger");
}

static void tally__many_keys__keep_their_sums(void **state)
{
    (void)state;
    enum { KEYS = 5000 };
    struct tally tally = TALLY_EMPTY;
    char key[32];
    assert_null(tally_find(&tally, slice_of("x")));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < KEYS; i++) {
            (void)snprintf(key, sizeof key, "key-%d", i);
            struct tally_row *row = tally_row(&tally, slice_of(key));
            assert_non_null(row);
            tally_add(&row->sums[0], i);
        }
    }
    assert_int_equal(tally.count, KEYS);
    assert_int_equal(tally_find(&tally, slice_of("key-4999"))->sums[0], 2 * 4999);
    assert_null(tally_find(&tally, slice_of("key-5000")));
    struct tally_row *row = tally_row(&tally, slice_of("key-1"));
    tally_add(&row->sums[1], INT64_MAX);
    tally_add(&row->sums[1], 5);
    assert_true(row->sums[1] == INT64_MAX);
    tally_add(&row->sums[2], INT64_MIN);
    tally_add(&row->sums[2], -5);
    assert_true(row->sums[2] == INT64_MIN);
    tally_release(&tally);
}

static void index__equal_hashes__are_all_found(void **state)
{
    (void)state;
    struct ledger_index index = LEDGER_INDEX_EMPTY(1);
    uint64_t offset = 0;
    size_t cursor = 0;
    assert_false(ledger_index_next(&index, 7, &cursor, &offset));
    for (uint64_t i = 0; i < 200; i++) {
        assert_int_equal(ledger_index_reserve(&index, 1, NULL), RC_OK);
        ledger_index_put(&index, i % 2 == 0 ? 7 : 7 + (i << 32), i * 100);
    }
    size_t found = 0;
    for (cursor = 0; ledger_index_next(&index, 7, &cursor, &offset); found++) {
        assert_int_equal(offset % 200, 0);
    }
    assert_int_equal(found, 100);
    cursor = 0;
    assert_false(ledger_index_next(&index, 8, &cursor, &offset));
    struct err err = {""};
    assert_int_equal(ledger_index_reserve(&index, LEDGER_INDEX_SLOTS_MAX, &err), RC_RANGE);
    assert_int_equal(ledger_index_reserve(&index, LEDGER_INDEX_SLOTS_MAX + 1, &err), RC_RANGE);
    ledger_index_release(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_report__by_delivery__sorted_and_net_of_reversals),
        cmocka_unit_test(cost_report__each_depth__has_its_rows),
        cmocka_unit_test(cost_report__filters_and_dates__inclusive),
        cmocka_unit_test(cost_report__while_an_append_is_under_way__leaves_the_tail_out),
        cmocka_unit_test(cost_report__damaged_journal__reports_corrupt),
        cmocka_unit_test(ledger_read__callback_stops__its_result_comes_back),
        cmocka_unit_test(stock_report__each_line__what_came_and_went),
        cmocka_unit_test(hledger__reads_both_journals),
        cmocka_unit_test(ledger_cli__reads_both_journals),
        cmocka_unit_test(hledger__reads_currencies_with_0_and_3_digits),
        cmocka_unit_test(ledger_cli__reads_currencies_with_0_and_3_digits),
        cmocka_unit_test(tally__many_keys__keep_their_sums),
        cmocka_unit_test(index__equal_hashes__are_all_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
