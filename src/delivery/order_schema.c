/*
 * order_schema - every setting of delivery.conf, and of its frozen form settings.conf, as tables
 */
#include "delivery/order_draft.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define AT(type, field) offsetof(struct type, field)
#define ORDER(field) offsetof(struct order_draft, order.field)
#define GROUP_OF(name, type, rows)                                                                 \
    {                                                                                              \
        name, sizeof(struct type), SCHEMA_NOWHERE, SCHEMA_NOWHERE, rows, COUNT(rows), NULL, false  \
    }

const char *const order_step_words[] = {"target", "content",  "budget", "extraction",
                                        "proof",  "delivery", NULL};

static const char *const SEED_MODES[] = {"sorted", "start", "end", "random", NULL};
static const char *const EMPTY[] = {"finish", "send", "fail", NULL};
static const char *const BAD_ROW[] = {"fail", "exclude", NULL};

/* --- shared by both --- */

static const struct schema_row TARGET_ROWS[] = {
    {"file", SCHEMA_TEXT, 0, AT(order_target, file), .min = 1, .max = 255,
     .doc = "Recipients: CSV with a header row (RFC 4180), UTF-8; .gz and .zst are read as they "
            "are. Required."},
    {"key", SCHEMA_TEXT, 0, AT(order_target, key), .min = 1, .max = 256,
     .doc = "Column that tells recipients apart; seeds, returns and results speak of it. "
            "Required."},
    {"address", SCHEMA_TEXT, 0, AT(order_target, address), .min = 1, .max = 256,
     .doc = "Column of the address. Without it: email, mobile (sms), token (push), the key "
            "(inapp)."},
    {"delimiter", SCHEMA_TEXT, 0, AT(order_target, delimiter), .initial = ",", .min = 1, .max = 1,
     .form = "one character in double quotes", .doc = "Between the values of the recipients."},
    {"where", SCHEMA_TEXT, ROW_LINES, AT(order_target, where), .max = 65536,
     .doc = "Who is meant, like segment in ('gold', 'silver') and balance >= 100. Without it: "
            "everybody."},
    {"exclude", SCHEMA_TEXTS, 0, AT(order_target, exclude), .min = 1, .max = 255,
     .doc = "Files with the key column: who is never contacted."},
    {"dedupe", SCHEMA_TEXTS, 0, AT(order_target, dedupe), .min = 1, .max = 256,
     .doc = "Columns that make a duplicate; the first one in stays."},
    {"order", SCHEMA_TEXTS, 0, AT(order_target, order), .min = 1, .max = 257,
     .doc = "Columns to sort by, as bytes; \"-name\" for descending."},
    {"limit", SCHEMA_INT64, 0, AT(order_target, limit), .initial = "0", .min = 0, .max = INT64_MAX,
     .unit = "records", .doc = "So many are picked at random; 0: all."},
    {"random_seed", SCHEMA_INT64, 0, AT(order_target, random_seed), .min = 0, .max = INT64_MAX,
     .doc = "Start of the random choice. Without it: made from id and revision."},
    {"seeds", SCHEMA_TEXT, 0, AT(order_target, seeds), .min = 1, .max = 255,
     .doc = "File of control addresses that are mixed in."},
    {"seed_mode", SCHEMA_ENUM, 0, AT(order_target, seed_mode), .initial = "sorted",
     .words = SEED_MODES, .doc = "Where the control addresses go."},
    {"rows", SCHEMA_INT64, 0, AT(order_target, rows), .min = 0, .max = INT64_MAX, .unit = "rows",
     .doc = "Rows that the file must have."},
    {"min", SCHEMA_INT64, 0, AT(order_target, min), .min = 0, .max = INT64_MAX, .unit = "records",
     .doc = "Fewer selected is an error."},
    {"max", SCHEMA_INT64, 0, AT(order_target, max), .min = 0, .max = INT64_MAX, .unit = "records",
     .doc = "More selected is an error."},
    {"empty", SCHEMA_ENUM, 0, AT(order_target, empty), .initial = "finish", .words = EMPTY,
     .doc = "Nobody selected: finish without archive and cost, send all the same, or fail."},
    {"on_bad_row", SCHEMA_ENUM, 0, AT(order_target, on_bad_row), .initial = "fail",
     .words = BAD_ROW, .doc = "A row that cannot be read ends the preparation, or is left out."},
};
static const struct schema TARGET = GROUP_OF("target", order_target, TARGET_ROWS);

static const struct schema_row SCHEDULE_ROWS[] = {
    {"extract_at", SCHEMA_INSTANT, 0, AT(order_schedule, extract_at),
     .doc = "Mail: not extracted before. Without it: at once."},
    {"contact_at", SCHEMA_INSTANT, 0, AT(order_schedule, contact_at),
     .doc = "Online: not sent before."},
    {"not_after", SCHEMA_INSTANT, 0, AT(order_schedule, not_after),
     .doc = "Online: too late from then on; who was not sent to by then is expired. Mail: not used "
            "by this version."},
};
static const struct schema SCHEDULE = GROUP_OF("schedule", order_schedule, SCHEDULE_ROWS);

static const struct schema_row NOTICE_ROWS[] = {
    {"subject", SCHEMA_TEXT, 0, AT(order_notice, subject), .doc = "Its subject."},
    {"text", SCHEMA_TEXT, 0, AT(order_notice, text), .min = 1, .max = 255,
     .doc = "File with its text."},
    {"html", SCHEMA_TEXT, 0, AT(order_notice, html), .min = 1, .max = 255,
     .doc = "File with its text as HTML."},
    {"note", SCHEMA_TEXT, ROW_LINES, AT(order_notice, note),
     .doc = "A few words to the router, put into its notice."},
};
static const struct schema NOTICE = GROUP_OF("notice", order_notice, NOTICE_ROWS);

/* --- approvals as people write them --- */

#define STEP_ROWS                                                                                  \
    {"reviewers",                                                                                  \
     SCHEMA_TEXTS,                                                                                 \
     0,                                                                                            \
     AT(order_step, reviewers),                                                                    \
     .min = 1,                                                                                     \
     .max = 65,                                                                                    \
     .doc = "Operators and @groups who decide. None: the owner decides."},                         \
        {"all",                                                                                    \
         SCHEMA_BOOL,                                                                              \
         0,                                                                                        \
         AT(order_step, is_all),                                                                   \
         .initial = "false",                                                                       \
         .doc = "One answer of each is wanted."},                                                  \
        {"deadline", SCHEMA_DURATION, ROW_POSITIVE, AT(order_step, deadline_ns),                   \
         .doc = "Late after this. Without it: deadline of approvals."},                            \
        {"reminders", SCHEMA_DURATIONS, ROW_LATER, AT(order_step, reminders),                      \
         .doc = "When to remind, from the deadline: \"-1d\" is a day before."},                    \
    {                                                                                              \
        "open", SCHEMA_BOOL, 0, AT(order_step, is_open),                                           \
            .initial = "false", .doc = "In etc/ only: any delivery may weaken this step."          \
    }

static const struct schema_row STEP_GROUP_ROWS[] = {STEP_ROWS};
static const struct schema STEP_GROUP = GROUP_OF("step", order_step, STEP_GROUP_ROWS);
static const struct schema_row PROOF_GROUP_ROWS[] = {
    STEP_ROWS,
    {"target", SCHEMA_TEXTS, 0, AT(order_step, proof_target), .min = 1,
     .doc = "Addresses that get the proof: 1 to 100. Required where proofs are on."},
};
static const struct schema PROOF_GROUP = GROUP_OF("proof", order_step, PROOF_GROUP_ROWS);

/* true: on, the owner decides; false: off; a group: on, what it does not say is inherited */
static void read_step(struct schema_reader *reader, const struct schema_row *row,
                      const config_setting_t *setting, void *field)
{
    struct order_step *step = field;
    bool is_proof = strcmp(row->key, order_step_words[ORDER_STEP_PROOF]) == 0;
    bool is_bool = config_setting_type(setting) == CONFIG_TYPE_BOOL;
    bool is_off = is_bool && config_setting_get_bool(setting) == CONFIG_FALSE;
    if (!is_bool && config_setting_is_group(setting) != CONFIG_TRUE) {
        schema_fault(reader, setting, "%s wants true, false or a group { reviewers = [ ]; }",
                     row->key);
    } else if (is_off) {
        step->is_on = false;
    } else if (is_bool) {
        step->is_on = true;
        step->reviewers = (struct texts){NULL, 0};
        step->is_all = false;
    } else {
        step->is_on = true;
        if (!reader->is_far && config_setting_get_member(setting, "open") != NULL) {
            schema_fault(reader, setting, "open stands in etc/ only; remove it here");
        }
        schema_read_group(reader, is_proof ? &PROOF_GROUP : &STEP_GROUP, setting, step);
    }
}

#define STEP_FORM "true, false or a group { }"
#define STEP(kind, text)                                                                           \
    {                                                                                              \
        .key = text, .type = SCHEMA_CUSTOM,                                                        \
        .offset = AT(order_approvals, steps) + (kind) * sizeof(struct order_step),                 \
        .read = read_step, .form = STEP_FORM

static const struct schema_row APPROVALS_ROWS[] =
    {STEP(ORDER_STEP_TARGET, "target"), .inner = &STEP_GROUP,
     .doc = "Who is contacted. true: the owner decides; false, or set nowhere: off."},
                               STEP(ORDER_STEP_CONTENT, "content"),
                               .doc = "What is sent; mail: documents, layout and notice."
}
, STEP(ORDER_STEP_BUDGET, "budget"), .doc = "What it costs; exists only where target is on."
}
, STEP(ORDER_STEP_EXTRACTION, "extraction"), .doc = "Mail: the archive."
}
, STEP(ORDER_STEP_PROOF, "proof"),
    .inner = &PROOF_GROUP,
    .doc = "Online: trials of the message, sent when somebody asks for one (postroom "
           "proof send). Mail: not available in this version."
}
, STEP(ORDER_STEP_DELIVERY, "delivery"), .doc = "Who may start the delivery; see confirm."
}
, {"deadline",      SCHEMA_DURATION,
   ROW_POSITIVE,    AT(order_approvals, deadline_ns),
   .initial = "3d", .doc = "For steps that set none."},
    {"reminders", SCHEMA_DURATIONS, ROW_LATER, AT(order_approvals, reminders),
     .doc = "For steps that set none."},
}
;
static const struct schema APPROVALS = GROUP_OF("approvals", order_approvals, APPROVALS_ROWS);

static void read_confirm(struct schema_reader *reader, const struct schema_row *row,
                         const config_setting_t *setting, void *field)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        schema_fault(reader, setting, "%s wants true or false", row->key);
        return;
    }
    *(int32_t *)field = config_setting_get_bool(setting) != CONFIG_FALSE;
}

static const struct schema_row CHOICE_ROWS[] = {
    {"category", SCHEMA_ID, ROW_REQUIRED, AT(cost_choice, category), .doc = "As in the service."},
    {"type", SCHEMA_ID, ROW_REQUIRED, AT(cost_choice, type), .doc = "As in the service."},
    {"surcharge", SCHEMA_DECIMAL, ROW_POSITIVE, AT(cost_choice, surcharge),
     .doc = "Adds a line of this amount."},
};
static const struct schema CHOICE = {"cost",
                                     sizeof(struct cost_choice),
                                     AT(cost_choice, at),
                                     SCHEMA_NOWHERE,
                                     CHOICE_ROWS,
                                     COUNT(CHOICE_ROWS),
                                     NULL,
                                     false};

/* --- known, and not available in this version: never read, so they have no place --- */

#define UNREAD(k, f, text)                                                                         \
    {                                                                                              \
        .key = k, .type = SCHEMA_CUSTOM, .flags = ROW_REFUSED, .form = f, .doc = text              \
    }
#define UNREAD_PART(k, f, text)                                                                    \
    {                                                                                              \
        .key = k, .type = SCHEMA_CUSTOM, .form = f, .doc = text                                    \
    }

static const struct schema_row AFTER_ROWS[] = {
    UNREAD_PART("delivery", "an id", "Delivery to wait for."),
    UNREAD_PART("state", "a state", "What it must have reached."),
    UNREAD_PART("delay", "a duration", "Time to wait after that."),
    UNREAD_PART("audience", "all, sent or failed", "Which of its recipients."),
};
static const struct schema AFTER = {
    "after", 0, SCHEMA_NOWHERE, SCHEMA_NOWHERE, AFTER_ROWS, COUNT(AFTER_ROWS), NULL, false};

/* --- delivery.conf --- */

static const struct schema_row ORDER_ROWS[] = {
    {"campaign", SCHEMA_ID, ROW_REQUIRED | ROW_OWN, ORDER(campaign),
     .doc = "Campaign of etc/ that holds it."},
    {"channel", SCHEMA_ENUM, ROW_REQUIRED | ROW_OWN, ORDER(channel), .words = house_channel_words,
     .doc = "How it goes out; this version has mail and email."},
    {"label", SCHEMA_TEXT, ROW_OWN, ORDER(label), .max = 256, .doc = "Shown to people."},
    {"owner", SCHEMA_ID, ROW_OWN, ORDER(owner),
     .doc = "Operator in charge. Without it: the dropper; another only from an administrator or "
            "an operator with on_behalf."},
    {"target", SCHEMA_GROUP, 0, ORDER(target), .inner = &TARGET, .doc = "Who is contacted."},
    {"provider", SCHEMA_ID, 0, ORDER(provider), .doc = "Who does the work; required for mail."},
    {"service", SCHEMA_ID, 0, ORDER(service), .doc = "Which of its services; required for mail."},
    {"costs", SCHEMA_LIST, 0, offsetof(struct order_draft, choices),
     .count_offset = offsetof(struct order_draft, choice_count), .max = ORDER_CHOICES_MAX,
     .inner = &CHOICE,
     .doc = "Cost types that count, and no others. Without it: those that are selected in etc/."},
    {"estimate", SCHEMA_DECIMAL, ROW_POSITIVE, ORDER(estimate),
     .doc = "Provisional cost before the target is counted."},
    {"approvals", SCHEMA_GROUP, 0, offsetof(struct order_draft, approvals), .inner = &APPROVALS,
     .doc = "What is approved, and by whom."},
    {"confirm", SCHEMA_CUSTOM, 0, offsetof(struct order_draft, confirm), .read = read_confirm,
     .form = "true or false",
     .doc = "The delivery waits until it is confirmed. Without it: true "
            "online, false for mail."},
    {"schedule", SCHEMA_GROUP, 0, ORDER(schedule), .inner = &SCHEDULE, .doc = "When."},
    {"documents", SCHEMA_TEXTS, 0, ORDER(documents), .min = 1, .max = 255,
     .doc = "Mail: files that travel to the router inside the archive."},
    {"notice", SCHEMA_GROUP, 0, ORDER(notice), .inner = &NOTICE,
     .doc = "Mail: what the router is told."},
    {"content", SCHEMA_CUSTOM, ROW_MANY, ORDER(content), .inner = &order_content_schema,
     .read = order_read_sparse, .write = order_write_sparse, .form = "a group { }",
     .doc = "Online: what is sent. Required there."},
    {.key = "after",
     .type = SCHEMA_CUSTOM,
     .flags = ROW_REFUSED,
     .inner = &AFTER,
     .form = "a group { }",
     .doc = "Begins when another delivery has come so far."},
    {"waves", SCHEMA_CUSTOM, 0, ORDER(waves), .inner = &order_waves_schema,
     .read = order_read_waves, .write = order_write_waves,
     .form = "a group { size; every; }, or a list of groups { size; after; }",
     .doc = "Online: sent in parts, in the order of the recipients. Without it: all at once."},
    UNREAD("outline", "a list of groups", "Items and offers inside it."),
    UNREAD("control", "a group { }", "Control group that is not contacted."),
    UNREAD("pressure", "a group { }", "At most so many messages in a time."),
};
const struct schema order_schema = GROUP_OF("delivery.conf", order_draft, ORDER_ROWS);

/* --- settings.conf --- */

static const struct schema_row FROZEN_STEP_ROWS[] = {
    {"on", SCHEMA_BOOL, 0, AT(order_step, is_on), .initial = "false", .doc = "The step exists."},
    STEP_ROWS,
};
static const struct schema FROZEN_STEP = GROUP_OF("step", order_step, FROZEN_STEP_ROWS);
static const struct schema_row FROZEN_PROOF_ROWS[] = {
    {"on", SCHEMA_BOOL, 0, AT(order_step, is_on), .initial = "false", .doc = "The step exists."},
    STEP_ROWS,
    {"target", SCHEMA_TEXTS, 0, AT(order_step, proof_target), .doc = "Resolved."},
};
static const struct schema FROZEN_PROOF = GROUP_OF("proof", order_step, FROZEN_PROOF_ROWS);

#define FROZEN_STEP_ROW(kind, text)                                                                \
    {                                                                                              \
        text, SCHEMA_GROUP, 0, (kind) * sizeof(struct order_step), .inner = &FROZEN_STEP,          \
                                                                   .doc = "Resolved."              \
    }
static const struct schema_row FROZEN_STEPS_ROWS[] = {
    FROZEN_STEP_ROW(ORDER_STEP_TARGET, "target"),
    FROZEN_STEP_ROW(ORDER_STEP_CONTENT, "content"),
    FROZEN_STEP_ROW(ORDER_STEP_BUDGET, "budget"),
    FROZEN_STEP_ROW(ORDER_STEP_EXTRACTION, "extraction"),
    {"proof", SCHEMA_GROUP, 0, ORDER_STEP_PROOF * sizeof(struct order_step), .inner = &FROZEN_PROOF,
     .doc = "Resolved."},
    FROZEN_STEP_ROW(ORDER_STEP_DELIVERY, "delivery"),
};
static const struct schema FROZEN_STEPS = {"approvals",
                                           ORDER_STEPS * sizeof(struct order_step),
                                           SCHEMA_NOWHERE,
                                           SCHEMA_NOWHERE,
                                           FROZEN_STEPS_ROWS,
                                           COUNT(FROZEN_STEPS_ROWS),
                                           NULL,
                                           false};

#define FROZEN(k, t, flags, field) k, t, flags, AT(order, field), .doc = "Resolved."

static const struct schema_row FROZEN_ROWS[] = {
    {FROZEN("id", SCHEMA_ID, ROW_REQUIRED, id)},
    {FROZEN("label", SCHEMA_TEXT, 0, label)},
    {FROZEN("campaign", SCHEMA_ID, ROW_REQUIRED, campaign)},
    {FROZEN("programme", SCHEMA_ID, ROW_REQUIRED, programme)},
    {FROZEN("channel", SCHEMA_ENUM, ROW_REQUIRED, channel), .words = house_channel_words},
    {FROZEN("owner", SCHEMA_ID, ROW_REQUIRED, owner)},
    {FROZEN("provider", SCHEMA_ID, 0, provider)},
    {FROZEN("service", SCHEMA_ID, 0, service)},
    {FROZEN("currency", SCHEMA_TEXT, ROW_REQUIRED, currency), .min = 3, .max = 3},
    {FROZEN("timezone", SCHEMA_TEXT, ROW_REQUIRED, timezone)},
    {FROZEN("commitment", SCHEMA_ENUM, ROW_REQUIRED, commitment), .words = house_commitment_words},
    {FROZEN("approval_mode", SCHEMA_ENUM, ROW_REQUIRED, approval_mode),
     .words = house_approval_mode_words},
    {FROZEN("target", SCHEMA_GROUP, ROW_REQUIRED, target), .inner = &TARGET},
    {FROZEN("approvals", SCHEMA_GROUP, ROW_REQUIRED, steps), .inner = &FROZEN_STEPS},
    {FROZEN("confirm", SCHEMA_BOOL, ROW_REQUIRED, needs_confirmation)},
    {FROZEN("schedule", SCHEMA_GROUP, 0, schedule), .inner = &SCHEDULE},
    {FROZEN("documents", SCHEMA_TEXTS, 0, documents)},
    {FROZEN("notice", SCHEMA_GROUP, 0, notice), .inner = &NOTICE},
    {FROZEN("content", SCHEMA_CUSTOM, 0, content), .inner = &order_content_schema,
     .read = order_read_sparse, .write = order_write_sparse},
    {FROZEN("waves", SCHEMA_CUSTOM, 0, waves), .read = order_read_waves,
     .write = order_write_waves},
    {FROZEN("estimate", SCHEMA_DECIMAL, 0, estimate)},
    {FROZEN("costs", SCHEMA_LIST, 0, costs), .count_offset = AT(order, cost_count),
     .inner = &house_frozen_cost_schema},
    {FROZEN("finish_on", SCHEMA_ENUM, ROW_REQUIRED, finish_on), .words = house_finish_words},
    {FROZEN("returns_wait", SCHEMA_DURATION, ROW_REQUIRED, returns_wait_ns)},
    {FROZEN("after_hand_over", SCHEMA_TEXTS, 0, after_hand_over)},
    {FROZEN("notice_template", SCHEMA_ID, 0, notice_template)},
    {FROZEN("layout", SCHEMA_GROUP, ROW_REQUIRED, layout), .inner = &house_layout_schema},
};
const struct schema order_frozen_schema = GROUP_OF("settings.conf", order, FROZEN_ROWS);
