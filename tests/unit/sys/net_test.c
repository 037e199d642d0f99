/*
 * net - addresses, names, connections over loopback
 */
#include "unit/sys/support.h"

#include "sys/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

static int listen_somewhere(uint16_t *out_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *out_port = ntohs(at.sin_port);
    return fd;
}

static void wait_for(struct net_poll *poll, int events)
{
    struct net_event seen[NET_EVENTS_MAX];
    size_t count = 0;
    for (int tries = 0; tries < 50; tries++) {
        assert_int_equal(net_poll_wait(poll, 100, seen, &count, NULL), RC_OK);
        if (count > 0 && (seen[0].events & events) != 0) {
            return;
        }
    }
    fail_msg("no event in 5 s");
}

static void net_address__texts__are_read_and_shown(void **state)
{
    (void)state;
    struct net_address address;
    char text[NET_TEXT_BYTES];
    assert_int_equal(net_address_parse("127.0.0.1", 25, &address, NULL), RC_OK);
    net_address_text(&address, text);
    assert_string_equal(text, "127.0.0.1:25");
    assert_int_equal(net_address_parse("2001:db8::1", 465, &address, NULL), RC_OK);
    net_address_text(&address, text);
    assert_string_equal(text, "[2001:db8::1]:465");
    static const char *const bad[] = {"",      "localhost", "127.0.0", "127.0.0.1 ",
                                      "[::1]", "::g",       "1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(net_is_address(bad[i]));
    }
    assert_true(net_is_address("::1"));
}

static void net_lookup__names__are_answered_or_gone(void **state)
{
    (void)state;
    struct net_lookup *lookup = NULL;
    struct net_poll *poll = NULL;
    struct net_addresses found = {.count = 0};
    struct err err = {""};
    assert_int_equal(net_poll_open(&poll, NULL), RC_OK);
    assert_int_equal(net_lookup_start("127.0.0.1", 25, &lookup, NULL), RC_OK);
    assert_int_equal(net_poll_add(poll, net_lookup_fd(lookup), NULL, NULL), RC_OK);
    wait_for(poll, NET_READ);
    assert_int_equal(net_lookup_result(lookup, &found, NULL), RC_OK);
    assert_int_equal(found.count, 1);
    net_lookup_free(lookup);
    /* A dot alone in front: no resolver asks anybody for that. */
    assert_int_equal(net_lookup_start("..", 25, &lookup, NULL), RC_OK);
    assert_int_equal(net_poll_add(poll, net_lookup_fd(lookup), NULL, NULL), RC_OK);
    wait_for(poll, NET_READ);
    enum rc rc = net_lookup_result(lookup, &found, &err);
    assert_true(rc == RC_GONE || rc == RC_TEMP);
    assert_non_null(strstr(err.text, "look up ..:"));
    net_lookup_free(lookup);
    net_poll_free(poll);
}

static void net_lookup__given_up_at_once__leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct net_lookup *lookup = NULL;
        struct net_addresses found;
        assert_int_equal(net_lookup_start("127.0.0.1", 25, &lookup, NULL), RC_OK);
        enum rc rc = net_lookup_result(lookup, &found, NULL);
        assert_true(rc == RC_STATE || rc == RC_OK);
        net_lookup_free(lookup);
    }
    net_lookup_free(NULL);
}

static void net_lookup__name_too_long_or_empty__is_refused(void **state)
{
    (void)state;
    struct net_lookup *lookup = NULL;
    char name[255];
    memset(name, 'a', sizeof name);
    name[254] = '\0';
    assert_int_equal(net_lookup_start(name, 25, &lookup, NULL), RC_PERM);
    assert_int_equal(net_lookup_start("", 25, &lookup, NULL), RC_PERM);
}

static void net_connect__nobody_listens__is_temporary_and_says_so(void **state)
{
    (void)state;
    uint16_t port = 0;
    int listener = listen_somewhere(&port);
    (void)close(listener);
    struct net_address to;
    struct net_poll *poll = NULL;
    struct err err = {""};
    int fd = -1;
    assert_int_equal(net_address_parse("127.0.0.1", port, &to, NULL), RC_OK);
    assert_int_equal(net_poll_open(&poll, NULL), RC_OK);
    enum rc rc = net_connect(&to, &fd, &err);
    if (rc == RC_OK) {
        assert_int_equal(net_poll_add(poll, fd, NULL, NULL), RC_OK);
        wait_for(poll, NET_WRITE);
        rc = net_connected(fd, &err);
        (void)close(fd);
    }
    assert_int_equal(rc, RC_TEMP);
    assert_non_null(strstr(err.text, "Connection refused"));
    net_poll_free(poll);
}

static void net_send_and_recv__full_empty_and_closed__are_told_apart(void **state)
{
    (void)state;
    static char bytes[65536];
    uint16_t port = 0;
    int listener = listen_somewhere(&port);
    struct net_address to;
    struct net_poll *poll = NULL;
    int fd = -1;
    size_t count = 0;
    char literal[NET_TEXT_BYTES];
    assert_int_equal(net_address_parse("127.0.0.1", port, &to, NULL), RC_OK);
    assert_int_equal(net_poll_open(&poll, NULL), RC_OK);
    assert_int_equal(net_connect(&to, &fd, NULL), RC_OK);
    assert_int_equal(net_poll_add(poll, fd, &to, NULL), RC_OK);
    int peer = accept(listener, NULL, NULL);
    wait_for(poll, NET_WRITE);
    assert_int_equal(net_connected(fd, NULL), RC_OK);
    net_local_literal(fd, literal);
    assert_string_equal(literal, "[127.0.0.1]");
    assert_int_equal(net_recv(fd, bytes, sizeof bytes, &count, NULL), RC_STATE);
    enum rc rc = RC_OK;
    for (int i = 0; i < 10000 && rc == RC_OK; i++) {
        rc = net_send(fd, bytes, sizeof bytes, &count, NULL);
    }
    assert_int_equal(rc, RC_STATE);
    assert_int_equal(write(peer, "abc", 3), 3);
    wait_for(poll, NET_READ);
    assert_int_equal(net_recv(fd, bytes, sizeof bytes, &count, NULL), RC_OK);
    assert_int_equal(count, 3);
    (void)close(peer); /* with bytes unread: a reset */
    wait_for(poll, NET_READ);
    assert_int_equal(net_recv(fd, bytes, sizeof bytes, &count, NULL), RC_GONE);
    assert_int_equal(net_send(fd, bytes, 1, &count, NULL), RC_GONE); /* and no SIGPIPE */
    net_poll_remove(poll, fd);
    (void)close(fd);
    (void)close(listener);
    net_poll_free(poll);
    net_poll_free(NULL);
}

static int is_acknowledging(int fd)
{
    int is_quick = -1;
    socklen_t len = sizeof is_quick;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &is_quick, &len), 0);
    return is_quick;
}

static void net_acknowledge__kernel_waits_with_it__waits_no_longer(void **state)
{
    (void)state;
    const int off = 0;
    uint16_t port = 0;
    int fd = -1;
    struct net_address address;
    int listener = listen_somewhere(&port);
    assert_int_equal(net_address_parse("127.0.0.1", port, &address, NULL), RC_OK);
    assert_int_equal(net_connect(&address, &fd, NULL), RC_OK);
    int peer = accept(listener, NULL, NULL);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off), 0);
    assert_int_equal(is_acknowledging(fd), 0);
    net_acknowledge(fd);
    assert_int_equal(is_acknowledging(fd), 1);
    (void)close(peer);
    (void)close(fd);
    (void)close(listener);
}

static void net_poll_watch__ready_descriptor__is_told_each_time_until_it_is_not_wanted(void **state)
{
    struct net_poll *poll = NULL;
    struct net_event seen[NET_EVENTS_MAX];
    size_t count = 0;
    int ends[2];
    (void)state;
    assert_int_equal(net_poll_open(&poll, NULL), RC_OK);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(net_poll_watch(poll, ends[0], NET_READ, &ends[0], NULL), RC_OK);
    assert_int_equal(write(ends[1], "a", 1), 1);
    for (int i = 0; i < 2; i++) { /* what was not read is told again */
        assert_int_equal(net_poll_wait(poll, 1000, seen, &count, NULL), RC_OK);
        assert_int_equal(count, 1);
        assert_ptr_equal(seen[0].ctx, &ends[0]);
        assert_int_equal(seen[0].events & NET_READ, NET_READ);
    }
    assert_int_equal(net_poll_watch(poll, ends[0], 0, &ends[0], NULL), RC_OK);
    assert_int_equal(net_poll_wait(poll, 0, seen, &count, NULL), RC_OK);
    assert_int_equal(count, 0);
    assert_int_equal(net_poll_watch(poll, -1, NET_READ, NULL, NULL), RC_PERM);
    net_poll_remove(poll, ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    net_poll_free(poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(net_address__texts__are_read_and_shown),
        cmocka_unit_test(net_lookup__names__are_answered_or_gone),
        cmocka_unit_test(net_lookup__given_up_at_once__leaves_nothing_behind),
        cmocka_unit_test(net_lookup__name_too_long_or_empty__is_refused),
        cmocka_unit_test(net_connect__nobody_listens__is_temporary_and_says_so),
        cmocka_unit_test(
            net_poll_watch__ready_descriptor__is_told_each_time_until_it_is_not_wanted),
        cmocka_unit_test(net_acknowledge__kernel_waits_with_it__waits_no_longer),
        cmocka_unit_test(net_send_and_recv__full_empty_and_closed__are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
