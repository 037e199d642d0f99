/*
 * receipts - lines in memory by their ids; deliveries, the newest first, are read past them
 */
#include "stage/receipts.h"

#include "base/arena.h"
#include "base/instant.h"
#include "base/lookup.h"
#include "channel/quarantine.h"
#include "channel/recipients.h"
#include "delivery/progress.h"
#include "spool/stage.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_NS ((int64_t)RECEIPTS_DAYS * 24 * 3600 * NS_PER_SECOND)

enum { FILE_MODE = 0640 };

/* --- the files --- */

/* A line that a crash cut off was not answered; without its end the next one would go on in it, and
 * be lost, too. */
static enum rc end_torn_line(int dirfd, const char *id, int append_fd, struct err *err)
{
    struct stat status;
    char last = '\n';
    int fd = -1;
    if (fstat(append_fd, &status) != 0) {
        return err_set(err, RC_TEMP, "outbox/receipts: %s cannot be looked at", id);
    }
    if (status.st_size == 0) {
        return RC_OK;
    }
    enum rc rc = fs_open_regular(dirfd, id, &fd, err);
    if (rc == RC_OK && pread(fd, &last, 1, status.st_size - 1) != 1) {
        rc = err_set(err, RC_TEMP, "outbox/receipts: %s cannot be read", id);
    }
    fs_drop(&fd);
    return rc == RC_OK && last != '\n' ? fs_append_durable(append_fd, "\n", 1, err) : rc;
}

enum rc receipts_mark(const struct stage_env *env, int channel, const char *id, int *out_fd,
                      struct err *err)
{
    int dirfd = -1;
    *out_fd = -1;
    enum rc rc = spool_receipts(env->spool, house_channel_name(channel), &dirfd, err);
    bool is_new = rc == RC_OK && !fs_exists(dirfd, id);
    rc = rc == RC_OK ? fs_open_append(dirfd, id, FILE_MODE, out_fd, err) : rc;
    rc = rc == RC_OK && is_new ? fs_sync_dir(dirfd, err) : rc;
    rc = rc == RC_OK ? end_torn_line(dirfd, id, *out_fd, err) : rc;
    if (rc == RC_OK && futimens(*out_fd, NULL) != 0) { /* it is kept from now on */
        rc = err_set(err, RC_TEMP, "outbox/receipts: %s: its time cannot be set", id);
    }
    fs_drop(&dirfd);
    return rc;
}

static bool is_old(const struct stat *status, int64_t now_ns)
{
    int64_t written_ns = (int64_t)status->st_mtim.tv_sec * NS_PER_SECOND;
    return status->st_size == 0 && now_ns - written_ns > KEEP_NS;
}

enum rc receipts_next(const struct stage_env *env, int channel, const char *after, int64_t now_ns,
                      bool (*is_in_use)(void *ctx, const char *id), void *ctx,
                      char out[ID_BYTES_MAX + 1], struct err *err)
{
    struct fs_names names = {0};
    int dirfd = -1;
    out[0] = '\0';
    enum rc rc = spool_receipts(env->spool, house_channel_name(channel), &dirfd, err);
    rc = rc == RC_OK ? fs_list(dirfd, RECEIPTS_FILES_MAX, &names, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < names.count && out[0] == '\0'; i++) {
        const char *name = names.names[i];
        struct stat status;
        if (strcmp(name, after) <= 0 || !id_is_valid(slice_of(name)) || is_in_use(ctx, name) ||
            fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (is_old(&status, now_ns)) {
            rc = fs_remove(dirfd, name, err);
        } else if (status.st_size > 0) {
            (void)snprintf(out, ID_BYTES_MAX + 1, "%s", name);
        }
    }
    fs_names_release(&names);
    fs_drop(&dirfd);
    return rc;
}

/* --- lines --- */

struct line {
    struct slice id;
    struct slice word;
    int64_t at_ns;
    bool is_delivered;
    bool is_gone; /* undelivered, and its number is none any more */
    bool is_found;
    uint32_t same; /* index + 1 of the next line with this id; 0: none */
};

/* Lines found in a delivery: whose they are there. */
struct match {
    uint32_t line;
    uint32_t number;
    uint32_t part;
};

struct taking {
    const struct stage_env *env;
    int channel;
    int dirfd;
    const char *name;
    struct buf text;
    struct buf lines;   /* of struct line */
    struct buf matches; /* of struct match, in one delivery */
    struct lookup *ids; /* index + 1 of the first line with an id */
    size_t left;        /* lines that are not found */
    struct receipts_taken *out;
};

static size_t line_count(const struct taking *t)
{
    return t->lines.len / sizeof(struct line);
}

static struct line *line_at(const struct taking *t, size_t i)
{
    return (struct line *)(void *)t->lines.ptr + i;
}

static struct slice take_word(struct slice *text)
{
    size_t len = 0;
    while (len < text->len && text->ptr[len] != ' ') {
        len++;
    }
    struct slice word = {text->ptr, len};
    len += len < text->len;
    *text = (struct slice){text->ptr + len, text->len - len};
    return word;
}

/* false: it is none; pages that never reached the disk look so, and were not answered */
static bool read_line(struct slice text, struct line *out)
{
    *out = (struct line){.is_found = false};
    struct slice when = take_word(&text);
    struct slice fate = take_word(&text);
    out->word = take_word(&text);
    out->id = text;
    out->is_delivered = slice_equal_text(fate, "delivered");
    out->is_gone = slice_equal_text(fate, "gone");
    bool is_fate = out->is_delivered || out->is_gone || slice_equal_text(fate, "undelivered");
    return is_fate && instant_parse(when, &out->at_ns) == RC_OK && out->word.len > 0 &&
           out->id.len > 0 && out->id.len <= PROGRESS_ID_BYTES_MAX;
}

static void read_lines(struct taking *t)
{
    for (size_t at = 0; at < t->text.len;) {
        const char *end = memchr(t->text.ptr + at, '\n', t->text.len - at);
        struct line line;
        if (end == NULL) {
            return; /* torn: it was not answered */
        }
        size_t len = (size_t)(end - (t->text.ptr + at));
        if (read_line((struct slice){t->text.ptr + at, len}, &line)) {
            buf_add(&t->lines, &line, sizeof line);
        } else {
            t->out->unknown++;
        }
        at += len + 1;
    }
}

static enum rc index_lines(struct taking *t, struct err *err)
{
    enum rc rc = lookup_open(line_count(t), &t->ids, err);
    for (size_t i = line_count(t); rc == RC_OK && i > 0; i--) { /* chains in the file's order */
        line_at(t, i - 1)->same = lookup_put(t->ids, line_at(t, i - 1)->id, (uint32_t)i);
    }
    return rc;
}

/* --- one delivery --- */

static void on_id(void *ctx, const struct progress_id *id, uint64_t at)
{
    struct taking *t = ctx;
    (void)at;
    for (uint32_t i = lookup_get(t->ids, id->id); i != 0; i = line_at(t, i - 1)->same) {
        const struct match match = {i - 1, id->number, id->part};
        if (!line_at(t, i - 1)->is_found) {
            buf_add(&t->matches, &match, sizeof match);
        }
    }
}

static void count(struct taking *t, enum rc rc, const struct line *line)
{
    if (rc == RC_STATE) {
        t->out->known++;
    } else if (rc == RC_OK && line->is_delivered) {
        t->out->delivered++;
    } else if (rc == RC_OK) {
        t->out->undelivered++;
    }
}

/* One line into `receipts`; it may be known there, or in progress. */
static enum rc record(struct progress_log *log, const struct line *line, const struct match *match,
                      struct err *err)
{
    const struct progress_record record = {
        .act = line->is_delivered ? PROGRESS_ACT_DELIVERED : PROGRESS_ACT_UNDELIVERED,
        .number = match->number,
        .at_ns = line->at_ns,
        .code = match->part,
        .text = line->is_delivered ? SLICE_LITERAL("") : line->word};
    enum rc rc = progress_log_add(log, &record, err);
    if (rc == RC_RANGE) { /* the group is full */
        rc = progress_log_commit(log, err);
        rc = rc == RC_OK ? progress_log_add(log, &record, err) : rc;
    }
    return rc;
}

static enum rc record_matches(struct taking *t, int dirfd, struct err *err)
{
    struct progress_log *log = NULL;
    const struct match *matches = (const struct match *)(const void *)t->matches.ptr;
    enum rc rc = progress_receipts_open(dirfd, &log, err);
    for (size_t i = 0; rc == RC_OK && i < t->matches.len / sizeof *matches; i++) {
        struct line *line = line_at(t, matches[i].line);
        rc = record(log, line, &matches[i], err);
        count(t, rc, line);
        t->left -= !line->is_found;
        line->is_found = true;
        rc = rc == RC_STATE ? RC_OK : rc;
    }
    rc = rc == RC_OK && progress_log_waiting(log) > 0 ? progress_log_commit(log, err) : rc;
    progress_log_free(log);
    return rc;
}

/* Numbers that are none any more, of the list into entries */
static enum rc add_gone(const struct taking *t, struct recipients *list, const char *id,
                        struct arena *arena, struct buf *entries, struct err *err)
{
    const struct match *matches = (const struct match *)(const void *)t->matches.ptr;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < t->matches.len / sizeof *matches; i++) {
        const struct line *line = line_at(t, matches[i].line);
        struct recipient recipient;
        if (!line->is_gone || matches[i].number > recipients_total(list)) {
            continue;
        }
        rc = recipients_read(list, matches[i].number, &recipient, err);
        const char *address = rc == RC_OK ? arena_text(arena, recipient.address) : NULL;
        if (address != NULL) {
            const struct quarantine_entry entry = {.address = slice_of(address),
                                                   .since_ns = line->at_ns,
                                                   .cause = "permanent",
                                                   .delivery = id};
            buf_add(entries, &entry, sizeof entry);
        } else if (rc == RC_OK) {
            rc = err_set(err, RC_NOMEM, "no memory for addresses");
        }
    }
    return rc == RC_OK ? buf_ok(entries, err) : rc;
}

static bool has_gone(const struct taking *t)
{
    const struct match *matches = (const struct match *)(const void *)t->matches.ptr;
    bool is_any = false;
    for (size_t i = 0; i < t->matches.len / sizeof *matches; i++) {
        is_any = is_any || line_at(t, matches[i].line)->is_gone;
    }
    return is_any;
}

/* They go into the channel's quarantine; twice is as once. */
static enum rc quarantine_gone(struct taking *t, int dirfd, const char *id, struct err *err)
{
    struct arena arena = ARENA_EMPTY;
    struct buf entries = BUF_EMPTY;
    struct recipients *list = NULL;
    int fd = -1;
    if (!has_gone(t)) {
        return RC_OK;
    }
    enum rc rc = fs_open_regular(dirfd, RECIPIENTS_PATH, &fd, err);
    rc = rc == RC_OK ? recipients_open(fd, &list, err) : rc;
    rc = rc == RC_OK ? add_gone(t, list, id, &arena, &entries, err) : rc;
    size_t count = entries.len / sizeof(struct quarantine_entry);
    if (rc == RC_OK && count > 0) {
        rc = quarantine_add(
            spool_dir(t->env->spool, SPOOL_QUARANTINE), house_channel_name(t->channel),
            (const struct quarantine_entry *)(const void *)entries.ptr, count, NULL, err);
        /* A quarantine that somebody has to mend is waited for. */
        rc = rc == RC_PERM || rc == RC_RANGE ? RC_TEMP : rc;
        t->out->gone += rc == RC_OK ? count : 0;
    }
    recipients_free(list);
    buf_release(&entries);
    arena_release(&arena);
    fs_drop(&fd);
    return rc;
}

/* What cannot be read is somebody's to mend, and keeps nobody else's receipts back. */
static enum rc look_in(struct taking *t, const char *id, struct err *err)
{
    const struct progress_ids ids = {on_id, t};
    enum stage stage = STAGE_DONE;
    struct err why = {{0}};
    int dirfd = -1;
    buf_clear(&t->matches);
    enum rc rc = spool_locate(t->env->spool, id, &stage, &why);
    rc = rc == RC_OK ? spool_open_delivery(t->env->spool, stage, id, &dirfd, &why) : rc;
    rc = rc == RC_OK ? progress_ids_read(dirfd, &ids, &why) : rc;
    rc = rc == RC_OK ? buf_ok(&t->matches, &why) : rc;
    rc = rc == RC_OK ? quarantine_gone(t, dirfd, id, &why) : rc;
    rc = rc == RC_OK && t->matches.len > 0 ? record_matches(t, dirfd, &why) : rc;
    fs_drop(&dirfd);
    if (rc == RC_CORRUPT || rc == RC_PERM) {
        log_event(LOG_LEVEL_WARNING, "receipts", id, "rc=%s reason=\"%s\"", rc_name(rc), why.text);
        return RC_OK;
    }
    return rc == RC_OK || rc == RC_GONE ? RC_OK : err_set(err, rc, "%s: %s", id, why.text);
}

/* --- all of them --- */

struct mark {
    const char *id;
    int64_t written_ns;
};

static int newer_first(const void *a, const void *b)
{
    const struct mark *one = a;
    const struct mark *other = b;
    return one->written_ns < other->written_ns ? 1 : one->written_ns > other->written_ns ? -1 : 0;
}

/* Of every file of the channel; the names are borrowed. */
static enum rc read_marks(int dirfd, const struct fs_names *names, struct mark **out,
                          size_t *out_count, struct err *err)
{
    struct mark *marks = calloc(names->count + 1, sizeof *marks);
    if (marks == NULL) {
        return err_set(err, RC_NOMEM, "no memory for receipts");
    }
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->names[i];
        struct stat status;
        if (id_is_valid(slice_of(name)) &&
            fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            marks[(*out_count)++] =
                (struct mark){name, (int64_t)status.st_mtim.tv_sec * NS_PER_SECOND +
                                        (int64_t)status.st_mtim.tv_nsec};
        }
    }
    qsort(marks, *out_count, sizeof *marks, newer_first);
    *out = marks;
    return RC_OK;
}

static enum rc look_in_all(struct taking *t, struct err *err)
{
    struct fs_names names = {0};
    struct mark *marks = NULL;
    size_t count = 0;
    enum rc rc = fs_list(t->dirfd, RECEIPTS_FILES_MAX, &names, err);
    rc = rc == RC_OK ? read_marks(t->dirfd, &names, &marks, &count, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < count && t->left > 0; i++) {
        rc = look_in(t, marks[i].id, err);
    }
    free(marks);
    fs_names_release(&names);
    return rc;
}

static enum rc empty_file(const struct taking *t, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_open_append(t->dirfd, t->name, FILE_MODE, &fd, err);
    rc = rc == RC_OK ? fs_truncate(fd, 0, err) : rc;
    fs_drop(&fd);
    return rc;
}

static enum rc take_all(struct taking *t, bool is_final, struct err *err)
{
    enum rc rc =
        fs_read_small(t->dirfd, t->name, 2 * (size_t)RECEIPTS_FILE_BYTES_MAX, &t->text, err);
    if (rc == RC_OK) {
        read_lines(t);
        t->left = line_count(t);
        rc = buf_ok(&t->lines, err);
    }
    rc = rc == RC_OK ? index_lines(t, err) : rc;
    rc = rc == RC_OK ? look_in_all(t, err) : rc;
    if (rc == RC_OK && (is_final || t->left == 0)) {
        rc = empty_file(t, err);
    }
    t->out->unknown += t->left;
    return rc;
}

enum rc receipts_take(const struct stage_env *env, int channel, const char *name, bool is_final,
                      struct receipts_taken *out, struct err *err)
{
    struct taking taking = {.env = env, .channel = channel, .dirfd = -1, .name = name, .out = out};
    *out = (struct receipts_taken){0};
    enum rc rc = spool_receipts(env->spool, house_channel_name(channel), &taking.dirfd, err);
    rc = rc == RC_OK ? take_all(&taking, is_final, err) : rc;
    buf_release(&taking.text);
    buf_release(&taking.lines);
    buf_release(&taking.matches);
    lookup_free(taking.ids);
    fs_drop(&taking.dirfd);
    return rc;
}
