/*
 * manifest - the text, key by key
 */
#include "unit/pack/archive_support.h"

#include "pack/manifest.h"

static const char ZEROS[] = "0000000000000000000000000000000000000000000000000000000000000000";

static struct manifest sample(void)
{
    static const struct manifest_cause causes[] = {
        {"malformed", 0}, {"suppressed", 12}, {"duplicate", 3}};
    static const char *const columns[] = {"reference", "pr\xc3\xa9nom \"x\""};
    static const struct manifest_file files[] = {{"data.csv", 87, 4096, ZEROS}};
    static const struct manifest_file documents[] = {{"documents/a.pdf", 5, 77, ZEROS}};
    return (struct manifest){
        .delivery = "spring-letter",
        .revision = 2,
        .campaign = "spring-2027",
        .programme = "loyalty",
        .provider = "nord-routage",
        .service = "letter",
        .created_ns = INT64_C(1803852000123456789),
        .rows = 100,
        .records = 85,
        .seeds = 2,
        .excluded = causes,
        .excluded_count = COUNT(causes),
        .columns = columns,
        .column_count = COUNT(columns),
        .encoding = "windows-1252",
        .delimiter = ';',
        .transliterated = 4,
        .random_seed = "4711",
        .files = files,
        .file_count = 1,
        .documents = documents,
        .document_count = 1,
        .cost = {17, ZEROS},
        .stock = {0, ZEROS},
    };
}

static void manifest_write__everything__is_this_text(void **state)
{
    (void)state;
    static const char expected[] =
        "{\n"
        "  \"delivery\": \"spring-letter\",\n"
        "  \"revision\": 2,\n"
        "  \"campaign\": \"spring-2027\",\n"
        "  \"programme\": \"loyalty\",\n"
        "  \"provider\": \"nord-routage\",\n"
        "  \"service\": \"letter\",\n"
        "  \"created\": \"2027-02-28T22:00:00Z\",\n"
        "  \"rows\": 100,\n"
        "  \"records\": 85,\n"
        "  \"seeds\": 2,\n"
        "  \"excluded\": {\n"
        "    \"suppressed\": 12,\n"
        "    \"duplicate\": 3\n"
        "  },\n"
        "  \"columns\": [\n"
        "    \"reference\",\n"
        "    \"pr\xc3\xa9nom \\\"x\\\"\"\n"
        "  ],\n"
        "  \"encoding\": \"windows-1252\",\n"
        "  \"delimiter\": \";\",\n"
        "  \"transliterated\": 4,\n"
        "  \"random_seed\": \"4711\",\n"
        "  \"files\": [\n"
        "    {\n"
        "      \"name\": \"data.csv\",\n"
        "      \"records\": 87,\n"
        "      \"bytes\": 4096,\n"
        "      \"sha256\": \"0000000000000000000000000000000000000000000000000000000000000000\"\n"
        "    }\n"
        "  ],\n"
        "  \"documents\": [\n"
        "    {\n"
        "      \"name\": \"documents/a.pdf\",\n"
        "      \"bytes\": 77,\n"
        "      \"sha256\": \"0000000000000000000000000000000000000000000000000000000000000000\"\n"
        "    }\n"
        "  ],\n"
        "  \"ledger\": {\n"
        "    \"cost\": {\n"
        "      \"number\": 17,\n"
        "      \"hash\": \"0000000000000000000000000000000000000000000000000000000000000000\"\n"
        "    },\n"
        "    \"stock\": {\n"
        "      \"number\": 0,\n"
        "      \"hash\": \"0000000000000000000000000000000000000000000000000000000000000000\"\n"
        "    }\n"
        "  }\n"
        "}\n";
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    struct manifest manifest = sample();
    assert_ok(manifest_write(&manifest, &out, &err), &err);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void manifest_write__what_is_not_there__is_null_or_empty(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    struct manifest manifest = sample();
    manifest.delimiter = '\0';
    manifest.service = NULL;
    manifest.excluded_count = 0;
    manifest.file_count = 0;
    assert_ok(manifest_write(&manifest, &out, &err), &err);
    assert_non_null(strstr(buf_text(&out), "\"delimiter\": null,"));
    assert_non_null(strstr(buf_text(&out), "\"service\": null,"));
    assert_non_null(strstr(buf_text(&out), "\"excluded\": {},"));
    assert_non_null(strstr(buf_text(&out), "\"files\": [],"));
    buf_release(&out);
}

static void manifest_write__text_that_is_not_utf8__is_refused(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    struct manifest manifest = sample();
    manifest.campaign = "\xff";
    assert_int_equal(manifest_write(&manifest, &out, &err), RC_PERM);
    assert_string_equal(err.text, "manifest: campaign: the text is not UTF-8");
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

static void manifest_write__number_beyond_63_bits__is_refused(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    struct manifest manifest = sample();
    manifest.rows = UINT64_C(1) << 63;
    assert_int_equal(manifest_write(&manifest, &out, &err), RC_RANGE);
    manifest.rows = INT64_MAX;
    assert_ok(manifest_write(&manifest, &out, &err), &err);
    assert_non_null(strstr(buf_text(&out), "\"rows\": 9223372036854775807,"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_write__everything__is_this_text),
        cmocka_unit_test(manifest_write__what_is_not_there__is_null_or_empty),
        cmocka_unit_test(manifest_write__text_that_is_not_utf8__is_refused),
        cmocka_unit_test(manifest_write__number_beyond_63_bits__is_refused),
    };
    return cmocka_run_group_tests_name("pack/manifest", tests, NULL, NULL);
}
