/*
 * quarantine_test - who was put in is found, once; files that people edited, that a crash tore
 */
#include "unit/delivery/folder.h"

#include "base/instant.h"
#include "channel/quarantine.h"
#include "sys/clock.h"
#include "sys/fault.h"

#include <errno.h>

#define AT (INT64_C(1800000000) * NS_PER_SECOND)
#define STAMP "2027-01-15T08:00:00Z"
#define HEADER "address,key,since,cause,delivery\n"
#define FILE_NAME "email.csv"

static enum rc add_one(const struct folder *folder, const char *address, const char *key,
                       size_t *out_added, struct err *err)
{
    const struct quarantine_entry entry = {slice_of(address), slice_of(key), AT, "permanent",
                                           "d-1"};
    return quarantine_add(folder->fd, "email", &entry, 1, out_added, err);
}

static size_t adds(const struct folder *folder, const char *address, const char *key)
{
    struct err err = {""};
    size_t added = 99;
    if (add_one(folder, address, key, &added, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    return added;
}

static void put(const struct folder *folder, const char *text)
{
    folder_put(folder, FILE_NAME, slice_of(text), 0600);
}

static void holds(const struct folder *folder, const char *text)
{
    struct buf got = BUF_EMPTY;
    assert_int_equal(fs_read_small(folder->fd, FILE_NAME, 1 << 20, &got, NULL), RC_OK);
    assert_string_equal(buf_text(&got), text);
    buf_release(&got);
}

static struct quarantine *load(const struct folder *folder, enum rc expected, struct err *err)
{
    struct quarantine *quarantine = NULL;
    int fd = openat(folder->fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
    enum rc rc = quarantine_load(fd, "quarantine/email.csv", &quarantine, err);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (rc != expected) {
        fail_msg("%s: %s", rc_name(rc), err->text);
    }
    return quarantine;
}

static bool has(const struct quarantine *quarantine, const char *address, const char *key)
{
    struct buf scratch = BUF_EMPTY;
    bool is_in = false;
    assert_int_equal(
        quarantine_has(quarantine, slice_of(address), slice_of(key), &scratch, &is_in, NULL),
        RC_OK);
    buf_release(&scratch);
    return is_in;
}

static void quarantine_has__number_written_in_another_way__is_the_same(void **state)
{
    const struct folder *folder = *state;
    struct err err = {""};
    put(folder, HEADER "+33 6 39 98 00 01,,,,\n0033639980002,,,,\n33639980003,,,,\n"
                       "(49) 30/123-45.67,,,,\n12-34,,,,\n+336399800045678901,,,,\n");
    struct quarantine *quarantine = load(folder, RC_OK, &err);
    static const struct {
        const char *number;
        bool is_in;
    } cases[] = {
        {"+33639980001", true},
        {"33639980001", true},
        {"+33639980002", true},
        {"+33639980003", true},
        {"4930 1234567", true},
        {"+33639980004", false},
        {"3363998000", false},
        {"1234", false},
        {"12-34", true},
        {"+336399800045678901", true},
        {"336399800045678901", false},
        {"33639980001@example.net", false},
        {"33639980001x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (has(quarantine, cases[i].number, "") != cases[i].is_in) {
            fail_msg("%s", cases[i].number);
        }
    }
    quarantine_free(quarantine);
}

static void quarantine_add__new_addresses__once_each_in_a_private_file(void **state)
{
    const struct folder *folder = *state;
    struct stat status;
    assert_int_equal(adds(folder, "bob@example.net", ""), 1);
    assert_int_equal(adds(folder, "bob@EXAMPLE.net", ""), 0);
    assert_int_equal(adds(folder, "Bob@example.net", "k,1"), 1);
    assert_int_equal(adds(folder, "", "k-2"), 1);
    assert_int_equal(adds(folder, "", "k-2"), 0);
    assert_int_equal(adds(folder, "", ""), 0);
    holds(folder, HEADER "bob@example.net,," STAMP ",permanent,d-1\n"
                         "Bob@example.net,\"k,1\"," STAMP ",permanent,d-1\n"
                         ",k-2," STAMP ",permanent,d-1\n");
    assert_int_equal(fstatat(folder->fd, FILE_NAME, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    const struct quarantine_entry twice[] = {
        {slice_of("c@x.example"), slice_of(""), AT, "bounced", NULL},
        {slice_of("c@X.example"), slice_of(""), AT, "bounced", NULL}};
    size_t added = 0;
    assert_int_equal(quarantine_add(folder->fd, "email", twice, 2, &added, NULL), RC_OK);
    assert_int_equal(added, 1);
}

static void quarantine_has__domain_in_either_case__local_part_as_it_is(void **state)
{
    const struct folder *folder = *state;
    struct err err = {""};
    put(folder, HEADER "Bob@Example.NET,,,,\n+33612345678,,,,\nTOKEN,k-9,,by hand,\n");
    struct quarantine *quarantine = load(folder, RC_OK, &err);
    assert_int_equal(quarantine_count(quarantine), 4);
    assert_true(has(quarantine, "Bob@example.net", "x"));
    assert_true(has(quarantine, "Bob@EXAMPLE.NET", ""));
    assert_false(has(quarantine, "bob@example.net", ""));
    assert_true(has(quarantine, "+33612345678", ""));
    assert_true(has(quarantine, "TOKEN", ""));
    assert_false(has(quarantine, "token", ""));
    assert_true(has(quarantine, "other", "k-9"));
    assert_false(has(quarantine, "", ""));
    quarantine_free(quarantine);
}

static void quarantine_load__no_file_or_an_empty_one__nobody(void **state)
{
    const struct folder *folder = *state;
    struct err err = {""};
    struct quarantine *quarantine = load(folder, RC_OK, &err);
    assert_int_equal(quarantine_count(quarantine), 0);
    assert_false(has(quarantine, "a@b.example", "k"));
    quarantine_free(quarantine);
    put(folder, "");
    quarantine_free(load(folder, RC_OK, &err));
    assert_int_equal(adds(folder, "a@b.example", ""), 1);
    holds(folder, HEADER "a@b.example,," STAMP ",permanent,d-1\n");
}

static void quarantine_add__file_that_people_changed__keeps_their_columns(void **state)
{
    const struct folder *folder = *state;
    put(folder, "note,address,since\r\n\"called, angry\",al@x.example,\r\n,,\r\nx,bo@x.example,");
    assert_int_equal(adds(folder, "al@X.example", "k"), 0);
    assert_int_equal(adds(folder, "cy@x.example", "k"), 1);
    holds(folder, "note,address,since\r\n\"called, angry\",al@x.example,\r\n,,\r\nx,bo@x.example,\n"
                  ",cy@x.example," STAMP "\n");
    put(folder, "address");
    assert_int_equal(adds(folder, "dy@x.example", ""), 1);
    holds(folder, "address\ndy@x.example\n");
}

static void quarantine_add__last_line_torn_at_every_byte__is_whole_again(void **state)
{
    const struct folder *folder = *state;
    static const char whole[] = HEADER "al@x.example,," STAMP ",permanent,d-1\n";
    static const char last[] = "\"b,o@x.example\",," STAMP ",permanent,d-1\n";
    for (size_t len = 1; len < sizeof last - 1; len++) {
        struct buf text = BUF_EMPTY;
        struct err err = {""};
        buf_add_text(&text, whole);
        buf_add(&text, last, len);
        folder_put(folder, FILE_NAME, buf_slice(&text), 0600);
        assert_int_equal(adds(folder, "cy@x.example", ""), 1);
        struct quarantine *quarantine = load(folder, RC_OK, &err);
        assert_true(has(quarantine, "al@x.example", ""));
        assert_true(has(quarantine, "cy@x.example", ""));
        quarantine_free(quarantine);
        buf_release(&text);
    }
    put(folder, HEADER "al@x.example,,,,\nby hand and not finished");
    struct err err = {""};
    quarantine_free(load(folder, RC_OK, &err)); /* who only reads passes it over */
    assert_int_equal(adds(folder, "cy@x.example", ""), 1);
    holds(folder, HEADER "al@x.example,,,,\ncy@x.example,," STAMP ",permanent,d-1\n");
    char aside[64];
    (void)snprintf(aside, sizeof aside, FILE_NAME ".torn-%lld",
                   (long long)(clock_now_ns() / NS_PER_SECOND));
    folder_expect(folder, aside, slice_of("by hand and not finished"));
}

static int64_t still_clock(void)
{
    return AT;
}

static void quarantine__file_that_is_wrong__is_told_and_left(void **state)
{
    const struct folder *folder = *state;
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {"mail,since\na@b.example,\n", "email.csv:1: no column \"address\""},
        {HEADER "a@b.example\nb@b.example,,,,\n", "email.csv:2: malformed, or not 5 fields"},
        {HEADER "a@b.example\n", "email.csv:2: malformed"},
        {HEADER "\xFF,,,,\n", "email.csv:2: malformed"},
        {"address,address\n", "email.csv:1: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {""};
        put(folder, rows[i].text);
        assert_null(load(folder, RC_PERM, &err));
        assert_non_null(strstr(err.text, rows[i].expected));
        assert_int_equal(add_one(folder, "c@x.example", "", NULL, &err), RC_PERM);
        holds(folder, rows[i].text);
    }
    assert_int_equal(unlinkat(folder->fd, FILE_NAME, 0), 0);
    assert_int_equal(mkdirat(folder->fd, FILE_NAME, 0700), 0);
    assert_int_not_equal(add_one(folder, "c@x.example", "", NULL, NULL), RC_OK);
}

static void quarantine_add__faults__nothing_half_done(void **state)
{
    const struct folder *folder = *state;
    size_t added = 0;
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(add_one(folder, "a@x.example", "", &added, NULL), RC_TEMP);
    assert_int_equal(added, 0);
    fault_clear();
    assert_int_equal(adds(folder, "a@x.example", ""), 1);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(add_one(folder, "b@x.example", "", &added, NULL), RC_TEMP);
    fault_at(FAULT_FSYNC, 1, EIO, FAULT_ONCE);
    assert_int_equal(add_one(folder, "c@x.example", "", &added, NULL), RC_IO);
    fault_clear();
    assert_int_equal(adds(folder, "b@x.example", ""), 1);
    assert_int_equal(adds(folder, "c@x.example", ""), 0);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(quarantine_has__number_written_in_another_way__is_the_same),
        in_folder(quarantine_add__new_addresses__once_each_in_a_private_file),
        in_folder(quarantine_has__domain_in_either_case__local_part_as_it_is),
        in_folder(quarantine_load__no_file_or_an_empty_one__nobody),
        in_folder(quarantine_add__file_that_people_changed__keeps_their_columns),
        in_folder(quarantine_add__last_line_torn_at_every_byte__is_whole_again),
        in_folder(quarantine__file_that_is_wrong__is_told_and_left),
        in_folder(quarantine_add__faults__nothing_half_done),
    };
    static const struct clock_source clock = {still_clock, still_clock};
    clock_replace(&clock);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
