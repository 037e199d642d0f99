/*
 * message - the very bytes of one message of an online delivery, on stdout
 */
#ifndef POSTROOM_CLI_MESSAGE_H
#define POSTROOM_CLI_MESSAGE_H

#include "cli/cli.h"
#include "stage/subject.h"

/*
 * message_print - the message of recipient `number`, made by the code that sends
 *
 * From the list that was fixed when sending began, else from those who would be selected now. What
 * cannot be as it would be sent (no signature, a stand-in token, another date) is said on stderr.
 * Returns  0; 65 there is no such recipient, or no message can be made for it; 77 the recipients
 * are not for the caller to read; others as cli_fail
 */
int message_print(struct cli *cli, struct subject *subject, uint64_t number);

#endif
