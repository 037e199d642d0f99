/*
 * status - run/status.json and run/metrics.prom: what the daemon is doing, for people and monitors
 *
 * Nothing reads them back: after a crash they are only old.
 */
#include "engine/inner.h"

#include "sys/clock.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Often enough for a progress bar, seldom enough to cost nothing. */
#define STATUS_PERIOD_NS (NS_PER_SECOND / 4)

struct stage_counts {
    uint64_t by_state[STATE_COUNT];
};

static void count_state(void *ctx, struct item *item)
{
    struct stage_counts *counts = ctx;
    counts->by_state[item->state]++;
}

static void add_work(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of)
{
    json_array_append_new(ctx, json_pack("{s:s, s:s, s:I, s:I}", "id", id, "kind", kind, "done",
                                         (json_int_t)done, "of", (json_int_t)of));
}

static void sum_work(void *ctx, const char *kind, const char *id, uint64_t done, uint64_t of)
{
    (void)kind;
    (void)id;
    uint64_t *sum = ctx;
    *sum += done + of + 1;
}

static void put_json(struct engine *engine, const struct stage_counts *counts)
{
    char now[INSTANT_TEXT_BYTES];
    char since[INSTANT_TEXT_BYTES];
    json_t *working = json_array();
    json_t *states = json_object();
    crew_each(engine->crew, add_work, working);
    sends_each(engine, add_work, working);
    for (int i = STATE_NONE + 1; i < STATE_COUNT; i++) {
        if (counts->by_state[i] > 0) {
            json_object_set_new(states, state_name((enum delivery_state)i),
                                json_integer((json_int_t)counts->by_state[i]));
        }
    }
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "pid", (int)getpid(),
        "since", instant_format_seconds(engine->started_ns, since), "written",
        instant_format(clock_now_ns(), now), "conf", engine->options->conf_path, "deliveries",
        states, "working", working, "drops_waiting", (json_int_t)engine->drop_count, "taken",
        (json_int_t)engine->counters.taken, "refused", (json_int_t)engine->counters.refused,
        "handed_over", (json_int_t)engine->counters.handed_over, "finished",
        (json_int_t)engine->counters.finished, "failed", (json_int_t)engine->counters.failed,
        "feedback", (json_int_t)engine->counters.feedback);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (text != NULL) {
        (void)!fs_put_volatile(spool_dir(engine->env.spool, SPOOL_RUN), "status.json", 0640, text,
                               strlen(text), NULL);
    }
    free(text);
    json_decref(root);
}

static void put_metrics(struct engine *engine, const struct stage_counts *counts)
{
    struct buf text = BUF_EMPTY;
    const struct counters *c = &engine->counters;
    buf_add_text(&text, "# TYPE postroom_deliveries gauge\n");
    for (int i = STATE_NONE + 1; i < STATE_COUNT; i++) {
        if (counts->by_state[i] > 0) {
            buf_add_format(&text, "postroom_deliveries{state=\"%s\"} %" PRIu64 "\n",
                           state_name((enum delivery_state)i), counts->by_state[i]);
        }
    }
    buf_add_format(
        &text,
        "# TYPE postroom_taken_total counter\npostroom_taken_total %" PRIu64
        "\n# TYPE postroom_refused_total counter\npostroom_refused_total %" PRIu64
        "\n# TYPE postroom_handed_over_total counter\npostroom_handed_over_total %" PRIu64
        "\n# TYPE postroom_failed_total counter\npostroom_failed_total %" PRIu64
        "\n# TYPE postroom_feedback_total counter\npostroom_feedback_total %" PRIu64
        "\n# TYPE postroom_workers gauge\npostroom_workers %zu\n",
        c->taken, c->refused, c->handed_over, c->failed, c->feedback, crew_busy(engine->crew));
    if (!text.is_failed) {
        (void)!fs_put_volatile(spool_dir(engine->env.spool, SPOOL_RUN), "metrics.prom", 0640,
                               text.ptr, text.len, NULL);
    }
    buf_release(&text);
}

void status_write(struct engine *engine, enum status_when when)
{
    int64_t now_ns = clock_monotonic_ns();
    if (when == STATUS_IN_TURN && now_ns - engine->status_ns < STATUS_PERIOD_NS) {
        return;
    }
    uint64_t sum = 0;
    crew_each(engine->crew, sum_work, &sum);
    sends_each(engine, sum_work, &sum);
    const struct counters *c = &engine->counters;
    sum += 31 * (c->taken + c->refused + c->handed_over + c->failed + c->finished + c->decided +
                 c->feedback) +
           items_count(engine->items);
    if (when != STATUS_ALWAYS && sum == engine->status_sum) {
        return;
    }
    engine->status_sum = sum;
    engine->status_ns = now_ns;
    struct stage_counts counts = {{0}};
    items_each(engine->items, count_state, &counts);
    put_json(engine, &counts);
    put_metrics(engine, &counts);
}
