/*
 * channel_check - the rules between a channel's settings, and its files with secrets
 */
#include "base/sender.h"
#include "conf/house_read.h"

#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static bool is_by(const char *transport, const char *word)
{
    return transport != NULL && strcmp(transport, word) == 0;
}

static void check_transport(const struct house *house, int kind, struct problems *problems)
{
    const struct house_channel *channel = &house->channels[kind];
    const char *name = house_channel_name(kind);
    const char *const *known = house_transports(kind);
    size_t count = 0;
    bool is_known = channel->transport == NULL;
    for (; known[count] != NULL; count++) {
        is_known = is_known || strcmp(known[count], channel->transport) == 0;
    }
    if (!is_known) {
        problems_add(problems, channel->at, "%s: transport '%s' is none of \"%s\", \"%s\"%s%s",
                     name, channel->transport, known[0], known[1], count > 3 ? ", \"http\"" : "",
                     "; write one of these, or \"null\"");
    }
}

/* Who connects needs to know where to, and does it encrypted. */
static void check_connection(const struct house *house, int kind, struct problems *problems)
{
    const struct house_channel *channel = &house->channels[kind];
    const char *name = house_channel_name(kind);
    const char *transport = house_transport(house, kind);
    bool by_host = is_by(transport, "smtp") || is_by(transport, "smpp");
    bool by_url = is_by(transport, "http");
    if (by_host && channel->host == NULL) {
        problems_add(problems, channel->at, "%s: transport %s needs a host; add host = \"...\";",
                     name, transport);
    }
    if (by_url && channel->url == NULL) {
        problems_add(problems, channel->at,
                     "%s: transport http needs a url; add url = \"https://...\";", name);
    }
    if (house_connects(house, kind) && channel->tls == HOUSE_TLS_NONE) {
        problems_warn(problems, channel->at,
                      "%s: tls is none: everybody on the way can read and change what is sent",
                      name);
    }
    if (by_url && channel->url != NULL && channel->tls != HOUSE_TLS_NONE &&
        strncmp(channel->url, "https://", 8) != 0) {
        problems_add(problems, channel->at,
                     "%s: url does not begin with https://; correct it, or write tls = \"none\";",
                     name);
    }
}

/* Who shows a certificate does so by TLS, with its key. */
static void check_client_certificate(const struct house_channel *channel, const char *name,
                                     struct problems *problems)
{
    if ((channel->client_cert_file == NULL) != (channel->client_key_file == NULL)) {
        problems_add(problems, channel->at,
                     "%s: client_cert_file and client_key_file stand together; add the other one",
                     name);
    }
    if (channel->client_cert_file != NULL && channel->tls == HOUSE_TLS_NONE) {
        problems_add(problems, channel->at,
                     "%s: without TLS nobody asks for client_cert_file; take it or tls = \"none\"; "
                     "out",
                     name);
    }
}

static void check_login(const struct house_channel *email, struct problems *problems)
{
    bool has_user = email->user != NULL && email->user[0] != '\0';
    if (has_user != (email->password_file != NULL)) {
        problems_add(problems, email->at, "email: %s stands without %s; add it, or take both out",
                     has_user ? "user" : "password_file", has_user ? "password_file" : "user");
    }
    if (has_user && email->tls == HOUSE_TLS_NONE) {
        problems_add(problems, email->at,
                     "email: user and password would travel in the clear; write tls = \"connect\"; "
                     "or \"starttls\", or take them out");
    }
}

static struct slice check_sender(const struct house_channel *email, const char *key,
                                 const char *text, struct problems *problems)
{
    struct sender box = {.domain = {NULL, 0}};
    struct err err = {""};
    if (text != NULL && sender_parse(slice_of(text), &box, &err) != RC_OK) {
        problems_add(problems, email->at, "email: %s: %s", key, err.text);
    }
    return box.domain;
}

static void check_email(const struct house_channel *email, struct problems *problems)
{
    const struct house_unsubscribe *way = &email->unsubscribe;
    struct slice from = check_sender(email, "from", email->from, problems);
    (void)check_sender(email, "reply_to", email->reply_to, problems);
    (void)check_sender(email, "unsubscribe.mailto", way->mailto, problems);
    check_login(email, problems);
    if (way->url != NULL && strncmp(way->url, "https://", 8) != 0) {
        problems_add(problems, email->at,
                     "email: unsubscribe.url does not begin with https:// (RFC 8058); correct it");
    }
    if ((way->url != NULL || way->mailto != NULL) && way->secret_file == NULL) {
        problems_add(problems, email->at,
                     "email: unsubscribe has no secret_file: its tokens could be made by anybody; "
                     "add a file of 32 random bytes");
    }
    if (from.len > 0 && email->dkim.domain != NULL &&
        !domain_is_within(from, slice_of(email->dkim.domain))) {
        problems_warn(problems, email->at,
                      "email: from is of %.*s, which is not below %s that signs: receivers will "
                      "not count the signature",
                      (int)from.len, from.ptr, email->dkim.domain);
    }
}

static void check_sms(const struct house *house, struct problems *problems)
{
    const struct house_channel *sms = &house->channels[HOUSE_SMS];
    if (!is_by(house_transport(house, HOUSE_SMS), "smpp")) {
        return;
    }
    if (sms->tls == HOUSE_TLS_STARTTLS) {
        problems_add(problems, sms->at,
                     "sms: SMPP has no starttls; write tls = \"connect\"; with the port for TLS");
    }
    if (sms->system_id == NULL || sms->password_file == NULL) {
        problems_add(problems, sms->at, "sms: transport smpp needs %s; add it",
                     sms->system_id == NULL ? "a system_id" : "a password_file");
    }
}

static void check_http(const struct house_channel *channel, int kind, struct problems *problems)
{
    const char *name = house_channel_name(kind);
    if (channel->tls == HOUSE_TLS_STARTTLS) {
        problems_add(problems, channel->at, "%s: tls = \"starttls\" is for e-mail; take it out",
                     name);
    }
    if (channel->token_file != NULL && channel->tls == HOUSE_TLS_NONE) {
        problems_add(
            problems, channel->at,
            "%s: the token would travel in the clear; take token_file or tls = \"none\" out", name);
    }
}

void house_check_channels(const struct house *house, struct problems *problems)
{
    for (int kind = HOUSE_EMAIL; kind < HOUSE_CHANNELS; kind++) {
        if (house->channels[kind].at.line > 0) {
            check_transport(house, kind, problems);
            check_connection(house, kind, problems);
            check_client_certificate(&house->channels[kind], house_channel_name(kind), problems);
        }
        if (house->channels[kind].at.line > 0 && (kind == HOUSE_PUSH || kind == HOUSE_INAPP)) {
            check_http(&house->channels[kind], kind, problems);
        }
    }
    if (house->channels[HOUSE_EMAIL].at.line > 0) {
        check_email(&house->channels[HOUSE_EMAIL], problems);
    }
    if (house->channels[HOUSE_SMS].at.line > 0) {
        check_sms(house, problems);
    }
}

/* --- bodies --- */

enum { BODY_BYTES_MAX = 64 * 1024 /* a request's template */ };

static enum rc read_body(struct house *house, struct house_channel *channel, struct err *err)
{
    struct buf text = BUF_EMPTY;
    int fd = open(channel->body, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    /* A file that is not there is told by house_check_secrets, as the others are. */
    enum rc rc = fd < 0 ? RC_OK : fs_read_fd(fd, BODY_BYTES_MAX, &text, err);
    if (fd >= 0 && rc == RC_OK) {
        channel->body_text = arena_text(&house->memory->arena, buf_slice(&text));
        rc = channel->body_text == NULL ? err_set(err, RC_NOMEM, "out of memory") : RC_OK;
    }
    fs_drop(&fd);
    buf_release(&text);
    return rc == RC_OK ? RC_OK : err_add(err, rc, "%s", channel->body);
}

enum rc house_read_bodies(struct house *house, struct err *err)
{
    enum rc rc = RC_OK;
    for (int kind = HOUSE_PUSH; rc == RC_OK && kind <= HOUSE_INAPP; kind++) {
        if (house->channels[kind].body != NULL) {
            rc = read_body(house, &house->channels[kind], err);
        }
    }
    return rc;
}

/* --- secrets --- */

static void check_secret(const struct house_channel *channel, const char *key, const char *path,
                         struct problems *problems)
{
    struct stat about;
    if (path == NULL) {
        return;
    }
    if (stat(path, &about) != 0) {
        problems_add(problems, channel->at, "%s %s %s", key, path,
                     errno == ENOENT ? "does not exist; make it, or correct the name"
                                     : "cannot be reached; let the daemon into its folder");
    } else if (!S_ISREG(about.st_mode)) {
        problems_add(problems, channel->at, "%s %s is no file; correct the name", key, path);
    } else if ((about.st_mode & S_IRWXO) != 0) {
        problems_add(problems, channel->at, "%s %s can be read or changed by others; chmod o= it",
                     key, path);
    }
}

enum rc house_check_secrets(const struct house *house, struct problems *problems, struct err *err)
{
    const struct house_channel *email = &house->channels[HOUSE_EMAIL];
    check_secret(email, "dkim.key_file", email->dkim.key_file, problems);
    check_secret(email, "unsubscribe.secret_file", email->unsubscribe.secret_file, problems);
    for (int kind = HOUSE_EMAIL; kind < HOUSE_CHANNELS; kind++) {
        const struct house_channel *channel = &house->channels[kind];
        check_secret(channel, "password_file", channel->password_file, problems);
        check_secret(channel, "token_file", channel->token_file, problems);
        check_secret(channel, "client_key_file", channel->client_key_file, problems);
        if (channel->body != NULL && channel->body_text == NULL) {
            problems_add(problems, channel->at,
                         "body %s cannot be opened; make it, or correct the name", channel->body);
        }
    }
    return problems_rc(problems, err);
}
