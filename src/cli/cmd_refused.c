/*
 * refused - drops that could not be accepted, and why
 */
#include "cli/commands.h"
#include "cli/deliveries.h"
#include "cli/out.h"

#include "spool/refuse.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

enum { REFUSED_COLUMNS = 3 };

/* One refusal; passed over where it went away meanwhile. */
static int add_refusal(const struct cli *cli, const char *reason_name, bool is_json,
                       struct out_table *table)
{
    char name[REFUSE_NAME_BYTES];
    char when[OUT_WHEN_BYTES];
    size_t len = strlen(reason_name) - strlen(".reason");
    struct stat status;
    struct buf reason = BUF_EMPTY;
    struct err err = {{0}};
    if (len >= sizeof name || fstatat(spool_dir(cli->spool, SPOOL_REFUSED), reason_name, &status,
                                      AT_SYMLINK_NOFOLLOW) != 0) {
        return CLI_GO_ON;
    }
    memcpy(name, reason_name, len);
    name[len] = '\0';
    enum rc rc = refusal_text(cli, name, &reason, &err);
    int64_t at_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec;
    int code = CLI_GO_ON;
    if (rc == RC_OK && is_json) {
        json_t *object = json_object();
        json_put_text(object, "name", name);
        json_put_when(object, "time", at_ns);
        json_put_text(object, "reason", buf_text(&reason));
        code = json_print(object);
        code = code == EX_OK ? CLI_GO_ON : code;
    } else if (rc == RC_OK) {
        char *newline = reason.ptr == NULL ? NULL : strchr(reason.ptr, '\n');
        if (newline != NULL) {
            *newline = '\0';
        }
        table_cell(table, name);
        table_cell(table, out_when(at_ns, when));
        table_cell(table, buf_text(&reason));
    } else if (rc != RC_GONE) {
        cli_say_error("refused/%s: %s", reason_name, err.text);
    }
    buf_release(&reason);
    return code;
}

static bool is_reason(const char *name)
{
    size_t len = strlen(name);
    return len > strlen(".reason") && strcmp(name + len - strlen(".reason"), ".reason") == 0;
}

int cmd_refused(struct cli *cli, int argc, char **argv)
{
    bool is_json = false;
    const struct cli_option options[] = {{"json", '\0', NULL, &is_json}};
    int code = cli_options(cli, options, 1, &argc, &argv);
    if (code == CLI_GO_ON && argc > 0) {
        code = cli_usage(cli, "%s: no argument is wanted", argv[0]);
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    if (code != CLI_GO_ON || spool_dir(cli->spool, SPOOL_REFUSED) < 0) {
        return code == CLI_GO_ON ? EX_OK : code;
    }
    struct err err = {{0}};
    struct fs_names names = FS_NAMES_EMPTY;
    struct out_table table = OUT_TABLE(REFUSED_COLUMNS, 0);
    enum rc rc = fs_list(spool_dir(cli->spool, SPOOL_REFUSED), FS_TREE_ENTRIES_MAX, &names, &err);
    if (rc != RC_OK) {
        return cli_fail(rc, &err);
    }
    for (size_t i = 0; code == CLI_GO_ON && i < names.count; i++) {
        if (is_reason(names.names[i])) {
            code = add_refusal(cli, names.names[i], is_json, &table);
        }
    }
    fs_names_release(&names);
    if (!table_print(&table, 0) && code == CLI_GO_ON) {
        code = cli_no_memory();
    }
    return code == CLI_GO_ON ? EX_OK : code;
}
