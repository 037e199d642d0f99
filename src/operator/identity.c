/*
 * identity - the owner of a dropped file, and the file as it was when it was looked at
 */
#include "operator/identity.h"

#include "base/instant.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum { OTHERS_MAY_WRITE = S_IWGRP | S_IWOTH };

static int64_t ns_of(struct timespec at)
{
    return (int64_t)at.tv_sec * NS_PER_SECOND + at.tv_nsec;
}

/* Why a name could not be opened, in words: the kernel's errno says little to who dropped it. */
static enum rc explain_open(int dirfd, const char *name, const char *file, enum rc rc,
                            struct err *err)
{
    struct stat status;
    if (rc != RC_PERM || fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_add(err, rc, "%s", file);
    }
    if (S_ISLNK(status.st_mode)) {
        return err_set(err, RC_PERM, "%s: it is a symbolic link; drop the file itself", file);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, RC_PERM, "%s: it is not a regular file; drop a file", file);
    }
    /* Still in the owner's hands: it stays until its mode changes. */
    return err_set(err, RC_TEMP,
                   "%s: postroomd may not read it; give the group or everybody read permission",
                   file);
}

enum rc identity_check_stat(const struct stat *status, const char *file, uint64_t max_bytes,
                            struct err *err)
{
    if (!S_ISREG(status->st_mode)) {
        return err_set(err, RC_PERM, "%s: it is not a regular file; drop a file", file);
    }
    if (status->st_nlink == 0) {
        return err_set(err, RC_GONE, "%s: it was removed meanwhile", file);
    }
    if (status->st_nlink > 1) {
        return err_set(err, RC_PERM,
                       "%s: it has %" PRIuMAX " names (hard links), so others may change it; drop "
                       "a copy of its own",
                       file, (uintmax_t)status->st_nlink);
    }
    if ((status->st_mode & OTHERS_MAY_WRITE) != 0) {
        return err_set(err, RC_PERM,
                       "%s: others than its owner may write it (mode %04o), so who wrote it is not "
                       "known; chmod go-w before dropping it",
                       file, (unsigned)(status->st_mode & 07777));
    }
    if (status->st_size <= 0) {
        return err_set(err, RC_PERM, "%s: it is empty; write it elsewhere and drop it by rename",
                       file);
    }
    if ((uint64_t)status->st_size > max_bytes) {
        bool is_kib = max_bytes % 1024 == 0;
        return err_set(
            err, RC_RANGE, "%s: has %" PRIdMAX " bytes, %" PRIu64 "%s are allowed; say less", file,
            (intmax_t)status->st_size, is_kib ? max_bytes / 1024 : max_bytes, is_kib ? " KiB" : "");
    }
    return RC_OK;
}

static void fill(struct identity *out, const struct stat *status)
{
    *out = (struct identity){
        .person = NULL,
        .uid = status->st_uid,
        .user = "",
        .size_bytes = (uint64_t)status->st_size,
        .mtime_ns = ns_of(status->st_mtim),
        .ctime_ns = ns_of(status->st_ctim),
        .device = (uint64_t)status->st_dev,
        .inode = (uint64_t)status->st_ino,
    };
}

enum rc identity_open(int dirfd, const char *name, const char *file, uint64_t max_bytes,
                      int *out_fd, struct identity *out, struct err *err)
{
    struct stat status;
    int fd = -1;
    *out_fd = -1;
    if (name[0] == '\0' || strchr(name, '/') != NULL) {
        return err_set(err, RC_PERM, "%s: it is no name of a file in that directory", file);
    }
    enum rc rc = fs_open_beneath(dirfd, name, O_RDONLY, &fd, err);
    if (rc != RC_OK) {
        return explain_open(dirfd, name, file, rc, err);
    }
    rc = fstat(fd, &status) != 0 ? err_set(err, RC_TEMP, "%s: it cannot be looked at", file)
                                 : identity_check_stat(&status, file, max_bytes, err);
    if (rc != RC_OK) {
        fs_drop(&fd);
        return rc;
    }
    fill(out, &status);
    *out_fd = fd;
    return RC_OK;
}

enum rc identity_read(int fd, const char *file, const struct identity *identity, struct buf *out,
                      struct err *err)
{
    struct stat status;
    struct identity now;
    size_t before = out->len;
    enum rc rc = fs_read_fd(fd, (size_t)identity->size_bytes, out, err);
    if (rc == RC_NOMEM || rc == RC_TEMP) {
        return err_add(err, rc, "%s", file);
    }
    if (fstat(fd, &status) != 0) {
        return err_set(err, RC_TEMP, "%s: it cannot be looked at", file);
    }
    if (status.st_nlink == 0) {
        return err_set(err, RC_GONE, "%s: it was removed meanwhile", file);
    }
    fill(&now, &status);
    if (rc != RC_OK || out->len - before != identity->size_bytes ||
        now.size_bytes != identity->size_bytes || now.mtime_ns != identity->mtime_ns ||
        now.ctime_ns != identity->ctime_ns || now.uid != identity->uid ||
        now.inode != identity->inode || now.device != identity->device) {
        return err_set(err, RC_TEMP, "%s: it changed while it was read; it is read again later",
                       file);
    }
    return RC_OK;
}

/* Exactly one operator with that login name */
static enum rc person_of_user(const char *user, struct people people, const char *file,
                              const struct person **out, struct err *err)
{
    const struct person *found = NULL;
    for (size_t i = 0; i < people.count; i++) {
        const struct person *person = &people.list[i];
        if (person->user == NULL || strcmp(person->user, user) != 0) {
            continue;
        }
        if (found != NULL) {
            return err_set(err, RC_PERM,
                           "%s: user %s stands for several operators (%s, %s), so who dropped it "
                           "cannot be told; signatures are not available in this version: give "
                           "each operator a user",
                           file, user, found->name, person->name);
        }
        found = person;
    }
    if (found == NULL) {
        return err_set(err, RC_PERM,
                       "%s: it belongs to user %s, who is no operator; an administrator can name "
                       "one with user = \"%s\" in 'operators'",
                       file, user, user);
    }
    *out = found;
    return RC_OK;
}

enum rc identity_of_uid(uid_t uid, struct people people, const char *file,
                        const struct person **out_person, char out_user[USER_NAME_BYTES],
                        struct err *err)
{
    *out_person = NULL;
    out_user[0] = '\0';
    enum rc rc = user_name(uid, out_user, err);
    if (rc == RC_GONE || rc == RC_RANGE) {
        out_user[0] = '\0';
        return err_set(err, RC_PERM,
                       "%s: it belongs to uid %" PRIuMAX ", which is no user of this machine; drop "
                       "it as an operator",
                       file, (uintmax_t)uid);
    }
    if (rc != RC_OK) {
        out_user[0] = '\0';
        return err_add(err, rc, "%s", file);
    }
    return person_of_user(out_user, people, file, out_person, err);
}

enum rc identity_check_folder(const struct person *person, const char *folder, const char *file,
                              struct err *err)
{
    if (strcmp(person->name, folder) == 0) {
        return RC_OK;
    }
    return err_set(err, RC_PERM,
                   "%s: it belongs to operator %s, and %s/ is for the decisions of %s alone; drop "
                   "it in a directory of its own operator or in the door itself",
                   file, person->name, folder, folder);
}

bool identity_is_signature_name(const char *name)
{
    size_t len = strlen(name);
    return len > strlen(".sig") && strcmp(name + len - strlen(".sig"), ".sig") == 0;
}

enum rc identity_refuse_signature(const char *file, struct err *err)
{
    return err_set(err, RC_PERM,
                   "%s: signatures are not available in this version; drop the decision alone, as "
                   "a user who is an operator",
                   file);
}
