/*
 * tree - a file of settings from bytes to libconfig's tree, by way of the guard
 */
#include "conf/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf_tree {
    config_t config;
};

/* Some editors begin UTF-8 with it; libconfig would stumble. */
static struct slice without_byte_order_mark(struct slice text)
{
    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0) {
        return (struct slice){text.ptr + 3, text.len - 3};
    }
    return text;
}

enum rc conf_tree_parse(struct slice text, enum guard_kind kind, const char *file,
                        struct problems *problems, struct conf_tree **out, struct err *err)
{
    struct err fault;
    struct slice body = without_byte_order_mark(text);
    enum rc rc = guard_check(body, kind, file, &fault);
    if (rc != RC_OK) {
        problems_add_line(problems, fault.text);
        return err_set(err, rc, "%s", fault.text);
    }
    struct buf terminated = BUF_EMPTY;
    buf_add_slice(&terminated, body);
    /* libconfig knows a comment on the last line only with its newline. */
    buf_add_byte(&terminated, '\n');
    struct conf_tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL || terminated.is_failed) {
        free(tree);
        buf_release(&terminated);
        return err_set(err, RC_NOMEM, "%s: out of memory", file);
    }
    config_init(&tree->config);
    if (config_read_string(&tree->config, terminated.ptr) != CONFIG_TRUE) {
        struct place at = {file, config_error_line(&tree->config)};
        problems_add(problems, at, "%s; keep one of each name, and one type in each [ ]",
                     config_error_text(&tree->config));
        rc = err_set(err, RC_PERM, "%s:%d: %s; keep one of each name, and one type in each [ ]",
                     file, at.line, config_error_text(&tree->config));
        conf_tree_free(tree);
        tree = NULL;
    }
    buf_release(&terminated);
    *out = tree;
    return rc;
}

const config_setting_t *conf_tree_root(const struct conf_tree *tree)
{
    return config_root_setting(&tree->config);
}

void conf_tree_free(struct conf_tree *tree)
{
    if (tree != NULL) {
        config_destroy(&tree->config);
        free(tree);
    }
}

static enum rc read_all(int fd, const char *path, size_t bytes_max, struct buf *out,
                        struct err *err)
{
    enum { BLOCK_BYTES = 64 * 1024 };
    for (;;) { /* ends: at most bytes_max / 1 + 1 rounds, each adds a byte */
        if (!buf_reserve(out, BLOCK_BYTES)) {
            return err_set(err, RC_NOMEM, "%s: out of memory", path);
        }
        ssize_t got = read(fd, out->ptr + out->len, BLOCK_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set(err, RC_PERM, "%s: cannot be read: %s", path, strerror(errno));
        }
        if (got == 0) {
            return RC_OK;
        }
        out->len += (size_t)got;
        if (out->len > bytes_max) {
            return err_set(err, RC_RANGE, "%s: larger than %zu KiB; a file of settings is not",
                           path, bytes_max >> 10);
        }
    }
}

enum rc conf_file_read(const char *path, size_t bytes_max, struct buf *out, struct err *err)
{
    /* O_NONBLOCK: a FIFO must not hold us up before fstat has seen it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        enum rc rc = errno == ENOENT || errno == ENOTDIR ? RC_GONE : RC_PERM;
        return err_set(err, rc, "%s: cannot be opened: %s", path, strerror(errno));
    }
    struct stat about;
    enum rc rc = RC_OK;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        rc = err_set(err, RC_PERM, "%s: no regular file; put a plain file there", path);
    } else {
        rc = read_all(fd, path, bytes_max, out, err);
    }
    (void)close(fd); /* only read */
    return rc;
}
