/*
 * http-try - sends test messages through the HTTPS transport and prints every verdict: for tests
 * and measuring, as smtp-try does for e-mail
 *
 *     http-try [OPTION=VALUE]... URL
 *
 * Options: plain=1  ca=FILE  cert=FILE  key=FILE  token-file=FILE  header=TEXT  connections=N
 * rate=N timeout-ms=N  count=N  size=BYTES  to=ADDRESS (%d is the number)  give-up-ms=N (close
 * after that long)  again=1 (submit again what came back untried)  quiet=1 (only the last line) A
 * line for each verdict: NUMBER VERDICT CODE a|- TEXT (a: about the recipient); `down REASON` when
 * that changes; last: counts.
 */
#include "base/buf.h"
#include "base/number.h"
#include "channel/http.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

enum { FILE_BYTES_MAX = 64 << 20, TO_BYTES = 256, UNIQUE_BYTES = 32, VERDICTS = 5 };

struct held {
    char to[TO_BYTES];
    char unique[UNIQUE_BYTES];
    bool is_taken;
};

struct trial {
    struct http_options http;
    struct buf ca, cert, key, message;
    const char *to, *header;
    uint64_t count, size, give_up_ms;
    bool is_quiet, is_again;
    uint64_t begun, told, of[VERDICTS];
    struct held slots[HTTP_HELD_MAX];
    uint64_t *again; /* numbers that came back untried */
    uint64_t again_count;
    char reason[TRANSPORT_REASON_BYTES];
};

static void die(int code, const char *what, const char *text)
{
    (void)fprintf(stderr, "http-try: %s: %s\n", what, text);
    exit(code);
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        die(EX_NOINPUT, path, "cannot be read");
    }
    return fd;
}

static void read_whole(const char *path, struct buf *out)
{
    struct err err;
    int fd = open_file(path);
    if (fs_read_fd(fd, FILE_BYTES_MAX, out, &err) != RC_OK) {
        die(EX_NOINPUT, path, "cannot be read");
    }
    fs_drop(&fd);
}

static void set_number(struct trial *trial, const char *name, const char *text)
{
    uint64_t value = 0;
    if (number_parse_u64(slice_of(text), INT32_MAX, &value) != RC_OK) {
        die(EX_USAGE, name, "is no number");
    }
    if (strcmp(name, "connections") == 0) {
        trial->http.connections = (unsigned int)value;
    } else if (strcmp(name, "rate") == 0) {
        trial->http.rate = (unsigned int)value;
    } else if (strcmp(name, "timeout-ms") == 0) {
        trial->http.timeout_ns = (int64_t)value * 1000000;
    } else if (strcmp(name, "plain") == 0) {
        trial->http.is_plain = value != 0;
    } else if (strcmp(name, "count") == 0) {
        trial->count = value;
    } else if (strcmp(name, "size") == 0) {
        trial->size = value;
    } else if (strcmp(name, "give-up-ms") == 0) {
        trial->give_up_ms = value;
    } else if (strcmp(name, "again") == 0) {
        trial->is_again = value != 0;
    } else if (strcmp(name, "quiet") == 0) {
        trial->is_quiet = value != 0;
    } else {
        die(EX_USAGE, name, "is no option");
    }
}

static void set(struct trial *trial, const char *name, const char *value)
{
    if (strcmp(name, "ca") == 0) {
        read_whole(value, &trial->ca);
    } else if (strcmp(name, "cert") == 0) {
        read_whole(value, &trial->cert);
    } else if (strcmp(name, "key") == 0) {
        read_whole(value, &trial->key);
    } else if (strcmp(name, "token-file") == 0) {
        trial->http.token_fd = open_file(value);
    } else if (strcmp(name, "header") == 0) {
        trial->header = value;
        trial->http.headers = &trial->header;
        trial->http.header_count = 1;
    } else if (strcmp(name, "to") == 0) {
        trial->to = value;
    } else {
        set_number(trial, name, value);
    }
}

static void told(void *ctx, const struct verdict_report *report)
{
    struct trial *trial = ctx;
    uint64_t slot = report->number % HTTP_HELD_MAX;
    uint64_t number = report->number / HTTP_HELD_MAX;
    trial->slots[slot].is_taken = false;
    trial->told++;
    trial->of[report->verdict]++;
    if (report->verdict == VERDICT_UNTRIED && trial->is_again) {
        trial->again[trial->again_count++] = number;
        trial->told--;
    }
    if (!trial->is_quiet) {
        (void)printf("%llu %s %d %s %.*s\n", (unsigned long long)number,
                     verdict_name(report->verdict), report->code,
                     report->is_about_recipient ? "a" : "-", (int)report->text.len,
                     report->text.ptr == NULL ? "" : report->text.ptr);
    }
}

static void submit_one(struct trial *trial, struct transport *t, size_t at)
{
    uint64_t number = trial->again_count > 0 ? trial->again[--trial->again_count] : ++trial->begun;
    struct held *slot = &trial->slots[at];
    const char *percent = strstr(trial->to, "%d");
    int head = percent == NULL ? (int)strlen(trial->to) : (int)(percent - trial->to);
    char digits[24] = "";
    if (percent != NULL) {
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    }
    (void)snprintf(slot->to, TO_BYTES, "%.*s%s%s", head, trial->to, digits,
                   percent == NULL ? "" : percent + 2);
    (void)snprintf(slot->unique, UNIQUE_BYTES, "trial.%llu", (unsigned long long)number);
    slot->is_taken = true;
    const struct outgoing message = {.number = number * HTTP_HELD_MAX + at,
                                     .to = slice_of(slot->to),
                                     .bytes = buf_slice(&trial->message),
                                     .unique = slot->unique};
    if (transport_submit(t, &message, NULL) != RC_OK) {
        die(EX_SOFTWARE, "submit", "refused though there was room");
    }
}

static void submit_some(struct trial *trial, struct transport *t)
{
    size_t at = 0;
    while ((trial->begun < trial->count || trial->again_count > 0) && transport_room(t) > 0) {
        while (at < HTTP_HELD_MAX && trial->slots[at].is_taken) {
            at++;
        }
        if (at == HTTP_HELD_MAX) {
            return;
        }
        submit_one(trial, t, at);
    }
}

static void show_state(struct trial *trial, const struct transport *t)
{
    struct transport_state state;
    transport_state(t, &state);
    if (strcmp(state.reason, trial->reason) != 0) {
        (void)snprintf(trial->reason, sizeof trial->reason, "%s", state.reason);
        (void)printf(state.is_up ? "up%s\n" : "down %s\n", state.reason);
        (void)fflush(stdout);
    }
}

static void send_all(struct trial *trial, struct transport *t)
{
    struct err err = {""};
    struct transport_state state = {.is_closed = false};
    int64_t start_ns = clock_monotonic_ns();
    bool is_closing = false;
    while (!state.is_closed) {
        int64_t spent_ms = (clock_monotonic_ns() - start_ns) / 1000000;
        bool is_late = trial->give_up_ms > 0 && spent_ms >= (int64_t)trial->give_up_ms;
        if (!is_closing && (is_late || trial->told >= trial->count)) {
            transport_close(t);
            is_closing = true;
        }
        submit_some(trial, t);
        if (transport_run(t, 100, told, trial, &err) != RC_OK) {
            die(EX_OSERR, "run", err.text);
        }
        show_state(trial, t);
        transport_state(t, &state);
    }
    double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    (void)printf("sent=%llu temporary=%llu permanent=%llu uncertain=%llu untried=%llu seconds=%.3f "
                 "rate=%.0f cpu=%.3f\n",
                 (unsigned long long)trial->of[VERDICT_SENT],
                 (unsigned long long)trial->of[VERDICT_TEMPORARY],
                 (unsigned long long)trial->of[VERDICT_PERMANENT],
                 (unsigned long long)trial->of[VERDICT_UNCERTAIN],
                 (unsigned long long)trial->of[VERDICT_UNTRIED], seconds,
                 (double)trial->of[VERDICT_SENT] / seconds, (double)clock() / CLOCKS_PER_SEC);
}

int main(int argc, char **argv)
{
    static struct trial trial = {
        .http = {.name = "push", .connections = 1, .token_fd = -1, .timeout_ns = 30000000000},
        .to = "token-%d",
        .count = 1,
        .size = 300};
    struct err err = {""};
    struct transport *t = NULL;
    if (argc < 2) {
        die(EX_USAGE, "usage", "http-try [OPTION=VALUE]... URL");
    }
    for (int i = 1; i < argc - 1; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) {
            die(EX_USAGE, argv[i], "is no OPTION=VALUE");
        }
        *equals = '\0';
        set(&trial, argv[i], equals + 1);
    }
    buf_add_text(&trial.message, "{\"title\":\"a trial\",\"body\":\"");
    while (trial.message.len < trial.size) {
        buf_add_text(&trial.message, "the quick brown fox ");
    }
    buf_add_text(&trial.message, "\"}");
    trial.http.url = argv[argc - 1];
    trial.http.ca_pem = buf_slice(&trial.ca);
    trial.http.client_pem = buf_slice(&trial.cert);
    trial.http.client_key_pem = buf_slice(&trial.key);
    trial.again = calloc(trial.count + 1, sizeof *trial.again);
    if (trial.again == NULL) {
        die(EX_OSERR, "memory", "none");
    }
    if (http_open(&trial.http, &t, &err) != RC_OK) {
        die(EX_CONFIG, "open", err.text);
    }
    send_all(&trial, t);
    transport_free(t);
    fs_drop(&trial.http.token_fd);
    free(trial.again);
    buf_release(&trial.ca);
    buf_release(&trial.cert);
    buf_release(&trial.key);
    buf_release(&trial.message);
    return 0;
}
