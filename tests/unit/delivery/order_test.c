/* order_test - delivery.conf through its layers, frozen and read back */
#include "unit/delivery/order_support.h"

#define ABOUT "campaign = \"spring-2027\"; channel = \"mail\";\n"
#define SERVICE "provider = \"nord-routage\"; service = \"letter\";\n"
#define TARGET "target = { file = \"r.csv\"; key = \"id\"; };\n"
#define MINIMAL ABOUT SERVICE TARGET

#define FULL                                                                                       \
    ABOUT SERVICE                                                                                  \
        "label = \"Spring offer, \\\"letter\\\" \\\\ \xC3\xA9\";\n"                                \
        "target = { file = \"recipients.csv.gz\"; key = \"recipient_id\"; delimiter = \"\\t\";\n"  \
        "  where = \"a = '1'\\n and b > 2\"; exclude = [ \"x.csv\", \"y.csv\" ]; dedupe = [ "      \
        "\"n\" ];\n"                                                                               \
        "  order = [ \"postcode\", \"-city\" ]; limit = 5000000000L; random_seed = 7;\n"           \
        "  seeds = \"seeds.csv\"; seed_mode = \"random\"; rows = 10; min = 1; max = 9;\n"          \
        "  empty = \"fail\"; on_bad_row = \"exclude\"; };\n"                                       \
        "costs = ( { category = \"postage\"; type = \"eco\"; surcharge = \"0.50\"; },\n"           \
        "          { category = \"setup\"; type = \"flat\"; } );\n"                                \
        "estimate = \"1000.00\";\n"                                                                \
        "approvals = { target = { reviewers = [ \"bob\", \"@marketing\" ]; all = true; };\n"       \
        "  delivery = { reviewers = [ \"carol\" ]; deadline = \"90s\"; };\n"                       \
        "  deadline = \"36h\"; reminders = [ \"-1d\", \"-1500ms\" ]; };\n"                         \
        "confirm = true;\n"                                                                        \
        "schedule = { extract_at = \"2027-03-01T22:00:00.000000001+01:00\";\n"                     \
        "  not_after = \"2027-03-09T00:00:00+01:00\"; };\n"                                        \
        "documents = [ \"brochure.pdf\", \"b 2.pdf\" ];\n"                                         \
        "notice = { note = \"Blue envelopes,\\nplease.\"; html = \"n.html\"; };\n"

static void order_read__minimal_delivery__has_the_defaults(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, MINIMAL);
    house_free(house); /* an order keeps nothing of the house */
    assert_string_equal(order->id, "d-1");
    assert_string_equal(order->owner, "alice");
    assert_string_equal(order->programme, "loyalty");
    assert_string_equal(order->currency, "EUR");
    assert_int_equal(order->commitment, HOUSE_RESERVED);
    assert_null(order->label);
    assert_null(order->target.address);
    assert_null(order->target.where);
    assert_string_equal(order->target.delimiter, ",");
    assert_int_equal(order->target.limit, 0);
    assert_int_equal(order->target.random_seed, SCHEMA_NONE);
    assert_int_equal(order->target.rows, SCHEMA_NONE);
    assert_int_equal(order->schedule.extract_at, INSTANT_NONE);
    assert_false(decimal_is_set(order->estimate));
    assert_false(order->needs_confirmation);
    assert_true(order->steps[ORDER_STEP_TARGET].is_on);
    assert_true(order->steps[ORDER_STEP_CONTENT].is_on);
    assert_true(order->steps[ORDER_STEP_BUDGET].is_on);
    assert_string_equal(order->steps[ORDER_STEP_BUDGET].reviewers.items[0], "@finance");
    assert_false(order->steps[ORDER_STEP_PROOF].is_on);
    assert_false(order->steps[ORDER_STEP_DELIVERY].is_on);
    assert_int_equal(order->steps[ORDER_STEP_TARGET].deadline_ns, 3 * 86400 * NS_PER_SECOND);
    assert_int_equal(order->cost_count, 2); /* setup is not selected */
    assert_string_equal(order->costs[0].stock, "nord/env-c5");
    assert_int_equal(order->costs[1].step_count, 2);
    assert_false(decimal_is_set(order->costs[0].surcharge));
    assert_int_equal(order->finish_on, HOUSE_FINISH_ACK);
    assert_int_equal(order->layout.column_count, 3);
    assert_string_equal(order->notice_template, "router-notice");
    order_free(order);
}

static void order_read__every_setting__is_taken(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, FULL);
    house_free(house);
    assert_string_equal(order->label, "Spring offer, \"letter\" \\ \xC3\xA9");
    assert_string_equal(order->target.delimiter, "\t");
    assert_string_equal(order->target.where, "a = '1'\n and b > 2");
    assert_int_equal(order->target.exclude.count, 2);
    assert_int_equal(order->target.limit, INT64_C(5000000000));
    assert_int_equal(order->target.seed_mode, ORDER_SEEDS_RANDOM);
    assert_int_equal(order->target.empty, ORDER_EMPTY_FAIL);
    assert_int_equal(order->target.on_bad_row, ORDER_BAD_ROW_EXCLUDE);
    assert_int_equal(order->cost_count, 2);
    assert_string_equal(order->costs[0].category, "postage");
    assert_int_equal(order->costs[0].surcharge.units, 50);
    assert_string_equal(order->costs[1].category, "setup");
    assert_true(order->needs_confirmation);
    assert_true(order->steps[ORDER_STEP_TARGET].is_all);
    assert_int_equal(order->steps[ORDER_STEP_TARGET].deadline_ns, 36 * 3600 * NS_PER_SECOND);
    assert_int_equal(order->steps[ORDER_STEP_DELIVERY].deadline_ns, 90 * NS_PER_SECOND);
    assert_int_equal(order->steps[ORDER_STEP_TARGET].reminders.count, 2);
    assert_int_equal(order->steps[ORDER_STEP_TARGET].reminders.items_ns[1], -1500000000);
    assert_int_equal(order->schedule.extract_at % NS_PER_SECOND, 1);
    assert_string_equal(order->notice.note, "Blue envelopes,\nplease.");
    order_free(order);
}

/* --- frozen --- */

static void order_write__then_load__is_exactly_the_same(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *full = takes(house, &ALICE, FULL);
    struct order *minimal = takes(house, &ALICE, MINIMAL);
    house_free(house);
    check_round_trip(full);
    check_round_trip(minimal);
    struct buf text = BUF_EMPTY;
    order_write(full, &text);
    assert_non_null(strstr(buf_text(&text), "extract_at = \"2027-03-01T21:00:00.000000001Z\";"));
    assert_non_null(strstr(buf_text(&text), "limit = 5000000000L;"));
    assert_non_null(strstr(buf_text(&text), "reminders = [ \"-1d\", \"-1500ms\" ];"));
    assert_non_null(strstr(buf_text(&text), "where = \"a = '1'\\n and b > 2\";"));
    buf_release(&text);
    order_free(full);
    order_free(minimal);
}

static void order_load__every_byte_below_0x80_and_beyond__survives_in_texts(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, MINIMAL);
    struct buf note = BUF_EMPTY;
    for (char c = ' '; c < 0x7f; c++) {
        buf_add_byte(&note, c);
    }
    buf_add_text(&note, "\t\r\n\\x41\\\\n\\\" \xC3\xA9 \xF0\x9F\x93\xAE @include \"x\" /* // #");
    order->notice.note = buf_text(&note);
    check_round_trip(order);
    order_free(order);
    buf_release(&note);
    house_free(house);
}

static void order_load__text_that_was_changed__reports_corrupt(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, FULL);
    struct order *again = NULL;
    struct buf text = BUF_EMPTY;
    struct err err = {""};
    order_write(order, &text);
    /* cut at every tenth byte: never read, never a crash; at most the last line's end is spared */
    for (size_t len = 0; len + 3 < text.len; len += 10) {
        assert_int_equal(order_load((struct slice){text.ptr, len}, "s", &again, &err), RC_CORRUPT);
    }
    assert_int_equal(order_load(SLICE_LITERAL("id = \"x\";"), "s", &again, &err), RC_CORRUPT);
    assert_non_null(strstr(err.text, "is missing"));
    buf_add_text(&text, "surprise = 1;\n");
    assert_int_equal(order_load(buf_slice(&text), "s", &again, &err), RC_CORRUPT);
    assert_non_null(strstr(err.text, "surprise"));
    assert_null(again);
    buf_release(&text);
    order_free(order);
    house_free(house);
}

static void order_set_layout__another_layout__replaces_it_alone(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, FULL);
    struct order *before = takes(house, &ALICE, FULL);
    house_free(house);
    struct house_column columns[] = {{.name = "only", .width = SCHEMA_NONE}};
    struct house_layout layout = order->layout;
    struct err err = {""};
    unsigned bits = 0;
    layout.columns = columns;
    layout.column_count = 1;
    layout.container = HOUSE_TAR_ZST;
    assert_int_equal(order_set_layout(order, &layout, &err), RC_OK);
    assert_int_equal(order->layout.column_count, 1);
    assert_ptr_not_equal(order->layout.columns, columns);
    assert_string_equal(order->layout.columns[0].name, "only");
    assert_int_equal(order_changes(before, order, &bits, &err), RC_OK);
    assert_int_equal(bits, ORDER_CHANGED_LAYOUT);
    check_round_trip(order);
    order_free(order);
    order_free(before);
}

static void order_write_part__one_setting_changes__only_its_part_does(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, FULL);
    struct buf before[2] = {BUF_EMPTY, BUF_EMPTY};
    struct buf after[2] = {BUF_EMPTY, BUF_EMPTY};
    static const unsigned parts[2] = {ORDER_CHANGED_TARGET, ORDER_CHANGED_CONTENT};
    for (size_t i = 0; i < 2; i++) {
        order_write_part(order, parts[i], &before[i]);
    }
    order->target.limit = 17;
    for (size_t i = 0; i < 2; i++) {
        order_write_part(order, parts[i], &after[i]);
    }
    assert_string_not_equal(buf_text(&before[0]), buf_text(&after[0]));
    assert_non_null(strstr(buf_text(&after[0]), "limit = 17"));
    assert_true(before[1].len > 0);
    assert_string_equal(buf_text(&before[1]), buf_text(&after[1]));
    for (size_t i = 0; i < 2; i++) {
        buf_release(&before[i]);
        buf_release(&after[i]);
    }
    order_free(order);
    house_free(house);
}

/* --- layers --- */

static void order_read__defaults_campaign_delivery__the_nearest_wins(void **state)
{
    (void)state;
    struct house *house = load_house(
        SAMPLE_GLOBALS SAMPLE_PEOPLE SAMPLE_PROVIDERS
        "defaults = { target = { key = \"far\"; delimiter = \";\"; min = 5; }; estimate = \"1\"; "
        "};\n"
        "campaigns = ( { name = \"spring-2027\"; programme = \"loyalty\"; owner = \"alice\";\n"
        "  provider = \"nord-routage\"; service = \"letter\"; estimate = \"2\";\n"
        "  target = { key = \"middle\"; exclude = [ \"a.csv\", \"b.csv\" ]; }; } );");
    struct order *order =
        takes(house, &ALICE, ABOUT "target = { file = \"r.csv\"; exclude = [ \"c.csv\" ]; };");
    assert_string_equal(order->target.key, "middle");
    assert_string_equal(order->target.delimiter, ";");
    assert_int_equal(order->target.min, 5);
    assert_int_equal(order->target.exclude.count, 1);
    assert_int_equal(order->estimate.units, 2);
    assert_string_equal(order->service, "letter");
    order_free(order);
    house_free(house);
}

static void order_read__costs_of_the_campaign__are_inherited(void **state)
{
    (void)state;
    struct house *house = load_house(
        SAMPLE_GLOBALS SAMPLE_PEOPLE SAMPLE_PROVIDERS
        "campaigns = ( { name = \"spring-2027\"; programme = \"loyalty\"; owner = \"alice\";\n"
        "  costs = ( { category = \"postage\"; type = \"eco\"; } ); } );");
    struct order *order = takes(house, &ALICE, MINIMAL);
    assert_int_equal(order->cost_count, 1);
    order_free(order);
    refuses_with(house, &ALICE, MINIMAL "costs = ( );", "costs: postage/eco is mandatory");
    house_free(house);
}

static void order_read__owner__another_only_on_behalf(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    refuses_with(house, &ALICE, MINIMAL "owner = \"carol\";",
                 "delivery.conf:4: owner: alice cannot name carol");
    refuses_with(house, &DORA, MINIMAL "owner = \"mallory\";", "there is no operator 'mallory'");
    struct order *order = takes(house, &BOB, MINIMAL "owner = \"carol\";");
    assert_string_equal(order->owner, "carol");
    order_free(order);
    order = takes(house, &DORA, MINIMAL "owner = \"carol\";");
    order_free(order);
    order = takes(house, &ALICE, MINIMAL "owner = \"alice\";");
    order_free(order);
    order = takes(house, &DORA, MINIMAL);
    assert_string_equal(order->owner, "dora");
    order_free(order);
    house_free(house);
}

/* A house in which etc/ turns target on in some way; alice and dora drop. */
static void strict_case(const char *etc, const char *own, const char *expected)
{
    char text[8192];
    char conf[2048];
    (void)snprintf(text, sizeof text, "%sdefaults = { %s };\n%s%s%s", SAMPLE_GLOBALS, etc,
                   SAMPLE_PEOPLE, SAMPLE_PROVIDERS,
                   "campaigns = ( { name = \"spring-2027\"; programme = \"loyalty\"; owner = "
                   "\"alice\"; } );");
    (void)snprintf(conf, sizeof conf, "%s%s", MINIMAL, own);
    struct house *house = load_house(text);
    if (expected == NULL) {
        order_free(takes(house, &ALICE, conf));
    } else {
        refuses_with(house, &ALICE, conf, expected);
    }
    order_free(takes(house, &DORA, conf)); /* an administrator may */
    house_free(house);
}

#define ETC_BOTH "approvals = { target = { reviewers = [ \"bob\", \"carol\" ]; }; };"
#define ETC_ALL "approvals = { target = { reviewers = [ \"bob\", \"carol\" ]; all = true; }; };"
#define ETC_OPEN "approvals = { target = { reviewers = [ \"bob\" ]; open = true; }; };"

static void order_read__step_that_etc_turns_on__cannot_be_weakened(void **state)
{
    (void)state;
    strict_case(ETC_BOTH, "approvals = { target = false; };",
                "delivery.conf:4: approvals: target is on in etc/ and cannot be turned off");
    strict_case(ETC_BOTH, "approvals = { target = true; };", "cannot be given other reviewers");
    strict_case(ETC_BOTH, "approvals = { target = { reviewers = [ \"bob\" ]; }; };",
                "cannot be given other reviewers");
    strict_case(ETC_BOTH,
                "approvals = { target = { reviewers = [ \"bob\", \"carol\", \"alice\" ]; }; };",
                "cannot be given other reviewers");
    strict_case(ETC_BOTH, "approvals = { target = { reviewers = [ ]; }; };",
                "cannot be given other reviewers");
    strict_case(ETC_ALL, "approvals = { target = { all = false; }; };",
                "cannot be left to one answer instead of all");
    strict_case("approvals = { target = true; budget = true; };",
                "approvals = { target = false; };",
                "approvals: budget is on in etc/ and cannot be turned off");
    strict_case("approvals = { delivery = { reviewers = [ \"carol\" ]; }; };",
                "approvals = { delivery = { reviewers = [ \"alice\" ]; }; };",
                "approvals: delivery is on in etc/ and cannot be given other reviewers");
    strict_case("confirm = true;", "confirm = false;", "confirm is true in etc/");
}

static void order_read__step_that_is_stricter_or_open__is_taken(void **state)
{
    (void)state;
    strict_case(ETC_BOTH, "approvals = { target = { all = true; }; };", NULL);
    strict_case(ETC_BOTH, "approvals = { target = { reviewers = [ \"carol\", \"bob\" ]; }; };",
                NULL);
    strict_case(
        ETC_BOTH,
        "approvals = { target = { reviewers = [ \"bob\", \"carol\", \"alice\" ]; all = true; "
        "}; };",
        NULL);
    strict_case(ETC_BOTH, "approvals = { content = true; deadline = \"1h\"; };", NULL);
    strict_case(ETC_OPEN, "approvals = { target = false; };", NULL);
    strict_case(ETC_OPEN, "approvals = { target = { reviewers = [ \"carol\" ]; }; };", NULL);
    strict_case("approvals = { target = true; };",
                "approvals = { target = { reviewers = [ \"bob\" ]; }; };", NULL);
    strict_case("confirm = true; approvals = { delivery = { open = true; }; };", "confirm = false;",
                NULL);
    strict_case("confirm = false;", "confirm = true;", NULL);
}

static void order_read__open_in_a_delivery__is_refused(void **state)
{
    (void)state;
    refuses(MINIMAL "approvals = { target = { open = true; }; };", "open stands in etc/ only");
}

static void order_read__budget_without_target__is_off_with_a_warning(void **state)
{
    (void)state;
    struct house *house =
        load_house(SAMPLE_GLOBALS SAMPLE_PEOPLE SAMPLE_PROVIDERS SAMPLE_CAMPAIGNS);
    struct reading reading = read_with(house, &ALICE, MINIMAL);
    assert_int_equal(reading.rc, RC_OK);
    assert_false(reading.order->steps[ORDER_STEP_BUDGET].is_on);
    assert_non_null(strstr(buf_text(&reading.report), "budget is approved only where target is"));
    reading_end(&reading);
    house_free(house);
}

/* --- refused --- */

static void order_read__names_that_do_not_exist__are_refused_with_line(void **state)
{
    (void)state;
    refuses("channel = \"mail\";\ncampaign = \"autumn\";\n" SERVICE TARGET,
            "delivery.conf:2: there is no campaign 'autumn'");
    refuses(ABOUT TARGET "provider = \"sud\"; service = \"letter\";",
            ":3: there is no provider 'sud'");
    refuses(ABOUT TARGET "provider = \"nord-routage\"; service = \"card\";",
            "provider nord-routage has no service 'card'");
    refuses(ABOUT TARGET "provider = \"nord-routage\"; service = \"blast\";",
            "service blast is for email, not for mail");
    refuses(ABOUT TARGET, "a mail delivery needs provider and service");
    refuses(MINIMAL "approvals = { target = { reviewers = [ \"mallory\" ]; }; };",
            "delivery.conf:4: target: there is no operator 'mallory'");
    refuses(MINIMAL "costs = ( { category = \"postage\"; type = \"priority\"; } );",
            "service letter has no cost postage/priority");
    refuses(MINIMAL
            "costs = ( { category = \"postage\"; type = \"eco\"; },\n{ category = \"postage\"; "
            "type = \"eco\"; } );",
            "delivery.conf:5: cost postage/eco stands twice");
}

static void order_read__settings_missing_or_wrong__are_all_told(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct reading reading = read_with(house, &ALICE,
                                       "campain = \"spring-2027\";\n"
                                       "target = { delimiter = \"ab\"; min = 9; max = 1; };\n"
                                       "estimate = 1000.00;\n"
                                       "confirm = \"yes\";\n"
                                       "approvals = { target = 3; };\n");
    static const char *const expected[] = {
        "delivery.conf:1: unknown setting 'campain'; did you mean 'campaign'?",
        "campaign is missing",
        "channel is missing",
        "delivery.conf:2: delimiter is longer than 1 bytes",
        "delivery.conf:2: target: file is missing",
        "delivery.conf:2: target: key is missing",
        "delivery.conf:2: target: min is above max",
        "delivery.conf:3: estimate wants a decimal in double quotes",
        "delivery.conf:4: confirm wants true or false",
        "delivery.conf:5: target wants true, false or a group",
        "a mail delivery needs provider and service",
    };
    assert_int_equal(reading.rc, RC_PERM);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (strstr(buf_text(&reading.report), expected[i]) == NULL) {
            fail_msg("\"%s\" is missing in:\n%s", expected[i], buf_text(&reading.report));
        }
    }
    reading_end(&reading);
    house_free(house);
}

static void order_read__not_available_in_this_version__is_refused_not_ignored(void **state)
{
    (void)state;
    refuses(MINIMAL "after = { delivery = \"x\"; };", "after is not available in this version");
    refuses(MINIMAL "control = { };", "control is not available in this version");
    refuses(MINIMAL "pressure = { };", "pressure is not available in this version");
    refuses(MINIMAL "outline = ( );", "outline is not available in this version");
    refuses(MINIMAL "approvals = { proof = true; };", "proofs are not available in this version");
    refuses(MINIMAL "approvals = { proof = { target = [ \"a\" ]; }; };",
            "proofs are not available in this version");
    refuses(MINIMAL "schedule = { contact_at = \"2027-01-01T00:00:00Z\"; };",
            "contact_at is for online deliveries");
    refuses(MINIMAL "waves = ( );", "waves is not for channel mail");
    refuses(MINIMAL "content = { };", "content is not for channel mail; mail has documents");
}

static void order_read__service_that_encrypts__is_refused(void **state)
{
    (void)state;
    struct house *house = load_house(
        SAMPLE_GLOBALS SAMPLE_PEOPLE SAMPLE_CAMPAIGNS
        "providers = ( { name = \"nord-routage\"; services = ( { name = \"letter\"; channel = "
        "\"mail\"; layout = { columns = ( \"a\" ); encrypt = \"cert.pem\"; container = \"gz\"; }; "
        "} "
        "); } );");
    refuses_with(house, &ALICE, MINIMAL, "service letter encrypts, which is not available");
    refuses_with(house, &ALICE, MINIMAL "documents = [ \"d.pdf\" ];",
                 "documents do not fit into an archive of kind gz");
    house_free(house);
}

static void order_read__times_that_contradict__are_refused(void **state)
{
    (void)state;
    refuses(MINIMAL "schedule = { extract_at = \"2027-03-02T00:00:00Z\"; not_after = "
                    "\"2027-03-02T00:00:00Z\"; };",
            "not_after is not later than extract_at");
    refuses(MINIMAL "schedule = { extract_at = \"2027-03-02T00:00:00\"; };",
            "extract_at wants a time in double quotes");
}

static void order_read__bytes_that_libconfig_must_not_see__are_refused(void **state)
{
    (void)state;
    refuses("@include \"/etc/passwd\"\n", "delivery.conf:1: @include is not allowed");
    refuses("campaign = \"x", "delivery.conf:1: a text is never closed");
    refuses(MINIMAL "/* ", "delivery.conf:4: a comment is never closed");
    refuses("target = { rows = 4294967297; };", "does not fit 32 bits");
    struct house *house = load_house(SAMPLE_HOUSE);
    struct reading reading;
    char *large = malloc(GUARD_DROP_BYTES_MAX + 2);
    assert_non_null(large);
    memset(large, ' ', GUARD_DROP_BYTES_MAX + 1);
    large[GUARD_DROP_BYTES_MAX + 1] = '\0';
    reading = read_with(house, &ALICE, large);
    assert_int_equal(reading.rc, RC_RANGE);
    reading_end(&reading);
    free(large);
    house_free(house);
}

/* Bytes of a good delivery.conf exchanged, dropped and doubled: any verdict, never a crash. */
static void order_read__20000_damaged_texts__are_taken_or_refused(void **state)
{
    (void)state;
    static const char bytes[] = "{}()[]\",;=:#/*@-0129.Lx\\\n \tabe\xFF";
    uint64_t random = UINT64_C(0x2545F4914F6CDD1D);
    struct house *house = load_house(SAMPLE_HOUSE);
    int taken = 0;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof FULL];
        memcpy(text, FULL, sizeof text);
        for (int i = 0; i < 1 + round % 3; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            size_t at = (size_t)(random >> 20) % (sizeof text - 1);
            text[at] = bytes[(random >> 8) % (sizeof bytes - 1)];
        }
        struct reading reading = read_with(house, &ALICE, text);
        assert_true(reading.rc == RC_OK || reading.rc == RC_PERM || reading.rc == RC_RANGE);
        if (reading.rc == RC_OK) {
            taken++;
            check_round_trip(reading.order);
        }
        reading_end(&reading);
    }
    assert_true(taken > 100);
    house_free(house);
}

/* --- files --- */

static void order_files__every_role__recipients_first(void **state)
{
    (void)state;
    static struct order_file files[ORDER_FILES_MAX];
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, FULL);
    assert_int_equal(order_files(order, files), 7);
    assert_string_equal(files[0].name, "recipients.csv.gz");
    assert_int_equal(files[0].role, ORDER_FILE_RECIPIENTS);
    assert_string_equal(files[1].name, "seeds.csv");
    assert_int_equal(files[1].role, ORDER_FILE_SEEDS);
    assert_string_equal(files[2].name, "n.html");
    assert_int_equal(files[2].role, ORDER_FILE_NOTICE);
    assert_string_equal(files[4].name, "y.csv");
    assert_int_equal(files[4].role, ORDER_FILE_EXCLUDE);
    assert_string_equal(files[6].name, "b 2.pdf");
    assert_int_equal(files[6].role, ORDER_FILE_DOCUMENT);
    order_free(order);
    house_free(house);
}

static void order_file_name_check__names_that_lead_elsewhere__are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "a/b",     "../x",    "/etc/passwd", ".hidden",       "..",       "a\nb",
        "a\x7f", "caf\xE9", "journal", "basis",       "settings.conf", "progress", "delivery.conf"};
    char longest[257];
    struct err err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(order_file_name_check(bad[i], &err), RC_PERM);
    }
    memset(longest, 'a', sizeof longest - 1);
    longest[256] = '\0';
    assert_int_equal(order_file_name_check(longest, &err), RC_PERM);
    longest[255] = '\0';
    assert_int_equal(order_file_name_check(longest, &err), RC_OK);
    assert_int_equal(order_file_name_check("d\xC3\xA9j\xC3\xA0 vu (2).pdf", &err), RC_OK);
    refuses(ABOUT SERVICE "target = { key = \"id\"; file = \"../r.csv\"; };",
            "file: '../r.csv' is a path");
    refuses(MINIMAL "documents = [ \"a.pdf\", \"a.pdf\" ];", "documents: 'a.pdf' stands twice");
    refuses(MINIMAL "documents = [ \"journal\" ];",
            "'journal' is a name that postroom uses itself");
}

static void order_read__more_files_than_allowed__is_refused(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, MINIMAL "documents = [ \"f\"");
    for (int i = 0; i < ORDER_FILES_MAX; i++) {
        buf_add_format(&text, ", \"f%d\"", i);
    }
    buf_add_text(&text, " ];");
    refuses(buf_text(&text), "a delivery names at most 1000 files");
    buf_release(&text);
}

/* --- revisions --- */

static unsigned changes(const char *before, const char *after)
{
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *old = takes(house, &DORA, before);
    struct order *new = takes(house, &DORA, after);
    struct err err;
    unsigned bits = 0;
    assert_int_equal(order_changes(old, new, &bits, &err), RC_OK);
    order_free(old);
    order_free(new);
    house_free(house);
    return bits;
}

static void order_changes__one_setting__gives_its_part_alone(void **state)
{
    (void)state;
    assert_int_equal(changes(MINIMAL, MINIMAL), 0);
    assert_int_equal(changes(MINIMAL, "# only a comment\n" MINIMAL), 0);
    assert_int_equal(changes(MINIMAL, ABOUT SERVICE "target = { file = \"r.csv\"; key = \"k\"; };"),
                     ORDER_CHANGED_TARGET);
    assert_int_equal(changes(MINIMAL, MINIMAL "documents = [ \"d\" ];"), ORDER_CHANGED_DOCUMENTS);
    assert_int_equal(changes(MINIMAL, MINIMAL "notice = { note = \"n\"; };"), ORDER_CHANGED_NOTICE);
    assert_int_equal(changes(MINIMAL, MINIMAL "estimate = \"1.00\";"), ORDER_CHANGED_COSTS);
    assert_int_equal(
        changes(MINIMAL, MINIMAL "costs = ( { category = \"postage\"; type = \"eco\"; } );"),
        ORDER_CHANGED_COSTS);
    assert_int_equal(changes(MINIMAL, MINIMAL "approvals = { deadline = \"1h\"; };"),
                     ORDER_CHANGED_APPROVALS);
    assert_int_equal(
        changes(MINIMAL, MINIMAL "schedule = { not_after = \"2030-01-01T00:00:00Z\"; };"),
        ORDER_CHANGED_SCHEDULE);
    assert_int_equal(changes(MINIMAL, MINIMAL "label = \"l\";"), ORDER_CHANGED_ABOUT);
    assert_int_equal(changes(MINIMAL, MINIMAL "owner = \"bob\"; documents = [ \"d\" ];"),
                     ORDER_CHANGED_ABOUT | ORDER_CHANGED_DOCUMENTS);
}

static void order_read__a_group_without_members__is_taken_with_a_warning(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct reading reading = read_with(
        house, &ALICE, MINIMAL "approvals = { target = { reviewers = [ \"@nobody\" ]; }; };");
    assert_int_equal(reading.rc, RC_OK);
    assert_non_null(strstr(buf_text(&reading.report), "nobody is in group '@nobody' yet"));
    reading_end(&reading);
    house_free(house);
}

/* --- the house's part --- */

static void house_refused(const char *text, const char *expected)
{
    struct house *house = load_house(text);
    struct problems problems;
    struct err err = {""};
    struct buf report = BUF_EMPTY;
    problems_init(&problems);
    enum rc rc = order_check_house(house, &problems, &err);
    problems_print(&problems, &report);
    if (expected == NULL ? rc != RC_OK
                         : rc != RC_PERM || strstr(buf_text(&report), expected) == NULL) {
        fail_msg("gave %s: %s", rc_name(rc), buf_text(&report));
    }
    buf_release(&report);
    problems_release(&problems);
    house_free(house);
}

#define CAMPAIGN_WITH(rest)                                                                        \
    SAMPLE_GLOBALS SAMPLE_PEOPLE                                                                   \
        "campaigns = ( { name = \"c\"; programme = \"loyalty\"; owner = \"alice\"; " rest " } );"

#define DEFAULTS_WITH(rest) "defaults = { " rest " };\n" SAMPLE_GLOBALS SAMPLE_PEOPLE

static void order_check_house__inherited_settings__are_checked(void **state)
{
    (void)state;
    house_refused(SAMPLE_HOUSE, NULL);
    house_refused(CAMPAIGN_WITH(""), NULL);
    house_refused(CAMPAIGN_WITH("aprovals = { };"),
                  "unknown setting 'aprovals'; did you mean 'approvals'?");
    house_refused(CAMPAIGN_WITH("channel = \"mail\";"), "channel stands in a delivery only");
    house_refused(CAMPAIGN_WITH("approvals = { content = { reviewers = [ \"@x\" ]; }; };"), NULL);
    house_refused(DEFAULTS_WITH("bogus = 1;"), "unknown setting 'bogus'");
    house_refused(DEFAULTS_WITH("owner = \"alice\";"), "owner stands in a delivery only");
    house_refused(DEFAULTS_WITH("approvals = { target = { reviewers = [ \"x\" ]; }; };"),
                  "postroom.conf:1: target: there is no operator 'x'");
    house_refused(DEFAULTS_WITH("outline = ( );"), "outline is not available in this version");
    house_refused(DEFAULTS_WITH("content = { form = \"x\"; };"),
                  "unknown setting 'form'; did you mean 'from'?");
    house_refused(DEFAULTS_WITH("waves = { size = \"0%\"; };"),
                  "postroom.conf:1: size wants a percentage above 0");
}

static void order_check_house__text_of_init__is_good(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    conf_init_text("me", "me", &text);
    house_refused(buf_text(&text), NULL);
    struct house *house = load_house(buf_text(&text));
    order_free(takes(house, &(struct order_dropper){"me", true, false},
                     "campaign = \"first-campaign\"; channel = \"mail\"; provider = \"my-router\"; "
                     "service = \"letter\";" TARGET));
    house_free(house);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_read__minimal_delivery__has_the_defaults),
        cmocka_unit_test(order_read__every_setting__is_taken),
        cmocka_unit_test(order_write_part__one_setting_changes__only_its_part_does),
        cmocka_unit_test(order_write__then_load__is_exactly_the_same),
        cmocka_unit_test(order_load__every_byte_below_0x80_and_beyond__survives_in_texts),
        cmocka_unit_test(order_load__text_that_was_changed__reports_corrupt),
        cmocka_unit_test(order_set_layout__another_layout__replaces_it_alone),
        cmocka_unit_test(order_read__defaults_campaign_delivery__the_nearest_wins),
        cmocka_unit_test(order_read__costs_of_the_campaign__are_inherited),
        cmocka_unit_test(order_read__owner__another_only_on_behalf),
        cmocka_unit_test(order_read__step_that_etc_turns_on__cannot_be_weakened),
        cmocka_unit_test(order_read__step_that_is_stricter_or_open__is_taken),
        cmocka_unit_test(order_read__open_in_a_delivery__is_refused),
        cmocka_unit_test(order_read__budget_without_target__is_off_with_a_warning),
        cmocka_unit_test(order_read__names_that_do_not_exist__are_refused_with_line),
        cmocka_unit_test(order_read__settings_missing_or_wrong__are_all_told),
        cmocka_unit_test(order_read__not_available_in_this_version__is_refused_not_ignored),
        cmocka_unit_test(order_read__service_that_encrypts__is_refused),
        cmocka_unit_test(order_read__times_that_contradict__are_refused),
        cmocka_unit_test(order_read__bytes_that_libconfig_must_not_see__are_refused),
        cmocka_unit_test(order_read__20000_damaged_texts__are_taken_or_refused),
        cmocka_unit_test(order_files__every_role__recipients_first),
        cmocka_unit_test(order_file_name_check__names_that_lead_elsewhere__are_refused),
        cmocka_unit_test(order_read__more_files_than_allowed__is_refused),
        cmocka_unit_test(order_changes__one_setting__gives_its_part_alone),
        cmocka_unit_test(order_read__a_group_without_members__is_taken_with_a_warning),
        cmocka_unit_test(order_check_house__inherited_settings__are_checked),
        cmocka_unit_test(order_check_house__text_of_init__is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
