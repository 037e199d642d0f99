/*
 * smtp-try - sends test messages through a transport that connects and prints every verdict: for
 * tests and measuring
 *
 *     smtp-try [OPTION=VALUE]... HOST PORT
 *
 * Options: tls=connect|starttls|none  ca=FILE  cert=FILE  key=FILE  user=NAME  password-file=FILE
 *   address=IP (where HOST is said to be)  helo=NAME  connections=N  queue=N  rate=N max-messages=N
 *   timeout-ms=N  count=N  size=BYTES  file=FILE (one whole message)  from=ADDRESS  to=ADDRESS (%d
 * is the number)  utf8=1  give-up-ms=N (close after that long)  again=1 (submit again what came
 * back untried) quiet=1 (only the last line)  protocol=smpp (text messages: window=N  text=UTF-8
 * user is the system_id  receipts=1: `receipt ID FATE NUMBER` for each)  A line for each verdict:
 * NUMBER VERDICT CODE a|- TEXT (a: about the recipient); `down REASON` when that changes; last:
 * counts.
 */
#include "base/buf.h"
#include "base/number.h"
#include "channel/smpp.h"
#include "channel/smtp.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

enum { FILE_BYTES_MAX = 64 << 20, TO_BYTES = 1024, VERDICTS = 5 };

struct trial {
    struct smtp_options smtp;
    struct net_addresses addresses;
    struct buf ca, cert, key, password, message;
    const char *from, *to;
    uint64_t count, size, give_up_ms;
    unsigned int window;
    bool is_quiet, is_again, is_utf8, is_smpp, has_receipts;
    uint64_t begun, told, of[VERDICTS];
    struct {
        uint64_t number;
        char to[TO_BYTES];
        bool is_taken;
    } * slots;
    size_t slot_count;
    char reason[TRANSPORT_REASON_BYTES];
};

static void die(int code, const char *what, const char *text)
{
    (void)fprintf(stderr, "smtp-try: %s: %s\n", what, text);
    exit(code);
}

static void read_whole(const char *path, struct buf *out)
{
    struct err err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fs_read_fd(fd, FILE_BYTES_MAX, out, &err) != RC_OK) {
        die(EX_NOINPUT, path, "cannot be read");
    }
    fs_drop(&fd);
}

static uint64_t number(const char *name, const char *text)
{
    uint64_t value = 0;
    if (number_parse_u64(slice_of(text), INT32_MAX, &value) != RC_OK) {
        die(EX_USAGE, name, "is no number");
    }
    return value;
}

static enum smtp_tls tls_of(const char *word)
{
    if (strcmp(word, "none") == 0) {
        return SMTP_TLS_NONE;
    }
    return strcmp(word, "starttls") == 0 ? SMTP_TLS_STARTTLS : SMTP_TLS_CONNECT;
}

static bool set_text(struct trial *trial, const char *name, const char *value)
{
    struct smtp_options *smtp = &trial->smtp;
    if (strcmp(name, "tls") == 0) {
        smtp->tls = tls_of(value);
    } else if (strcmp(name, "ca") == 0) {
        read_whole(value, &trial->ca);
    } else if (strcmp(name, "cert") == 0) {
        read_whole(value, &trial->cert);
    } else if (strcmp(name, "key") == 0) {
        read_whole(value, &trial->key);
    } else if (strcmp(name, "user") == 0) {
        smtp->user = slice_of(value);
    } else if (strcmp(name, "password-file") == 0) {
        read_whole(value, &trial->password);
    } else if (strcmp(name, "file") == 0) {
        read_whole(value, &trial->message);
    } else if (strcmp(name, "helo") == 0) {
        smtp->helo = value;
    } else if (strcmp(name, "from") == 0) {
        trial->from = value;
    } else if (strcmp(name, "to") == 0) {
        trial->to = value;
    } else if (strcmp(name, "text") == 0) {
        buf_add_text(&trial->message, value);
    } else if (strcmp(name, "protocol") == 0) {
        trial->is_smpp = strcmp(value, "smpp") == 0;
    } else {
        return false;
    }
    return true;
}

static void set(struct trial *trial, const char *name, const char *value)
{
    struct smtp_options *smtp = &trial->smtp;
    if (set_text(trial, name, value)) {
        return;
    }
    uint64_t n = number(name, value);
    if (strcmp(name, "connections") == 0) {
        smtp->connections = (unsigned int)n;
    } else if (strcmp(name, "queue") == 0) {
        smtp->queue = (unsigned int)n;
    } else if (strcmp(name, "rate") == 0) {
        smtp->rate = (unsigned int)n;
    } else if (strcmp(name, "max-messages") == 0) {
        smtp->max_messages = (unsigned int)n;
    } else if (strcmp(name, "timeout-ms") == 0) {
        smtp->timeout_ns = (int64_t)n * 1000000;
    } else if (strcmp(name, "count") == 0) {
        trial->count = n;
    } else if (strcmp(name, "size") == 0) {
        trial->size = n;
    } else if (strcmp(name, "give-up-ms") == 0) {
        trial->give_up_ms = n;
    } else if (strcmp(name, "again") == 0) {
        trial->is_again = n != 0;
    } else if (strcmp(name, "quiet") == 0) {
        trial->is_quiet = n != 0;
    } else if (strcmp(name, "window") == 0) {
        trial->window = (unsigned int)n;
    } else if (strcmp(name, "receipts") == 0) {
        trial->has_receipts = n != 0;
    } else if (strcmp(name, "utf8") == 0) {
        trial->is_utf8 = n != 0;
    } else {
        die(EX_USAGE, name, "is no option");
    }
}

static void make_message(struct trial *trial)
{
    static const char LINE[] =
        "The quick brown fox jumps over the lazy dog, 70 bytes a line it is.\r\n";
    if (trial->message.len > 0) {
        return;
    }
    buf_add_text(&trial->message, "From: <shop@example.net>\r\nTo: <someone@example.net>\r\n"
                                  "Subject: a trial\r\nMessage-ID: <trial@example.net>\r\n\r\n");
    while (trial->message.len < trial->size) {
        buf_add_text(&trial->message, LINE);
    }
}

/* ---- sending ---- */

static void told(void *ctx, const struct verdict_report *report)
{
    struct trial *trial = ctx;
    trial->told++;
    trial->of[report->verdict]++;
    for (size_t i = 0; i < trial->slot_count; i++) {
        if (trial->slots[i].is_taken && trial->slots[i].number == report->number) {
            trial->slots[i].is_taken = false;
            break;
        }
    }
    if (report->verdict == VERDICT_UNTRIED && trial->is_again) {
        trial->begun--; /* somebody else takes its place: all messages are alike */
        trial->told--;
    }
    if (!trial->is_quiet) {
        (void)printf("%llu %s %d %s %.*s\n", (unsigned long long)report->number,
                     verdict_name(report->verdict), report->code,
                     report->is_about_recipient ? "a" : "-", (int)report->text.len,
                     report->text.ptr == NULL ? "" : report->text.ptr);
    }
}

static void submit_some(struct trial *trial, struct transport *t, uint64_t *next_number)
{
    size_t at = 0;
    while (trial->begun < trial->count && transport_room(t) > 0) {
        while (at < trial->slot_count && trial->slots[at].is_taken) {
            at++;
        }
        if (at == trial->slot_count) {
            return;
        }
        trial->slots[at].number = (*next_number)++;
        trial->slots[at].is_taken = true;
        const char *percent = strstr(trial->to, "%d");
        int head = percent == NULL ? (int)strlen(trial->to) : (int)(percent - trial->to);
        char digits[24] = "";
        if (percent != NULL) {
            (void)snprintf(digits, sizeof digits, "%llu",
                           (unsigned long long)trial->slots[at].number);
        }
        (void)snprintf(trial->slots[at].to, TO_BYTES, "%.*s%s%s", head, trial->to, digits,
                       percent == NULL ? "" : percent + 2);
        const struct outgoing message = {.number = trial->slots[at].number,
                                         .from = slice_of(trial->from),
                                         .to = slice_of(trial->slots[at].to),
                                         .bytes = buf_slice(&trial->message),
                                         .unique = "trial",
                                         .needs_smtputf8 = trial->is_utf8};
        if (transport_submit(t, &message, NULL) != RC_OK) {
            die(EX_SOFTWARE, "submit", "refused though there was room");
        }
        trial->begun++;
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
    uint64_t next_number = 1;
    bool is_closing = false;
    while (!state.is_closed) {
        int64_t spent_ms = (clock_monotonic_ns() - start_ns) / 1000000;
        bool is_late = trial->give_up_ms > 0 && spent_ms >= (int64_t)trial->give_up_ms;
        if (!is_closing && (is_late || trial->told >= trial->count)) {
            transport_close(t);
            is_closing = true;
        }
        submit_some(trial, t, &next_number);
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

static uint64_t receipt(void *ctx, const struct smpp_receipt *told_of)
{
    static const char *const fates[] = {"under-way", "delivered", "failed"};
    (void)ctx;
    (void)printf("receipt %.*s %s %.*s\n", (int)told_of->id.len, told_of->id.ptr,
                 fates[told_of->fate], (int)told_of->to.len, told_of->to.ptr);
    return SMPP_RECEIPT_NOW;
}

static void accepted(void *ctx, uint64_t number, uint32_t part, struct slice id)
{
    (void)ctx;
    (void)number;
    (void)part;
    (void)id;
}

static enum rc open_trial(struct trial *trial, struct transport **out, struct err *err)
{
    const struct smtp_options *smtp = &trial->smtp;
    const struct smpp_options smpp = {
        .host = smtp->host,
        .port = smtp->port,
        .is_plain = smtp->tls == SMTP_TLS_NONE,
        .ca_pem = smtp->ca_pem,
        .client_pem = smtp->client_pem,
        .client_key_pem = smtp->client_key_pem,
        .system_id = smtp->user,
        .password = smtp->password,
        .addresses = smtp->addresses,
        .connections = smtp->connections,
        .window = trial->window,
        .queue = smtp->queue,
        .rate = smtp->rate,
        .timeout_ns = smtp->timeout_ns,
        .receipts = {.are_wanted = trial->has_receipts, .accepted = accepted, .receipt = receipt}};
    return trial->is_smpp ? smpp_open(&smpp, out, err) : smtp_open(smtp, out, err);
}

int main(int argc, char **argv)
{
    struct trial trial = {.smtp = {.connections = 1},
                          .from = "shop@example.net",
                          .to = "r%d@example.net",
                          .count = 1,
                          .size = 2048,
                          .window = 32};
    struct err err = {""};
    struct transport *t = NULL;
    if (argc < 3) {
        die(EX_USAGE, "usage", "smtp-try [OPTION=VALUE]... HOST PORT");
    }
    const char *at = NULL;
    for (int i = 1; i < argc - 2; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) {
            die(EX_USAGE, argv[i], "is no OPTION=VALUE");
        }
        *equals = '\0';
        if (strcmp(argv[i], "address") == 0) {
            at = equals + 1;
        } else {
            set(&trial, argv[i], equals + 1);
        }
    }
    trial.smtp.host = argv[argc - 2];
    trial.smtp.port = (uint16_t)number("port", argv[argc - 1]);
    if (at != NULL) {
        if (net_address_parse(at, trial.smtp.port, &trial.addresses.list[0], &err) != RC_OK) {
            die(EX_USAGE, "address", err.text);
        }
        trial.addresses.count = 1;
        trial.smtp.addresses = &trial.addresses;
    }
    trial.smtp.ca_pem = buf_slice(&trial.ca);
    trial.smtp.client_pem = buf_slice(&trial.cert);
    trial.smtp.client_key_pem = buf_slice(&trial.key);
    trial.smtp.password = buf_slice(&trial.password);
    make_message(&trial);
    if (open_trial(&trial, &t, &err) != RC_OK) {
        die(EX_CONFIG, "open", err.text);
    }
    size_t each = trial.is_smpp ? (size_t)trial.window + 1 : 2;
    trial.slot_count = transport_room(t) + each * trial.smtp.connections;
    trial.slots = calloc(trial.slot_count, sizeof *trial.slots);
    if (trial.slots == NULL) {
        die(EX_OSERR, "memory", "none");
    }
    send_all(&trial, t);
    transport_free(t);
    free(trial.slots);
    buf_release(&trial.ca);
    buf_release(&trial.cert);
    buf_release(&trial.key);
    buf_release(&trial.password);
    buf_release(&trial.message);
    return 0;
}
