/*
 * describe - everything about one delivery as one JSON object
 */
#include "cli/describe.h"

#include "cli/money.h"
#include "cli/out.h"
#include "cli/results.h"
#include "stage/target.h"
#include "sys/clock.h"

#include <string.h>

static void put_order(json_t *root, const struct subject *subject)
{
    const struct order *order = subject->order;
    const struct view *view = &subject->view;
    json_put_text(root, "id", subject->id);
    json_put_count(root, "revision", view->revision);
    json_put_text(root, "label", order->label);
    json_put_text(root, "programme", order->programme);
    json_put_text(root, "campaign", order->campaign);
    json_put_text(root, "channel", house_channel_name(order->channel));
    json_put_text(root, "provider", order->provider);
    json_put_text(root, "service", order->service);
    json_put_text(root, "owner", order->owner);
    json_put_text(root, "dropper", view->dropper);
    json_put_text(root, "state", state_name(view->state));
    json_put_text(root, "shown", state_shown_as(view->state));
    json_put_text(root, "stage", stage_name(subject->stage));
    json_put_text(root, "reason", view->reason);
    json_put_when(root, "since", view->since_ns);
    json_put_bool(root, "held", view->is_held);
    json_put_text(root, "held_by", view->is_held ? view->held_by : NULL);
    json_put_text(root, "held_comment", view->is_held ? view->held_comment : NULL);
    json_put_text(root, "finish_on", house_finish_words[order->finish_on]);
}

/* --- counts --- */

static void put_counts(const struct cli *cli, json_t *root, const struct subject *subject,
                       const struct target_facts *facts, const struct results_counts *results)
{
    const struct view *view = &subject->view;
    json_t *excluded = json_object();
    json_t *progress = json_object();
    for (int i = 0; i < CAUSE_COUNT; i++) {
        if (facts->excluded[i] > 0) {
            json_put_count(excluded, audience_cause_name((enum audience_cause)i),
                           facts->excluded[i]);
        }
    }
    json_put_count(root, "rows", view->rows);
    json_put_count(root, "records", view->records);
    json_put_count(root, "seeds", view->seeds);
    if (subject->order->channel == HOUSE_SMS) {
        json_put_count(root, "parts", facts->quantity);
    }
    (void)json_object_set_new(root, "excluded", excluded);
    bool is_online = subject->order->channel != HOUSE_MAIL;
    uint64_t of = is_online ? view->records + view->seeds : view->records;
    uint64_t done = is_online ? 0 : of; /* paper nobody works at: all that was asked for is done */
    json_t *status = state_is_terminal(view->state) ? NULL : status_read(cli);
    (void)delivery_working(status, subject->id, &done, &of);
    json_decref(status);
    if (results->of > 0) {
        done = results->done;
        of = results->of;
    }
    json_put_count(progress, "done", done);
    json_put_count(progress, "of", of);
    (void)json_object_set_new(root, "progress", progress);
    /* Of mail only a router's report can say it; this version takes none yet. */
    json_put_count(root, "sent", results->sent);
    json_put_count(root, "delivered", results->delivered);
    json_put_count(root, "undelivered", results->undelivered);
    json_put_count(root, "failed", results->failed);
    json_put_count(root, "uncertain", results->uncertain);
    json_put_count(root, "expired", results->expired);
    json_put_count(root, "retrying", results->retrying);
}

/* Of an online delivery that has begun: what its progress says. */
static enum rc count_results(const struct cli *cli, const struct subject *subject,
                             struct results_counts *out, struct err *err)
{
    *out = (struct results_counts){0};
    if (subject->order->channel == HOUSE_MAIL) {
        return RC_OK;
    }
    bool is_sending = subject->view.state == STATE_SENDING && cli_is_running(cli, NULL);
    enum rc rc = results_count(subject->dirfd, is_sending, out, err);
    return rc == RC_GONE ? RC_OK : rc;
}

/* --- money --- */

static enum rc put_cost(const struct cli *cli, json_t *root, const struct subject *subject,
                        const struct target_facts *facts, struct err *err)
{
    const struct order *order = subject->order;
    struct ledger_cost_report report = LEDGER_COST_REPORT_EMPTY;
    struct ledger_cost_query query = {.programme = order->programme,
                                      .campaign = order->campaign,
                                      .delivery = subject->id,
                                      .depth = LEDGER_BY_DELIVERY};
    int digits = currency_digits(order->currency);
    int64_t amounts[LEDGER_LEVELS] = {0};
    enum rc rc = costs_read(cli, &query, &report, err);
    for (size_t i = 0; rc == RC_OK && i < report.count; i++) {
        if (strcmp(report.rows[i].currency, order->currency) == 0) {
            memcpy(amounts, report.rows[i].amounts, sizeof amounts);
        }
    }
    json_t *cost = json_object();
    for (int i = 0; i < LEDGER_LEVELS; i++) {
        json_put_money(cost, ledger_level_name((enum ledger_level)i), amounts[i], digits);
    }
    (void)json_object_set_new(root, "cost", cost);
    json_put_text(root, "currency", order->currency);
    json_put_text(root, "estimate",
                  facts->cost_total == NULL || facts->cost_total[0] == '\0' ? NULL
                                                                            : facts->cost_total);
    ledger_cost_report_release(&report);
    return rc;
}

static void add_warning(void *ctx, const char *text)
{
    json_add_text(ctx, text);
}

static enum rc put_warnings(const struct cli *cli, json_t *root, const struct subject *subject,
                            const struct target_facts *facts, struct err *err)
{
    const struct view *view = &subject->view;
    json_t *warnings = json_array();
    for (size_t i = 0; i < facts->warning_count; i++) {
        json_add_text(warnings, facts->warnings[i]);
    }
    bool is_over = state_is_terminal(view->state) || view->state == STATE_PREPARATION_ERROR;
    enum rc rc = RC_OK;
    if (!is_over) {
        uint64_t quantity = facts->quantity > 0 ? facts->quantity : view->records + view->seeds;
        rc = stock_warnings(cli, subject->order, quantity, view->is_extracted, add_warning,
                            warnings, err);
        /* A price list that is not valid today is no reason to show nothing. */
        if (rc == RC_PERM || rc == RC_RANGE) {
            json_add_text(warnings, err->text);
            rc = RC_OK;
        }
    }
    (void)json_object_set_new(root, "warnings", warnings);
    return rc;
}

/* --- decisions --- */

static json_t *waiting_step(const struct subject *subject, enum step step)
{
    const struct view_step *view = &subject->view.steps[step];
    const struct texts *named = &subject->order->steps[step].reviewers;
    int64_t deadline_ns = delivery_deadline(subject, step);
    json_t *object = json_object();
    json_t *reviewers = json_array();
    for (size_t i = 0; i < named->count; i++) {
        json_add_text(reviewers, named->items[i]);
    }
    if (named->count == 0) { /* nobody named: the owner decides */
        json_add_text(reviewers, subject->order->owner);
    }
    json_put_text(object, "step", step_name(step));
    (void)json_object_set_new(object, "reviewers", reviewers);
    json_put_when(object, "since", view->opened_ns);
    json_put_when(object, "deadline", deadline_ns);
    json_put_bool(object, "late", deadline_ns != INSTANT_NONE && deadline_ns < clock_now_ns());
    json_put_text(object, "sha256", view->sha256[0] == '\0' ? NULL : view->sha256);
    return object;
}

static void put_proofs(json_t *root, const struct view *view)
{
    json_t *proofs = json_array();
    for (size_t i = 0; i < view->proof_count; i++) {
        const struct view_proof *proof = &view->proofs[i];
        bool is_due = proof == view_proof_due(view);
        json_t *object = json_object();
        json_put_count(object, "proof", proof->number);
        json_put_count(object, "revision", proof->revision);
        json_put_text(object, "state",
                      is_due                     ? "sending"
                      : proof->is_given_up       ? "given-up"
                      : proof->reason[0] != '\0' ? "failed"
                                                 : "sent");
        json_put_text(object, "who", proof->who);
        json_put_text(object, "note", proof->note);
        json_put_when(object, "asked", proof->asked_ns);
        json_put_when(object, "ended", proof->ended_ns);
        json_put_count(object, "sent", proof->sent);
        json_put_count(object, "failed", proof->failed);
        json_put_count(object, "uncertain", proof->uncertain);
        json_put_text(object, "reason", proof->reason);
        (void)json_array_append_new(proofs, object);
    }
    (void)json_object_set_new(root, "proofs", proofs);
}

static void put_decisions(json_t *root, const struct subject *subject)
{
    const struct view *view = &subject->view;
    json_t *waiting = json_array();
    json_t *rounds = json_array();
    for (int i = 0; i < STEP_COUNT; i++) {
        if (delivery_step_waits(subject, (enum step)i)) {
            (void)json_array_append_new(waiting, waiting_step(subject, (enum step)i));
        }
    }
    for (size_t i = 0; i < view->round_count; i++) {
        const struct view_round *round = view->rounds[i];
        json_t *object = json_object();
        json_put_text(object, "step", step_name(round->step));
        json_put_text(object, "decision", verb_name(round->verb));
        json_put_text(object, "who", round->who);
        json_put_when(object, "when", round->at_ns);
        json_put_text(object, "comment", round->comment);
        (void)json_array_append_new(rounds, object);
    }
    json_put_text(root, "archive", view->archive[0] == '\0' ? NULL : view->archive);
    json_put_text(root, "archive_sha256",
                  view->archive_sha256[0] == '\0' ? NULL : view->archive_sha256);
    (void)json_object_set_new(root, "waiting", waiting);
    (void)json_object_set_new(root, "rounds", rounds);
}

enum rc describe(struct cli *cli, const struct subject *subject, json_t **out, struct err *err)
{
    struct target_facts facts;
    enum rc rc = target_read(subject->dirfd, &facts, err);
    if (rc == RC_GONE) {
        facts = (struct target_facts){.arena = ARENA_EMPTY};
    } else if (rc != RC_OK) {
        return err_add(err, rc, "%s", subject->id);
    }
    struct results_counts results;
    rc = count_results(cli, subject, &results, err);
    if (rc != RC_OK) {
        target_release(&facts);
        return err_add(err, rc, "%s", subject->id);
    }
    json_t *root = json_object();
    put_order(root, subject);
    put_counts(cli, root, subject, &facts, &results);
    rc = put_cost(cli, root, subject, &facts, err);
    rc = rc == RC_OK ? put_warnings(cli, root, subject, &facts, err) : rc;
    if (rc == RC_OK) {
        put_decisions(root, subject);
        put_proofs(root, &subject->view);
        *out = root;
    } else {
        json_decref(root);
    }
    target_release(&facts);
    return rc;
}
