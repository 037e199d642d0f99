/*
 * damage_test - torn tails are cut off and kept; everything else that is wrong is found and left
 */
#include "unit/ledger/support.h"

#include "ledger/scan.h"
#include "sys/fault.h"

#include <errno.h>

enum { ENTRIES = 3 };

/* Offsets of the entries of a journal, and its end behind them. */
static void offsets_of(struct slice text, size_t *offsets, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        offsets[i] = at;
        const char *end = strstr(text.ptr + at, "\n\n");
        assert_non_null(end);
        at = (size_t)(end - text.ptr) + 2;
    }
    offsets[count] = at;
    assert_int_equal(at, text.len);
}

static enum rc try_open(const struct house *house, struct ledger_recovery *recovery,
                        struct err *err)
{
    struct ledger *ledger = NULL;
    enum rc rc = ledger_open(house->dirfd, JOURNAL, TIME_TEXT, &ledger, recovery, err);
    assert_int_equal(rc == RC_OK, ledger != NULL);
    ledger_close(ledger);
    return rc;
}

/* Verify and the writer both find it, and leave every byte where it is. */
static void is_corrupt(const struct house *house, struct slice bytes)
{
    struct err err = {""};
    house_put(house, JOURNAL, bytes);
    enum rc rc = house_verify(house, NULL, 0, NULL, &err);
    if (rc != RC_CORRUPT) {
        fail_msg("verify says %s: %s", rc_name(rc), err.text);
    }
    assert_says(&err, "cost.journal:");
    assert_says(&err, "entry ");
    rc = try_open(house, NULL, &err);
    if (rc != RC_CORRUPT) {
        fail_msg("open says %s: %s", rc_name(rc), err.text);
    }
    struct buf after = house_get(house, JOURNAL);
    assert_true(slice_equal(buf_slice(&after), bytes));
    buf_release(&after);
    assert_int_equal(house_count(house, "cost.journal.torn-"), 0);
}

static void ledger_open__torn_at_each_byte_of_the_last_entry__cut_and_kept(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, ENTRIES);
    struct buf whole = house_get(&house, JOURNAL);
    size_t offsets[ENTRIES + 1];
    offsets_of(buf_slice(&whole), offsets, ENTRIES);
    for (size_t len = offsets[ENTRIES - 1] + 1; len < whole.len; len++) {
        struct err err = {""};
        struct ledger_extent extent;
        struct ledger_recovery cut;
        house_clear(&house);
        house_put(&house, JOURNAL, (struct slice){whole.ptr, len});
        assert_int_equal(house_verify(&house, NULL, 0, &extent, &err), RC_STATE);
        assert_int_equal(extent.number, ENTRIES - 1);
        assert_int_equal(extent.torn_bytes, len - offsets[ENTRIES - 1]);
        assert_int_equal(try_open(&house, &cut, &err), RC_OK);
        assert_true(cut.is_cut);
        assert_int_equal(cut.entries, ENTRIES - 1);
        assert_int_equal(cut.bytes, len - offsets[ENTRIES - 1]);
        assert_string_equal(cut.kept_as, "cost.journal.torn-" TIME_TEXT);
        struct buf kept = house_get(&house, cut.kept_as);
        assert_true(slice_equal(buf_slice(&kept),
                                (struct slice){whole.ptr + offsets[ENTRIES - 1], cut.bytes}));
        buf_release(&kept);
        struct buf rest = house_get(&house, JOURNAL);
        assert_true(slice_equal(buf_slice(&rest), (struct slice){whole.ptr, offsets[ENTRIES - 1]}));
        buf_release(&rest);
        assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    }
    buf_release(&whole);
    house_release(&house);
}

static void ledger_open__torn_first_entry__leaves_an_empty_journal(void **state)
{
    (void)state;
    struct house house = house_make();
    house_put(&house, JOURNAL, slice_of("2027-03-01 * (a) comm"));
    struct ledger_recovery cut;
    assert_int_equal(try_open(&house, &cut, NULL), RC_OK);
    assert_int_equal(cut.entries, 0);
    assert_int_equal(cut.bytes, 21);
    assert_int_equal(try_open(&house, &cut, NULL), RC_OK);
    assert_false(cut.is_cut);
    assert_string_equal(cut.kept_as, "");
    house_release(&house);
}

static void ledger_open__tail_without_chain_line__is_torn_whatever_it_holds(void **state)
{
    (void)state;
    static char zeros[100000];
    static char letters[100000];
    memset(letters, 'x', sizeof letters);
    const struct slice tails[] = {
        SLICE_LITERAL("x"),
        SLICE_LITERAL("\n"),
        SLICE_LITERAL("2027-03-09 * (by-hand) lunch\n    food  1 EUR\n    cash  -1 EUR\n\n"),
        SLICE_LITERAL("2027-03-09 * (s) x\n"
                      "    stock:nord:f  1 "
                      "\"24f8bb603a8a5f354608f149d80681e8a2b17d9addac12e0a8cad952d669f8\"\n"),
        {zeros, sizeof zeros},
        {letters, sizeof letters}};
    struct house house = house_make();
    house_fill(&house, 2);
    struct buf whole = house_get(&house, JOURNAL);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct buf bytes = BUF_EMPTY;
        struct ledger_recovery cut;
        buf_add_slice(&bytes, buf_slice(&whole));
        buf_add_slice(&bytes, tails[i]);
        house_clear(&house);
        house_put(&house, JOURNAL, buf_slice(&bytes));
        assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_STATE);
        assert_int_equal(try_open(&house, &cut, NULL), RC_OK);
        assert_int_equal(cut.bytes, tails[i].len);
        assert_int_equal(cut.entries, 2);
        buf_release(&bytes);
    }
    buf_release(&whole);
    house_release(&house);
}

static void ledger_open__torn_again_in_the_same_second__kept_beside(void **state)
{
    (void)state;
    struct house house = house_make();
    struct ledger_recovery cut;
    char want[64];
    for (int i = 1; i <= LEDGER_TORN_MAX; i++) {
        (void)snprintf(want, sizeof want, i == 1 ? "%s" : "%s.%d", "cost.journal.torn-" TIME_TEXT,
                       i);
        house_put(&house, JOURNAL, slice_of("torn"));
        assert_int_equal(try_open(&house, &cut, NULL), RC_OK);
        assert_string_equal(cut.kept_as, want);
    }
    struct err err = {""};
    house_put(&house, JOURNAL, slice_of("torn"));
    assert_int_equal(try_open(&house, &cut, &err), RC_EXISTS);
    assert_says(&err, "move them away");
    struct buf after = house_get(&house, JOURNAL);
    assert_string_equal(buf_text(&after), "torn");
    buf_release(&after);
    house_release(&house);
}

static void ledger_open__tail_cannot_be_kept__is_not_cut(void **state)
{
    (void)state;
    struct house house = house_make();
    struct err err = {""};
    const struct {
        enum fault_call call;
        unsigned nth;
        int error;
        enum rc want;
    } faults[] = {{FAULT_WRITE, 1, ENOSPC, RC_TEMP},
                  {FAULT_FSYNC, 2, EIO, RC_IO},  /* the copy; the first is the directory */
                  {FAULT_FSYNC, 3, EIO, RC_IO}}; /* the copy's name */
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        house_put(&house, JOURNAL, slice_of("torn"));
        fault_at(faults[i].call, faults[i].nth, faults[i].error, FAULT_ONCE);
        assert_int_equal(try_open(&house, NULL, &err), faults[i].want);
        fault_clear();
        assert_says(&err, "cannot be cut off");
        struct buf after = house_get(&house, JOURNAL);
        assert_string_equal(buf_text(&after), "torn");
        buf_release(&after);
    }
    /* the cut's own sync: cut or not, nobody knows; the copy is there */
    fault_at(FAULT_FSYNC, 4, EIO, FAULT_ONCE);
    assert_int_equal(try_open(&house, NULL, &err), RC_IO);
    fault_clear();
    assert_true(house_count(&house, "cost.journal.torn-") > 0);
    assert_int_equal(try_open(&house, NULL, NULL), RC_OK);
    house_release(&house);
}

static void ledger_verify__any_bit_flipped__is_found(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, ENTRIES);
    struct buf bytes = house_get(&house, JOURNAL);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ (1 << bit % 8));
        is_corrupt(&house, buf_slice(&bytes));
        bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ (1 << bit % 8));
    }
    house_put(&house, JOURNAL, buf_slice(&bytes));
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    buf_release(&bytes);
    house_release(&house);
}

static void ledger_verify__damage__names_line_and_entry(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, ENTRIES);
    struct buf bytes = house_get(&house, JOURNAL);
    size_t offsets[ENTRIES + 1];
    offsets_of(buf_slice(&bytes), offsets, ENTRIES);
    char *amount = strstr(bytes.ptr + offsets[1], "9.56");
    assert_non_null(amount);
    *amount = '8';
    house_put(&house, JOURNAL, buf_slice(&bytes));
    struct err err = {""};
    assert_int_equal(house_verify(&house, NULL, 0, NULL, &err), RC_CORRUPT);
    assert_says(&err, "cost.journal:7: entry 2 is not what was written there");
    buf_release(&bytes);
    house_release(&house);
}

static void ledger_verify__each_byte_removed_or_doubled__is_found(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 2);
    struct buf bytes = house_get(&house, JOURNAL);
    struct buf changed = BUF_EMPTY;
    /* without the last byte it is a torn tail; a blank line more is one too */
    for (size_t i = 0; i + 2 < bytes.len; i++) {
        buf_clear(&changed);
        buf_add(&changed, bytes.ptr, i);
        buf_add(&changed, bytes.ptr + i + 1, bytes.len - i - 1);
        is_corrupt(&house, buf_slice(&changed));
        buf_clear(&changed);
        buf_add(&changed, bytes.ptr, i + 1);
        buf_add(&changed, bytes.ptr + i, bytes.len - i);
        is_corrupt(&house, buf_slice(&changed));
    }
    buf_release(&changed);
    buf_release(&bytes);
    house_release(&house);
}

static void ledger_verify__lines_swapped_or_removed__is_found(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, ENTRIES);
    struct buf bytes = house_get(&house, JOURNAL);
    struct slice lines[64];
    size_t count = 0;
    for (size_t at = 0; at < bytes.len; count++) {
        const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        assert_non_null(end);
        lines[count] = (struct slice){bytes.ptr + at, (size_t)(end - bytes.ptr) + 1 - at};
        at += lines[count].len;
    }
    assert_int_equal(count, 6 * ENTRIES);
    for (size_t i = 0; i + 1 < count; i++) {
        struct buf changed = BUF_EMPTY;
        for (size_t j = 0; j < count; j++) {
            size_t from = j == i ? i + 1 : j == i + 1 ? i : j;
            buf_add_slice(&changed, lines[from]);
        }
        is_corrupt(&house, buf_slice(&changed));
        buf_clear(&changed);
        for (size_t j = 0; j < count; j++) {
            if (j != i) {
                buf_add_slice(&changed, lines[j]);
            }
        }
        if (i == count - 2) { /* the last entry has no chain line then: torn */
            struct err err = {""};
            house_put(&house, JOURNAL, buf_slice(&changed));
            assert_int_equal(house_verify(&house, NULL, 0, NULL, &err), RC_STATE);
        } else {
            is_corrupt(&house, buf_slice(&changed));
        }
        buf_release(&changed);
    }
    buf_release(&bytes);
    house_release(&house);
}

static void ledger_verify__entries_removed_doubled_or_swapped__is_found(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, ENTRIES);
    struct buf bytes = house_get(&house, JOURNAL);
    size_t offsets[ENTRIES + 1];
    offsets_of(buf_slice(&bytes), offsets, ENTRIES);
    static const int orders[][4] = {{1, 2, -1},    {0, 2, -1},    {2, -1},
                                    {1, 0, 2, -1}, {0, 2, 1, -1}, {0, 0, 1, 2},
                                    {0, 1, 1, 2},  {0, 1, 2, 2},  {0, 1, 2, 0}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        struct buf changed = BUF_EMPTY;
        for (size_t j = 0; j < 4 && orders[i][j] >= 0; j++) {
            size_t entry = (size_t)orders[i][j];
            buf_add(&changed, bytes.ptr + offsets[entry], offsets[entry + 1] - offsets[entry]);
        }
        is_corrupt(&house, buf_slice(&changed));
        buf_release(&changed);
    }
    buf_release(&bytes);
    house_release(&house);
}

static void ledger_verify__older_copy__is_found_by_a_witness(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, ENTRIES);
    struct buf bytes = house_get(&house, JOURNAL);
    size_t offsets[ENTRIES + 1];
    offsets_of(buf_slice(&bytes), offsets, ENTRIES);
    struct ledger_extent extent;
    assert_int_equal(house_verify(&house, NULL, 0, &extent, NULL), RC_OK);
    struct ledger_witness witnesses[] = {{.number = ENTRIES, .from = "m3/manifest.json"},
                                         {.number = 0, .from = "m0/manifest.json"}};
    memcpy(witnesses[0].hash, extent.hash, sizeof witnesses[0].hash);
    memset(witnesses[1].hash, '0', 64);
    assert_int_equal(house_verify(&house, witnesses, 2, &extent, NULL), RC_OK);
    house_put(&house, JOURNAL, (struct slice){bytes.ptr, offsets[ENTRIES - 1]});
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK); /* the chain cannot know */
    struct err err = {""};
    assert_int_equal(house_verify(&house, witnesses, 2, NULL, &err), RC_CORRUPT);
    assert_says(&err, "ends at entry 2, but m3/manifest.json has seen entry 3");
    house_put(&house, JOURNAL, slice_of(""));
    assert_int_equal(house_verify(&house, witnesses, 2, NULL, &err), RC_CORRUPT);
    /* torn and rolled back: the witness counts more */
    house_put(&house, JOURNAL, (struct slice){bytes.ptr, offsets[ENTRIES] - 1});
    assert_int_equal(house_verify(&house, witnesses, 2, NULL, &err), RC_CORRUPT);
    buf_release(&bytes);
    house_release(&house);
}

static void ledger_verify__history_written_anew__is_found_by_a_witness(void **state)
{
    (void)state;
    struct house house = house_make();
    house_fill(&house, 2);
    struct ledger_extent extent;
    assert_int_equal(house_verify(&house, NULL, 0, &extent, NULL), RC_OK);
    struct ledger_witness witness = {.number = 2, .from = "m/manifest.json"};
    memcpy(witness.hash, extent.hash, sizeof witness.hash);
    unlinkat(house.dirfd, JOURNAL, 0);
    struct ledger *ledger = house_open(&house, JOURNAL);
    struct ledger_entry entries[] = {sample("d-1/extraction/1", "2027-03-01"),
                                     sample("forged", "2027-03-02"), sample("more", "2027-03-02")};
    assert_int_equal(ledger_append(ledger, entries, 3, NULL, NULL), RC_OK);
    ledger_close(ledger);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, NULL), RC_OK);
    struct err err = {""};
    assert_int_equal(house_verify(&house, &witness, 1, NULL, &err), RC_CORRUPT);
    assert_says(&err, "cost.journal:7: entry 2 is not the one that m/manifest.json has seen");
    witness.number = 0;
    assert_int_equal(house_verify(&house, &witness, 1, NULL, &err), RC_CORRUPT);
    house_release(&house);
}

/* A journal whose chain holds over any text. */
static void put_forged(const struct house *house, const char *const *texts, size_t count)
{
    struct buf out = BUF_EMPTY;
    struct sha256 *sha = sha256_open();
    char hash[SHA256_HEX_BYTES];
    memcpy(hash, LEDGER_HASH_NONE, sizeof hash);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&out, texts[i]);
        ledger_chain_hash(sha, hash, slice_of(texts[i]), hash);
        ledger_chain_write(i + 1, hash, &out);
    }
    house_put(house, JOURNAL, buf_slice(&out));
    sha256_free(sha);
    buf_release(&out);
}

static void ledger_verify__forged_entries_whose_chain_holds__are_found(void **state)
{
    (void)state;
    static const char good[] = "2027-03-02 * (a) x\n    a  1 EUR\n    b  -1 EUR\n";
    const struct {
        const char *second;
        const char *part;
        bool open_finds; /* the writer does not add postings up */
    } cases[] = {
        {"2027-03-02 * (a) y\n    a  1 EUR\n    b  -1 EUR\n", "has the key a, which stands", true},
        {"2027-03-01 * (b) y\n    a  1 EUR\n    b  -1 EUR\n", "an earlier date", true},
        {"hello\n    a  1 EUR\n    b  -1 EUR\n", "has no header line", true},
        {"2027-03-02 * (b) y\n    a  1 EUR\n    b  -2 EUR\n", "does not sum to zero", false},
        {"2027-03-02 * (b) y\n    a  1 EUR\n    b\n", "a line that is no posting", false}};
    struct house house = house_make();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *texts[] = {good, cases[i].second};
        struct err err = {""};
        put_forged(&house, texts, 2);
        assert_int_equal(house_verify(&house, NULL, 0, NULL, &err), RC_CORRUPT);
        assert_says(&err, cases[i].part);
        assert_says(&err, "entry 2");
        assert_int_equal(try_open(&house, NULL, &err), cases[i].open_finds ? RC_CORRUPT : RC_OK);
    }
    house_release(&house);
}

static void ledger_verify__more_postings_than_fit__reports_range(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "2027-03-02 * (a) x\n");
    for (int i = 0; i <= LEDGER_POSTINGS_MAX; i++) {
        buf_add_text(&text, "    a  0 EUR\n");
    }
    struct house house = house_make();
    const char *texts[] = {buf_text(&text)};
    struct err err = {""};
    put_forged(&house, texts, 1);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, &err), RC_RANGE);
    assert_says(&err, "more than 4096 postings");
    buf_release(&text);
    /* an entry of more bytes than there may be, though its chain holds */
    while (text.len <= LEDGER_ENTRY_BYTES_MAX) {
        buf_add_text(&text, "2027-03-02 * (a) xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
    }
    texts[0] = buf_text(&text);
    put_forged(&house, texts, 1);
    assert_int_equal(house_verify(&house, NULL, 0, NULL, &err), RC_RANGE);
    assert_says(&err, "is larger than");
    buf_release(&text);
    house_release(&house);
}

static void ledger_read__no_journal_file__is_refused(void **state)
{
    (void)state;
    struct house house = house_make();
    struct err err = {""};
    assert_int_equal(ledger_read(house.dirfd, "x", NULL, NULL, NULL, &err), RC_PERM);
    assert_says(&err, "not a regular file");
    assert_int_equal(ledger_read(-1, "x", NULL, NULL, NULL, &err), RC_IO);
    house_put(&house, JOURNAL, slice_of("something"));
    int fd = openat(house.dirfd, JOURNAL, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ledger_read(fd, "x", NULL, NULL, NULL, &err), RC_IO);
    close(fd);
    house_release(&house);
}

static enum rc cut_file(void *ctx, const struct ledger_view *view, struct err *err)
{
    (void)err;
    return view->number == 1 && ftruncate(*(int *)ctx, 1 << 20) != 0 ? RC_IO : RC_OK;
}

static void ledger_read__file_cut_meanwhile__ends_there(void **state)
{
    (void)state;
    enum { COUNT = 6000 }; /* above 1 MiB, so that the reader has to read again */
    static char keys[COUNT][16];
    static struct ledger_entry entries[COUNT];
    struct house house = house_make();
    struct ledger *ledger = house_open(&house, JOURNAL);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "d-%d", i);
        entries[i] = sample(keys[i], "2027-03-01");
    }
    assert_int_equal(ledger_append(ledger, entries, COUNT, NULL, NULL), RC_OK);
    ledger_close(ledger);
    struct ledger_extent extent;
    int fd = openat(house.dirfd, JOURNAL, O_RDWR | O_CLOEXEC);
    assert_int_equal(ledger_read(fd, JOURNAL, cut_file, &fd, &extent, NULL), RC_OK);
    assert_int_equal(extent.bytes + extent.torn_bytes, 1 << 20);
    close(fd);
    house_release(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ledger_open__torn_at_each_byte_of_the_last_entry__cut_and_kept),
        cmocka_unit_test(ledger_open__torn_first_entry__leaves_an_empty_journal),
        cmocka_unit_test(ledger_open__tail_without_chain_line__is_torn_whatever_it_holds),
        cmocka_unit_test(ledger_open__torn_again_in_the_same_second__kept_beside),
        cmocka_unit_test(ledger_open__tail_cannot_be_kept__is_not_cut),
        cmocka_unit_test(ledger_verify__any_bit_flipped__is_found),
        cmocka_unit_test(ledger_verify__damage__names_line_and_entry),
        cmocka_unit_test(ledger_verify__each_byte_removed_or_doubled__is_found),
        cmocka_unit_test(ledger_verify__lines_swapped_or_removed__is_found),
        cmocka_unit_test(ledger_verify__entries_removed_doubled_or_swapped__is_found),
        cmocka_unit_test(ledger_verify__older_copy__is_found_by_a_witness),
        cmocka_unit_test(ledger_verify__history_written_anew__is_found_by_a_witness),
        cmocka_unit_test(ledger_verify__forged_entries_whose_chain_holds__are_found),
        cmocka_unit_test(ledger_verify__more_postings_than_fit__reports_range),
        cmocka_unit_test(ledger_read__no_journal_file__is_refused),
        cmocka_unit_test(ledger_read__file_cut_meanwhile__ends_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
