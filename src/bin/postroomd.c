/*
 * postroomd - the daemon
 */
#include "engine/engine.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: postroomd [-c CONF] [--once [--until HH:MM]] [--check]\n"
    "  -c CONF        configuration (else $POSTROOM_CONF, ./etc/postroom.conf,\n"
    "                 /etc/postroom/postroom.conf)\n"
    "  --once         work until nothing more can move now, then end\n"
    "  --until HH:MM  with --once: go on until that time of day\n"
    "  --check        read the configuration, say what is wrong, and end\n";

static const char *default_conf(void)
{
    const char *from_environment = getenv("POSTROOM_CONF");
    if (from_environment != NULL && from_environment[0] != '\0') {
        return from_environment;
    }
    return access("etc/postroom.conf", R_OK) == 0 ? "etc/postroom.conf"
                                                  : "/etc/postroom/postroom.conf";
}

/* "22:30" to minutes since midnight; -1 where it is no time of day */
static int minutes_of(const char *text)
{
    if (strlen(text) != 5 || text[2] != ':' || strspn(text, "0123456789:") != 5) {
        return -1;
    }
    int hours = (text[0] - '0') * 10 + (text[1] - '0');
    int minutes = (text[3] - '0') * 10 + (text[4] - '0');
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"once", no_argument, NULL, 'o'},
                                                 {"until", required_argument, NULL, 'u'},
                                                 {"check", no_argument, NULL, 'k'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    struct engine_options options = {.conf_path = default_conf(), .until_minutes = -1};
    bool is_check = false;
    bool is_wrong = false;
    for (int c; (c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            options.conf_path = optarg;
            break;
        case 'o':
            options.is_once = true;
            break;
        case 'u':
            options.until_minutes = minutes_of(optarg);
            is_wrong = is_wrong || options.until_minutes < 0;
            break;
        case 'k':
            is_check = true;
            break;
        case 'h':
            (void)fputs(USAGE, stdout);
            return EX_OK;
        default:
            is_wrong = true;
            break;
        }
    }
    if (is_wrong || optind != argc || (options.until_minutes >= 0 && !options.is_once)) {
        (void)fputs(USAGE, stderr);
        return EX_USAGE;
    }
    return is_check ? engine_check(options.conf_path) : engine_run(&options);
}
