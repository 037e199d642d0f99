/*
 * undo - what an extraction brought about is taken back
 */
#include "stage/undo.h"

#include "conf/schema.h"
#include "stage/cost.h"
#include "stage/prepare.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>

enum rc undo_extraction(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                        struct err *err)
{
    uint64_t round = subject->view.extraction_round;
    if (round == 0) {
        return RC_OK;
    }
    enum rc rc = cost_reverse(env, subject->order, round, now_ns, err);
    if (rc != RC_OK || !fs_exists(subject->dirfd, "extraction")) {
        return rc;
    }
    int revisions = -1;
    char name[64];
    (void)snprintf(name, sizeof name, "extraction-%llu", (unsigned long long)round);
    rc = fs_make_dir(subject->dirfd, "revisions", 0750, env->group_gid, err);
    rc = rc == RC_EXISTS ? RC_OK : rc;
    rc = rc == RC_OK ? fs_open_dir(subject->dirfd, "revisions", &revisions, err) : rc;
    rc = rc == RC_OK ? fs_move_noreplace(subject->dirfd, "extraction", revisions, name, err) : rc;
    fs_drop(&revisions);
    return rc;
}

/* The layout as it stands, with what the text gives put over it. */
static enum rc read_layout(struct subject *subject, const char *layout, const char *file,
                           struct problems *problems, struct arena *arena, struct house_layout *out,
                           struct err *err)
{
    struct conf_tree *tree = NULL;
    enum rc rc = conf_tree_parse(slice_of(layout), GUARD_DECISION, file, problems, &tree, err);
    if (rc == RC_OK) {
        struct schema_reader reader = {.arena = arena, .problems = problems, .file = file};
        const config_setting_t *group =
            config_setting_get_member((config_setting_t *)conf_tree_root(tree), "layout");
        *out = subject->order->layout;
        rc = group == NULL ? err_set(err, RC_PERM, "%s: no layout in it", file)
                           : schema_read(&reader, &house_layout_schema, group, out, err);
    }
    rc = rc == RC_OK ? problems_rc(problems, err) : rc;
    conf_tree_free(tree);
    return rc;
}

enum rc undo_check_layout(const struct subject *subject, const char *layout, const char *file,
                          struct err *err)
{
    struct arena arena = ARENA_EMPTY;
    struct house_layout read;
    struct problems *problems = calloc(1, sizeof *problems);
    if (problems == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a layout");
    }
    problems_init(problems);
    enum rc rc = read_layout((struct subject *)subject, layout, file, problems, &arena, &read, err);
    if (rc == RC_OK) {
        rc = prepare_check_layout(subject->dirfd, subject->order, &read, err);
    }
    problems_release(problems);
    free(problems);
    arena_release(&arena);
    return rc;
}

enum rc undo_set_layout(struct subject *subject, const char *layout, const char *file,
                        struct err *err)
{
    struct arena arena = ARENA_EMPTY;
    struct house_layout read;
    struct buf text = BUF_EMPTY;
    struct problems *problems = calloc(1, sizeof *problems);
    if (problems == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a layout");
    }
    problems_init(problems);
    enum rc rc = read_layout(subject, layout, file, problems, &arena, &read, err);
    rc = rc == RC_OK ? order_set_layout(subject->order, &read, err) : rc;
    if (rc == RC_OK) {
        order_write(subject->order, &text);
        rc = buf_ok(&text, err);
    }
    if (rc == RC_OK) {
        rc = fs_put_volatile(subject->dirfd, "settings.conf", 0640, text.ptr, text.len, err);
    }
    problems_release(problems);
    free(problems);
    buf_release(&text);
    arena_release(&arena);
    return rc;
}
