/*
 * checking - what would happen to a delivery if it were dropped: for check and submit
 */
#ifndef POSTROOM_CLI_CHECKING_H
#define POSTROOM_CLI_CHECKING_H

#include "cli/cli.h"
#include "spool/door.h"
#include "stage/prepare.h"

enum { CHECKING_NAME_BYTES = ID_BYTES_MAX + 1, CHECKING_WARNINGS_MAX = 64 };

struct checking {
    struct problems problems;
    struct prepared prepared; /* prepared.order is NULL where it did not come that far */
    const char *stock_warnings[CHECKING_WARNINGS_MAX];
    size_t stock_warning_count;
    bool is_partial; /* files come from the revision before: settings were looked at, rows were not
                      */
    struct cli *cli;
};

/*
 * checking_run - read, check and count; errors are collected, not told. Draws a bar on a terminal.
 *
 * dirfd    holds delivery.conf and what it names
 * id       of the delivery
 * Returns  CLI_GO_ON (errors may have been found: problems.error_count); else the code to end with,
 * told. Release *out in either case.
 */
int checking_run(struct cli *cli, int dirfd, const char *id, struct checking **out);

/* checking_tell - problems on stderr; 0, or 65 where there are errors */
int checking_tell(const struct checking *checking);

void checking_free(struct checking *checking);

/* checking_id - the id that a folder or package of that path has; false where it can be none
 * out_kind  of a package; NULL: it is a folder */
bool checking_id(const char *path, enum drop_kind *out_kind, char out[CHECKING_NAME_BYTES]);

#endif
