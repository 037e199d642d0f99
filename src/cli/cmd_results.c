/*
 * results - what became of each recipient, as CSV
 */
#include "cli/commands.h"
#include "cli/deliveries.h"
#include "cli/results.h"

#include <stdio.h>
#include <sysexits.h>

static enum rc put(void *ctx, struct slice text, struct err *err)
{
    (void)ctx;
    /* A closed pipe or a full disk is told where stdout is flushed at the end. */
    return fwrite(text.ptr, 1, text.len, stdout) == text.len
               ? RC_OK
               : err_set(err, RC_IO, "stdout: what was printed could not be written");
}

int cmd_results(struct cli *cli, int argc, char **argv)
{
    struct subject subject = SUBJECT_NONE;
    int code = cli_options(cli, NULL, 0, &argc, &argv);
    if (code == CLI_GO_ON && argc != 1) {
        code = cli_usage(cli, "one delivery is wanted");
    }
    code = code == CLI_GO_ON ? cli_spool(cli) : code;
    code = code == CLI_GO_ON ? delivery_open(cli, argv[0], &subject) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    struct err err = {{0}};
    if (subject.order->channel == HOUSE_MAIL) {
        cli_say_error("%s: what became of paper is in the router's reports; they are not available "
                      "in this version",
                      subject.id);
        code = EX_UNAVAILABLE;
    } else {
        bool is_sending = subject.view.state == STATE_SENDING && cli_is_running(cli, NULL);
        enum rc rc = results_print(subject.dirfd, subject.id, is_sending, put, NULL, &err);
        code = rc == RC_OK ? EX_OK : cli_fail(rc, &err);
    }
    subject_close(&subject);
    return code;
}
