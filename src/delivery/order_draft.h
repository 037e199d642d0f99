/*
 * order_draft - an order while its layers are read (inside delivery only)
 *
 * Texts are borrowed from the house or live in the draft's arena; order_read() freezes the draft
 * and loads that, so that an order that was read and one that was loaded are the same thing.
 */
#ifndef POSTROOM_DELIVERY_ORDER_DRAFT_H
#define POSTROOM_DELIVERY_ORDER_DRAFT_H

#include "delivery/order.h"

enum { ORDER_CHOICES_MAX = 200 /* cost types that one delivery names */ };

/* one entry of `costs` of a delivery */
struct cost_choice {
    struct place at;
    const char *category;
    const char *type;
    struct decimal surcharge; /* DECIMAL_NONE */
};

struct order_approvals {
    struct order_step steps[ORDER_STEPS];
    int64_t deadline_ns;        /* of steps that set none */
    struct durations reminders; /* of steps that set none */
};

struct order_draft {
    struct order order;
    struct order_approvals approvals;
    int32_t confirm; /* 0, 1, SCHEMA_NONE: nobody says */
    struct cost_choice *choices;
    size_t choice_count;
    bool has_choices; /* some layer has `costs` */
};

extern const struct schema order_schema;        /* delivery.conf into struct order_draft */
extern const struct schema order_frozen_schema; /* settings.conf into struct order */

/* order_content.c: a group that is written only where something in it is set */
extern const struct schema order_content_schema; /* struct order_content */
schema_read_fn order_read_sparse;
schema_write_fn order_write_sparse;

/* order_waves.c: the setting `waves` (struct order_waves) */
schema_read_fn order_read_waves;
schema_write_fn order_write_waves;
extern const struct schema order_waves_schema; /* for the man page */

/* what order_resolve() works on */
struct order_case {
    const struct house *house;
    const struct order_dropper *dropper;
    const char *file;             /* the delivery.conf */
    const config_setting_t *root; /* of it */
    struct problems *problems;
    struct arena *arena;
    struct order_draft *draft;
    struct order_approvals etc; /* the approvals before the delivery's own layer */
    int32_t etc_confirm;
};

/* order_layers - defaults, then the campaign's settings (NULL: none) into the draft; RC_OK,
 * RC_NOMEM */
enum rc order_layers(const struct house *house, const struct house_campaign *campaign,
                     struct arena *arena, struct problems *problems, struct order_draft *draft,
                     struct err *err) MUST_CHECK;

/* order_place - where `key` (of group `in`, or NULL: top level) stands under root; the nearest
 * setting around it where it is not set */
struct place order_place(const char *file, const config_setting_t *root, const char *in,
                         const char *key);

/* order_resolve - names to things, and the rules between settings; faults go to problems.
 * RC_OK, RC_NOMEM */
enum rc order_resolve(struct order_case *c, struct err *err) MUST_CHECK;

/* order_check_name - may the delivery name a file so? Faults at in/key; name may be NULL */
void order_check_name(const struct order_case *c, const char *name, const char *in,
                      const char *key);

/* order_resolve_online - content, sender, address and schedule of an online delivery; documents and
 * notice are none of its own */
void order_resolve_online(struct order_case *c);

/* order_resolve_paper - what only an online delivery may say is none of a mail delivery's */
void order_resolve_paper(struct order_case *c);

/* order_check_reviewers - every reviewer is somebody; faults at `at` */
void order_check_reviewers(const struct house *house, const struct order_step *step,
                           const char *name, struct place at, struct problems *problems);

#endif
