/*
 * order - a delivery as ordered: delivery.conf after inheritance, resolved against the house
 *
 * Read once when it is taken in; frozen as settings.conf in the delivery, and read from there ever
 * after. Who may act, groups, keys, four_eyes and owner_confirmation are not frozen: they are
 * looked up in the house when somebody decides.
 */
#ifndef POSTROOM_DELIVERY_ORDER_H
#define POSTROOM_DELIVERY_ORDER_H

#include "conf/house.h"

enum order_step_kind { /* the same order as enum step */
                       ORDER_STEP_TARGET = 0,
                       ORDER_STEP_CONTENT,
                       ORDER_STEP_BUDGET,
                       ORDER_STEP_EXTRACTION,
                       ORDER_STEP_PROOF,
                       ORDER_STEP_DELIVERY, /* who may start it; whether it waits is
                                               needs_confirmation */
                       ORDER_STEPS
};

extern const char *const order_step_words[]; /* "target", ... by enum, NULL-terminated */

enum order_seed_mode {
    ORDER_SEEDS_SORTED = 0,
    ORDER_SEEDS_START,
    ORDER_SEEDS_END,
    ORDER_SEEDS_RANDOM
};
enum order_empty { ORDER_EMPTY_FINISH = 0, ORDER_EMPTY_SEND, ORDER_EMPTY_FAIL };
enum order_bad_row { ORDER_BAD_ROW_FAIL = 0, ORDER_BAD_ROW_EXCLUDE };

enum { ORDER_PROOF_TARGET_MAX = 100 }; /* addresses: a proof is no campaign */

struct order_step {
    bool is_on;
    struct texts reviewers;     /* operators and @groups; none: the owner decides */
    bool is_all;                /* one answer of each */
    bool is_open;               /* etc/ lets deliveries weaken it */
    int64_t deadline_ns;        /* after the step opens */
    struct durations reminders; /* before (negative) or after the deadline */
    struct texts proof_target;  /* proof: who gets it, 1..ORDER_PROOF_TARGET_MAX where it is on */
};

struct order_target {
    const char *file;
    const char *key;
    const char *address;   /* column; online always set; mail: NULL where not set */
    const char *delimiter; /* one ASCII character */
    const char *where;     /* NULL: everybody */
    struct texts exclude;
    struct texts dedupe;
    struct texts order;  /* "-name": descending */
    int64_t limit;       /* 0: none */
    int64_t random_seed; /* SCHEMA_NONE: from id and revision */
    const char *seeds;   /* NULL */
    int seed_mode;       /* enum order_seed_mode */
    int64_t rows;        /* rows that the file must have; SCHEMA_NONE */
    int64_t min, max;    /* records selected; SCHEMA_NONE */
    int empty;           /* enum order_empty */
    int on_bad_row;      /* enum order_bad_row */
};

struct order_schedule { /* INSTANT_NONE: not set */
    int64_t extract_at;
    int64_t contact_at;
    int64_t not_after;
};

struct order_notice {
    const char *subject;
    const char *text; /* file of the drop */
    const char *html; /* file of the drop */
    const char *note; /* one paragraph put into the notice */
};

/* one value of `data`, passed on as it is */
struct order_datum {
    const char *name;
    const char *value; /* a text (a template); else the number, true or false as written */
    bool is_text;
};

/* What is sent online; each channel has its own of these, the others stay NULL and empty. */
struct order_content {
    const char *subject;                  /* email: template */
    const char *html;                     /* email: file */
    const char *text;                     /* email: file; sms: template */
    const char *from;                     /* email: template; the channel's where it says nothing */
    const char *reply_to;                 /* email: as from */
    struct texts images;                  /* email: files, shown by cid:NAME */
    struct texts attachments;             /* email: files */
    struct house_unsubscribe unsubscribe; /* email; the secret stays with the channel: NULL here */
    const char *sender;                   /* sms; the channel's where it says nothing */
    const char *title;                    /* push, inapp: template */
    const char *body;                     /* push, inapp: template */
    const char *image;                    /* push, inapp: file, or an address with :// */
    const char *video;                    /* push, inapp: as image */
    struct order_datum *data;             /* push, inapp */
    size_t datum_count;
};

/* A part of the recipients that is sent at its own time. */
struct order_wave {
    int64_t size;     /* recipients; is_share: hundredths of a percent of all */
    bool is_share;    /* size is written "10%" */
    int64_t after_ns; /* a calendar: not before this long after the start; else SCHEMA_NONE */
};

/* Waves, one after another in the order of the recipients; the last takes the rest. */
struct order_waves {
    struct order_wave *list; /* `every`: the one size of all; a calendar: each */
    size_t count;            /* 0: all at once */
    int64_t every_ns;        /* above zero: list[0] every so often; else a calendar, or none */
};

struct order {
    const char *id;
    const char *label; /* NULL */
    const char *campaign;
    const char *programme;
    int channel; /* enum house_channel_kind */
    const char *owner;
    const char *provider; /* NULL online */
    const char *service;  /* NULL online */
    const char *currency;
    const char *timezone;
    int commitment;    /* enum house_commitment: level at the count */
    int approval_mode; /* enum house_approval_mode */
    struct order_target target;
    struct order_step steps[ORDER_STEPS];
    bool needs_confirmation; /* confirm */
    struct order_schedule schedule;
    struct texts documents;
    struct order_notice notice;
    struct order_content content; /* mail: empty */
    struct order_waves waves;     /* mail: none */
    struct decimal estimate;      /* DECIMAL_NONE */
    /* from the service */
    struct house_cost *costs; /* those that count, with surcharges */
    size_t cost_count;
    struct house_layout layout;
    int finish_on; /* enum house_finish */
    int64_t returns_wait_ns;
    struct texts after_hand_over;
    const char *notice_template; /* NULL */
    struct order_memory *memory; /* owner of all of the above */
};

/* who dropped it */
struct order_dropper {
    const char *operator_name;
    bool is_admin;
    bool may_act_for_others;
};

/*
 * order_read - delivery.conf to an order
 *
 * conf, file  the bytes, and the name shown in errors
 * house       defaults, campaign, provider; borrowed for the call (the order keeps nothing of it)
 * id          valid (asserted)
 * problems    gets every error and warning with line
 * Returns     RC_OK; RC_PERM / RC_RANGE refused, first error in err; RC_NOMEM
 */
enum rc order_read(struct slice conf, const char *file, const struct house *house,
                   const struct order_dropper *dropper, const char *id, struct order **out,
                   struct problems *problems, struct err *err) MUST_CHECK;

/*
 * order_check_house - are the settings that deliveries inherit (defaults, campaigns) good?
 * Returns   RC_OK; RC_PERM, errors in problems, the first in err; RC_NOMEM
 */
enum rc order_check_house(const struct house *house, struct problems *problems,
                          struct err *err) MUST_CHECK;

/* order_write - the frozen settings (settings.conf); order_load reads back exactly the same */
void order_write(const struct order *order, struct buf *out);

/*
 * order_load - settings.conf, as order_write made it
 * Returns   RC_OK; RC_CORRUPT not what order_write writes; RC_NOMEM
 */
enum rc order_load(struct slice text, const char *file, struct order **out,
                   struct err *err) MUST_CHECK;

void order_free(struct order *order);

/* order_set_layout - put another layout in its place (extraction restart with layout); copied.
 * Returns RC_OK; RC_NOMEM, the order unchanged */
enum rc order_set_layout(struct order *order, const struct house_layout *layout,
                         struct err *err) MUST_CHECK;

enum order_file_role {
    ORDER_FILE_RECIPIENTS = 0,
    ORDER_FILE_EXCLUDE,
    ORDER_FILE_SEEDS,
    ORDER_FILE_DOCUMENT,
    ORDER_FILE_NOTICE,
    ORDER_FILE_CONTENT,   /* html, text; push, inapp: image, video */
    ORDER_FILE_IMAGE,     /* e-mail: shown inside it */
    ORDER_FILE_ATTACHMENT /* e-mail: goes with it */
};

struct order_file {
    const char *name; /* plain: no slash, no leading dot, no name of ours */
    enum order_file_role role;
};

enum {
    ORDER_FILES_MAX = 1000 /* files that one delivery names: documents, lists, notice, content */
};

/*
 * order_files - every file the delivery names, recipients first; one in two roles stands twice
 * out      ORDER_FILES_MAX entries; names are borrowed from the order
 * Returns  how many
 */
size_t order_files(const struct order *order, struct order_file *out);

/* order_names_file - `place` (image, video of content) is a file of the drop: no address with ://
 * and no template. NULL is none */
bool order_names_file(const char *place);

/*
 * order_file_name_check - may a delivery name a file so?
 * Returns  RC_OK; RC_PERM with what is wrong and the mend (also: a name that postroom uses itself)
 */
enum rc order_file_name_check(const char *name, struct err *err) MUST_CHECK;

/*
 * order_line - the line of delivery.conf on which a setting stands, to name it in a fault found
 * later in       group it stands in ("target"), NULL: top level Returns  the line from 1; 0 where
 * it is not set there (inherited) or the text cannot be parsed
 */
int order_line(struct slice conf, const char *in, const char *key);

enum {                           /* parts in which two orders may differ */
       ORDER_CHANGED_TARGET = 1, /* target group */
       ORDER_CHANGED_LAYOUT = 2, /* of the service */
       ORDER_CHANGED_PROVIDER =
           4,                   /* provider, service, when it finishes, what runs after hand-over */
       ORDER_CHANGED_COSTS = 8, /* costs, estimate, currency, commitment */
       ORDER_CHANGED_DOCUMENTS = 16,
       ORDER_CHANGED_NOTICE = 32,
       ORDER_CHANGED_APPROVALS = 64,
       ORDER_CHANGED_SCHEDULE = 128, /* schedule, waves */
       ORDER_CHANGED_ABOUT = 256,    /* label, owner, campaign, channel, timezone, confirm */
       ORDER_CHANGED_MESSAGE = 512,  /* online: the content group */
       /* what `content` approves: mail the first three, online the message */
       ORDER_CHANGED_CONTENT = ORDER_CHANGED_LAYOUT | ORDER_CHANGED_DOCUMENTS |
                               ORDER_CHANGED_NOTICE | ORDER_CHANGED_MESSAGE
};

/*
 * order_write_part - the frozen text of some parts (a set of ORDER_CHANGED_...), always the same
 * for the same settings: what a step's basis digests
 */
void order_write_part(const struct order *order, unsigned bits, struct buf *out);

/*
 * order_changes - what differs between two revisions, by their frozen text (files are compared by
 * whoever holds them)
 * Returns   RC_OK, *out_bits a set of the above; RC_NOMEM
 */
enum rc order_changes(const struct order *before, const struct order *after, unsigned *out_bits,
                      struct err *err) MUST_CHECK;

#endif
