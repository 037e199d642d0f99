/*
 * basis - basis/STEP: `sha256sum` lines of what a step decides on
 */
#include "stage/basis.h"

#include "base/digest.h"
#include "stage/prepare.h"
#include "sys/fs.h"

#include <unistd.h>

enum { READ_BYTES = 1 << 20 };

/* One line "HEX  NAME" for a file of the delivery. */
static enum rc add_file(int dirfd, const char *name, struct buf *out, struct err *err)
{
    int fd = -1;
    struct buf block = BUF_EMPTY;
    char hex[SHA256_HEX_BYTES];
    struct sha256 *sha = sha256_open();
    enum rc rc = sha == NULL || !buf_reserve(&block, READ_BYTES)
                     ? err_set(err, RC_NOMEM, "no memory for a digest")
                     : fs_open_regular(dirfd, name, &fd, err);
    while (rc == RC_OK) {
        ssize_t got = read(fd, block.ptr, READ_BYTES);
        if (got < 0) {
            rc = err_set(err, RC_TEMP, "%s cannot be read", name);
        }
        if (got <= 0) {
            break;
        }
        sha256_add(sha, block.ptr, (size_t)got);
    }
    if (rc == RC_OK) {
        sha256_end(sha, hex);
        buf_add_format(out, "%s  %s\n", hex, name);
    }
    sha256_free(sha);
    buf_release(&block);
    fs_drop(&fd);
    return rc;
}

/* One line for settings: their frozen text has no file of its own, its name says what it is. */
static void add_settings(const struct order *order, unsigned parts, const char *name,
                         struct buf *out)
{
    struct buf text = BUF_EMPTY;
    char hex[SHA256_HEX_BYTES];
    order_write_part(order, parts, &text);
    sha256_hex(buf_text(&text), text.len, hex);
    buf_add_format(out, "%s  %s\n", hex, name);
    buf_release(&text);
}

static void add_costs(const struct cost_lines *costs, const char *currency, struct buf *out)
{
    struct buf text = BUF_EMPTY;
    char hex[SHA256_HEX_BYTES];
    for (size_t i = 0; i < costs->count; i++) {
        buf_add_format(&text, "%s/%s %lld %s\n", costs->lines[i].category, costs->lines[i].type,
                       (long long)costs->lines[i].amount_minor, currency);
    }
    sha256_hex(buf_text(&text), text.len, hex);
    buf_add_format(out, "%s  cost-lines\n", hex);
    buf_release(&text);
}

static bool belongs_to(enum order_file_role role, enum step step)
{
    bool is_selecting =
        role == ORDER_FILE_RECIPIENTS || role == ORDER_FILE_EXCLUDE || role == ORDER_FILE_SEEDS;
    return step == STEP_TARGET ? is_selecting : step == STEP_CONTENT && !is_selecting;
}

static enum rc write_step(int dirfd, int basis, const struct order *order,
                          const struct cost_lines *costs, enum step step, struct err *err)
{
    static struct order_file files[ORDER_FILES_MAX];
    struct buf lines = BUF_EMPTY;
    size_t count = order_files(order, files);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        if (belongs_to(files[i].role, step)) {
            rc = add_file(dirfd, files[i].name, &lines, err);
        }
    }
    if (step == STEP_TARGET) {
        add_settings(order, ORDER_CHANGED_TARGET, "settings-of-target", &lines);
    } else if (step == STEP_CONTENT) {
        add_settings(order, ORDER_CHANGED_CONTENT, "settings-of-content", &lines);
    } else {
        add_costs(costs, order->currency, &lines);
    }
    rc = rc == RC_OK ? buf_ok(&lines, err) : rc;
    if (rc == RC_OK) {
        rc = fs_put_new(basis, step_name(step), 0640, lines.ptr, lines.len, err);
    }
    buf_release(&lines);
    return rc;
}

enum rc basis_write(int dirfd, const struct order *order, const struct cost_lines *costs,
                    struct err *err)
{
    static const enum step steps[] = {STEP_TARGET, STEP_CONTENT, STEP_BUDGET};
    int basis = -1;
    bool waits = false;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        waits = waits || prepare_step_waits(order, steps[i]);
    }
    if (!waits) {
        return RC_OK;
    }
    enum rc rc = fs_make_dir(dirfd, "basis", 0750, -1, err);
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(dirfd, "basis", &basis, err) : rc;
    for (size_t i = 0; rc == RC_OK && i < sizeof steps / sizeof steps[0]; i++) {
        if (prepare_step_waits(order, steps[i])) {
            rc = write_step(dirfd, basis, order, costs, steps[i], err);
        }
    }
    fs_drop(&basis);
    return rc;
}
