/*
 * channel_schema - the settings of each channel
 *
 * All channels share one struct; each table says which of it the channel takes.
 */
#include "conf/house_read.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define AT(type, field) offsetof(struct type, field)

static const char *const TLS[] = {"connect", "starttls", "none", NULL};
static const char *const UNCERTAIN[] = {"resend", "hold", NULL};

static const struct schema_row DKIM_ROWS[] = {
    {"domain", SCHEMA_TEXT, ROW_REQUIRED, AT(house_dkim, domain), .min = 1, .max = 253,
     .doc = "Domain that signs."},
    {"selector", SCHEMA_TEXT, ROW_REQUIRED, AT(house_dkim, selector), .min = 1, .max = 63,
     .doc = "Selector of the key in the domain's DNS."},
    {"key_file", SCHEMA_PATH, ROW_REQUIRED, AT(house_dkim, key_file), .doc = "Private key, PEM."},
};
static const struct schema DKIM = {
    "dkim",    sizeof(struct house_dkim), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    DKIM_ROWS, COUNT(DKIM_ROWS),          NULL,           false};

static const struct schema_row UNSUBSCRIBE_ROWS[] = {
    {"url", SCHEMA_TEXT, 0, AT(house_unsubscribe, url), .doc = "HTTPS address (RFC 8058)."},
    {"mailto", SCHEMA_TEXT, 0, AT(house_unsubscribe, mailto), .doc = "Mail address."},
    {"secret_file", SCHEMA_PATH, 0, AT(house_unsubscribe, secret_file),
     .doc = "Key of the recipients' tokens."},
};
const struct schema house_unsubscribe_schema = {
    "unsubscribe",    sizeof(struct house_unsubscribe), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    UNSUBSCRIBE_ROWS, COUNT(UNSUBSCRIBE_ROWS),          NULL,           false};

#define ROW_SUPPRESS                                                                               \
    {                                                                                              \
        "suppress", SCHEMA_PATHS, 0, AT(house_channel, suppress),                                  \
            .doc = "Lists of who is never contacted on this channel, read again each time."        \
    }
#define ROW_TRANSPORT(list)                                                                        \
    {                                                                                              \
        "transport", SCHEMA_TEXT, 0, AT(house_channel, transport),                                 \
            .min = 1, .max = 32, .form = list,                                                     \
            .doc = "How messages leave. Without it: the first of these, into "                     \
                   "outbox/messages/ of the spool."                                                \
    }
#define ROWS_SENDING(default_uncertain, default_connections)                                       \
    {"timeout",        SCHEMA_DURATION,                                                            \
     ROW_POSITIVE,     AT(house_channel, timeout_ns),                                              \
     .initial = "30s", .doc = "An answer is waited for this long."},                               \
        {"retry_for",     SCHEMA_DURATION,                                                         \
         ROW_POSITIVE,    AT(house_channel, retry_for_ns),                                         \
         .initial = "2d", .doc = "Temporary failures are tried again this long."},                 \
        {"uncertain",                                                                              \
         SCHEMA_ENUM,                                                                              \
         0,                                                                                        \
         AT(house_channel, uncertain),                                                             \
         .initial = default_uncertain,                                                             \
         .words = UNCERTAIN,                                                                       \
         .doc = "What becomes of a sending whose result a crash lost."},                           \
        {"connections",                                                                            \
         SCHEMA_INT32,                                                                             \
         0,                                                                                        \
         AT(house_channel, connections),                                                           \
         .initial = default_connections,                                                           \
         .min = 1,                                                                                 \
         .max = 1000,                                                                              \
         .doc = "Connections at once, of all deliveries of the channel together."},                \
    {                                                                                              \
        "rate", SCHEMA_INT64, 0, AT(house_channel, rate),                                          \
            .initial = "0", .min = 0, .max = INT32_MAX, .unit = "messages a second",               \
            .doc = "Most that are sent, of all deliveries of the channel together; 0: no limit."   \
    }
#define ROWS_TLS                                                                                   \
    {"tls",                                                                                        \
     SCHEMA_ENUM,                                                                                  \
     0,                                                                                            \
     AT(house_channel, tls),                                                                       \
     .initial = "connect",                                                                         \
     .words = TLS,                                                                                 \
     .doc = "When the connection is encrypted; none is warned of."},                               \
    {                                                                                              \
        "ca_file", SCHEMA_PATH, 0, AT(house_channel, ca_file),                                     \
            .doc = "Certificates that are trusted. Without it: the system's."                      \
    }
#define ROWS_CLIENT_CERTIFICATE                                                                    \
    {"client_cert_file", SCHEMA_PATH, 0, AT(house_channel, client_cert_file),                      \
     .doc = "Our certificate for the server, PEM, with what leads to its issuer."},                \
    {                                                                                              \
        "client_key_file", SCHEMA_PATH, 0, AT(house_channel, client_key_file),                     \
            .doc = "Its private key, PEM."                                                         \
    }
#define ROWS_HOST                                                                                  \
    {"host", SCHEMA_TEXT, 0, AT(house_channel, host), .min = 1, .max = 253, .doc = "Server."},     \
    {                                                                                              \
        "port", SCHEMA_INT32, 0, AT(house_channel, port),                                          \
            .min = 1, .max = 65535, .doc = "Its port. Without it: the usual one."                  \
    }
#define ROWS_HTTP                                                                                  \
    {"url", SCHEMA_TEXT, 0, AT(house_channel, url), .doc = "HTTPS address of the service."},       \
        {"token_file", SCHEMA_PATH, 0, AT(house_channel, token_file),                              \
         .doc = "File with the bearer token; a new one is put there by rename."},                  \
    {                                                                                              \
        "body", SCHEMA_PATH, 0, AT(house_channel, body), .doc = "Template of the request."         \
    }
#define ROW_PASSWORD                                                                               \
    {                                                                                              \
        "password_file", SCHEMA_PATH, 0, AT(house_channel, password_file),                         \
            .doc = "File with the password, readable by the daemon alone."                         \
    }

static const struct schema_row MAIL_ROWS[] = {ROW_SUPPRESS};
static const struct schema_row EMAIL_ROWS[] = {
    ROW_TRANSPORT("\"maildir\", \"smtp\" or \"null\""),
    ROWS_HOST,
    ROWS_TLS,
    ROWS_CLIENT_CERTIFICATE,
    {"user", SCHEMA_TEXT, 0, AT(house_channel, user), .doc = "Login name at the server."},
    ROW_PASSWORD,
    {"from", SCHEMA_TEXT, 0, AT(house_channel, from),
     .doc = "Sender, like Shop <shop@example.net>."},
    {"reply_to", SCHEMA_TEXT, 0, AT(house_channel, reply_to), .doc = "Where answers go."},
    {"dkim", SCHEMA_GROUP, 0, AT(house_channel, dkim), .inner = &DKIM, .doc = "Signature."},
    {"unsubscribe", SCHEMA_GROUP, 0, AT(house_channel, unsubscribe),
     .inner = &house_unsubscribe_schema, .doc = "List-Unsubscribe."},
    ROW_SUPPRESS,
    ROWS_SENDING("resend", "10"),
};
static const struct schema_row SMS_ROWS[] = {
    ROW_TRANSPORT("\"file\", \"smpp\" or \"null\""),
    ROWS_HOST,
    ROWS_TLS,
    ROWS_CLIENT_CERTIFICATE,
    {"system_id", SCHEMA_TEXT, 0, AT(house_channel, system_id), .max = 15,
     .doc = "SMPP account, at most 15 bytes."},
    ROW_PASSWORD,
    {"window", SCHEMA_INT32, 0, AT(house_channel, window), .initial = "32", .min = 1, .max = 1000,
     .doc = "Parts without an answer at once, on each connection."},
    {"receipts_wait", SCHEMA_DURATION, 0, AT(house_channel, receipts_wait_ns), .initial = "1m",
     .doc =
         "How long after the last message the connection stays open for delivery receipts, where "
         "some are missing. Later ones come with the next delivery of the channel."},
    {"sender", SCHEMA_TEXT, 0, AT(house_channel, sender), .min = 1, .max = 64,
     .doc = "Sender that is shown: a number, a short code, or up to 11 letters and digits. Without "
            "it: the one that the SMSC gives."},
    ROW_SUPPRESS,
    ROWS_SENDING("hold", "1"),
};
static const struct schema_row HTTP_ROWS[] = {
    /* push, inapp */
    ROW_TRANSPORT("\"file\", \"http\" or \"null\""),
    ROWS_TLS,
    ROWS_HTTP,
    {"headers", SCHEMA_TEXTS, 0, AT(house_channel, headers), .min = 3, .max = 1024,
     .doc = "Headers of each request, like apns-topic: com.example.app."},
    ROWS_CLIENT_CERTIFICATE,
    ROW_SUPPRESS,
    ROWS_SENDING("hold", "10"),
};

#define CHANNEL(title, rows)                                                                       \
    {                                                                                              \
        title, sizeof(struct house_channel), AT(house_channel, at), SCHEMA_NOWHERE, rows,          \
            COUNT(rows), NULL, false                                                               \
    }
static const struct schema MAIL = CHANNEL("mail", MAIL_ROWS);
static const struct schema EMAIL = CHANNEL("email", EMAIL_ROWS);
static const struct schema SMS = CHANNEL("sms", SMS_ROWS);
static const struct schema PUSH = CHANNEL("push", HTTP_ROWS);
static const struct schema INAPP = CHANNEL("inapp", HTTP_ROWS);

#define ONE(kind) (kind) * sizeof(struct house_channel)

static const struct schema_row CHANNELS_ROWS[] = {
    {"mail", SCHEMA_GROUP, 0, ONE(HOUSE_MAIL), .inner = &MAIL, .doc = "Paper, through a router."},
    {"email", SCHEMA_GROUP, 0, ONE(HOUSE_EMAIL), .inner = &EMAIL, .doc = "E-mail."},
    {"sms", SCHEMA_GROUP, 0, ONE(HOUSE_SMS), .inner = &SMS, .doc = "Text messages."},
    {"push", SCHEMA_GROUP, 0, ONE(HOUSE_PUSH), .inner = &PUSH, .doc = "Push messages."},
    {"inapp", SCHEMA_GROUP, 0, ONE(HOUSE_INAPP), .inner = &INAPP,
     .doc = "Messages inside an application."},
};
const struct schema house_channels_schema = {
    "channels",     HOUSE_CHANNELS * sizeof(struct house_channel),
    SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    CHANNELS_ROWS,  COUNT(CHANNELS_ROWS),
    NULL,           false};
