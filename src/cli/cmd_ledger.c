/*
 * ledger - verify the two journals, or show their heads
 */
#include "cli/commands.h"
#include "cli/decide.h"
#include "cli/money.h"
#include "cli/out.h"
#include "cli/witness.h"

#include "ledger/read.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { VERIFY_TRIES = 3, VERIFY_PAUSE_MS = 200, WITNESSES_MAX = 10000 };

struct verify {
    struct cli *cli;
    struct witness *witnesses; /* each file's */
    size_t count;
};

/* --- one journal --- */

/* A writer at work may look like damage or a torn tail for an instant: what stays is a fault. */
static enum rc verify_patiently(int fd, const char *name, const struct ledger_witness *witnesses,
                                size_t count, struct ledger_extent *extent, struct err *err)
{
    enum rc rc = RC_OK;
    for (int i = 0; i < VERIFY_TRIES; i++) {
        rc = ledger_verify(fd, name, witnesses, count, extent, err);
        if (rc != RC_CORRUPT && rc != RC_STATE) {
            break;
        }
        pause_ms(VERIFY_PAUSE_MS);
    }
    return rc;
}

static int tell_absent(const char *name, const struct ledger_witness *witnesses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (witnesses[i].number > 0) {
            cli_say_error("ledger/%s: is not there, but %s has seen its entry %" PRIu64
                          "; find out who removed it",
                          name, witnesses[i].from, witnesses[i].number);
            return EX_DATAERR;
        }
    }
    out_line("%s: no entries yet", name);
    return EX_OK;
}

static int verify_journal(const struct verify *verify, const char *name, bool is_cost)
{
    struct ledger_witness *witnesses = calloc(verify->count + 1, sizeof *witnesses);
    struct ledger_extent extent = {0};
    struct err err = {{0}};
    int fd = -1;
    int code = EX_OK;
    if (witnesses == NULL) {
        return cli_no_memory();
    }
    for (size_t i = 0; verify->witnesses != NULL && i < verify->count; i++) {
        witnesses[i] = is_cost ? verify->witnesses[i].cost : verify->witnesses[i].stock;
    }
    enum rc rc = ledger_file_open(verify->cli, name, &fd, &err);
    if (rc == RC_OK && fd < 0) {
        code = tell_absent(name, witnesses, verify->count);
    } else if (rc == RC_OK) {
        rc = verify_patiently(fd, name, witnesses, verify->count, &extent, &err);
    }
    if (rc != RC_OK) {
        code = cli_fail(rc, &err);
    } else if (fd >= 0) {
        out_line("%s: %" PRIu64 " entries, whole%s; head %s", name, extent.number,
                 verify->count > 0 ? ", witnesses met" : "", extent.hash);
    }
    fs_drop(&fd);
    free(witnesses);
    return code;
}

static int run_verify(struct cli *cli, const char *first, char **others, int other_count)
{
    size_t count = (first != NULL ? 1U : 0U) + (size_t)other_count;
    if (count > WITNESSES_MAX) {
        return cli_usage(cli, "more than %d witnesses", WITNESSES_MAX);
    }
    struct verify verify = {.cli = cli, .witnesses = calloc(count + 1, sizeof(struct witness))};
    int code = verify.witnesses == NULL ? cli_no_memory() : CLI_GO_ON;
    for (size_t i = 0; code == CLI_GO_ON && i < count; i++) {
        struct err err = {{0}};
        const char *path = first != NULL && i == 0 ? first : others[i - (first != NULL)];
        enum rc rc = witness_read(path, &verify.witnesses[verify.count++], &err);
        code = rc == RC_OK ? CLI_GO_ON : cli_fail(rc, &err);
    }
    if (code == CLI_GO_ON) {
        code = verify_journal(&verify, COST_JOURNAL, true);
        int other = verify_journal(&verify, STOCK_JOURNAL, false);
        code = code == EX_OK ? other : code;
    }
    free(verify.witnesses);
    return code;
}

/* --- heads --- */

static enum rc head_of(const struct cli *cli, const char *name, struct ledger_extent *out,
                       struct err *err)
{
    int fd = -1;
    *out = (struct ledger_extent){0};
    memset(out->hash, '0', SHA256_HEX_BYTES - 1);
    enum rc rc = ledger_file_open(cli, name, &fd, err);
    if (rc == RC_OK && fd >= 0) {
        rc = ledger_read(fd, name, NULL, NULL, out, err);
    }
    fs_drop(&fd);
    return rc;
}

static int run_head(const struct cli *cli, bool is_json)
{
    static const char *const journals[] = {COST_JOURNAL, STOCK_JOURNAL};
    static const char *const names[] = {"cost", "stock"};
    json_t *root = json_object();
    int code = EX_OK;
    for (size_t i = 0; i < 2; i++) {
        struct ledger_extent extent;
        struct err err = {{0}};
        enum rc rc = head_of(cli, journals[i], &extent, &err);
        if (rc != RC_OK) {
            code = cli_fail(rc, &err);
            continue;
        }
        json_t *head = json_object();
        json_put_count(head, "number", extent.number);
        json_put_text(head, "hash", extent.hash);
        (void)json_object_set_new(root, names[i], head);
        if (!is_json) {
            out_line("%-5s %" PRIu64 " %s", names[i], extent.number, extent.hash);
        }
    }
    if (!is_json) {
        json_decref(root);
        return code;
    }
    int printed = json_print(root);
    return code == EX_OK ? printed : code;
}

int cmd_ledger(struct cli *cli, int argc, char **argv)
{
    const char *witness = NULL;
    bool is_json = false;
    const struct cli_option options[] = {{"witness", '\0', &witness, NULL},
                                         {"json", '\0', NULL, &is_json}};
    int code = cli_options(cli, options, 2, &argc, &argv);
    if (code != CLI_GO_ON) {
        return code;
    }
    bool is_verify = argc > 0 && strcmp(argv[0], "verify") == 0;
    bool is_head = argc == 1 && strcmp(argv[0], "head") == 0;
    if (!is_verify && !is_head) {
        return cli_usage(cli, "verify or head is wanted");
    }
    if (argc > 1 && witness == NULL) {
        return cli_usage(cli, "%s: name witnesses behind --witness", argv[1]);
    }
    code = cli_spool(cli);
    if (code != CLI_GO_ON) {
        return code;
    }
    return is_verify ? run_verify(cli, witness, argv + 1, argc - 1) : run_head(cli, is_json);
}
