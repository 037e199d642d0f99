/*
 * hand_over - the archive goes to the router
 */
#include "stage/hand_over.h"

#include "conf/house.h"
#include "stage/cost.h"
#include "stage/settle.h"
#include "stage/undo.h"
#include "sys/fs.h"
#include "sys/log.h"
#include "sys/user.h"

#include <stdio.h>
#include <string.h>

enum { SIDECAR_BYTES_MAX = 4096 };

/* Entries that were undone must never go out: a restart or a revision is half way (docs/SPOOL.md
 * E4). */
static enum rc check_booked(const struct stage_env *env, const struct subject *subject,
                            struct err *err)
{
    bool is_reversed = false;
    enum rc rc =
        cost_is_reversed(env, subject->order, subject->view.extraction_round, &is_reversed, err);
    if (rc == RC_OK && is_reversed) {
        rc = err_set(err, RC_STATE,
                     "the entries of extraction %llu are reversed: it waits for its restart",
                     (unsigned long long)subject->view.extraction_round);
    }
    return rc;
}

/* The line, then the place. */
static enum rc go_out(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                      struct err *err)
{
    enum rc rc = RC_OK;
    if (subject->view.state != STATE_SENDING) {
        enum delivery_state next = STATE_NONE;
        rc = check_booked(env, subject, err);
        rc = rc == RC_OK ? subject_next(subject, EVENT_PUBLISHING, &next, err) : rc;
        if (rc != RC_OK) {
            return rc;
        }
        struct journal_writer writer = JOURNAL_WRITER_EMPTY;
        journal_begin(&writer, now_ns, event_name(EVENT_PUBLISHING), JOURNAL_DAEMON);
        journal_put_text(&writer, "state", state_name(next));
        rc = journal_end(&writer, err);
        if (rc != RC_OK) {
            journal_writer_release(&writer);
            return rc;
        }
        rc = subject_say(subject, &writer, err);
    }
    return rc == RC_OK ? subject_move(env, subject, err) : rc;
}

/* group of the router's SFTP account; -1 where none is named or the machine does not know it */
static int64_t router_gid(const struct stage_env *env, const char *provider)
{
    const struct house_provider *found = house_provider(env->house, provider);
    gid_t gid = 0;
    if (found == NULL || found->group == NULL || group_gid(found->group, &gid, NULL) != RC_OK) {
        return -1;
    }
    return (int64_t)gid;
}

/* An empty file that appears last tells some routers that the archive is whole (`flag`). */
static enum rc put_flag(const struct subject *subject, int pickup, int64_t gid, struct err *err)
{
    const char *flag = subject->order->layout.flag;
    if (flag == NULL) {
        return RC_OK;
    }
    char name[FS_NAME_BYTES_MAX];
    (void)snprintf(name, sizeof name, "%s%s", subject->view.archive, flag);
    enum rc rc = fs_put_volatile(pickup, name, 0640, "", 0, err);
    return rc == RC_OK ? fs_give(pickup, name, 0640, gid, err) : rc;
}

/* What lies beside the archive in extraction/, but for the manifest that is also inside it. It is
 * there twice afterwards, under two names of one file; where the name is taken (a crash, or a
 * router's own), the file is put in its place. */
static enum rc put_beside(int extraction, const char *name, int pickup, int64_t gid,
                          struct err *err)
{
    struct buf bytes = BUF_EMPTY;
    enum rc rc = fs_give(extraction, name, 0640, gid, err);
    rc = rc == RC_OK ? fs_link(extraction, name, pickup, name, err) : rc;
    if (rc != RC_EXISTS) {
        return rc;
    }
    rc = fs_read_small(extraction, name, TARGET_BYTES_MAX, &bytes, err);
    rc = rc == RC_OK ? fs_put_volatile(pickup, name, 0640, bytes.ptr, bytes.len, err) : rc;
    buf_release(&bytes);
    return rc == RC_OK ? fs_give(pickup, name, 0640, gid, err) : rc;
}

/* A router's directories, opened once for a group. */
struct way_out {
    const char *provider; /* borrowed from an order of the group */
    int64_t gid;
    struct spool_router router;
};

enum { PICKUP_NAMES_MAX = 1 << 22 };

enum { WAYS_MAX = 64 }; /* routers of one group; one more is opened and closed each time */

struct ways_out {
    struct way_out ways[WAYS_MAX];
    size_t count;
};

static enum rc find_way(const struct stage_env *env, struct ways_out *ways, const char *provider,
                        const struct way_out **out, struct err *err)
{
    for (size_t i = 0; i < ways->count; i++) {
        if (strcmp(ways->ways[i].provider, provider) == 0) {
            *out = &ways->ways[i];
            return RC_OK;
        }
    }
    if (ways->count == WAYS_MAX) {
        spool_router_release(&ways->ways[--ways->count].router);
    }
    struct way_out *way = &ways->ways[ways->count];
    *way = (struct way_out){provider, router_gid(env, provider), SPOOL_ROUTER_NONE};
    enum rc rc = spool_router(env->spool, provider, way->gid, &way->router, err);
    ways->count += rc == RC_OK;
    *out = way;
    return rc;
}

static void release_ways(struct ways_out *ways)
{
    while (ways->count > 0) {
        spool_router_release(&ways->ways[--ways->count].router);
    }
}

/* `.sha256` and what else lies beside the archive first, the archive last, each whole by rename. */
static enum rc publish(const struct stage_env *env, const struct subject *subject,
                       struct ways_out *ways, struct err *err)
{
    int extraction = -1;
    const struct way_out *way = NULL;
    struct fs_names names = FS_NAMES_EMPTY;
    const char *archive = subject->view.archive;
    enum rc rc = find_way(env, ways, subject->order->provider, &way, err);
    rc = rc == RC_OK ? fs_open_dir(subject->dirfd, "extraction", &extraction, err) : rc;
    bool is_ours = rc == RC_OK && fs_exists(extraction, archive);
    if (is_ours && fs_exists(way->router.pickup, archive)) {
        /* The same data under the same name, from another delivery: theirs is not touched. */
        rc = err_set(err, RC_EXISTS,
                     "pickup/ holds %s already, of another delivery; put {{delivery}} into the "
                     "service's archive name and drop this delivery under a new id",
                     archive);
        is_ours = false;
    }
    if (is_ours) {
        rc = fs_list(extraction, 64, &names, err);
        for (size_t i = 0; rc == RC_OK && i < names.count; i++) {
            const char *name = names.names[i];
            bool is_beside = strcmp(name, archive) != 0 && strcmp(name, "manifest.json") != 0;
            if (is_beside) {
                rc = put_beside(extraction, name, way->router.pickup, way->gid, err);
            }
        }
        rc = rc == RC_OK ? fs_give(extraction, archive, 0640, way->gid, err) : rc;
        rc = rc == RC_OK ? fs_move_noreplace(extraction, archive, way->router.pickup, archive, err)
                         : rc;
    }
    rc = rc == RC_OK ? put_flag(subject, way->router.pickup, way->gid, err) : rc;
    fs_names_release(&names);
    fs_drop(&extraction);
    return rc;
}

/* What publish() put beside an archive: names that begin with its own. */
struct recall {
    int pickup;
    const char *archive;
};

static enum rc remove_beside(void *ctx, const char *name)
{
    const struct recall *recall = ctx;
    size_t len = strlen(recall->archive);
    bool is_beside = strncmp(name, recall->archive, len) == 0 && name[len] != '\0';
    return is_beside ? fs_remove(recall->pickup, name, NULL) : RC_OK;
}

enum rc hand_over_recall(const struct stage_env *env, struct subject *subject, struct err *err)
{
    struct ways_out ways = {.count = 0};
    const struct way_out *way = NULL;
    int extraction = -1;
    const char *archive = subject->view.archive;
    if (archive[0] == '\0') {
        return RC_OK;
    }
    enum rc rc = find_way(env, &ways, subject->order->provider, &way, err);
    rc = rc == RC_OK ? fs_open_dir(subject->dirfd, "extraction", &extraction, err) : rc;
    if (rc == RC_OK) {
        rc = fs_move_noreplace(way->router.pickup, archive, extraction, archive, err);
        rc = rc == RC_GONE || rc == RC_EXISTS ? RC_OK : rc;
        struct recall recall = {way->router.pickup, archive};
        rc = rc == RC_OK ? fs_each(recall.pickup, PICKUP_NAMES_MAX, remove_beside, &recall, err)
                         : rc;
    } else if (rc == RC_GONE) {
        rc = RC_OK; /* put away already */
    }
    release_ways(&ways);
    fs_drop(&extraction);
    return rc;
}

static enum rc say_handed_over(struct subject *subject, int64_t now_ns, struct err *err)
{
    enum delivery_state next = STATE_NONE;
    enum rc rc = subject_next(subject, EVENT_HANDED_OVER, &next, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct journal_writer writer = JOURNAL_WRITER_EMPTY;
    journal_begin(&writer, now_ns, event_name(EVENT_HANDED_OVER), JOURNAL_DAEMON);
    journal_put_text(&writer, "archive", subject->view.archive);
    journal_put_text(&writer, "state", state_name(next));
    rc = journal_end(&writer, err);
    if (rc != RC_OK) {
        journal_writer_release(&writer);
        return rc;
    }
    return subject_say(subject, &writer, err);
}

/* An archive that can never be published: what it cost is reversed, and the delivery has failed. */
static enum rc give_up(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                       struct err *err)
{
    struct err why = *err;
    enum rc rc = undo_extraction(env, subject, now_ns, err);
    rc = rc == RC_OK ? settle_end(env, subject, EVENT_FAILED, why.text, now_ns, err) : rc;
    if (rc == RC_OK) {
        rc = RC_PERM;
        *err = why;
    }
    return rc;
}

void hand_over_begin(const struct stage_env *env, struct hand_over *group, size_t count,
                     int64_t now_ns)
{
    for (size_t i = 0; i < count; i++) {
        group[i].rc = go_out(env, &group[i].subject, now_ns, &group[i].err);
    }
}

void hand_over_publish(const struct stage_env *env, struct hand_over *group, size_t count)
{
    struct ways_out ways = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (group[i].rc == RC_OK) {
            group[i].rc = publish(env, &group[i].subject, &ways, &group[i].err);
        }
    }
    release_ways(&ways);
}

enum rc hand_over_end(const struct stage_env *env, struct hand_over *group, size_t count,
                      int64_t now_ns, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct hand_over *one = &group[i];
        if (one->rc == RC_OK) {
            one->rc = say_handed_over(&one->subject, now_ns, &one->err);
        } else if (one->rc == RC_EXISTS) {
            one->rc = give_up(env, &one->subject, now_ns, &one->err);
        }
        if (one->rc == RC_OK) {
            log_event(LOG_LEVEL_INFO, "handed-over", one->subject.id, "archive=%s",
                      one->subject.view.archive);
        } else if (one->rc == RC_IO) {
            *err = one->err;
            return RC_IO;
        }
    }
    return RC_OK;
}
