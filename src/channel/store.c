/*
 * store - messages put into directories, or nowhere
 *
 * All three hold what was submitted in an array until the next run, which puts everything and
 * tells. A full disk, or a directory that may not be written, is nobody's fault: the message comes
 * back UNTRIED and the transport is down for a second, then two, and so on up to five minutes.
 */
#include "channel/store.h"

#include "base/digest.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_FIRST_NS ((int64_t)1000000000)
#define RETRY_MAX_NS (300 * RETRY_FIRST_NS)
enum { SUFFIX_BYTES_MAX = 16, NAME_BYTES = 256, NAME_UNIQUE_MAX = 200 };

struct store {
    struct transport transport; /* first member */
    int into_fd;                /* new/, or the folder; -1: null */
    int tmp_fd;                 /* maildir: tmp/ */
    int cur_fd;                 /* maildir: cur/ */
    mode_t mode;
    bool is_closing;
    int64_t next_try_ns; /* 0: up */
    int64_t pause_ns;    /* before it; doubled until something is put; 0: the last one was put */
    uint64_t *seen;      /* maildir: hashes of the names in cur/, sorted */
    size_t seen_count;
    size_t seen_room;
    bool is_seen_read;
    size_t count;
    char suffix[SUFFIX_BYTES_MAX + 1];
    char reason[TRANSPORT_REASON_BYTES];
    struct outgoing held[STORE_QUEUE];
};

static struct store *store_of(struct transport *t)
{
    return (struct store *)(void *)t;
}

static const struct store *store_of_const(const struct transport *t)
{
    return (const struct store *)(const void *)t;
}

/* ---- what readers have moved to cur/ ---- */

static uint64_t hash_of(const char *name, size_t len)
{
    return hash64(name, len, 0);
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* UNIQUE:2,FLAGS - readers add the flags */
static enum rc note_seen(void *ctx, const char *name)
{
    struct store *store = ctx;
    if (store->seen_count == store->seen_room) {
        size_t room = store->seen_room == 0 ? 1024 : store->seen_room * 2;
        uint64_t *grown = realloc(store->seen, room * sizeof *grown);
        if (grown == NULL) {
            return RC_NOMEM;
        }
        store->seen = grown;
        store->seen_room = room;
    }
    store->seen[store->seen_count++] = hash_of(name, strcspn(name, ":"));
    return RC_OK;
}

static enum rc read_seen(struct store *store, struct err *err)
{
    store->seen_count = 0;
    enum rc rc = fs_each(store->cur_fd, MAILDIR_SEEN_MAX, note_seen, store, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "cur");
    }
    if (store->seen_count > 0) {
        qsort(store->seen, store->seen_count, sizeof *store->seen, compare);
    }
    store->is_seen_read = true;
    return RC_OK;
}

static enum rc is_in_cur(struct store *store, const char *unique, bool *out, struct err *err)
{
    enum rc rc = store->is_seen_read ? RC_OK : read_seen(store, err);
    uint64_t hash = hash_of(unique, strlen(unique));
    *out = rc == RC_OK && store->seen_count > 0 &&
           bsearch(&hash, store->seen, store->seen_count, sizeof hash, compare) != NULL;
    return rc;
}

/* ---- putting ---- */

static enum rc put_mail(struct store *store, const struct outgoing *message, struct err *err)
{
    const char *name = message->unique;
    bool is_there = false;
    enum rc rc = message->is_repeat ? is_in_cur(store, name, &is_there, err) : RC_OK;
    if (rc != RC_OK || is_there) {
        return rc;
    }
    rc = fs_put_new(store->tmp_fd, name, store->mode, message->bytes.ptr, message->bytes.len, err);
    if (rc == RC_EXISTS) { /* a crash left it there */
        rc = fs_remove(store->tmp_fd, name, err);
        if (rc == RC_OK) {
            rc = fs_put_new(store->tmp_fd, name, store->mode, message->bytes.ptr,
                            message->bytes.len, err);
        }
    }
    return rc == RC_OK ? fs_move_replace(store->tmp_fd, name, store->into_fd, name, err) : rc;
}

static enum rc put(struct store *store, const struct outgoing *message, struct err *err)
{
    char name[NAME_BYTES];
    if (store->into_fd < 0) {
        return RC_OK;
    }
    if (store->tmp_fd >= 0) {
        return put_mail(store, message, err);
    }
    (void)snprintf(name, sizeof name, "%.*s%s", (int)NAME_UNIQUE_MAX, message->unique,
                   store->suffix);
    return fs_put_volatile(store->into_fd, name, store->mode, message->bytes.ptr,
                           message->bytes.len, err);
}

static void go_down(struct store *store, const struct err *why, int64_t now_ns)
{
    store->pause_ns = store->pause_ns == 0 ? RETRY_FIRST_NS : store->pause_ns * 2;
    store->pause_ns = store->pause_ns > RETRY_MAX_NS ? RETRY_MAX_NS : store->pause_ns;
    store->next_try_ns = now_ns + store->pause_ns;
    (void)snprintf(store->reason, sizeof store->reason, "%.*s", (int)sizeof store->reason - 1,
                   why->text);
}

static enum rc run(struct transport *t, int timeout_ms, transport_told *told, void *ctx,
                   struct err *err)
{
    struct store *store = store_of(t);
    (void)timeout_ms; /* nothing here is waited for */
    size_t count = store->count;
    int64_t now_ns = clock_monotonic_ns();
    store->next_try_ns = now_ns >= store->next_try_ns ? 0 : store->next_try_ns;
    for (size_t i = 0; i < count; i++) {
        const struct outgoing message = store->held[i];
        struct err why = {""};
        struct verdict_report report = {.number = message.number, .verdict = VERDICT_UNTRIED};
        enum rc rc = RC_STATE;
        if (store->into_fd >= 0 && !transport_unique_is_valid(message.unique)) {
            (void)err_set(&why, RC_PERM, "its name cannot be a file name");
            report.verdict = VERDICT_PERMANENT;
        } else if (store->next_try_ns == 0) {
            rc = put(store, &message, &why);
            report.verdict = rc == RC_OK ? VERDICT_SENT : VERDICT_UNTRIED;
            store->pause_ns = rc == RC_OK ? 0 : store->pause_ns;
        }
        if (rc == RC_IO) {
            return err_add(err, err_set(err, RC_IO, "%s", why.text), "%s", t->kind->name);
        }
        if (rc != RC_OK && rc != RC_STATE) {
            go_down(store, &why, now_ns);
        }
        report.text = slice_of(rc == RC_STATE && report.verdict == VERDICT_UNTRIED ? store->reason
                                                                                   : why.text);
        told(ctx, &report);
    }
    /* What told() has submitted stands behind them. */
    store->count -= count;
    memmove(store->held, store->held + count, store->count * sizeof store->held[0]);
    return RC_OK;
}

/* ---- the other calls ---- */

static size_t room(const struct transport *t)
{
    const struct store *store = store_of_const(t);
    bool is_down = store->next_try_ns != 0 && clock_monotonic_ns() < store->next_try_ns;
    return store->is_closing || is_down ? 0 : STORE_QUEUE - store->count;
}

static enum rc submit(struct transport *t, const struct outgoing *message, struct err *err)
{
    struct store *store = store_of(t);
    (void)err;
    store->held[store->count++] = *message;
    return RC_OK;
}

static int64_t deadline_ns(const struct transport *t)
{
    const struct store *store = store_of_const(t);
    return store->count > 0         ? clock_monotonic_ns()
           : store->next_try_ns > 0 ? store->next_try_ns
                                    : INT64_MAX;
}

static enum rc flush(struct transport *t, struct err *err)
{
    struct store *store = store_of(t);
    return store->into_fd < 0 ? RC_OK : fs_sync_filesystem(store->into_fd, err);
}

static void close_all(struct transport *t)
{
    store_of(t)->is_closing = true;
}

static void state(const struct transport *t, struct transport_state *out)
{
    const struct store *store = store_of_const(t);
    bool is_up = store->next_try_ns == 0;
    *out = (struct transport_state){.is_up = is_up,
                                    .is_closed = store->is_closing && store->count == 0,
                                    .held = (unsigned int)store->count,
                                    .next_try_ns = store->next_try_ns,
                                    .reason = is_up ? "" : store->reason};
}

static void free_all(struct transport *t)
{
    struct store *store = store_of(t);
    fs_drop(&store->into_fd);
    fs_drop(&store->tmp_fd);
    fs_drop(&store->cur_fd);
    free(store->seen);
    free(store);
}

#define KIND_NAMED(text)                                                                           \
    {                                                                                              \
        .name = (text), .room = room, .submit = submit, .run = run, .deadline_ns = deadline_ns,    \
        .flush = flush, .close = close_all, .state = state, .free = free_all                       \
    }
static const struct transport_kind MAILDIR = KIND_NAMED("maildir");
static const struct transport_kind FOLDER = KIND_NAMED("file");
static const struct transport_kind NOWHERE = KIND_NAMED("null");

/* ---- opening ---- */

static enum rc make(const struct transport_kind *kind, mode_t mode, struct store **out,
                    struct err *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return err_set(err, RC_NOMEM, "%s: no memory", kind->name);
    }
    store->transport.kind = kind;
    store->into_fd = store->tmp_fd = store->cur_fd = -1;
    store->mode = mode;
    *out = store;
    return RC_OK;
}

static enum rc part(int dirfd, const char *name, int64_t gid, int *out_fd, struct err *err)
{
    enum rc rc = fs_make_dir(dirfd, name, 0750, gid, err);
    return rc == RC_OK || rc == RC_EXISTS ? fs_open_dir(dirfd, name, out_fd, err) : rc;
}

enum rc maildir_open(int dirfd, mode_t mode, int64_t gid, struct transport **out, struct err *err)
{
    struct store *store = NULL;
    enum rc rc = make(&MAILDIR, mode, &store, err);
    if (rc == RC_OK) {
        rc = part(dirfd, "tmp", gid, &store->tmp_fd, err);
    }
    if (rc == RC_OK) {
        rc = part(dirfd, "cur", gid, &store->cur_fd, err);
    }
    if (rc == RC_OK) {
        rc = part(dirfd, "new", gid, &store->into_fd, err);
    }
    if (rc != RC_OK) {
        transport_free(store == NULL ? NULL : &store->transport);
        return rc;
    }
    *out = (struct transport *)(void *)store; /* its first member */
    return RC_OK;
}

enum rc folder_open(int dirfd, mode_t mode, const char *suffix, struct transport **out,
                    struct err *err)
{
    struct store *store = NULL;
    if (strlen(suffix) > SUFFIX_BYTES_MAX) {
        return err_set(err, RC_PERM, "file: a suffix has at most %d bytes", (int)SUFFIX_BYTES_MAX);
    }
    enum rc rc = make(&FOLDER, mode, &store, err);
    if (rc == RC_OK) {
        (void)snprintf(store->suffix, sizeof store->suffix, "%s", suffix);
        rc = fs_open_dir(dirfd, ".", &store->into_fd, err);
    }
    if (rc != RC_OK) {
        transport_free(store == NULL ? NULL : &store->transport);
        return rc;
    }
    *out = (struct transport *)(void *)store; /* its first member */
    return RC_OK;
}

enum rc null_open(struct transport **out, struct err *err)
{
    struct store *store = NULL;
    enum rc rc = make(&NOWHERE, 0, &store, err);
    if (rc == RC_OK) {
        *out = (struct transport *)(void *)store; /* its first member */
    }
    return rc;
}
