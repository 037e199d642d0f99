/*
 * options - a command's options, by getopt_long
 */
#include "base/name.h"
#include "cli/cli.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

enum { LONG_BASE = 1000, HELP = 999 }; /* values of long options, out of the way of letters */

struct tables {
    struct option longs[CLI_OPTIONS_MAX + 2];
    char shorts[2 * CLI_OPTIONS_MAX + 4];
};

static void fill_tables(struct tables *tables, const struct cli_option *rows, size_t count)
{
    size_t at = 0;
    tables->shorts[at++] = ':'; /* a missing argument is told as ':' */
    for (size_t i = 0; i < count; i++) {
        bool takes = rows[i].value != NULL;
        tables->longs[i] = (struct option){rows[i].name, takes ? required_argument : no_argument,
                                           NULL, LONG_BASE + (int)i};
        if (rows[i].letter != '\0') {
            tables->shorts[at++] = rows[i].letter;
            if (takes) {
                tables->shorts[at++] = ':';
            }
        }
    }
    tables->longs[count] = (struct option){"help", no_argument, NULL, HELP};
    tables->longs[count + 1] = (struct option){NULL, 0, NULL, 0};
    tables->shorts[at] = '\0';
}

static int unknown_option(const struct cli *cli, const struct cli_option *rows, size_t count,
                          const char *given)
{
    const char *names[CLI_OPTIONS_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        names[i] = rows[i].name;
    }
    struct slice name = slice_of(given);
    while (name.len > 0 && name.ptr[0] == '-') {
        name = (struct slice){name.ptr + 1, name.len - 1};
    }
    const char *nearest = count == 0 ? NULL : name_nearest(name, names, count);
    if (nearest != NULL && name.len > 1) {
        return cli_usage(cli, "%s is no option here (did you mean --%s?)", given, nearest);
    }
    return cli_usage(cli, "%s is no option here", given);
}

static const struct cli_option *row_of(const struct cli_option *rows, size_t count, int c)
{
    if (c >= LONG_BASE && (size_t)(c - LONG_BASE) < count) {
        return &rows[c - LONG_BASE];
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].letter != '\0' && rows[i].letter == c) {
            return &rows[i];
        }
    }
    return NULL;
}

int cli_options(const struct cli *cli, const struct cli_option *rows, size_t count, int *argc,
                char ***argv)
{
    struct tables tables;
    assert(count <= CLI_OPTIONS_MAX);
    fill_tables(&tables, rows, count);
    optind = 0; /* glibc: begin anew, with this argv */
    opterr = 0;
    for (int c; (c = getopt_long(*argc, *argv, tables.shorts, tables.longs, NULL)) != -1;) {
        const char *given = (*argv)[optind > 0 ? optind - 1 : 0];
        if (c == HELP) {
            return cli_help(cli, cli->command);
        }
        const struct cli_option *row = row_of(rows, count, c);
        if (c == ':') {
            return cli_usage(cli, "%s wants a value", given);
        }
        if (row == NULL) {
            return unknown_option(cli, rows, count, given);
        }
        if (row->value != NULL) {
            *row->value = optarg;
        } else {
            *row->flag = true;
        }
    }
    *argc -= optind;
    *argv += optind;
    return CLI_GO_ON;
}

int cli_ids_ok(const struct cli *cli, char *const *ids, int count)
{
    for (int i = 0; i < count; i++) {
        if (!id_is_valid(slice_of(ids[i]))) {
            return cli_usage(cli, "%s is no delivery id (1 to 64 of A-Z a-z 0-9 . _ -)", ids[i]);
        }
    }
    return CLI_GO_ON;
}
