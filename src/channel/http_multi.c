/*
 * http_multi - libcurl's multi handle, its sockets and its timer
 */
#include "channel/http_inner.h"

#include "sys/clock.h"

#define NS_PER_MS ((int64_t)1000000)

/* The descriptor itself is what events carry. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    struct http *http = ctx;
    int wanted = (what & CURL_POLL_IN) != 0 ? NET_READ : 0;
    wanted |= (what & CURL_POLL_OUT) != 0 ? NET_WRITE : 0;
    (void)easy;
    (void)of_socket;
    if (what == CURL_POLL_REMOVE) {
        net_poll_remove(http->poll, fd);
        return 0;
    }
    void *number = (void *)(intptr_t)fd; /* NOLINT(performance-no-int-to-ptr): never followed */
    return net_poll_watch(http->poll, fd, wanted, number, NULL) == RC_OK ? 0 : -1;
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http *http = ctx;
    (void)multi;
    http->timer_ns = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ns() + timeout_ms * NS_PER_MS;
    return 0;
}

enum rc http_perform(struct http *http, int wait_ms, struct err *err)
{
    struct net_event events[NET_EVENTS_MAX];
    size_t count = 0;
    int running = 0;
    CURLMcode code = CURLM_OK;
    enum rc rc = net_poll_wait(http->poll, wait_ms, events, &count, err);
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        int bits = (events[i].events & NET_READ) != 0 ? CURL_CSELECT_IN : 0;
        bits |= (events[i].events & NET_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
        code = curl_multi_socket_action(http->multi, (curl_socket_t)(intptr_t)events[i].ctx, bits,
                                        &running);
    }
    if (rc == RC_OK && http->timer_ns <= clock_monotonic_ns()) {
        http->timer_ns = INT64_MAX; /* libcurl sets it again if it wants to */
        code = curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return rc != RC_OK        ? rc
           : code == CURLM_OK ? RC_OK
                              : err_set(err, RC_TEMP, "http: %s", curl_multi_strerror(code));
}

static void limit_connections(CURLM *multi, unsigned int connections)
{
    long most = (long)connections;
    (void)curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, most);
    (void)curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, most);
}

void http_multi_widen(struct http *http)
{
    limit_connections(http->multi, http->connections_now);
}

enum rc http_multi_open(struct http *http, struct err *err)
{
    if (http->poll == NULL) {
        enum rc rc = net_poll_open(&http->poll, err);
        if (rc != RC_OK) {
            return rc;
        }
    }
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        return err_set(err, RC_NOMEM, "no memory for connections");
    }
    limit_connections(multi, http->connections_now);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
    if (http->multi != NULL) {
        (void)curl_multi_cleanup(http->multi);
    }
    http->multi = multi;
    http->timer_ns = INT64_MAX;
    http->is_stale = false;
    return RC_OK;
}
