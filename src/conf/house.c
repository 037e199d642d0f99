/*
 * house - the files of etc/ into one struct house, and look-ups in it
 */
#define _XOPEN_SOURCE 700 /* realpath is in the XSI part of POSIX.1-2008 */

#include "conf/house.h"

#include "conf/house_read.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* --- custom rows --- */

/* "22:00" to minutes; false: no such time */
static bool parse_minutes(const char *text, int32_t *out)
{
    for (size_t i = 0; i < 5; i++) {
        bool is_right = i == 2 ? text[i] == ':' : text[i] >= '0' && text[i] <= '9';
        if (!is_right) {
            return false;
        }
    }
    int32_t hours = (text[0] - '0') * 10 + (text[1] - '0');
    int32_t minutes = (text[3] - '0') * 10 + (text[4] - '0');
    *out = hours * 60 + minutes;
    return hours < 24 && minutes < 60;
}

void house_read_window(struct schema_reader *reader, const struct schema_row *row,
                       const config_setting_t *setting, void *field)
{
    const char *text = config_setting_type(setting) == CONFIG_TYPE_STRING
                           ? config_setting_get_string(setting)
                           : NULL;
    int32_t start = 0;
    int32_t end = 0;
    if (text == NULL || strlen(text) != 11 || text[5] != '-' || !parse_minutes(text, &start) ||
        !parse_minutes(text + 6, &end) || start == end) {
        schema_fault(reader, setting,
                     "%s wants two local times in double quotes, like \"22:00-06:00\"", row->key);
        return;
    }
    struct house_extract *extract =
        (void *)((char *)field - offsetof(struct house_extract, window_start_min));
    extract->window_start_min = start;
    extract->window_end_min = end;
}

void house_write_window(const struct schema_row *row, const void *field, struct buf *out, int depth)
{
    const struct house_extract *extract =
        (const void *)((const char *)field - offsetof(struct house_extract, window_start_min));
    if (extract->window_start_min != SCHEMA_NONE) {
        buf_add_format(out, "%*s%s = \"%02d:%02d-%02d:%02d\";\n", depth * 4, "", row->key,
                       extract->window_start_min / 60, extract->window_start_min % 60,
                       extract->window_end_min / 60, extract->window_end_min % 60);
    }
}

void house_read_defaults(struct schema_reader *reader, const struct schema_row *row,
                         const config_setting_t *setting, void *field)
{
    struct house *house = (void *)((char *)field - offsetof(struct house, defaults));
    if (config_setting_is_group(setting) != CONFIG_TRUE) {
        schema_fault(reader, setting, "%s wants a group { }, as in delivery.conf", row->key);
        return;
    }
    size_t count = house->default_count;
    struct house_defaults *all = arena_array(reader->arena, count + 1, sizeof *all);
    if (all == NULL) {
        reader->is_no_memory = true;
        return;
    }
    if (count > 0) {
        memcpy(all, house->defaults, count * sizeof *all);
    }
    all[count] = (struct house_defaults){setting, reader->file};
    house->defaults = all;
    house->default_count = count + 1;
}

/* --- files --- */

struct loading {
    struct house *house;
    struct schema_reader reader;
    struct problems *problems;
    bool has_unread; /* a file that could not be parsed */
};

/* The elements of `campaigns` in one tree, beside the structs that were just read from them. */
static void keep_campaign_settings(struct house *house, const config_setting_t *root, size_t before)
{
    const config_setting_t *list = config_setting_get_member(root, "campaigns");
    for (size_t i = before; list != NULL && i < house->campaign_count; i++) {
        house->campaigns[i].settings = config_setting_get_elem(list, (unsigned)(i - before));
    }
}

/* The folder of a path without symlinks, so that ".." in settings means what it says. */
static enum rc find_root(const char *path, struct arena *arena, const char **out, struct err *err)
{
    const char *slash = strrchr(path, '/');
    struct slice folder = slash == NULL   ? slice_of(".")
                          : slash == path ? slice_of("/")
                                          : (struct slice){path, (size_t)(slash - path)};
    const char *named = arena_text(arena, folder);
    char *real = named == NULL ? NULL : realpath(named, NULL);
    if (named == NULL || real == NULL) {
        enum rc rc = named == NULL || errno == ENOMEM ? RC_NOMEM
                     : errno == ENOENT                ? RC_GONE
                                                      : RC_PERM;
        return err_set(err, rc, "%s: cannot be opened: %s", path, strerror(errno));
    }
    *out = arena_text(arena, slice_of(strcmp(real, "/") == 0 ? "" : real));
    free(real);
    return *out == NULL ? err_set(err, RC_NOMEM, "%s: out of memory", path) : RC_OK;
}

static enum rc load_file(struct loading *loading, const char *path, struct err *err)
{
    struct house *house = loading->house;
    struct arena *arena = &house->memory->arena;
    struct buf bytes = BUF_EMPTY;
    struct conf_tree *tree = NULL;
    const char *file = arena_text(arena, slice_of(path));
    enum rc rc = file == NULL ? err_set(err, RC_NOMEM, "%s: out of memory", path)
                              : find_root(path, arena, &loading->reader.root, err);
    if (rc == RC_OK) {
        rc = conf_file_read(path, GUARD_ETC_BYTES_MAX, &bytes, err);
    }
    if (rc != RC_OK) {
        if (rc != RC_NOMEM) {
            problems_add_line(loading->problems, err == NULL ? path : err->text);
        }
        goto out;
    }
    rc = conf_tree_parse(buf_slice(&bytes), GUARD_ETC, file, loading->problems, &tree, err);
    if (rc == RC_PERM || rc == RC_RANGE) {
        rc = RC_OK; /* told in problems; the other files are still looked at */
        loading->has_unread = true;
        goto out;
    }
    if (rc != RC_OK) {
        goto out;
    }
    house->memory->trees[house->memory->tree_count++] = tree;
    loading->reader.file = file;
    size_t campaigns_before = house->campaign_count;
    rc = schema_read(&loading->reader, &house_schema, conf_tree_root(tree), house, err);
    keep_campaign_settings(house, conf_tree_root(tree), campaigns_before);
out:
    buf_release(&bytes);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_conf_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".conf") == 0;
}

/* The full names of conf.d/ *.conf, sorted. No such directory: none. */
static enum rc list_conf_d(const char *folder, struct arena *arena, const char **names,
                           size_t *out_count, struct err *err)
{
    DIR *dir = opendir(folder);
    size_t count = 0;
    *out_count = 0;
    if (dir == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? RC_OK
                   : err_set(err, RC_PERM, "%s: cannot be opened: %s", folder, strerror(errno));
    }
    enum rc rc = RC_OK;
    const struct dirent *entry = NULL;
    while (rc == RC_OK && (entry = readdir(dir)) != NULL) {
        if (!is_conf_name(entry->d_name)) {
            continue;
        }
        struct buf path = BUF_EMPTY;
        buf_add_format(&path, "%s/%s", folder, entry->d_name);
        if (count == HOUSE_FILES_MAX) {
            rc = err_set(err, RC_RANGE, "%s: more than %d files; join some", folder,
                         HOUSE_FILES_MAX);
        } else if (path.is_failed || (names[count] = arena_text(arena, buf_slice(&path))) == NULL) {
            rc = err_set(err, RC_NOMEM, "%s: out of memory", folder);
        } else {
            count++;
        }
        buf_release(&path);
    }
    (void)closedir(dir); /* only read */
    qsort(names, count, sizeof *names, compare_names);
    *out_count = count;
    return rc;
}

static enum rc load_conf_d(struct loading *loading, const char *path, struct err *err)
{
    const char *names[HOUSE_FILES_MAX];
    size_t count = 0;
    struct buf folder = BUF_EMPTY;
    const char *slash = strrchr(path, '/');
    buf_add(&folder, path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    buf_add_text(&folder, "conf.d");
    enum rc rc = buf_ok(&folder, err);
    if (rc == RC_OK) {
        rc = list_conf_d(buf_text(&folder), &loading->house->memory->arena, names, &count, err);
    }
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        rc = load_file(loading, names[i], err);
    }
    buf_release(&folder);
    return rc;
}

static struct house *house_new(void)
{
    struct house *house = calloc(1, sizeof *house);
    struct house_memory *memory = calloc(1, sizeof *memory);
    if (house == NULL || memory == NULL ||
        schema_defaults(&house_schema, &memory->arena, house) != RC_OK) {
        if (memory != NULL) {
            arena_release(&memory->arena);
        }
        free(memory);
        free(house);
        return NULL;
    }
    house->memory = memory;
    house->extract.window_start_min = SCHEMA_NONE;
    house->extract.window_end_min = SCHEMA_NONE;
    return house;
}

/* templates = "../templates" unless set: beside the etc/ that holds postroom.conf */
static enum rc settle_paths(struct house *house, const char *root, struct err *err)
{
    if (house->templates != NULL) {
        return RC_OK;
    }
    struct buf path = BUF_EMPTY;
    const char *slash = root == NULL ? NULL : strrchr(root, '/');
    buf_add(&path, root, slash == NULL ? 0 : (size_t)(slash - root));
    buf_add_text(&path, "/templates");
    enum rc rc = buf_ok(&path, err);
    if (rc == RC_OK) {
        house->templates = arena_text(&house->memory->arena, buf_slice(&path));
        rc = house->templates == NULL ? err_set(err, RC_NOMEM, "out of memory") : RC_OK;
    }
    buf_release(&path);
    return rc;
}

enum rc house_load(const char *path, struct house **out, struct problems *problems, struct err *err)
{
    struct err fault; /* callers may drop the text, the problems want it */
    struct house *house = house_new();
    if (house == NULL) {
        return err_set(err, RC_NOMEM, "%s: out of memory", path);
    }
    struct loading loading = {.house = house, .problems = problems};
    loading.reader = (struct schema_reader){
        .arena = &house->memory->arena, .problems = problems, .is_joining = true};
    enum rc rc = load_file(&loading, path, &fault);
    const char *root = loading.reader.root;
    if (rc == RC_OK) {
        house->file = arena_text(&house->memory->arena, slice_of(path));
        rc = load_conf_d(&loading, path, &fault);
    }
    if (rc == RC_OK) {
        rc = settle_paths(house, root, &fault);
    }
    rc = rc == RC_OK ? house_read_bodies(house, &fault) : rc;
    if (rc != RC_OK) {
        house_free(house);
        return err_set(err, rc, "%s", fault.text);
    }
    for (size_t i = 0; i < loading.reader.seen_count; i++) {
        if (loading.reader.seen[i].field == (const void *)&house->timezone) {
            house->timezone_at = loading.reader.seen[i].at;
        }
    }
    /* A file that could not be parsed says nothing of what is missing. */
    if (!loading.has_unread) {
        house_check(house, problems);
    }
    rc = problems_rc(problems, err);
    if (rc != RC_OK) {
        house_free(house);
        return rc;
    }
    *out = house;
    return RC_OK;
}

void house_free(struct house *house)
{
    if (house == NULL) {
        return;
    }
    for (size_t i = 0; i < house->memory->tree_count; i++) {
        conf_tree_free(house->memory->trees[i]);
    }
    arena_release(&house->memory->arena);
    free(house->memory);
    free(house);
}

/* --- look-ups --- */

const struct house_operator *house_operator_by_name(const struct house *house, const char *name)
{
    for (size_t i = 0; i < house->operator_count; i++) {
        if (house->operators[i].name != NULL && strcmp(house->operators[i].name, name) == 0) {
            return &house->operators[i];
        }
    }
    return NULL;
}

const struct house_operator *house_operator_by_user(const struct house *house, const char *user)
{
    for (size_t i = 0; i < house->operator_count; i++) {
        if (house->operators[i].user != NULL && strcmp(house->operators[i].user, user) == 0) {
            return &house->operators[i];
        }
    }
    return NULL;
}

const struct house_programme *house_programme(const struct house *house, const char *name)
{
    for (size_t i = 0; i < house->programme_count; i++) {
        if (house->programmes[i].name != NULL && strcmp(house->programmes[i].name, name) == 0) {
            return &house->programmes[i];
        }
    }
    return NULL;
}

const struct house_campaign *house_campaign(const struct house *house, const char *name)
{
    for (size_t i = 0; i < house->campaign_count; i++) {
        if (house->campaigns[i].name != NULL && strcmp(house->campaigns[i].name, name) == 0) {
            return &house->campaigns[i];
        }
    }
    return NULL;
}

const struct house_provider *house_provider(const struct house *house, const char *name)
{
    for (size_t i = 0; i < house->provider_count; i++) {
        if (house->providers[i].name != NULL && strcmp(house->providers[i].name, name) == 0) {
            return &house->providers[i];
        }
    }
    return NULL;
}

const struct house_service *house_service(const struct house_provider *provider, const char *name)
{
    for (size_t i = 0; i < provider->service_count; i++) {
        if (provider->services[i].name != NULL && strcmp(provider->services[i].name, name) == 0) {
            return &provider->services[i];
        }
    }
    return NULL;
}

static const struct house_stock_line *line_in(const struct house_stock *stock, const char *name)
{
    for (size_t i = 0; i < stock->line_count; i++) {
        if (stock->lines[i].name != NULL && strcmp(stock->lines[i].name, name) == 0) {
            return &stock->lines[i];
        }
    }
    return NULL;
}

const struct house_stock_line *house_stock_line(const struct house *house, const char *path,
                                                const struct house_stock **out_stock)
{
    const char *slash = strchr(path, '/');
    for (size_t i = 0; slash != NULL && i < house->stock_count; i++) {
        const struct house_stock *stock = &house->stocks[i];
        size_t len = (size_t)(slash - path);
        if (stock->name != NULL && strlen(stock->name) == len &&
            memcmp(stock->name, path, len) == 0) {
            const struct house_stock_line *line = line_in(stock, slash + 1);
            if (line != NULL && out_stock != NULL) {
                *out_stock = stock;
            }
            return line;
        }
    }
    return NULL;
}

bool operator_in_group(const struct house_operator *op, const char *group)
{
    return texts_have(op->groups, group[0] == '@' ? group + 1 : group);
}

bool house_names_somebody(const struct house *house, const char *reviewer)
{
    if (reviewer[0] != '@') {
        return house_operator_by_name(house, reviewer) != NULL;
    }
    for (size_t i = 0; i < house->operator_count; i++) {
        if (operator_in_group(&house->operators[i], reviewer)) {
            return true;
        }
    }
    return false;
}

const char *house_channel_name(int channel)
{
    return house_channel_words[channel];
}

const char *house_eol_text(int eol)
{
    static const char *const texts[] = {"\r\n", "\n", "\r", ""};
    return texts[eol];
}

enum house_quote house_layout_quote(const struct house_layout *layout, char *out_mark)
{
    *out_mark = '"';
    if (layout->quote[0] == '\0') {
        return HOUSE_QUOTE_NEVER;
    }
    if (layout->quote[1] != '\0') {
        return HOUSE_QUOTE_ALWAYS;
    }
    *out_mark = layout->quote[0];
    return HOUSE_QUOTE_MINIMAL;
}
