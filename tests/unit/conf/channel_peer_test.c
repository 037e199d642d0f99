/* channel_peer: where a channel's messages go */
#include "conf/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants those four before it */
#include <cmocka.h>

static struct house house;

static uint16_t port(int kind, const char *transport, int tls, int32_t set, const char *url)
{
    house.channels[kind] =
        (struct house_channel){.transport = transport, .tls = tls, .port = set, .url = url};
    return house_port(&house, kind);
}

static void house_port__of_a_host__is_what_is_set_or_the_usual_one(void **state)
{
    (void)state;
    assert_int_equal(port(HOUSE_EMAIL, NULL, HOUSE_TLS_CONNECT, 25, NULL), 0);
    assert_false(house_connects(&house, HOUSE_EMAIL));
    assert_int_equal(port(HOUSE_EMAIL, "null", HOUSE_TLS_CONNECT, 25, NULL), 0);
    assert_int_equal(port(HOUSE_EMAIL, "smtp", HOUSE_TLS_CONNECT, 0, NULL), 465);
    assert_true(house_connects(&house, HOUSE_EMAIL));
    assert_int_equal(port(HOUSE_EMAIL, "smtp", HOUSE_TLS_STARTTLS, 0, NULL), 587);
    assert_int_equal(port(HOUSE_EMAIL, "smtp", HOUSE_TLS_NONE, 0, NULL), 25);
    assert_int_equal(port(HOUSE_EMAIL, "smtp", HOUSE_TLS_NONE, 2525, NULL), 2525);
    assert_int_equal(port(HOUSE_SMS, "smpp", HOUSE_TLS_CONNECT, 0, NULL), 3550);
    assert_int_equal(port(HOUSE_SMS, "smpp", HOUSE_TLS_NONE, 0, NULL), 2775);
    assert_int_equal(port(HOUSE_MAIL, NULL, HOUSE_TLS_CONNECT, 0, NULL), 0);
}

static void house_port__of_a_url__is_the_one_in_it_or_the_schemes(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        uint16_t port;
    } rows[] = {{"https://push.example", 443},
                {"https://push.example/a:9/b", 443},
                {"https://push.example:8443/a", 8443},
                {"https://push.example:8443", 8443},
                {"https://push.example:/a", 443},
                {"https://push.example?to=a:1", 443},
                {"https://[::1]/a", 443},
                {"https://[::1]:8443/a", 8443},
                {"https://user:secret@push.example/a", 443},
                {"https://user:secret@push.example:99/a", 99},
                {"http://push.example/a", 80},
                {"https://push.example:65536/", 0},
                {"https://push.example:port/", 0},
                {"", 443}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t found = port(HOUSE_PUSH, "http", HOUSE_TLS_CONNECT, 1, rows[i].url);
        if (found != rows[i].port) {
            fail_msg("%s: %u, not %u", rows[i].url, (unsigned)found, (unsigned)rows[i].port);
        }
    }
    assert_int_equal(port(HOUSE_PUSH, "http", HOUSE_TLS_CONNECT, 1, NULL), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(house_port__of_a_host__is_what_is_set_or_the_usual_one),
        cmocka_unit_test(house_port__of_a_url__is_the_one_in_it_or_the_schemes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
