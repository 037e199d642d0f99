/*
 * http - the transport
 *
 * HTTP/2 goes by http_link.h. libcurl is for a peer that speaks HTTP/1.1 alone, which shows at its
 * first connection, before anything is handed over, and for http:// without TLS:
 *
 *     begin    one for each connection; one alone while it is not known whether the peer answers
 *     perform  libcurl reads and writes what can be done now
 *     collect  what ended gets its verdict
 *     look     what was handed over and has no answer in time is uncertain
 */
#include "channel/http_inner.h"

#include "channel/http_link.h"
#include "sys/clock.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS(n) ((int64_t)(n)*1000000000)
#define BACKOFF_FIRST_NS SECONDS(1)
#define BACKOFF_MAX_NS SECONDS(300)
#define PAUSE_MAX_NS SECONDS(3600) /* of Retry-After */
#define LOOK_NS SECONDS(1)

enum {
    MS_MAX = 60 * 1000 /* one wait */
};

static struct http *http_of(struct transport *t)
{
    return (struct http *)(void *)t;
}

static const struct http *http_of_const(const struct transport *t)
{
    return (const struct http *)(const void *)t;
}

/* ---- verdicts ---- */

static void tell(struct http_slot *slot, const struct verdict_report *report)
{
    struct http *http = slot->http;
    struct verdict_report one = *report;
    one.number = slot->message.number;
    http->unused[http->unused_count++] = (unsigned int)(slot - http->slots);
    http->told_count++;
    http->told(http->told_ctx, &one);
}

static void tell_plain(struct http_slot *slot, enum verdict verdict, const char *text)
{
    const struct verdict_report report = {.verdict = verdict, .text = slice_of(text)};
    tell(slot, &report);
}

static struct http_slot *next_waiting(struct http *http)
{
    struct http_slot *slot = &http->slots[http->waiting[http->waiting_at]];
    http->waiting_at = (http->waiting_at + 1) % http->slot_count;
    http->waiting_count--;
    return slot;
}

static void give_back(struct http *http, const char *text)
{
    /* What the callback submits meanwhile is not ours to give back. */
    for (unsigned int left = http->waiting_count; left > 0; left--) {
        tell_plain(next_waiting(http), VERDICT_UNTRIED, text);
    }
}

static void end_request(struct http_slot *slot)
{
    struct http *http = slot->http;
    http_request_end(slot);
    http->begun--;
    http->begun_present -= slot->generation == http->generation ? 1 : 0;
}

/* ---- up and down ---- */

/* Connections are made anew: what was handed over keeps its hope of an answer, what was not is
 * given back. */
static void give_back_begun(struct http *http)
{
    for (unsigned int i = 0; i < http->slot_count; i++) {
        struct http_slot *slot = &http->slots[i];
        if (slot->is_begun && slot->given_ns == 0) {
            end_request(slot);
            tell_plain(slot, VERDICT_UNTRIED, "connections are made anew");
        }
    }
}

static void begin_anew(struct http *http)
{
    http->generation++;
    http->begun_present = 0;
    http->is_ready = false;
}

static void go_down(struct http *http, const char *reason, int64_t pause_ns)
{
    int64_t now_ns = clock_monotonic_ns();
    http->backoff_ns = http->backoff_ns == 0 ? BACKOFF_FIRST_NS : http->backoff_ns * 2;
    http->backoff_ns = http->backoff_ns > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : http->backoff_ns;
    pause_ns = pause_ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : pause_ns;
    pause_ns = pause_ns < http->backoff_ns ? http->backoff_ns : pause_ns;
    http->next_try_ns = now_ns + pause_ns;
    http->is_down = true;
    begin_anew(http);
    (void)snprintf(http->reason, sizeof http->reason, "%s: %.*s", http->host,
                   (int)sizeof http->reason - HTTP_HOST_BYTES - 4, reason);
    give_back(http, http->reason);
}

static void come_up(struct http *http, int64_t now_ns)
{
    if (!http->is_down || now_ns < http->next_try_ns) {
        return;
    }
    http->is_down = false;
}

/* No request goes by connections that are not trusted: the old ones end first. */
static bool are_connections_fresh(struct http *http)
{
    struct err err = {""};
    if (!http->is_stale) {
        return true;
    }
    give_back_begun(http);
    if (http->begun > 0) {
        return false;
    }
    if (http_multi_open(http, &err) != RC_OK) {
        go_down(http, err.text, 0);
        return false;
    }
    return true;
}

/* ---- how requests end ---- */

static void answered(struct http_slot *slot, long status)
{
    struct http *http = slot->http;
    struct http_judgement judgement;
    curl_off_t pause_s = 0;
    bool is_present = slot->generation == http->generation;
    struct http_answer answer = {.status = status,
                                 .body = {slot->answer, slot->kept},
                                 .has_worked = http->has_worked,
                                 .secrets = {slot->message.to}};
    if (http->token != NULL) {
        const char *token = strrchr(http->token, ' ') + 1;
        answer.secrets[1] = slice_of(token);
    }
    http_judge(&answer, &judgement);
    if (curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &pause_s) != CURLE_OK || status < 400) {
        pause_s = 0;
    }
    pause_s = pause_s > PAUSE_MAX_NS / SECONDS(1) ? PAUSE_MAX_NS / SECONDS(1) : pause_s;
    end_request(slot);
    http->has_worked = http->has_worked || judgement.verdict == VERDICT_SENT;
    if (is_present && (judgement.is_down || pause_s > 0)) {
        go_down(http, judgement.reason, SECONDS(pause_s));
    } else if (is_present) {
        http->is_ready = true;
        http->backoff_ns = 0;
    }
    struct verdict_report report = {.verdict = judgement.verdict,
                                    .code = (int)status,
                                    .is_about_recipient = judgement.is_about_recipient,
                                    .text = slice_of(judgement.reason)};
    if (status == 401) {
        http->token_looked_ns = 0; /* a new one may be there */
    }
    tell(slot, &report);
}

static void broke_off(struct http_slot *slot, enum http_end end, const char *reason)
{
    static const enum verdict verdicts[] = {[HTTP_NOT_CONNECTED] = VERDICT_UNTRIED,
                                            [HTTP_NOT_GIVEN] = VERDICT_UNTRIED,
                                            [HTTP_LOST] = VERDICT_UNCERTAIN};
    struct http *http = slot->http;
    char text[TRANSPORT_REASON_BYTES]; /* the slot is another message's soon */
    bool is_present = slot->generation == http->generation;
    (void)snprintf(text, sizeof text, "%s", reason);
    end_request(slot);
    if (is_present) {
        http->is_stale = true;
        go_down(http, text, 0);
    }
    tell_plain(slot, verdicts[end], text);
}

static const char *reason_of(const struct http_slot *slot, CURLcode code)
{
    bool is_ours = code == CURLE_SEND_FAIL_REWIND || code == CURLE_ABORTED_BY_CALLBACK;
    return is_ours                  ? "the connection broke"
           : slot->error[0] == '\0' ? curl_easy_strerror(code)
                                    : slot->error;
}

static void collect(struct http *http)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(http->multi, &left); message != NULL;
         message = curl_multi_info_read(http->multi, &left)) {
        char *private = NULL;
        long status = 0;
        CURLcode code = message->data.result; /* the message goes with its handle */
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK) {
            continue;
        }
        struct http_slot *slot = (struct http_slot *)(void *)private;
        enum http_end end = http_request_result(slot, &status);
        if (end == HTTP_ANSWERED) {
            answered(slot, status);
        } else {
            broke_off(slot, end, reason_of(slot, code));
        }
    }
}

/* ---- time ---- */

static void look(struct http *http, int64_t now_ns)
{
    if (now_ns < http->next_look_ns) {
        return;
    }
    http->next_look_ns = now_ns + LOOK_NS;
    for (unsigned int i = 0; i < http->slot_count; i++) {
        struct http_slot *slot = &http->slots[i];
        if (slot->is_begun && slot->given_ns != 0 && now_ns - slot->given_ns > http->timeout_ns) {
            broke_off(slot, HTTP_LOST, "no answer in time");
        }
    }
}

static void look_at_token(struct http *http, int64_t now_ns)
{
    struct err err = {""};
    if (http->token_fd < 0 || now_ns - http->token_looked_ns < LOOK_NS) {
        return;
    }
    http->token_looked_ns = now_ns;
    if (http_token_read(http, &err) == RC_OK) {
        return;
    }
    if (http->link != NULL) {
        http_link_pause(http->link, err.text, 0);
    } else {
        go_down(http, err.text, 0);
    }
}

/* ---- beginning ---- */

static unsigned int most_begun(const struct http *http)
{
    return !http->is_ready ? 1 : http->connections_now;
}

static void begin_some(struct http *http, int64_t now_ns)
{
    if (http->waiting_count == 0 || http->is_down || !are_connections_fresh(http)) {
        return;
    }
    while (http->waiting_count > 0 && http->begun_present < most_begun(http) && !http->is_down &&
           share_take(http->share, http->rate, now_ns)) {
        struct err err = {""};
        struct http_slot *slot = next_waiting(http);
        slot->is_first = !http->is_ready;
        slot->generation = http->generation;
        enum rc rc = http_request_begin(slot, now_ns, &err);
        if (rc == RC_OK) {
            http->begun++;
            http->begun_present++;
        } else if (rc == RC_PERM) {
            const struct verdict_report report = {.verdict = VERDICT_PERMANENT,
                                                  .is_about_recipient = true,
                                                  .text = slice_of(err.text)};
            tell(slot, &report);
        } else {
            go_down(http, err.text, 0);
            tell_plain(slot, VERDICT_UNTRIED, err.text);
        }
    }
}

/* ---- the calls of the table ---- */

static size_t room(const struct transport *t)
{
    const struct http *http = http_of_const(t);
    if (http->link != NULL) {
        return transport_room(http->link);
    }
    bool is_down = http->is_down && clock_monotonic_ns() < http->next_try_ns;
    if (http->is_closing || is_down) {
        return 0;
    }
    unsigned int most = http->slot_count;
    unsigned int rate = share_part(http->share, http->rate);
    if (rate > 0 && rate / 2 < most) {
        most = rate < 2 ? 1 : rate / 2; /* half a second: pausing takes no longer */
    }
    unsigned int held = http->slot_count - http->unused_count;
    return held < most ? most - held : 0;
}

static enum rc submit(struct transport *t, const struct outgoing *message, struct err *err)
{
    struct http *http = http_of(t);
    if (http->link != NULL) {
        return transport_submit(http->link, message, err);
    }
    assert(http->unused_count > 0);
    unsigned int at = http->unused[--http->unused_count];
    http->slots[at].message = *message;
    http->waiting[(http->waiting_at + http->waiting_count) % http->slot_count] = at;
    http->waiting_count++;
    return RC_OK;
}

/* More could be begun at once. */
static bool can_begin(const struct http *http)
{
    return http->waiting_count > 0 && !http->is_down && http->begun_present < most_begun(http) &&
           (!http->is_stale || http->begun == 0);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t deadline_ns(const struct transport *t)
{
    const struct http *http = http_of_const(t);
    if (http->link != NULL) {
        return transport_deadline_ns(http->link);
    }
    int64_t at = http->is_down ? http->next_try_ns : INT64_MAX;
    if (http->is_recalled) {
        return 0;
    }
    if (can_begin(http)) {
        at = sooner(at, share_next_ns(http->share, http->rate));
    }
    if (http->begun > 0) {
        at = sooner(at, sooner(http->timer_ns, http->next_look_ns));
    }
    return at;
}

static int wait_ms(const struct http *http, int timeout_ms)
{
    int64_t at = deadline_ns(&http->transport);
    int64_t now_ns = clock_monotonic_ns();
    if (http->told_count > 0 || at <= now_ns) {
        return 0;
    }
    int64_t ms = at == INT64_MAX ? INT32_MAX : (at - now_ns + 999999) / 1000000;
    ms = ms > MS_MAX ? MS_MAX : ms;
    return timeout_ms >= 0 && timeout_ms < ms ? timeout_ms : (int)ms;
}

/* Other senders have begun or ended. Too many connections end before new ones are opened. */
static void look_at_share(struct http *http)
{
    unsigned int part = share_part(http->share, http->connections);
    bool is_less = part < http->connections_now;
    if (part == http->connections_now) {
        return;
    }
    http->connections_now = part;
    if (is_less) {
        http->is_stale = true;
        begin_anew(http);
    } else {
        http_multi_widen(http);
    }
}

static enum rc run_once(struct http *http, int timeout_ms, struct err *err)
{
    int64_t now_ns = clock_monotonic_ns();
    look_at_share(http);
    come_up(http, now_ns);
    look_at_token(http, now_ns);
    look(http, now_ns);
    begin_some(http, now_ns);
    enum rc rc = http_perform(http, wait_ms(http, timeout_ms), err);
    collect(http);
    return rc;
}

/* The peer speaks HTTP/1.1 alone: what waits goes that way. */
static enum rc take_over(struct http *http, struct err *err)
{
    struct transport *link = http->link;
    struct outgoing message;
    enum rc rc = RC_OK;
    http->link = NULL;
    while (rc == RC_OK && http_link_take_back(link, &message)) {
        rc = submit(&http->transport, &message, err);
    }
    transport_free(link);
    return rc;
}

static enum rc run_link(struct http *http, int timeout_ms, transport_told *told, void *ctx,
                        struct err *err)
{
    look_at_token(http, clock_monotonic_ns());
    enum rc rc = transport_run(http->link, timeout_ms, told, ctx, err);
    return rc == RC_OK && http_link_is_useless(http->link) ? take_over(http, err) : rc;
}

static enum rc run(struct transport *t, int timeout_ms, transport_told *told, void *ctx,
                   struct err *err)
{
    struct http *http = http_of(t);
    if (http->link != NULL) {
        return run_link(http, timeout_ms, told, ctx, err);
    }
    http->told = told;
    http->told_ctx = ctx;
    http->told_count = 0;
    if (http->is_recalled) {
        http->is_recalled = false;
        give_back(http, "recalled");
    }
    return run_once(http, timeout_ms, err);
}

static int fd(const struct transport *t)
{
    const struct http *http = http_of_const(t);
    return http->link != NULL ? transport_fd(http->link) : net_poll_fd(http->poll);
}

static void recall(struct transport *t)
{
    struct http *http = http_of(t);
    if (http->link != NULL) {
        transport_recall(http->link);
    } else {
        http->is_recalled = true;
    }
}

static void close_all(struct transport *t)
{
    struct http *http = http_of(t);
    http->is_closing = true;
    if (http->link != NULL) {
        transport_close(http->link);
    }
}

static void state(const struct transport *t, struct transport_state *out)
{
    const struct http *http = http_of_const(t);
    if (http->link != NULL) {
        transport_state(http->link, out);
        return;
    }
    unsigned int held = http->slot_count - http->unused_count;
    *out = (struct transport_state){.is_up = !http->is_down,
                                    .is_closed = http->is_closing && held == 0,
                                    .held = held,
                                    .next_try_ns = http->next_try_ns,
                                    .reason = http->is_down ? http->reason : ""};
}

static void free_slots(struct http *http)
{
    for (unsigned int i = 0; http->slots != NULL && i < http->slot_count; i++) {
        struct http_slot *slot = &http->slots[i];
        if (slot->is_begun) {
            http_request_end(slot);
        }
        curl_easy_cleanup(slot->easy);
        buf_release(&slot->url);
    }
    free(http->slots);
    free(http->waiting);
    free(http->unused);
}

static void wipe(struct buf *secret)
{
    if (secret->ptr != NULL) {
        OPENSSL_cleanse(secret->ptr, secret->cap);
    }
    buf_release(secret);
}

static void free_all(struct transport *t)
{
    struct http *http = http_of(t);
    transport_free(http->link);
    free_slots(http);
    if (http->multi != NULL) {
        (void)curl_multi_cleanup(http->multi);
    }
    net_poll_free(http->poll);
    curl_slist_free_all(http->own);
    if (http->token != NULL) {
        OPENSSL_cleanse(http->token, strlen(http->token));
    }
    free(http->token);
    free(http->url);
    template_free(http->url_template);
    buf_release(&http->ca);
    buf_release(&http->client);
    wipe(&http->client_key);
    free(http);
}

const struct transport_kind http_kind = {.name = "http",
                                         .room = room,
                                         .submit = submit,
                                         .run = run,
                                         .fd = fd,
                                         .deadline_ns = deadline_ns,
                                         .recall = recall,
                                         .close = close_all,
                                         .state = state,
                                         .free = free_all};
