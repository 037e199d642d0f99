/*
 * order_resolve - names to things, and the rules between a delivery's settings
 */
#include "base/name.h"
#include "base/utf8.h"
#include "delivery/order_draft.h"

struct place order_place(const char *file, const config_setting_t *root, const char *in,
                         const char *key)
{
    const config_setting_t *at = root;
    const config_setting_t *group = in == NULL ? root : config_setting_get_member(root, in);
    if (group != NULL) {
        const config_setting_t *setting = config_setting_is_group(group) == CONFIG_TRUE
                                              ? config_setting_get_member(group, key)
                                              : NULL;
        at = setting == NULL ? group : setting;
    }
    return (struct place){file, at == root ? 0 : (int)config_setting_source_line(at)};
}

static struct place place(const struct order_case *c, const char *in, const char *key)
{
    return order_place(c->file, c->root, in, key);
}

/* --- who and with whom --- */

static void resolve_campaign(struct order_case *c)
{
    struct order *order = &c->draft->order;
    const struct house_campaign *campaign =
        order->campaign == NULL ? NULL : house_campaign(c->house, order->campaign);
    order->currency = c->house->currency;
    order->timezone = c->house->timezone;
    if (campaign != NULL) {
        order->programme = campaign->programme;
        order->commitment = campaign->budget.commitment;
        order->approval_mode = campaign->approval_mode;
    } else if (order->campaign != NULL) {
        problems_add(c->problems, place(c, NULL, "campaign"),
                     "there is no campaign '%s'; name one of etc/, or have it added there",
                     order->campaign);
    }
}

static void resolve_owner(struct order_case *c)
{
    struct order *order = &c->draft->order;
    struct place at = place(c, NULL, "owner");
    if (order->owner == NULL) {
        order->owner = c->dropper->operator_name;
    }
    bool is_other = strcmp(order->owner, c->dropper->operator_name) != 0;
    if (house_operator_by_name(c->house, order->owner) == NULL) {
        problems_add(c->problems, at, "owner: there is no operator '%s'; name one of etc/",
                     order->owner);
    } else if (is_other && !c->dropper->is_admin && !c->dropper->may_act_for_others) {
        problems_add(c->problems, at,
                     "owner: %s cannot name %s; only an administrator or an operator with "
                     "on_behalf can, so remove owner",
                     c->dropper->operator_name, order->owner);
    }
}

static void take_service(struct order_case *c, const struct house_service *service)
{
    struct order *order = &c->draft->order;
    order->layout = service->layout;
    order->finish_on = service->finish_on;
    order->returns_wait_ns = service->returns_wait_ns;
    order->after_hand_over = service->after_hand_over;
    order->notice_template = service->notice;
    if (service->layout.encrypt != NULL) {
        problems_add(c->problems, place(c, NULL, "service"),
                     "service %s encrypts, which is not available in this version; remove encrypt "
                     "from its layout in etc/",
                     service->name);
    }
    if (service->layout.container == HOUSE_GZ && order->documents.count > 0) {
        problems_add(c->problems, place(c, NULL, "documents"),
                     "documents do not fit into an archive of kind gz; take them out, or another "
                     "service");
    }
}

static const struct house_service *find_service(struct order_case *c)
{
    const struct order *order = &c->draft->order;
    const struct house_provider *provider = house_provider(c->house, order->provider);
    if (provider == NULL) {
        problems_add(c->problems, place(c, NULL, "provider"),
                     "there is no provider '%s'; name one of etc/", order->provider);
        return NULL;
    }
    const struct house_service *service = house_service(provider, order->service);
    if (service == NULL) {
        problems_add(c->problems, place(c, NULL, "service"),
                     "provider %s has no service '%s'; name one of its services in etc/",
                     order->provider, order->service);
        return NULL;
    }
    if (service->channel != order->channel) {
        problems_add(c->problems, place(c, NULL, "service"),
                     "service %s is for %s, not for %s; take another", service->name,
                     house_channel_name(service->channel), house_channel_name(order->channel));
        return NULL;
    }
    return service;
}

/* Mail goes through a service; online one may be named for what it costs. */
static const struct house_service *resolve_service(struct order_case *c)
{
    const struct order *order = &c->draft->order;
    bool is_paper = order->channel == HOUSE_MAIL;
    if (order->provider != NULL && order->service != NULL) {
        const struct house_service *service = find_service(c);
        if (service != NULL && is_paper) {
            take_service(c, service);
        }
        return service;
    }
    if (is_paper) {
        problems_add(c->problems, place(c, NULL, "channel"),
                     "a mail delivery needs provider and service; add them");
    } else if (order->provider != NULL || order->service != NULL) {
        bool has_provider = order->provider != NULL;
        problems_add(c->problems, place(c, NULL, has_provider ? "provider" : "service"),
                     "%s stands without %s; add it, or take both out",
                     has_provider ? "provider" : "service", has_provider ? "service" : "provider");
    } else if (c->draft->choice_count > 0) {
        problems_add(c->problems, place(c, NULL, "costs"),
                     "costs are those of a service; add provider and service");
    }
    return NULL;
}

/* --- target, files, times --- */

static void check_target(const struct order_case *c)
{
    const struct order_target *target = &c->draft->order.target;
    if (target->file == NULL) {
        problems_add(c->problems, place(c, "target", "file"),
                     "target: file is missing; add file = \"recipients.csv\";");
    }
    if (target->key == NULL) {
        problems_add(c->problems, place(c, "target", "key"),
                     "target: key is missing; name the column that tells recipients apart");
    }
    unsigned char delimiter = (unsigned char)target->delimiter[0];
    if (delimiter >= 0x7f || (delimiter < ' ' && delimiter != '\t') || delimiter == '"') {
        problems_add(c->problems, place(c, "target", "delimiter"),
                     "target: delimiter is not one ASCII character; write \",\" or \"\\t\"");
    }
    if (target->min != SCHEMA_NONE && target->max != SCHEMA_NONE && target->min > target->max) {
        problems_add(c->problems, place(c, "target", "min"), "target: min is above max; swap them");
    }
}

void order_check_name(const struct order_case *c, const char *name, const char *in, const char *key)
{
    struct err err;
    if (name != NULL && order_file_name_check(name, &err) != RC_OK) {
        problems_add(c->problems, place(c, in, key), "%s: %s", key, err.text);
    }
}

/* file, seeds, text and html of the notice; html, text, image and video of the content */
enum { NAMED_ALONE = 8 };

static void check_files(const struct order_case *c)
{
    const struct order *order = &c->draft->order;
    order_check_name(c, order->target.file, "target", "file");
    order_check_name(c, order->target.seeds, "target", "seeds");
    order_check_name(c, order->notice.text, "notice", "text");
    order_check_name(c, order->notice.html, "notice", "html");
    for (size_t i = 0; i < order->target.exclude.count; i++) {
        order_check_name(c, order->target.exclude.items[i], "target", "exclude");
    }
    const struct order_content *content = &order->content;
    size_t named = order->target.exclude.count + order->documents.count + content->images.count +
                   content->attachments.count + NAMED_ALONE;
    if (named > ORDER_FILES_MAX) {
        problems_add(c->problems, place(c, NULL, "documents"),
                     "a delivery names at most %d files; pack documents together", ORDER_FILES_MAX);
        return; /* and is not looked at in pairs */
    }
    for (size_t i = 0; i < order->documents.count; i++) {
        const char *name = order->documents.items[i];
        order_check_name(c, name, NULL, "documents");
        if (texts_have((struct texts){order->documents.items, i}, name)) {
            problems_add(c->problems, place(c, NULL, "documents"),
                         "documents: '%s' stands twice; keep one", name);
        }
    }
}

static void check_schedule(const struct order_case *c)
{
    const struct order_schedule *schedule = &c->draft->order.schedule;
    if (schedule->contact_at != INSTANT_NONE) {
        problems_add(c->problems, place(c, "schedule", "contact_at"),
                     "contact_at is for online deliveries; for mail write extract_at");
    }
    if (schedule->not_after != INSTANT_NONE) {
        problems_warn(c->problems, place(c, "schedule", "not_after"),
                      "not_after is not used for mail by this version; it may stay");
    }
    if (schedule->extract_at != INSTANT_NONE && schedule->not_after != INSTANT_NONE &&
        schedule->not_after <= schedule->extract_at) {
        problems_add(c->problems, place(c, "schedule", "not_after"),
                     "not_after is not later than extract_at; correct one");
    }
}

/* --- costs --- */

static bool is_chosen_by(const struct house_cost *cost, const struct cost_choice *choice)
{
    return choice->category != NULL && choice->type != NULL &&
           strcmp(choice->category, cost->category) == 0 && strcmp(choice->type, cost->type) == 0;
}

static void check_choices(const struct order_case *c, const struct house_service *service)
{
    const struct order_draft *draft = c->draft;
    for (size_t i = 0; i < draft->choice_count; i++) {
        const struct cost_choice *choice = &draft->choices[i];
        bool is_known = choice->category == NULL || choice->type == NULL; /* told already */
        for (size_t k = 0; !is_known && k < service->cost_count; k++) {
            is_known = is_chosen_by(&service->costs[k], choice);
        }
        if (!is_known) {
            problems_add(c->problems, choice->at,
                         "service %s has no cost %s/%s; name one of its costs in etc/",
                         service->name, choice->category, choice->type);
        }
        for (size_t k = 0; k < i && choice->category != NULL && choice->type != NULL; k++) {
            const struct cost_choice *other = &draft->choices[k];
            if (other->category != NULL && other->type != NULL &&
                strcmp(other->category, choice->category) == 0 &&
                strcmp(other->type, choice->type) == 0) {
                problems_add(c->problems, choice->at, "cost %s/%s stands twice; keep one",
                             choice->category, choice->type);
                break;
            }
        }
    }
}

static const struct cost_choice *choice_of(const struct order_draft *draft,
                                           const struct house_cost *cost)
{
    for (size_t i = 0; i < draft->choice_count; i++) {
        if (is_chosen_by(cost, &draft->choices[i])) {
            return &draft->choices[i];
        }
    }
    return NULL;
}

static enum rc resolve_costs(struct order_case *c, const struct house_service *service,
                             struct err *err)
{
    struct order_draft *draft = c->draft;
    check_choices(c, service);
    struct house_cost *costs = arena_array(c->arena, service->cost_count, sizeof *costs);
    if (costs == NULL) {
        return err_set(err, RC_NOMEM, "%s: out of memory", c->file);
    }
    size_t count = 0;
    for (size_t i = 0; i < service->cost_count; i++) {
        const struct house_cost *cost = &service->costs[i];
        const struct cost_choice *choice = choice_of(draft, cost);
        bool counts = draft->has_choices ? choice != NULL : cost->is_selected || cost->is_mandatory;
        if (draft->has_choices && choice == NULL && cost->is_mandatory) {
            problems_add(c->problems, place(c, NULL, "costs"),
                         "costs: %s/%s is mandatory for service %s; add it", cost->category,
                         cost->type, service->name);
        }
        if (counts) {
            costs[count] = *cost;
            costs[count].surcharge = choice == NULL ? DECIMAL_NONE : choice->surcharge;
            count++;
        }
    }
    draft->order.costs = costs;
    draft->order.cost_count = count;
    return RC_OK;
}

/* --- approvals --- */

void order_check_reviewers(const struct house *house, const struct order_step *step,
                           const char *name, struct place at, struct problems *problems)
{
    for (size_t i = 0; step->is_on && i < step->reviewers.count; i++) {
        const char *reviewer = step->reviewers.items[i];
        if (house_names_somebody(house, reviewer)) {
            continue;
        }
        if (reviewer[0] == '@') {
            /* Groups are looked up when somebody decides: one may be filled later. */
            problems_warn(problems, at,
                          "%s: nobody is in group '%s' yet; until then only administrators decide",
                          name, reviewer);
        } else {
            problems_add(problems, at,
                         "%s: there is no operator '%s'; name one of etc/, or a @group", name,
                         reviewer);
        }
    }
}

/* A step sets its own deadline and reminders, or has those of approvals; budget needs target. */
static void settle_steps(struct order_approvals *approvals)
{
    struct order_step *steps = approvals->steps;
    for (int kind = 0; kind < ORDER_STEPS; kind++) {
        if (steps[kind].deadline_ns == SCHEMA_NONE) {
            steps[kind].deadline_ns = approvals->deadline_ns;
        }
        if (steps[kind].reminders.count == 0) {
            steps[kind].reminders = approvals->reminders;
        }
    }
    if (!steps[ORDER_STEP_TARGET].is_on) {
        steps[ORDER_STEP_BUDGET].is_on = false;
    }
}

static bool holds_all(struct texts all, struct texts some)
{
    for (size_t i = 0; i < some.count; i++) {
        if (!texts_have(all, some.items[i])) {
            return false;
        }
    }
    return true;
}

/*
 * What a delivery did to a step that etc/ turns on, or NULL where it is as strict at least: the
 * same reviewers, or all of them and more with one answer of each wanted. Where etc/ names nobody
 * the owner decides, and naming reviewers takes that from him.
 */
static const char *weakening(const struct order_step *etc, const struct order_step *own)
{
    if (!etc->is_on) {
        return NULL;
    }
    if (!own->is_on) {
        return "turned off";
    }
    if (etc->reviewers.count == 0) {
        return NULL;
    }
    bool has_theirs = holds_all(own->reviewers, etc->reviewers);
    bool has_more = !holds_all(etc->reviewers, own->reviewers);
    if (!has_theirs || (has_more && !own->is_all)) {
        return "given other reviewers";
    }
    return etc->is_all && !own->is_all ? "left to one answer instead of all" : NULL;
}

static void check_strictness(const struct order_case *c)
{
    const struct order_step *own = c->draft->order.steps;
    for (int kind = 0; kind < ORDER_STEPS; kind++) {
        const struct order_step *etc = &c->etc.steps[kind];
        const char *what = weakening(etc, &own[kind]);
        if (what != NULL && !etc->is_open && !c->dropper->is_admin) {
            problems_add(c->problems, place(c, "approvals", order_step_words[kind]),
                         "approvals: %s is on in etc/ and cannot be %s; let an administrator drop "
                         "it, or set open = true for it in etc/",
                         order_step_words[kind], what);
        }
    }
}

static void resolve_confirm(struct order_case *c)
{
    struct order *order = &c->draft->order;
    const struct order_step *etc = &c->etc.steps[ORDER_STEP_DELIVERY];
    bool by_channel = order->channel != HOUSE_MAIL;
    bool is_demanded =
        c->etc_confirm == 1 || (c->etc_confirm == SCHEMA_NONE && by_channel && etc->is_on);
    order->needs_confirmation =
        c->draft->confirm == SCHEMA_NONE ? by_channel : c->draft->confirm == 1;
    if (is_demanded && !order->needs_confirmation && !etc->is_open && !c->dropper->is_admin) {
        problems_add(c->problems, place(c, NULL, "confirm"),
                     "confirm is true in etc/ and cannot be turned off; let an administrator drop "
                     "it, or set open = true for the step delivery in etc/");
    }
}

static void resolve_approvals(struct order_case *c)
{
    struct order_approvals *own = &c->draft->approvals;
    bool has_budget = own->steps[ORDER_STEP_BUDGET].is_on;
    settle_steps(&c->etc);
    settle_steps(own);
    if (has_budget && !own->steps[ORDER_STEP_BUDGET].is_on) {
        problems_warn(c->problems, place(c, "approvals", "target"),
                      "approvals: budget is approved only where target is; it is off here");
    }
    if (c->draft->order.channel != HOUSE_MAIL) {
        own->steps[ORDER_STEP_EXTRACTION].is_on = false;
        c->etc.steps[ORDER_STEP_EXTRACTION].is_on = false;
    }
    for (int kind = 0; kind < ORDER_STEPS; kind++) {
        const char *name = order_step_words[kind];
        order_check_reviewers(c->house, &own->steps[kind], name, place(c, "approvals", name),
                              c->problems);
        c->draft->order.steps[kind] = own->steps[kind];
    }
    check_strictness(c);
    resolve_confirm(c);
}

/* A layout and an end by the router are a service's: an online delivery has none, and its frozen
 * text says the defaults. */
static enum rc take_no_service(struct order_case *c, struct err *err)
{
    struct order *order = &c->draft->order;
    order->finish_on = HOUSE_FINISH_HAND_OVER;
    order->returns_wait_ns = 0;
    return schema_defaults(&house_layout_schema, c->arena, &order->layout) == RC_OK
               ? RC_OK
               : err_set(err, RC_NOMEM, "%s: out of memory", c->file);
}

enum rc order_resolve(struct order_case *c, struct err *err)
{
    const struct order *order = &c->draft->order;
    enum rc rc = RC_OK;
    resolve_campaign(c);
    resolve_owner(c);
    check_target(c);
    resolve_approvals(c);
    if (order->channel == HOUSE_MAIL) {
        order_resolve_paper(c);
        check_schedule(c);
    } else {
        order_resolve_online(c);
        rc = take_no_service(c, err);
    }
    check_files(c);
    const struct house_service *service = rc == RC_OK ? resolve_service(c) : NULL;
    return service == NULL ? rc : resolve_costs(c, service, err);
}
