/*
 * entry_test - the text of an entry, to the byte, and what cannot be one
 */
#include "unit/ledger/support.h"

#include "ledger/scan.h"

static const char CONTRACT_ENTRY[] =
    "2027-03-01 * (spring-letter/extraction/1) committed\n"
    "    cost:committed:loyalty:spring-2027:spring-letter:envelope:c5      9.56 EUR\n"
    "    cost:committed:loyalty:spring-2027:spring-letter:postage:eco     95.64 EUR\n"
    "    due:committed:nord-routage:letter                              -105.20 EUR\n";

static const char CONTRACT_CHAIN[] =
    "    ; chain: 1 24f8bb603a8a5f354608f149d80681e8a2b17d9addac12e0a8cad952d669f8ff\n\n";

static struct buf text_of(const struct ledger_entry *entry)
{
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    if (ledger_entry_check(entry, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    ledger_entry_write(entry, entry->date, &out);
    assert_int_equal(buf_ok(&out, NULL), RC_OK);
    return out;
}

static void ledger_entry_write__contract_example__same_bytes_and_chain(void **state)
{
    (void)state;
    struct ledger_entry entry = sample("spring-letter/extraction/1", "2027-03-01");
    struct buf text = text_of(&entry);
    assert_string_equal(buf_text(&text), CONTRACT_ENTRY);
    struct sha256 *sha = sha256_open();
    char hash[SHA256_HEX_BYTES];
    ledger_chain_hash(sha, LEDGER_HASH_NONE, buf_slice(&text), hash);
    buf_clear(&text);
    ledger_chain_write(1, hash, &text);
    assert_string_equal(buf_text(&text), CONTRACT_CHAIN);
    sha256_free(sha);
    buf_release(&text);
}

static void ledger_open__contract_example__is_whole(void **state)
{
    (void)state;
    struct house house = house_make();
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, CONTRACT_ENTRY);
    buf_add_text(&text, CONTRACT_CHAIN);
    house_put(&house, JOURNAL, buf_slice(&text));
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_head head;
    ledger_head(ledger, &head);
    assert_int_equal(head.number, 1);
    assert_memory_equal(head.hash, "24f8bb603a8a5f35", 16);
    ledger_close(ledger);
    buf_release(&text);
    house_release(&house);
}

static void ledger_entry_write__no_minor_digits__whole_numbers(void **state)
{
    (void)state;
    struct ledger_posting postings[] = {{"cost:spent:p:c:d:postage:eco", 10520, NULL, 0},
                                        {"due:spent:p:s", -10520, NULL, 0}};
    struct ledger_entry entry = {"2027-03-01", "d/result/1", "spent", "JPY", 0, postings, 2};
    struct buf text = text_of(&entry);
    assert_string_equal(buf_text(&text), "2027-03-01 * (d/result/1) spent\n"
                                         "    cost:spent:p:c:d:postage:eco    10520 JPY\n"
                                         "    due:spent:p:s                  -10520 JPY\n");
    buf_release(&text);
    entry.commodity = "KWD";
    entry.digits = 3;
    text = text_of(&entry);
    assert_non_null(strstr(buf_text(&text), "  10.520 KWD\n"));
    buf_release(&text);
    postings[0].amount = 7;
    postings[1].amount = -7;
    text = text_of(&entry);
    assert_non_null(strstr(buf_text(&text), "  0.007 KWD\n"));
    assert_non_null(strstr(buf_text(&text), " -0.007 KWD\n"));
    buf_release(&text);
}

static void ledger_entry_write__stock__commodity_in_quotes(void **state)
{
    (void)state;
    struct ledger_posting postings[] = {
        {"consumed:loyalty:spring-2027:spring-letter", 797, NULL, 0},
        {"stock:nord:env-c5", -797, NULL, 0},
        {"consumed:loyalty:spring-2027:spring-letter", 5, "a4", 0},
        {"stock:nord:a4", -5, "a4", 0}};
    struct ledger_entry entry = {
        "2027-03-01", "d/extraction/1", "committed", "env-c5", 0, postings, 4};
    struct buf text = text_of(&entry);
    assert_string_equal(buf_text(&text),
                        "2027-03-01 * (d/extraction/1) committed\n"
                        "    consumed:loyalty:spring-2027:spring-letter    797 \"env-c5\"\n"
                        "    stock:nord:env-c5                            -797 \"env-c5\"\n"
                        "    consumed:loyalty:spring-2027:spring-letter      5 \"a4\"\n"
                        "    stock:nord:a4                                  -5 \"a4\"\n");
    buf_release(&text);
}

static void refused(struct ledger_entry entry, enum rc want, const char *part)
{
    struct err err = {""};
    assert_int_equal(ledger_entry_check(&entry, &err), want);
    assert_says(&err, part);
}

static void ledger_entry_check__each_fault__is_told(void **state)
{
    (void)state;
    char longer[LEDGER_ACCOUNT_BYTES_MAX + 2];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct ledger_entry good = sample("d/extraction/1", "2027-03-01");
    struct ledger_entry bad = good;
    const char *keys[] = {"", "a b", "a)b", "a;b", "a\nb", "d\xc3\xa9"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        bad.key = keys[i];
        refused(bad, RC_PERM, "the key has bytes");
    }
    bad.key = longer;
    refused(bad, RC_RANGE, "the key has more than 512 bytes");
    bad = good;
    const char *descriptions[] = {"", " x", "x ", "a;b", "a\nb", "\xff"};
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++) {
        bad.description = descriptions[i];
        refused(bad, RC_PERM, "the description has bytes");
    }
    bad = good;
    const char *dates[] = {"", "2027-02-29", "2027-3-1", "2027/03/01", "2027-03-01 "};
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        bad.date = dates[i];
        refused(bad, RC_PERM, "is no date");
    }
    bad = good;
    bad.count = 1;
    refused(bad, RC_RANGE, "1 postings");
    bad.count = LEDGER_POSTINGS_MAX + 1;
    refused(bad, RC_RANGE, "4097 postings");
    bad = good;
    bad.commodity = "a b";
    refused(bad, RC_PERM, "the commodity has bytes");
    bad.commodity = longer;
    refused(bad, RC_RANGE, "the commodity has more than 64");
    bad = good;
    bad.digits = 5;
    refused(bad, RC_RANGE, "5 minor digits");
    struct ledger_posting postings[] = {{"cost:a b", 1, NULL, 0}, {"due", -1, NULL, 0}};
    bad = good;
    bad.postings = postings;
    bad.count = 2;
    refused(bad, RC_PERM, "the account has bytes");
    postings[0].account = longer;
    refused(bad, RC_RANGE, "the account has more than 1024");
    postings[0].account = "";
    refused(bad, RC_PERM, "the account has bytes");
    postings[0] = (struct ledger_posting){"cost", INT64_MIN, NULL, 0};
    refused(bad, RC_RANGE, "no opposite");
}

static void ledger_entry_is_balanced__each_commodity_by_itself(void **state)
{
    (void)state;
    struct ledger_posting postings[] = {
        {"a", 5, NULL, 0}, {"b", 3, "x", 0}, {"a", -5, NULL, 0}, {"b", -3, "x", 0}};
    struct ledger_entry entry = {"2027-03-01", "k", "d", "EUR", 2, postings, 4};
    assert_true(ledger_entry_is_balanced(&entry));
    postings[1].commodity = "y";
    assert_false(ledger_entry_is_balanced(&entry));
    postings[1].commodity = "x";
    postings[1].amount = 4;
    assert_false(ledger_entry_is_balanced(&entry));
    postings[3].amount = -4;
    postings[0].amount = INT64_MAX;
    postings[2].amount = INT64_MAX;
    assert_false(ledger_entry_is_balanced(&entry));
}

static void ledger_line_parse__what_we_write__comes_back(void **state)
{
    (void)state;
    struct ledger_line line;
    assert_int_equal(ledger_line_parse(slice_of("    stock:nord:env-c5   -797 \"env-c5\""), &line),
                     RC_OK);
    assert_true(slice_equal_text(line.account, "stock:nord:env-c5"));
    assert_true(slice_equal_text(line.commodity, "env-c5"));
    assert_int_equal(line.amount, -797);
    assert_int_equal(line.digits, 0);
    assert_int_equal(ledger_line_parse(slice_of("    due:a:b  105.20 EUR"), &line), RC_OK);
    assert_int_equal(line.amount, 10520);
    assert_int_equal(line.digits, 2);
    assert_true(slice_equal_text(line.commodity, "EUR"));
}

static void ledger_line_parse__anything_else__is_refused(void **state)
{
    (void)state;
    const char *lines[] = {"",
                           "    ",
                           "   due:a  1 EUR",
                           "     due:a  1 EUR",
                           "    due:a 1 EUR",
                           "    due:a  1",
                           "    due:a  1 ",
                           "    due:a  1 eur",
                           "    due:a  1 EURO",
                           "    due:a  1 \"\"",
                           "    due:a  1 \"a b\"",
                           "    due:a  1 \"a",
                           "    due:a  1.2.3 EUR",
                           "    due:a  1.23456 EUR",
                           "    due:a  99999999999999999999 EUR",
                           "    due:a  +1 EUR",
                           "    ; chain: 1 00",
                           "    :due  1 EUR",
                           "    due;a  1 EUR"};
    struct ledger_line line;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (ledger_line_parse(slice_of(lines[i]), &line) != RC_PERM) {
            fail_msg("taken: \"%s\"", lines[i]);
        }
    }
}

static void ledger_header_parse__good_and_bad(void **state)
{
    (void)state;
    struct ledger_view view;
    assert_int_equal(ledger_header_parse(slice_of("2027-03-01 * (a/b/1) some words"), &view),
                     RC_OK);
    assert_true(slice_equal_text(view.date, "2027-03-01"));
    assert_true(slice_equal_text(view.key, "a/b/1"));
    assert_true(slice_equal_text(view.description, "some words"));
    const char *lines[] = {"",
                           "2027-03-01",
                           "2027-03-01 * (a",
                           "2027-03-01 * (a)",
                           "2027-03-01 * (a) ",
                           "2027-03-01 * () x",
                           "2027-03-01 ! (a) x",
                           "2027-13-01 * (a) x",
                           "2027-03-01 * (a b) x"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (ledger_header_parse(slice_of(lines[i]), &view) != RC_PERM) {
            fail_msg("taken: \"%s\"", lines[i]);
        }
    }
}

static void ledger_reversal__flips_every_sign(void **state)
{
    (void)state;
    struct ledger_entry entry = sample("spring-letter/extraction/1", "2027-03-01");
    struct ledger_copy copy = LEDGER_COPY_EMPTY;
    assert_int_equal(ledger_reversal(&entry, "2027-03-05", &copy, NULL), RC_OK);
    assert_string_equal(copy.entry.key, "spring-letter/extraction/1/reversed");
    assert_string_equal(copy.entry.description, "reversed");
    assert_string_equal(copy.entry.date, "2027-03-05");
    assert_int_equal(copy.entry.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(copy.entry.postings[i].account, SAMPLE_POSTINGS[i].account);
        assert_int_equal(copy.entry.postings[i].amount, -SAMPLE_POSTINGS[i].amount);
    }
    struct buf text = text_of(&copy.entry);
    assert_non_null(strstr(buf_text(&text), " 105.20 EUR\n"));
    buf_release(&text);
    ledger_copy_release(&copy);
}

static void ledger_reversal__cannot_be__reports_range(void **state)
{
    (void)state;
    char key[LEDGER_KEY_BYTES_MAX + 1];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    struct err err = {""};
    struct ledger_entry entry = sample(key, "2027-03-01");
    struct ledger_copy copy = LEDGER_COPY_EMPTY;
    assert_int_equal(ledger_reversal(&entry, "2027-03-05", &copy, &err), RC_RANGE);
    assert_says(&err, "longer than 512");
    struct ledger_posting postings[] = {{"a", INT64_MIN, NULL, 0}, {"b", 0, NULL, 0}};
    entry = sample("k", "2027-03-01");
    entry.postings = postings;
    entry.count = 2;
    assert_int_equal(ledger_reversal(&entry, "2027-03-05", &copy, &err), RC_RANGE);
    assert_says(&err, "no opposite");
    ledger_copy_release(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ledger_entry_write__contract_example__same_bytes_and_chain),
        cmocka_unit_test(ledger_open__contract_example__is_whole),
        cmocka_unit_test(ledger_entry_write__no_minor_digits__whole_numbers),
        cmocka_unit_test(ledger_entry_write__stock__commodity_in_quotes),
        cmocka_unit_test(ledger_entry_check__each_fault__is_told),
        cmocka_unit_test(ledger_entry_is_balanced__each_commodity_by_itself),
        cmocka_unit_test(ledger_line_parse__what_we_write__comes_back),
        cmocka_unit_test(ledger_line_parse__anything_else__is_refused),
        cmocka_unit_test(ledger_header_parse__good_and_bad),
        cmocka_unit_test(ledger_reversal__flips_every_sign),
        cmocka_unit_test(ledger_reversal__cannot_be__reports_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
