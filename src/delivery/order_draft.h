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

/* order_check_reviewers - every reviewer is somebody; faults at `at` */
void order_check_reviewers(const struct house *house, const struct order_step *step,
                           const char *name, struct place at, struct problems *problems);

#endif
