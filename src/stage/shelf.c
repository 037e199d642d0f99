/*
 * shelf - deliveries kept open between two steps that follow each other
 */
#include "stage/shelf.h"

#include "base/digest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What tells a file from any that takes its place: a new one has another number, and a freed number
 * is not given out again within the same change time. */
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

struct spot {
    struct subject subject; /* dirfd -1: empty */
    ino_t dir_ino;
    struct stamp settings;
    ino_t journal_ino;
    uint64_t laid; /* which put it was: the smallest is the oldest */
};

struct shelf {
    struct spot spots[SHELF_SETS][SHELF_WAYS];
    uint64_t puts;
};

enum rc shelf_open(struct shelf **out, struct err *err)
{
    struct shelf *shelf = calloc(1, sizeof *shelf);
    if (shelf == NULL) {
        return err_set(err, RC_NOMEM, "no memory for open deliveries");
    }
    for (size_t i = 0; i < SHELF_SETS; i++) {
        for (size_t j = 0; j < SHELF_WAYS; j++) {
            shelf->spots[i][j].subject = SUBJECT_NONE;
        }
    }
    *out = shelf;
    return RC_OK;
}

void shelf_free(struct shelf *shelf)
{
    for (size_t i = 0; shelf != NULL && i < SHELF_SETS; i++) {
        for (size_t j = 0; j < SHELF_WAYS; j++) {
            subject_close(&shelf->spots[i][j].subject);
        }
    }
    free(shelf);
}

static struct spot *set_of(struct shelf *shelf, const char *id)
{
    return shelf->spots[hash64(id, strlen(id), 0) % SHELF_SETS];
}

static bool stamp_settings(int dirfd, struct stamp *out)
{
    struct stat status;
    if (fstatat(dirfd, SETTINGS_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    *out = (struct stamp){status.st_dev, status.st_ino, status.st_size, status.st_ctim};
    return true;
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The journal is appended to by the daemon alone: one of that length is the one that was folded. */
static bool stamp_journal(const struct subject *subject, ino_t *out)
{
    struct stat status;
    if (fstatat(subject->dirfd, JOURNAL_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        (uint64_t)status.st_size != subject->view.tail.whole_bytes) {
        return false;
    }
    *out = status.st_ino;
    return true;
}

void shelf_put(struct shelf *shelf, struct subject *take_subject)
{
    struct spot spot = {.subject = *take_subject};
    struct stat status;
    *take_subject = SUBJECT_NONE;
    bool is_good = shelf != NULL && spot.subject.dirfd >= 0 && spot.subject.order != NULL &&
                   fstat(spot.subject.dirfd, &status) == 0 &&
                   stamp_settings(spot.subject.dirfd, &spot.settings) &&
                   stamp_journal(&spot.subject, &spot.journal_ino);
    if (!is_good) {
        subject_close(&spot.subject);
        return;
    }
    spot.dir_ino = status.st_ino;
    spot.laid = ++shelf->puts;
    struct spot *set = set_of(shelf, spot.subject.id);
    struct spot *to = &set[0];
    for (size_t i = 0; i < SHELF_WAYS; i++) {
        if (strcmp(set[i].subject.id, spot.subject.id) == 0) {
            to = &set[i]; /* an older reading of the same */
            break;
        }
        to = set[i].laid < to->laid ? &set[i] : to;
    }
    subject_close(&to->subject);
    *to = spot;
}

/* It still lies where it lay, and settings and journal are the ones that were read. */
static bool is_unchanged(const struct spot *spot, const struct spool *spool)
{
    const struct subject *subject = &spot->subject;
    struct stat status;
    struct stamp settings;
    ino_t journal_ino = 0;
    return fstatat(stage_dir(spool, subject->stage), subject->id, &status, AT_SYMLINK_NOFOLLOW) ==
               0 &&
           status.st_ino == spot->dir_ino && stamp_settings(subject->dirfd, &settings) &&
           is_same(&settings, &spot->settings) && stamp_journal(subject, &journal_ino) &&
           journal_ino == spot->journal_ino;
}

bool shelf_take(struct shelf *shelf, const struct spool *spool, const char *id, struct subject *out)
{
    struct spot *set = shelf == NULL ? NULL : set_of(shelf, id);
    for (size_t i = 0; set != NULL && i < SHELF_WAYS; i++) {
        struct spot *spot = &set[i];
        if (strcmp(spot->subject.id, id) != 0) {
            continue;
        }
        bool is_good = is_unchanged(spot, spool);
        if (is_good) {
            *out = spot->subject;
        } else {
            subject_close(&spot->subject);
        }
        *spot = (struct spot){.subject = SUBJECT_NONE};
        return is_good;
    }
    return false;
}
