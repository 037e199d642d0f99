/*
 * schema-man - the settings of a file as a piece of a manual page, from the schema
 *
 *     schema-man house      postroom.conf, for postroom.conf(5)
 *     schema-man delivery   delivery.conf, for postroom-delivery(5)
 *
 * Writes roff to stdout. Exit 0; 64 usage; 74 could not be written.
 */
#include "conf/house.h"
#include "delivery/order_draft.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int main(int argc, char **argv)
{
    const struct schema *schema = NULL;
    if (argc == 2 && strcmp(argv[1], "house") == 0) {
        schema = &house_schema;
    } else if (argc == 2 && strcmp(argv[1], "delivery") == 0) {
        schema = &order_schema;
    } else {
        (void)fputs("usage: schema-man house|delivery\n", stderr);
        return EX_USAGE;
    }
    struct buf out = BUF_EMPTY;
    schema_man(schema, "", &out);
    bool is_written =
        !out.is_failed && fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_release(&out);
    return is_written ? EX_OK : EX_IOERR;
}
