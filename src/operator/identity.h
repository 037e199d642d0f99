/*
 * identity - who dropped a file: its owner on this machine, mapped to an operator
 *
 * The order is open without following or blocking, look at the open file, read it exactly once,
 * look again (reliability: what was checked is what is read). Results: RC_PERM it will never be
 * taken as it is; RC_TEMP look again later; RC_GONE its owner took it back.
 */
#ifndef POSTROOM_OPERATOR_IDENTITY_H
#define POSTROOM_OPERATOR_IDENTITY_H

#include "base/buf.h"
#include "base/err.h"
#include "operator/person.h"
#include "sys/user.h"

#include <stdint.h>
#include <sys/stat.h>

struct identity {
    const struct person *person; /* of `people`; set by identity_of_uid */
    uid_t uid;
    char user[USER_NAME_BYTES]; /* login name; "" where the uid has none */
    uint64_t size_bytes;
    int64_t mtime_ns; /* compare with that of basis/STEP: an earlier decision is stale */
    int64_t ctime_ns;
    uint64_t device, inode;
};

/*
 * identity_open - open a file in a door and look at it
 *
 * name      one name in dirfd, no slash (RC_PERM)
 * file      how texts call it
 * max_bytes RC_RANGE when it is longer
 * out_fd    for identity_read; the caller drops it (fs_drop). -1 after a failure
 * Returns   RC_OK; RC_GONE; RC_PERM a symlink, not a regular file, hard-linked, writable by group
 * or others, or empty; RC_RANGE; RC_TEMP (also: a regular file that may not be
 *           read: it stays where it is until its mode changes)
 */
enum rc identity_open(int dirfd, const char *name, const char *file, uint64_t max_bytes,
                      int *out_fd, struct identity *out, struct err *err) MUST_CHECK;

/*
 * identity_check_stat - the pure part of identity_open: may such a file be a decision
 * Returns RC_OK; RC_GONE no link left; RC_PERM; RC_RANGE
 */
enum rc identity_check_stat(const struct stat *status, const char *file, uint64_t max_bytes,
                            struct err *err) MUST_CHECK;

/*
 * identity_read - append all of the file to `out`, once, and look again
 * Returns RC_OK; RC_TEMP it changed while it was read (out may hold part of it), or reading failed;
 * RC_GONE it was removed; RC_NOMEM
 */
enum rc identity_read(int fd, const char *file, const struct identity *identity, struct buf *out,
                      struct err *err) MUST_CHECK;

/*
 * identity_of_uid - the operator whose `user` is this uid's login name
 *
 * out_person  NULL unless RC_OK
 * out_user    login name; "" where there is none; USER_NAME_BYTES
 * Returns     RC_OK; RC_PERM no such user here, a stranger, or an account that several operators
 * share (who it was cannot be told without a signature); RC_TEMP the user database cannot be read
 * now
 */
enum rc identity_of_uid(uid_t uid, struct people people, const char *file,
                        const struct person **out_person, char out_user[USER_NAME_BYTES],
                        struct err *err) MUST_CHECK;

/* identity_check_folder - a decision in approved/OPERATOR/ is that operator's: RC_OK; RC_PERM it is
 * not */
enum rc identity_check_folder(const struct person *person, const char *folder, const char *file,
                              struct err *err) MUST_CHECK;

/* identity_is_signature_name - NAME.sig: the signature of the decision NAME */
bool identity_is_signature_name(const char *name);

/* identity_refuse_signature - RC_PERM with the text that signatures are not available in this
 * version */
enum rc identity_refuse_signature(const char *file, struct err *err) MUST_CHECK;

#endif
