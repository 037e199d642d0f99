/*
 * archive_support - sample bytes, and other people's programs to read what we wrote
 */
#ifndef POSTROOM_TESTS_UNIT_PACK_ARCHIVE_SUPPORT_H
#define POSTROOM_TESTS_UNIT_PACK_ARCHIVE_SUPPORT_H

#include "unit/sys/support.h"

#include "base/buf.h"
#include "base/digest.h"

#include <sys/wait.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { COMMAND_BYTES = 4096 };

static inline uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13; /* xorshift64 */
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Lines like a router's file: compresses to a quarter. */
static inline void fill_text(struct buf *out, size_t len)
{
    static const char *const names[] = {"Martin", "Dubois", "Lefebvre", "Müller", "Garcia"};
    static const char *const streets[] = {"rue Pasteur", "avenue Foch", "place de la Gare"};
    uint64_t seed = 88172645463325252U;
    for (uint64_t i = 1; out->len < len; i++) {
        uint64_t random = next_random(&seed);
        buf_add_format(out, "letter-%llu;%s;%u %s;%05u;%llx\r\n", (unsigned long long)i,
                       names[random % COUNT(names)], (unsigned)(random >> 8 & 255),
                       streets[(random >> 16) % COUNT(streets)], (unsigned)(random >> 20 & 0xFFFF),
                       (unsigned long long)(random >> 40));
    }
    out->len = len;
}

static inline void fill_random(struct buf *out, size_t len)
{
    uint64_t seed = 2463534242U;
    while (out->len < len) {
        uint64_t random = next_random(&seed);
        buf_add(out, &random, sizeof random);
    }
    out->len = len;
}

static inline bool has_program(const char *name)
{
    char command[COMMAND_BYTES];
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
    return system(command) == 0;
}

/* True where the program is there; says SKIPPED where it is not. */
static inline bool can_use(const char *name)
{
    if (has_program(name)) {
        return true;
    }
    print_message("SKIPPED: %s is not installed\n", name);
    return false;
}

/* Runs a shell command quietly in the place; its exit status. The text is ours alone. */
static inline int PRINTF_LIKE(2, 3) run_in(const struct place *place, const char *format, ...)
{
    char command[COMMAND_BYTES];
    int len = snprintf(command, sizeof command, "cd '%s' && exec >out.log 2>&1; ", place->path);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command + len, sizeof command - (size_t)len, format, args);
    va_end(args);
    int status = system(command);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
    if (code != 0) {
        print_message("exit %d: %s\n%s\n", code, command, text_of(place->fd, "out.log"));
    }
    return code;
}

/* SHA-256 of what a shell command in the place writes to its standard output. */
static inline void PRINTF_LIKE(3, 4)
    digest_of(const struct place *place, char out_hex[SHA256_HEX_BYTES], const char *format, ...)
{
    char command[COMMAND_BYTES];
    int len = snprintf(command, sizeof command, "cd '%s' && ", place->path);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command + len, sizeof command - (size_t)len, format, args);
    va_end(args);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    struct sha256 *sha = sha256_open();
    static char bytes[65536];
    size_t got;
    while ((got = fread(bytes, 1, sizeof bytes, pipe)) > 0) {
        sha256_add(sha, bytes, got);
    }
    sha256_end(sha, out_hex);
    sha256_free(sha);
    assert_int_equal(pclose(pipe), 0);
}

/* A whole file's bytes, to be released by the caller. */
static inline struct buf bytes_of(int dirfd, const char *name)
{
    struct buf bytes = BUF_EMPTY;
    assert_int_equal(fs_read_small(dirfd, name, (size_t)1 << 30, &bytes, NULL), RC_OK);
    return bytes;
}

static inline void assert_ok(enum rc rc, const struct err *err)
{
    if (rc != RC_OK) {
        print_message("%s: %s\n", rc_name(rc), err->text);
    }
    assert_int_equal(rc, RC_OK);
}

#endif
