/*
 * decision - an approval file, read: known settings first, then what they mean together
 */
#include "operator/decision.h"

#include "base/name.h"
#include "base/utf8.h"
#include "conf/guard.h"
#include "operator/setting_text.h"

#include <assert.h>
#include <libconfig.h>
#include <stdio.h>
#include <string.h>

enum { HINT_BYTES = 2 * ID_BYTES_MAX, WORD_BYTES = ID_BYTES_MAX + 1 };

static_assert(DECISION_FILE_BYTES_MAX == (int)GUARD_DECISION_BYTES_MAX, "one limit, two names");

/* The settings of an approval file. */
enum key {
    KEY_DELIVERY,
    KEY_STEP,
    KEY_DECISION,
    KEY_COMMENT,
    KEY_SHA256,
    KEY_LAYOUT,
    KEY_RECALLED,
    KEY_NOTE,
    KEY_COUNT
};

struct key_entry {
    const char *name;
    int type; /* of libconfig */
    const char *shape;
};

static const struct key_entry KEYS[KEY_COUNT] = {
    [KEY_DELIVERY] = {"delivery", CONFIG_TYPE_STRING, "a text in quotes"},
    [KEY_STEP] = {"step", CONFIG_TYPE_STRING, "a text in quotes"},
    [KEY_DECISION] = {"decision", CONFIG_TYPE_STRING, "a text in quotes"},
    [KEY_COMMENT] = {"comment", CONFIG_TYPE_STRING, "a text in quotes"},
    [KEY_SHA256] = {"sha256", CONFIG_TYPE_STRING, "a text in quotes"},
    [KEY_LAYOUT] = {"layout", CONFIG_TYPE_GROUP, "a group { ... }"},
    [KEY_RECALLED] = {"recalled", CONFIG_TYPE_BOOL, "true or false"},
    [KEY_NOTE] = {"note", CONFIG_TYPE_STRING, "a text in quotes"},
};

struct reading {
    const char *file;
    config_t config;
    const config_setting_t *settings[KEY_COUNT]; /* NULL: not given */
    struct decision *out;
};

static int line_of(const config_setting_t *setting)
{
    return (int)config_setting_source_line(setting);
}

/* Of a text setting; "" where it is not given */
static const char *text_of(const struct reading *reading, enum key key)
{
    const config_setting_t *setting = reading->settings[key];
    const char *text = setting == NULL ? NULL : config_setting_get_string(setting);
    return text == NULL ? "" : text;
}

/* "; did you mean X" into hint, or "" */
static const char *hint_of(char hint[HINT_BYTES], const char *word, const char *const *candidates,
                           size_t count)
{
    const char *nearest = name_nearest(slice_of(word), candidates, count);
    (void)snprintf(hint, HINT_BYTES, "%s%s%s", nearest == NULL ? "" : "; did you mean '",
                   nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'");
    return hint;
}

/* A word of the file as it may stand in a text: cut, and with what would break a line replaced */
static const char *shown(char out[WORD_BYTES], const char *word)
{
    size_t used = 0;
    for (; used < WORD_BYTES - 1 && word[used] != '\0'; used++) {
        bool is_plain = word[used] >= ' ' && word[used] < 0x7F;
        out[used] = '?';
        if (is_plain) {
            out[used] = word[used];
        }
    }
    out[used] = '\0';
    return out;
}

/* --- settings --- */

static enum rc unknown_setting(const struct reading *reading, const config_setting_t *setting,
                               struct err *err)
{
    const char *names[KEY_COUNT];
    char hint[HINT_BYTES];
    char word[WORD_BYTES];
    for (int i = 0; i < KEY_COUNT; i++) {
        names[i] = KEYS[i].name;
    }
    const char *name = config_setting_name(setting);
    return err_set(err, RC_PERM, "%s:%d: '%s' is no setting of a decision%s", reading->file,
                   line_of(setting), shown(word, name), hint_of(hint, name, names, KEY_COUNT));
}

static enum rc take_setting(struct reading *reading, const config_setting_t *setting,
                            struct err *err)
{
    const char *name = config_setting_name(setting);
    for (int i = 0; i < KEY_COUNT; i++) {
        if (strcmp(name, KEYS[i].name) != 0) {
            continue;
        }
        if (config_setting_type(setting) != KEYS[i].type) {
            return err_set(err, RC_PERM, "%s:%d: '%s' has the wrong kind of value; write %s",
                           reading->file, line_of(setting), name, KEYS[i].shape);
        }
        reading->settings[i] = setting;
        return RC_OK;
    }
    return unknown_setting(reading, setting, err);
}

/* entry = "invoice" and its like belong to a later version; they are told apart from mistakes */
static enum rc refuse_entry(const struct reading *reading, struct err *err)
{
    static const char *const entries[] = {"invoice", "cost", "stock"};
    const config_setting_t *setting = config_lookup(&reading->config, "entry");
    if (setting == NULL) {
        return RC_OK;
    }
    const char *entry = config_setting_get_string(setting);
    for (size_t i = 0; entry != NULL && i < sizeof entries / sizeof entries[0]; i++) {
        if (strcmp(entry, entries[i]) == 0) {
            return err_set(err, RC_PERM,
                           "%s:%d: entries about money (entry = \"%s\") are not available in this "
                           "version; record it once they are",
                           reading->file, line_of(setting), entry);
        }
    }
    return err_set(err, RC_PERM,
                   "%s:%d: there is no such entry; it is one of \"invoice\", \"cost\", \"stock\", "
                   "none of which is available in this version",
                   reading->file, line_of(setting));
}

static enum rc take_settings(struct reading *reading, struct err *err)
{
    const config_setting_t *root = config_root_setting(&reading->config);
    int count = config_setting_length(root);
    enum rc rc = refuse_entry(reading, err);
    for (int i = 0; rc == RC_OK && i < count; i++) {
        rc = take_setting(reading, config_setting_get_elem(root, (unsigned)i), err);
    }
    for (int i = KEY_DELIVERY; rc == RC_OK && i <= KEY_DECISION; i++) {
        if (reading->settings[i] == NULL) {
            rc = err_set(err, RC_PERM, "%s:1: '%s' is missing; write %s = \"...\";", reading->file,
                         KEYS[i].name, KEYS[i].name);
        }
    }
    return rc;
}

/* --- what they say --- */

static void add_decisions_of(enum step step, struct buf *out)
{
    const char *separator = "";
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        if (decision_pair_exists(step, (enum verb)verb)) {
            buf_add_format(out, "%s%s", separator, verb_name((enum verb)verb));
            separator = ", ";
        }
    }
}

static enum rc check_pair(const struct reading *reading, struct err *err)
{
    const struct decision *out = reading->out;
    int line = line_of(reading->settings[KEY_DECISION]);
    if (!decision_pair_exists(out->step, out->verb)) {
        struct buf list = BUF_EMPTY;
        add_decisions_of(out->step, &list);
        enum rc rc =
            err_set(err, RC_PERM, "%s:%d: '%s' is no decision on '%s'; those are %s", reading->file,
                    line, verb_name(out->verb), step_name(out->step), buf_text(&list));
        buf_release(&list);
        return rc;
    }
    if (!decision_pair_is_available(out->step, out->verb)) {
        return err_set(err, RC_PERM,
                       "%s:%d: %s %s is not available in this version; postroom(1) lists what is",
                       reading->file, line, step_name(out->step), verb_name(out->verb));
    }
    return RC_OK;
}

static enum rc take_pair(struct reading *reading, struct err *err)
{
    char hint[HINT_BYTES];
    char word[WORD_BYTES];
    const char *step = text_of(reading, KEY_STEP);
    const char *verb = text_of(reading, KEY_DECISION);
    if (!step_from_name(slice_of(step), &reading->out->step)) {
        return err_set(err, RC_PERM, "%s:%d: there is no step '%s'%s; postroom(1) lists them",
                       reading->file, line_of(reading->settings[KEY_STEP]), shown(word, step),
                       hint_of(hint, step, step_names(), STEP_COUNT));
    }
    if (!verb_from_name(slice_of(verb), &reading->out->verb)) {
        return err_set(err, RC_PERM, "%s:%d: there is no decision '%s'%s; postroom(1) lists them",
                       reading->file, line_of(reading->settings[KEY_DECISION]), shown(word, verb),
                       hint_of(hint, verb, verb_names(), VERB_COUNT));
    }
    return check_pair(reading, err);
}

/* Settings that go with one decision only */
static enum rc check_companions(const struct reading *reading, struct err *err)
{
    static const struct {
        enum key key;
        enum step step;
        enum verb verb;
    } companions[] = {
        {KEY_LAYOUT, STEP_EXTRACTION, VERB_RESTART},
        {KEY_RECALLED, STEP_DELIVERY, VERB_STOP},
        {KEY_NOTE, STEP_PROOF, VERB_SEND},
    };
    const struct decision *out = reading->out;
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        const config_setting_t *setting = reading->settings[companions[i].key];
        if (setting != NULL &&
            (out->step != companions[i].step || out->verb != companions[i].verb)) {
            return err_set(err, RC_PERM, "%s:%d: '%s' goes with %s %s only; leave it out",
                           reading->file, line_of(setting), KEYS[companions[i].key].name,
                           step_name(companions[i].step), verb_name(companions[i].verb));
        }
    }
    return RC_OK;
}

static enum rc take_text(struct reading *reading, enum key key, const char **out, struct err *err)
{
    const char *text = text_of(reading, key);
    if (reading->settings[key] == NULL) {
        return RC_OK;
    }
    if (strlen(text) > DECISION_COMMENT_BYTES_MAX) {
        return err_set(err, RC_PERM, "%s:%d: '%s' has %zu bytes; at most %d", reading->file,
                       line_of(reading->settings[key]), KEYS[key].name, strlen(text),
                       DECISION_COMMENT_BYTES_MAX);
    }
    /* "\xFF" in quotes passes a look at the file's own bytes. */
    if (!utf8_is_valid(slice_of(text))) {
        return err_set(err, RC_PERM, "%s:%d: '%s' is not UTF-8; write it as UTF-8", reading->file,
                       line_of(reading->settings[key]), KEYS[key].name);
    }
    *out = arena_text(&reading->out->arena, slice_of(text));
    return *out == NULL ? err_set(err, RC_NOMEM, "%s: no memory", reading->file) : RC_OK;
}

static enum rc take_delivery(struct reading *reading, struct err *err)
{
    char word[WORD_BYTES];
    const char *id = text_of(reading, KEY_DELIVERY);
    if (!id_is_valid(slice_of(id))) {
        return err_set(err, RC_PERM,
                       "%s:%d: '%s' is no id of a delivery; ids have 1 to 64 of A-Z a-z 0-9 . _ - "
                       "and begin with a letter or digit",
                       reading->file, line_of(reading->settings[KEY_DELIVERY]), shown(word, id));
    }
    return take_text(reading, KEY_DELIVERY, &reading->out->delivery, err);
}

static enum rc take_sha256(struct reading *reading, struct err *err)
{
    const char *text = text_of(reading, KEY_SHA256);
    char hex[SHA256_HEX_BYTES] = "";
    if (reading->settings[KEY_SHA256] == NULL) {
        return RC_OK;
    }
    bool is_digest = strlen(text) == SHA256_HEX_BYTES - 1;
    for (size_t i = 0; is_digest && i < SHA256_HEX_BYTES - 1; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'F') {
            c = (char)(c - 'A' + 'a');
        }
        is_digest = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        hex[i] = c;
    }
    if (!is_digest) {
        return err_set(err, RC_PERM,
                       "%s:%d: 'sha256' is not 64 hex digits; take it from 'postroom show --json' "
                       "(waiting) or leave it out",
                       reading->file, line_of(reading->settings[KEY_SHA256]));
    }
    reading->out->sha256 = arena_text(&reading->out->arena, slice_of(hex));
    return reading->out->sha256 == NULL ? err_set(err, RC_NOMEM, "%s: no memory", reading->file)
                                        : RC_OK;
}

static enum rc take_layout(struct reading *reading, struct err *err)
{
    const config_setting_t *setting = reading->settings[KEY_LAYOUT];
    struct buf text = BUF_EMPTY;
    if (setting == NULL) {
        return RC_OK;
    }
    setting_text_add(setting, &text);
    enum rc rc = buf_ok(&text, err);
    if (rc == RC_OK) {
        reading->out->layout = arena_text(&reading->out->arena, buf_slice(&text));
        rc = reading->out->layout == NULL ? err_set(err, RC_NOMEM, "%s: no memory", reading->file)
                                          : RC_OK;
    }
    buf_release(&text);
    return rc;
}

static enum rc take_all(struct reading *reading, struct err *err)
{
    struct decision *out = reading->out;
    enum rc rc = take_settings(reading, err);
    rc = rc == RC_OK ? take_delivery(reading, err) : rc;
    rc = rc == RC_OK ? take_pair(reading, err) : rc;
    rc = rc == RC_OK ? check_companions(reading, err) : rc;
    rc = rc == RC_OK ? take_text(reading, KEY_COMMENT, &out->comment, err) : rc;
    rc = rc == RC_OK ? take_text(reading, KEY_NOTE, &out->note, err) : rc;
    rc = rc == RC_OK ? take_sha256(reading, err) : rc;
    rc = rc == RC_OK ? take_layout(reading, err) : rc;
    if (rc == RC_OK && reading->settings[KEY_RECALLED] != NULL) {
        out->is_recalled = config_setting_get_bool(reading->settings[KEY_RECALLED]) != 0;
    }
    return rc;
}

/* --- public --- */

static void decision_init(struct decision *decision)
{
    *decision = (struct decision){
        .arena = ARENA_EMPTY,
        .delivery = "",
        .step = STEP_COUNT,
        .verb = VERB_COUNT,
        .comment = "",
        .sha256 = "",
    };
}

enum rc decision_read(struct slice bytes, const char *file, struct decision *out, struct err *err)
{
    decision_init(out);
    enum rc rc = guard_check(bytes, GUARD_DECISION, file, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct reading reading = {.file = file, .out = out};
    char *text = arena_text(&out->arena, bytes);
    if (text == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory", file);
    }
    config_init(&reading.config);
    if (config_read_string(&reading.config, text) != CONFIG_TRUE) {
        rc = err_set(err, RC_PERM, "%s:%d: %s", file, config_error_line(&reading.config),
                     config_error_text(&reading.config));
    } else {
        rc = take_all(&reading, err);
    }
    config_destroy(&reading.config);
    if (rc != RC_OK) {
        decision_release(out);
    }
    return rc;
}

void decision_release(struct decision *decision)
{
    arena_release(&decision->arena);
    decision_init(decision);
}
