/*
 * house - the configuration of one postroom: etc/postroom.conf and etc/conf.d
 *
 * Plain values, checked: every name that one setting gives of another exists. What only the machine
 * knows (user and group names, keys, programs) is looked up by those who need it. The house never
 * changes once loaded; a reload loads another.
 */
#ifndef POSTROOM_CONF_HOUSE_H
#define POSTROOM_CONF_HOUSE_H

#include "conf/schema.h"

enum house_channel_kind {
    HOUSE_MAIL = 0,
    HOUSE_EMAIL,
    HOUSE_SMS,
    HOUSE_PUSH,
    HOUSE_INAPP,
    HOUSE_CHANNELS
};

enum house_format { HOUSE_CSV = 0, HOUSE_FIXED };
enum house_quote { HOUSE_QUOTE_MINIMAL = 0, HOUSE_QUOTE_ALWAYS, HOUSE_QUOTE_NEVER };
enum house_eol { HOUSE_EOL_CRLF = 0, HOUSE_EOL_LF, HOUSE_EOL_CR, HOUSE_EOL_NONE };
enum house_encoding { HOUSE_UTF_8 = 0, HOUSE_ISO_8859_1, HOUSE_ISO_8859_15, HOUSE_WINDOWS_1252 };
enum house_container { HOUSE_ZIP = 0, HOUSE_TAR_GZ, HOUSE_TAR_ZST, HOUSE_GZ };
enum house_address { HOUSE_ADDRESS_NONE = 0, HOUSE_ADDRESS_NF_Z10_011 };
enum house_rule {
    HOUSE_FIXED_PRICE = 0, /* A */
    HOUSE_LINEAR,          /* A x q / n */
    HOUSE_LINEAR_BY_THRESHOLD,
    HOUSE_CONSTANT_BY_THRESHOLD
};
enum house_finish { HOUSE_FINISH_HAND_OVER = 0, HOUSE_FINISH_ACK, HOUSE_FINISH_REPORT };
enum house_commitment { HOUSE_PLANNED = 0, HOUSE_RESERVED, HOUSE_COMMITTED };
enum house_budget_status { HOUSE_BUDGET_EDITING = 0, HOUSE_BUDGET_DEFINED };
enum house_approval_mode { HOUSE_APPROVE_AUTOMATIC = 0, HOUSE_APPROVE_MANUAL };
enum house_excess { HOUSE_WARN = 0, HOUSE_REFUSE }; /* overspend, shortage */
enum house_uncertain { HOUSE_RESEND = 0, HOUSE_HOLD };

struct house_operator {
    struct place at;
    const char *name;
    const char *user;  /* login name, NULL: signs only */
    const char *email; /* NULL: is not written to */
    struct texts groups;
    bool is_admin;
    bool may_act_for_others; /* on_behalf */
    bool is_finance;
};

struct house_budget {
    struct decimal allocated; /* DECIMAL_NONE: no limit */
    int commitment;           /* enum house_commitment */
    int status;               /* enum house_budget_status */
};

struct house_programme {
    struct place at;
    const char *name;
    const char *label;
    struct house_budget budget;
};

struct house_campaign {
    struct place at;
    const char *name;
    const char *label;
    const char *programme;
    const char *owner; /* an operator's name */
    struct house_budget budget;
    int approval_mode;                /* enum house_approval_mode */
    int overspend;                    /* enum house_excess */
    const config_setting_t *settings; /* what its deliveries inherit: read by order_read() */
};

struct house_threshold {
    struct place at;
    int64_t upto; /* pieces, inclusive */
    struct decimal amount;
};

/* one cost structure; in an order with the surcharge of that delivery */
struct house_cost {
    struct place at;
    const char *category;
    const char *type;
    const char *label;
    int rule;              /* enum house_rule */
    struct decimal amount; /* fixed, linear; else DECIMAL_NONE */
    int64_t per;           /* pieces that the amount is for; 1 */
    struct house_threshold *steps;
    size_t step_count;
    struct decimal beyond;    /* threshold rules: DECIMAL_NONE: the steps must suffice */
    struct decimal minimum;   /* DECIMAL_NONE */
    struct decimal surcharge; /* DECIMAL_NONE; set in orders only */
    int32_t valid_from;       /* first day, DATE_NONE */
    int32_t valid_until;      /* last day, DATE_NONE */
    const char *stock;        /* "STOCK/LINE" or NULL */
    const char *tariff;
    bool is_selected;  /* counts where a delivery names no costs */
    bool is_mandatory; /* cannot be left out */
};

struct house_column {
    struct place at;
    const char *name;
    const char *value; /* mustache, or NULL: the recipients' column of that name */
    int32_t width;     /* characters, SCHEMA_NONE */
    bool is_upper;
};

struct house_layout {
    struct place at;
    int format; /* enum house_format */
    struct house_column *columns;
    size_t column_count;
    const char *delimiter; /* one ASCII character */
    const char *quote;     /* one ASCII mark, "" for none, "always"; see house_layout_quote() */
    int eol;               /* enum house_eol */
    int encoding;          /* enum house_encoding */
    bool has_header;
    int64_t rows_per_file; /* 0: all in one */
    int container;         /* enum house_container */
    const char *name;      /* template of the archive's name */
    int32_t level;         /* 1..9 */
    const char *encrypt;   /* path of a certificate, NULL */
    const char *flag;      /* suffix of an empty file that appears last, NULL */
    int address;           /* enum house_address */
};

struct house_service {
    struct place at;
    const char *name;
    const char *label;
    int channel;        /* enum house_channel_kind */
    const char *notice; /* name of a template in templates/, or NULL */
    int finish_on;      /* enum house_finish */
    int64_t returns_wait_ns;
    struct texts after_hand_over;
    struct house_cost *costs;
    size_t cost_count;
    struct house_layout layout;
};

struct house_provider {
    struct place at;
    const char *name;
    const char *label;
    struct texts email;
    const char *group; /* group of its SFTP account, NULL */
    struct house_service *services;
    size_t service_count;
};

struct house_stock_order {
    struct place at;
    const char *id;
    int32_t date;
    int64_t quantity;
};

struct house_stock_line {
    struct place at;
    const char *name;
    const char *label;
    int64_t initial;
    int64_t alert; /* SCHEMA_NONE: none */
    struct house_stock_order *orders;
    size_t order_count;
};

struct house_stock {
    struct place at;
    const char *name;
    const char *label;
    const char *provider; /* NULL */
    int shortage;         /* enum house_excess */
    struct house_stock_line *lines;
    size_t line_count;
};

struct house_dkim {
    const char *domain;
    const char *selector;
    const char *key_file;
};

struct house_unsubscribe {
    const char *url;
    const char *mailto;
    const char *secret_file;
};

enum house_tls { HOUSE_TLS_CONNECT = 0, HOUSE_TLS_STARTTLS, HOUSE_TLS_NONE };

/* one channel; each channel's table names the settings that it takes */
struct house_channel {
    struct place at;       /* line 0: not configured */
    struct texts suppress; /* paths */
    const char *transport; /* NULL: the embedded default */
    const char *host;
    int32_t port;
    int tls; /* enum house_tls */
    const char *ca_file;
    const char *user; /* email; NULL or "": no login */
    const char *password_file;
    const char *token_file;
    const char *system_id;
    const char *url;
    const char *body;
    const char *body_text; /* what stands in it; NULL: none that can be opened */
    struct texts headers;  /* "Name: value" */
    const char *client_cert_file;
    const char *client_key_file;
    const char *from;
    const char *reply_to;
    const char *sender;
    int32_t connections;
    int32_t window;
    int64_t rate; /* messages a second, 0: no limit */
    int64_t timeout_ns;
    int64_t retry_for_ns;
    int64_t receipts_wait_ns; /* sms */
    int uncertain;            /* enum house_uncertain */
    struct house_dkim dkim;
    struct house_unsubscribe unsubscribe;
};

struct house_extract {
    int64_t memory_bytes;
    int32_t threads; /* 0: one for each core */
    /* minutes after local midnight, 0..1439; both SCHEMA_NONE: always open. end < start: over
     * midnight */
    int32_t window_start_min;
    int32_t window_end_min;
};

struct house_retention { /* SCHEMA_NONE: kept */
    int64_t pickup_ns;
    int64_t done_ns;
    int64_t refused_ns;
};

/* settings that deliveries inherit, one for each file that has them; read by order_read() */
struct house_defaults {
    const config_setting_t *settings; /* a group */
    const char *file;
};

struct house {
    const char *file;  /* postroom.conf as it was named */
    const char *spool; /* absolute, as all paths here */
    const char *templates;
    const char *routers; /* NULL: outbox/routers in the spool */
    const char *group;   /* the operators' group, NULL: that of the process */
    int64_t settle_ns;
    const char *timezone;
    struct place timezone_at; /* where it was written; line 0: nowhere */
    const char *currency;     /* three capital letters */
    bool owner_confirmation;
    bool four_eyes;
    bool notices;
    int64_t min_free_bytes;
    const char *allowed_signers;    /* NULL */
    struct decimal signature_above; /* DECIMAL_NONE */
    struct house_extract extract;
    struct house_retention retention;
    struct house_channel channels[HOUSE_CHANNELS];
    struct house_defaults *defaults;
    size_t default_count;
    struct house_operator *operators;
    size_t operator_count;
    struct house_programme *programmes;
    size_t programme_count;
    struct house_campaign *campaigns;
    size_t campaign_count;
    struct house_provider *providers;
    size_t provider_count;
    struct house_stock *stocks;
    size_t stock_count;
    struct house_memory *memory; /* owner of all of the above */
};

extern const struct schema house_schema;        /* postroom.conf, for the man page */
extern const struct schema house_layout_schema; /* struct house_layout; an approval file's too */
extern const struct schema house_cost_schema;   /* struct house_cost */
extern const struct schema house_frozen_cost_schema; /* the same with `surcharge`, of an order */
extern const struct schema house_unsubscribe_schema; /* struct house_unsubscribe */
extern const struct schema house_threshold_schema;   /* struct house_threshold */
extern const struct schema house_campaign_schema;    /* struct house_campaign */

extern const char *const house_channel_words[]; /* "mail", "email", ... by enum, NULL-terminated */
extern const char *const house_finish_words[];
extern const char *const house_commitment_words[];
extern const char *const house_approval_mode_words[];

enum { HOUSE_FILES_MAX = 256 /* files in conf.d */ };

/*
 * house_load - read postroom.conf, then conf.d/ *.conf beside it in name order
 *
 * Lists of the same name are joined; a name twice in one list is an error. Groups of the same name
 * are merged key by key; one plain setting twice is an error. What deliveries inherit (defaults,
 * campaigns) is only checked as far as libconfig goes: call order_check_house() behind this.
 *
 * path      postroom.conf
 * problems  gets every error and warning of all files
 * Returns   RC_OK; RC_GONE no such file; RC_PERM wrong (first error in err); RC_RANGE too large;
 *           RC_NOMEM
 */
enum rc house_load(const char *path, struct house **out, struct problems *problems,
                   struct err *err) MUST_CHECK;
void house_free(struct house *house);

/* Look-ups: NULL where there is none. Cost: a scan. */
const struct house_operator *house_operator_by_name(const struct house *house, const char *name);
const struct house_operator *house_operator_by_user(const struct house *house, const char *user);
const struct house_programme *house_programme(const struct house *house, const char *name);
const struct house_campaign *house_campaign(const struct house *house, const char *name);
const struct house_provider *house_provider(const struct house *house, const char *name);
const struct house_service *house_service(const struct house_provider *provider, const char *name);
/* path is "STOCK/LINE"; *out_stock may be NULL */
const struct house_stock_line *house_stock_line(const struct house *house, const char *path,
                                                const struct house_stock **out_stock);

/* operator_in_group - group with or without its '@' */
bool operator_in_group(const struct house_operator *op, const char *group);

/* house_names_somebody - `reviewer` is the name of an operator, or @group with at least one member
 */
bool house_names_somebody(const struct house *house, const char *reviewer);

/* house_channel_name - "mail", "email", ...; house_eol_text - "\r\n", "\n", "\r", "" */
const char *house_channel_name(int channel);
const char *house_eol_text(int eol);

/* house_transport - the channel's transport, the embedded one where etc/ names none: "maildir",
 * "smtp", "null", ...; NULL for mail */
const char *house_transport(const struct house *house, int channel);

/* house_transports - all that the channel has, the embedded one first, then NULL */
enum { HOUSE_TRANSPORTS_MAX = 3 };
const char *const *house_transports(int channel);

/* house_connects - its transport speaks to another machine; house_port - by which TCP port: the
 * usual one where etc/ names none; 0: it does not, or its url names none that can be */
bool house_connects(const struct house *house, int channel);
uint16_t house_port(const struct house *house, int channel);

/*
 * house_check_secrets - is every file with a secret there, and out of the reach of others?
 *
 * For who uses them (the daemon): looks at the files of the channels that this version sends on.
 * Faults go to problems. Returns RC_OK; RC_PERM, the first in err
 */
enum rc house_check_secrets(const struct house *house, struct problems *problems,
                            struct err *err) MUST_CHECK;

/* house_layout_quote - when values are quoted, and by which mark */
enum house_quote house_layout_quote(const struct house_layout *layout, char *out_mark);

/* house_check_layout - the rules between a layout's settings; faults go to problems */
void house_check_layout(const struct house_layout *layout, struct problems *problems);

/*
 * conf_init_text - a commented postroom.conf to start from: one administrator, one campaign, one
 * router, no window
 * operator_name  by the rule for ids (asserted);  user  login name
 */
void conf_init_text(const char *operator_name, const char *user, struct buf *out);

#endif
