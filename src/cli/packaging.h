/*
 * packaging - a folder as one package: what `submit` drops, so that nothing arrives by halves
 */
#ifndef POSTROOM_CLI_PACKAGING_H
#define POSTROOM_CLI_PACKAGING_H

#include "conf/problems.h"
#include "sys/fs.h"

/*
 * packaging_list - the files of a folder that travel: all but those whose names begin with a dot or
 * mark something unfinished (.tmp, .part, .filepart, ~)
 *
 * problems  gets what may not travel: a name that is not plain, a link, a folder
 * Returns   RC_OK (look at problems); RC_RANGE too many; RC_TEMP, RC_NOMEM. Release *out by
 * fs_names_release().
 */
enum rc packaging_list(int dirfd, struct fs_names *out, struct problems *problems,
                       struct err *err) MUST_CHECK;

/*
 * packaging_write - a .tar.zst of these files into out_fd; the same files give the same bytes but
 * for their times Returns RC_OK; RC_GONE, RC_PERM a file; RC_TEMP the disk is full, or a file
 * became shorter meanwhile; RC_NOMEM
 */
enum rc packaging_write(int dirfd, const struct fs_names *names, int out_fd,
                        struct err *err) MUST_CHECK;

#endif
