/*
 * drop - the files of a dropped directory: may they be taken, and open them
 *
 * Done by the daemon, which may be allowed to open an operator's files; the copying (spool/take.h)
 * is done by a worker that is handed the descriptors and has no such right.
 */
#ifndef POSTROOM_SPOOL_DROP_H
#define POSTROOM_SPOOL_DROP_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    DROP_FILES_MAX = 1000,      /* files of one delivery, in a directory or in a package */
    DROP_FILE_NAME_BYTES = 128, /* longest file name in a delivery */
    DROP_SHOWN_BYTES = 300      /* a raw name in an error text, cut where longer */
};

/*
 * drop_name_fault - why a file of a delivery may not have that name
 *
 * Plain names: 1 to DROP_FILE_NAME_BYTES bytes of UTF-8, no slash, backslash or control character,
 * not beginning with '.' or '-', not one of the names that postroom keeps in a delivery itself
 * (journal, basis, decisions, settings.conf, ...: docs/SPOOL.md).
 * Returns NULL when it is plain, else a static text: what is wrong; what to do
 */
const char *drop_name_fault(const char *name);

/* drop_shape_fault - the same without the reserved names: for single files in other doors */
const char *drop_shape_fault(const char *name);

/* drop_show_name - a raw name as it may stand in a text, control characters escaped; returns out */
const char *drop_show_name(const char *name, char out[DROP_SHOWN_BYTES]);

struct drop_file {
    char name[DROP_FILE_NAME_BYTES + 1];
    int fd; /* for reading; -1 after drop_check */
    uint64_t size_bytes;
};

struct drop_files {
    struct drop_file *files; /* in byte order of the names */
    size_t count;
    uint64_t total_bytes;
    uid_t uid; /* of the directory and of every file in it */
};

#define DROP_FILES_EMPTY ((struct drop_files){NULL, 0, 0, 0})

/*
 * drop_check - every file is regular, has one link, the directory's owner and a plain name; there
 * are at most DROP_FILES_MAX
 *
 * dirfd    the dropped directory, readable
 * out      names and sizes, or NULL; release it
 * Returns  RC_OK
 *          RC_PERM   the first fault, of the names, then of the files in byte order:
 *                    "NAME: is a symbolic link; ..."
 *          RC_RANGE  too many files;  RC_TEMP;  RC_NOMEM
 */
enum rc drop_check(int dirfd, struct drop_files *out, struct err *err) MUST_CHECK;

/*
 * drop_open_files - drop_check, and every file opened for reading, checked again by its descriptor
 * Returns  as drop_check; RC_TEMP also: a file changed meanwhile, or no descriptor left
 * Cost     one descriptor for each file
 */
enum rc drop_open_files(int dirfd, struct drop_files *out, struct err *err) MUST_CHECK;

/* drop_files_release - close and free; empty afterwards */
void drop_files_release(struct drop_files *files);

#endif
