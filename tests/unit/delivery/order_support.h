/* order_support - the contract's house, and orders read against it */
#ifndef POSTROOM_TESTS_UNIT_DELIVERY_ORDER_SUPPORT_H
#define POSTROOM_TESTS_UNIT_DELIVERY_ORDER_SUPPORT_H

#include "delivery/order.h"
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static inline struct house *load_house(const char *text)
{
    struct folder folder;
    struct house *house = NULL;
    struct problems problems;
    struct err err = {""};
    char path[600];
    problems_init(&problems);
    folder_make(&folder);
    folder_put(&folder, "etc/postroom.conf", text);
    (void)snprintf(path, sizeof path, "%s/etc/postroom.conf", folder.path);
    enum rc rc = house_load(path, &house, &problems, &err);
    folder_remove(&folder);
    problems_release(&problems);
    if (rc != RC_OK) {
        fail_msg("the house does not load: %s", err.text);
    }
    return house;
}

static const struct order_dropper ALICE = {"alice", false, false};
static const struct order_dropper BOB = {"bob", false, true};
static const struct order_dropper DORA = {"dora", true, false};

struct reading {
    struct order *order;
    struct buf report;
    enum rc rc;
    struct err err;
};

static inline struct reading read_with(const struct house *house,
                                       const struct order_dropper *dropper, const char *text)
{
    struct reading reading;
    struct problems problems;
    memset(&reading, 0, sizeof reading);
    problems_init(&problems);
    reading.rc = order_read(slice_of(text), "delivery.conf", house, dropper, "d-1", &reading.order,
                            &problems, &reading.err);
    problems_print(&problems, &reading.report);
    problems_release(&problems);
    return reading;
}

static inline void reading_end(struct reading *reading)
{
    order_free(reading->order);
    buf_release(&reading->report);
}

static inline struct order *takes(const struct house *house, const struct order_dropper *dropper,
                                  const char *text)
{
    struct reading reading = read_with(house, dropper, text);
    if (reading.rc != RC_OK) {
        fail_msg("refused: %s", buf_text(&reading.report));
    }
    buf_release(&reading.report);
    return reading.order;
}

static inline void refuses_with(const struct house *house, const struct order_dropper *dropper,
                                const char *text, const char *expected)
{
    struct reading reading = read_with(house, dropper, text);
    if (reading.rc != RC_PERM || strstr(buf_text(&reading.report), expected) == NULL) {
        fail_msg("gave %s, and \"%s\" is missing in:\n%s", rc_name(reading.rc), expected,
                 buf_text(&reading.report));
    }
    assert_null(reading.order);
    assert_string_not_equal(reading.err.text, "");
    reading_end(&reading);
}

static inline void refuses(const char *text, const char *expected)
{
    struct house *house = load_house(SAMPLE_HOUSE);
    refuses_with(house, &ALICE, text, expected);
    house_free(house);
}

static inline void check_round_trip(const struct order *order)
{
    struct buf first = BUF_EMPTY;
    struct buf second = BUF_EMPTY;
    struct order *again = NULL;
    struct err err = {""};
    unsigned bits = 1;
    order_write(order, &first);
    if (order_load(buf_slice(&first), "settings.conf", &again, &err) != RC_OK) {
        fail_msg("%s in:\n%s", err.text, buf_text(&first));
    }
    order_write(again, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    assert_int_equal(order_changes(order, again, &bits, &err), RC_OK);
    assert_int_equal(bits, 0);
    order_free(again);
    buf_release(&first);
    buf_release(&second);
}

#endif
