/*
 * postroom - the command
 */
#include "cli/cli.h"

#include <locale.h>

int main(int argc, char **argv)
{
    /* libarchive writes names as the locale has them; ours are UTF-8. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return cli_main(argc, argv);
}
