/*
 * order - from delivery.conf to the frozen settings and back
 */
#include "delivery/order.h"

#include "base/name.h"
#include "base/utf8.h"
#include "delivery/order_draft.h"
#include "delivery/step.h"

#include <assert.h>
#include <stdlib.h>

static_assert((int)ORDER_STEP_TARGET == (int)STEP_TARGET &&
                  (int)ORDER_STEP_DELIVERY == (int)STEP_DELIVERY &&
                  (int)ORDER_STEPS == (int)STEP_COUNT,
              "steps are in the same order everywhere");

struct order_memory {
    struct arena arena;
};

/* Settings that are resolved are texts of ours: a frozen order is never larger than what it came
 * from, a delivery.conf and one service of etc/. */
enum { FROZEN_BYTES_MAX = GUARD_ETC_BYTES_MAX };

/* --- layers --- */

static enum rc read_layer(struct schema_reader *reader, const config_setting_t *settings,
                          struct order_draft *draft, struct err *err)
{
    if (config_setting_get_member(settings, "costs") != NULL) {
        draft->has_choices = true;
    }
    return schema_read(reader, &order_schema, settings, draft, err);
}

enum rc order_layers(const struct house *house, const struct house_campaign *campaign,
                     struct arena *arena, struct problems *problems, struct order_draft *draft,
                     struct err *err)
{
    if (schema_defaults(&order_schema, arena, draft) != RC_OK) {
        return err_set(err, RC_NOMEM, "out of memory");
    }
    draft->confirm = SCHEMA_NONE;
    for (int kind = 0; kind < ORDER_STEPS; kind++) {
        draft->approvals.steps[kind].deadline_ns = SCHEMA_NONE;
    }
    struct schema_reader defaults = {
        .arena = arena, .problems = problems, .is_far = true, .is_joining = true};
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < house->default_count; i++) {
        defaults.file = house->defaults[i].file;
        rc = read_layer(&defaults, house->defaults[i].settings, draft, err);
    }
    if (rc != RC_OK || campaign == NULL || campaign->settings == NULL) {
        return rc;
    }
    struct schema_reader own = {.arena = arena,
                                .problems = problems,
                                .file = campaign->at.file,
                                .is_far = true,
                                .skip = &house_campaign_schema};
    return read_layer(&own, campaign->settings, draft, err);
}

/* Faults of etc/ were told when the house was checked; here they only must not pass. */
static void keep_errors(const struct problems *from, struct problems *to)
{
    for (size_t i = 0; i < from->count; i++) {
        if (!from->lines[i].is_warning) {
            problems_add_line(to, from->lines[i].text);
        }
    }
}

static const struct house_campaign *named_campaign(const struct house *house,
                                                   const config_setting_t *root)
{
    const config_setting_t *setting = config_setting_get_member(root, "campaign");
    return setting == NULL || config_setting_type(setting) != CONFIG_TYPE_STRING
               ? NULL
               : house_campaign(house, config_setting_get_string(setting));
}

/* All three layers into the case's draft. */
static enum rc read_layers(struct order_case *c, struct err *err)
{
    struct problems far;
    problems_init(&far);
    enum rc rc =
        order_layers(c->house, named_campaign(c->house, c->root), c->arena, &far, c->draft, err);
    keep_errors(&far, c->problems);
    problems_release(&far);
    if (rc != RC_OK) {
        return rc;
    }
    c->etc = c->draft->approvals;
    c->etc_confirm = c->draft->confirm;
    struct schema_reader own = {.arena = c->arena, .problems = c->problems, .file = c->file};
    return read_layer(&own, c->root, c->draft, err);
}

/* --- freezing --- */

void order_write(const struct order *order, struct buf *out)
{
    buf_add_text(out, "# The settings that this delivery was taken in with. Written by postroom; "
                      "not to be edited.\n");
    schema_write(&order_frozen_schema, order, out, 0);
}

static enum rc load_into(struct slice text, const char *file, struct order *order, struct err *err)
{
    struct problems problems;
    struct conf_tree *tree = NULL;
    problems_init(&problems);
    struct schema_reader reader = {
        .arena = &order->memory->arena, .problems = &problems, .file = ""};
    enum rc rc = conf_tree_parse(text, GUARD_ETC, file, &problems, &tree, err);
    if (rc == RC_OK) {
        reader.file = file;
        rc = schema_read(&reader, &order_frozen_schema, conf_tree_root(tree), order, err);
    }
    if (rc == RC_OK) {
        rc = problems_rc(&problems, err);
    }
    conf_tree_free(tree);
    problems_release(&problems);
    return rc == RC_OK || rc == RC_NOMEM ? rc : RC_CORRUPT;
}

enum rc order_load(struct slice text, const char *file, struct order **out, struct err *err)
{
    struct order *order = calloc(1, sizeof *order);
    struct order_memory *memory = calloc(1, sizeof *memory);
    if (order == NULL || memory == NULL) {
        free(order);
        free(memory);
        return err_set(err, RC_NOMEM, "%s: out of memory", file);
    }
    enum rc rc = schema_defaults(&order_frozen_schema, &memory->arena, order);
    order->memory = memory;
    if (rc != RC_OK) {
        (void)err_set(err, rc, "%s: out of memory", file);
    } else {
        rc = load_into(text, file, order, err);
    }
    if (rc != RC_OK) {
        order_free(order);
        return rc;
    }
    *out = order;
    return RC_OK;
}

void order_free(struct order *order)
{
    if (order != NULL) {
        arena_release(&order->memory->arena);
        free(order->memory);
        free(order);
    }
}

/* A copy that owns all of its texts: what order_load() makes of what order_write() wrote. */
static enum rc freeze(const struct order *order, struct order **out, struct err *err)
{
    struct buf text = BUF_EMPTY;
    order_write(order, &text);
    enum rc rc = buf_ok(&text, err);
    if (rc == RC_OK && text.len > FROZEN_BYTES_MAX) {
        rc = err_set(err, RC_RANGE, "the settings of %s are larger than %d MiB; shorten them",
                     order->id, FROZEN_BYTES_MAX >> 20);
    }
    if (rc == RC_OK) {
        rc = order_load(buf_slice(&text), "settings.conf", out, err);
    }
    buf_release(&text);
    return rc;
}

enum rc order_set_layout(struct order *order, const struct house_layout *layout, struct err *err)
{
    struct order changed = *order;
    struct order *fresh = NULL;
    changed.layout = *layout;
    enum rc rc = freeze(&changed, &fresh, err);
    if (rc != RC_OK || fresh == NULL) {
        return rc;
    }
    struct order old = *order;
    *order = *fresh;
    *fresh = old;
    order_free(fresh);
    return RC_OK;
}

enum rc order_read(struct slice conf, const char *file, const struct house *house,
                   const struct order_dropper *dropper, const char *id, struct order **out,
                   struct problems *problems, struct err *err)
{
    assert(id_is_valid(slice_of(id)));
    struct arena arena = ARENA_EMPTY;
    struct conf_tree *tree = NULL;
    struct order_draft draft;
    enum rc rc = conf_tree_parse(conf, GUARD_DROP, file, problems, &tree, err);
    if (rc == RC_OK) {
        struct order_case c = {.house = house,
                               .dropper = dropper,
                               .file = file,
                               .root = conf_tree_root(tree),
                               .problems = problems,
                               .arena = &arena,
                               .draft = &draft};
        rc = read_layers(&c, err);
        if (rc == RC_OK) {
            rc = order_resolve(&c, err);
        }
    }
    if (rc == RC_OK) {
        rc = problems_rc(problems, err);
    }
    if (rc == RC_OK) {
        draft.order.id = id;
        rc = freeze(&draft.order, out, err);
    }
    conf_tree_free(tree);
    arena_release(&arena);
    return rc;
}

/* --- the house's part --- */

static void check_steps(const struct house *house, const struct order_draft *draft,
                        const char *file, const config_setting_t *settings,
                        struct problems *problems)
{
    for (int kind = 0; kind < ORDER_STEPS; kind++) {
        const char *name = order_step_words[kind];
        order_check_reviewers(house, &draft->approvals.steps[kind], name,
                              order_place(file, settings, "approvals", name), problems);
    }
}

/* Defaults alone, or one campaign's settings above them: only the latter's faults are new. */
static enum rc check_layer(const struct house *house, const struct house_campaign *campaign,
                           struct problems *problems, struct err *err)
{
    struct arena arena = ARENA_EMPTY;
    struct order_draft draft;
    enum rc rc = RC_OK;
    if (campaign == NULL) {
        rc = order_layers(house, NULL, &arena, problems, &draft, err);
        if (rc == RC_OK && house->default_count > 0) {
            const struct house_defaults *last = &house->defaults[house->default_count - 1];
            check_steps(house, &draft, last->file, last->settings, problems);
        }
    } else {
        struct house alone = *house;
        alone.default_count = 0;
        rc = order_layers(&alone, campaign, &arena, problems, &draft, err);
        if (rc == RC_OK) {
            check_steps(house, &draft, campaign->at.file, campaign->settings, problems);
        }
    }
    arena_release(&arena);
    return rc;
}

enum rc order_check_house(const struct house *house, struct problems *problems, struct err *err)
{
    enum rc rc = check_layer(house, NULL, problems, err);
    for (size_t i = 0; rc == RC_OK && i < house->campaign_count; i++) {
        rc = check_layer(house, &house->campaigns[i], problems, err);
    }
    return rc == RC_OK ? problems_rc(problems, err) : rc;
}

/* --- files --- */

enum rc order_file_name_check(const char *name, struct err *err)
{
    /* What postroom itself keeps in a delivery (CONTRACT.md section 2). */
    static const char *const ours[] = {
        "delivery.conf", "settings.conf", "journal", "basis",    "decisions", "revisions",
        "excluded.csv",  "extraction",    "proofs",  "progress", "sending"};
    struct slice text = slice_of(name);
    if (text.len == 0 || text.len > 255) {
        return err_set(err, RC_PERM, "a file name has 1 to 255 bytes; rename the file");
    }
    if (strchr(name, '/') != NULL) {
        return err_set(err, RC_PERM,
                       "'%s' is a path; put the file beside delivery.conf and write its plain name",
                       name);
    }
    if (name[0] == '.') {
        return err_set(err, RC_PERM, "'%s' begins with a point; rename the file", name);
    }
    if (!utf8_is_valid(text)) {
        return err_set(err, RC_PERM, "a file name is not UTF-8; rename the file");
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < ' ' || c == 0x7f) {
            return err_set(err, RC_PERM, "a file name holds a control character; rename the file");
        }
    }
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strcmp(name, ours[i]) == 0) {
            return err_set(err, RC_PERM,
                           "'%s' is a name that postroom uses itself; rename the file", name);
        }
    }
    return RC_OK;
}

static void add_file(struct order_file *out, size_t *count, const char *name,
                     enum order_file_role role)
{
    if (name != NULL && *count < ORDER_FILES_MAX) {
        out[(*count)++] = (struct order_file){name, role};
    }
}

static void add_content_files(const struct order *order, struct order_file *out, size_t *count)
{
    const struct order_content *content = &order->content;
    add_file(out, count, content->html, ORDER_FILE_CONTENT);
    if (order->channel == HOUSE_EMAIL) {
        add_file(out, count, content->text, ORDER_FILE_CONTENT);
    }
    if (order_names_file(content->image)) {
        add_file(out, count, content->image, ORDER_FILE_CONTENT);
    }
    if (order_names_file(content->video)) {
        add_file(out, count, content->video, ORDER_FILE_CONTENT);
    }
    for (size_t i = 0; i < content->images.count; i++) {
        add_file(out, count, content->images.items[i], ORDER_FILE_IMAGE);
    }
    for (size_t i = 0; i < content->attachments.count; i++) {
        add_file(out, count, content->attachments.items[i], ORDER_FILE_ATTACHMENT);
    }
}

size_t order_files(const struct order *order, struct order_file *out)
{
    size_t count = 0;
    add_file(out, &count, order->target.file, ORDER_FILE_RECIPIENTS);
    add_file(out, &count, order->target.seeds, ORDER_FILE_SEEDS);
    add_file(out, &count, order->notice.text, ORDER_FILE_NOTICE);
    add_file(out, &count, order->notice.html, ORDER_FILE_NOTICE);
    for (size_t i = 0; i < order->target.exclude.count; i++) {
        add_file(out, &count, order->target.exclude.items[i], ORDER_FILE_EXCLUDE);
    }
    for (size_t i = 0; i < order->documents.count; i++) {
        add_file(out, &count, order->documents.items[i], ORDER_FILE_DOCUMENT);
    }
    add_content_files(order, out, &count);
    return count;
}

int order_line(struct slice conf, const char *in, const char *key)
{
    struct conf_tree *tree = NULL;
    int line = 0;
    struct problems *problems = calloc(1, sizeof *problems);
    if (problems == NULL) {
        return 0;
    }
    problems_init(problems);
    if (conf_tree_parse(conf, GUARD_DROP, "delivery.conf", problems, &tree, NULL) == RC_OK) {
        const config_setting_t *root = conf_tree_root(tree);
        const config_setting_t *group = in == NULL ? root : config_setting_get_member(root, in);
        const config_setting_t *setting =
            group == NULL ? NULL : config_setting_get_member(group, key);
        line = setting == NULL ? 0 : (int)config_setting_source_line(setting);
    }
    conf_tree_free(tree);
    problems_release(problems);
    free(problems);
    return line;
}

/* --- revisions --- */

/* Which setting belongs to which part. */
static const struct order_part {
    const char *key;
    unsigned bit;
} PARTS[] = {
    {"target", ORDER_CHANGED_TARGET},
    {"layout", ORDER_CHANGED_LAYOUT},
    {"provider", ORDER_CHANGED_PROVIDER},
    {"service", ORDER_CHANGED_PROVIDER},
    {"finish_on", ORDER_CHANGED_PROVIDER},
    {"returns_wait", ORDER_CHANGED_PROVIDER},
    {"after_hand_over", ORDER_CHANGED_PROVIDER},
    {"costs", ORDER_CHANGED_COSTS},
    {"estimate", ORDER_CHANGED_COSTS},
    {"currency", ORDER_CHANGED_COSTS},
    {"commitment", ORDER_CHANGED_COSTS},
    {"documents", ORDER_CHANGED_DOCUMENTS},
    {"notice", ORDER_CHANGED_NOTICE},
    {"notice_template", ORDER_CHANGED_NOTICE},
    {"content", ORDER_CHANGED_MESSAGE},
    {"approvals", ORDER_CHANGED_APPROVALS},
    {"approval_mode", ORDER_CHANGED_APPROVALS},
    {"schedule", ORDER_CHANGED_SCHEDULE},
    {"waves", ORDER_CHANGED_SCHEDULE},
    {"label", ORDER_CHANGED_ABOUT},
    {"owner", ORDER_CHANGED_ABOUT},
    {"campaign", ORDER_CHANGED_ABOUT},
    {"programme", ORDER_CHANGED_ABOUT},
    {"channel", ORDER_CHANGED_ABOUT},
    {"timezone", ORDER_CHANGED_ABOUT},
    {"confirm", ORDER_CHANGED_ABOUT},
};

enum { PART_COUNT = sizeof PARTS / sizeof PARTS[0] };

void order_write_part(const struct order *order, unsigned bits, struct buf *out)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        if ((PARTS[i].bit & bits) != 0) {
            schema_write_row(&order_frozen_schema, PARTS[i].key, order, out, 0);
        }
    }
}

enum rc order_changes(const struct order *before, const struct order *after, unsigned *out_bits,
                      struct err *err)
{
    struct buf old = BUF_EMPTY;
    struct buf new = BUF_EMPTY;
    unsigned bits = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < PART_COUNT && rc == RC_OK; i++) {
        buf_clear(&old);
        buf_clear(&new);
        schema_write_row(&order_frozen_schema, PARTS[i].key, before, &old, 0);
        schema_write_row(&order_frozen_schema, PARTS[i].key, after, &new, 0);
        rc = old.is_failed || new.is_failed ? err_set(err, RC_NOMEM, "out of memory") : RC_OK;
        if (!slice_equal(buf_slice(&old), buf_slice(&new))) {
            bits |= PARTS[i].bit;
        }
    }
    buf_release(&old);
    buf_release(&new);
    if (rc == RC_OK) {
        *out_bits = bits;
    }
    return rc;
}
