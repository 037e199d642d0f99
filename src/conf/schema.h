/*
 * schema - settings as tables
 *
 * One table for each group of settings drives all of it: reading from libconfig's tree into a
 * struct, refusing unknown keys with the nearest known one, writing the struct back as text that
 * reads the same, comparing, and the man page. Reading sets only what is present, so reading
 * several layers into one struct one after another is inheritance: the nearest wins, groups are
 * merged key by key, lists are replaced whole (or joined, see is_joining).
 */
#ifndef POSTROOM_CONF_SCHEMA_H
#define POSTROOM_CONF_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/decimal.h"
#include "base/instant.h"
#include "conf/guard.h"
#include "conf/problems.h"

#include <libconfig.h>
#include <stdint.h>

/* What is not set: texts are NULL, numbers and durations are SCHEMA_NONE, instants INSTANT_NONE,
 * dates DATE_NONE, decimals DECIMAL_NONE. */
#define SCHEMA_NONE (-1)
#define DATE_NONE INT32_MIN
#define DECIMAL_NONE ((struct decimal){0, -1})

static inline bool decimal_is_set(struct decimal value)
{
    return value.scale >= 0;
}

/* a list of texts; items may be NULL when count is 0 */
struct texts {
    const char *const *items;
    size_t count;
};

bool texts_have(struct texts texts, const char *text);

enum schema_type {                  /* the C type of the field */
                   SCHEMA_BOOL,     /* bool */
                   SCHEMA_INT32,    /* int32_t */
                   SCHEMA_INT64,    /* int64_t */
                   SCHEMA_SECONDS,  /* int64_t ns; written as a number of seconds, 2 or 2.5 */
                   SCHEMA_TEXT,     /* const char * */
                   SCHEMA_PATH,     /* const char *; made absolute from the folder of its file where
                                       is_rooted */
                   SCHEMA_PATHS,    /* struct texts of the same */
                   SCHEMA_ID,       /* const char *, the rule for ids */
                   SCHEMA_DECIMAL,  /* struct decimal, written "5000.00" */
                   SCHEMA_DURATION, /* int64_t ns, written "3d" */
                   SCHEMA_DURATIONS, /* struct durations */
                   SCHEMA_SIZE,      /* int64_t bytes, written "256MiB" */
                   SCHEMA_INSTANT,   /* int64_t ns since 1970 */
                   SCHEMA_DATE,      /* int32_t days since 1970 */
                   SCHEMA_ENUM,      /* int, one of the words */
                   SCHEMA_TEXTS,     /* struct texts */
                   SCHEMA_GROUP,     /* the inner struct itself */
                   SCHEMA_LIST,      /* pointer to inner structs, and size_t at count_offset */
                   SCHEMA_CUSTOM     /* read and written by functions of the row */
};

struct durations {
    const int64_t *items_ns;
    size_t count;
};

enum {
    ROW_REQUIRED = 1,
    ROW_LATER = 2,     /* known, and not used by this version: a warning */
    ROW_REFUSED = 4,   /* known, and not available in this version: an error */
    ROW_LINES = 8,     /* text may hold newlines */
    ROW_POSITIVE = 16, /* decimals and durations: not below zero */
    ROW_OWN = 32,      /* only in the nearest layer (schema_reader.is_far refuses it) */
    ROW_MANY = 64      /* custom rows: may stand in several files */
};

struct schema_reader;
struct schema_row;

/* schema_read_fn - read one setting of a custom row; faults go to reader->problems */
typedef void schema_read_fn(struct schema_reader *reader, const struct schema_row *row,
                            const config_setting_t *setting, void *field);
/* schema_write_fn - write `key = value;` of a custom row, or nothing */
typedef void schema_write_fn(const struct schema_row *row, const void *field, struct buf *out,
                             int depth);

struct schema_row {
    const char *key;
    enum schema_type type;
    unsigned flags;
    size_t offset;
    size_t count_offset; /* SCHEMA_LIST */
    const char *initial; /* default as written, without quotes; NULL: not set */
    /* numbers, sizes: the range; texts: bytes; lists: max entries; enums: max is how many of the
     * words are told to people, the rest are other spellings (value = index % max). 0, 0: the
     * type's own limits */
    int64_t min, max;
    const char *unit;           /* for people: "rows", "pieces"; may be NULL */
    const struct schema *inner; /* groups and lists */
    const char *const *words;   /* enums: NULL-terminated, the index is the value */
    schema_read_fn *read;
    schema_write_fn *write;
    const char *form; /* custom rows: how a value looks, for the man page */
    const char *doc;  /* one sentence */
};

struct schema {
    const char *name;    /* what one such group is called: "operator" */
    size_t size;         /* of the struct */
    size_t place_offset; /* of its struct place; SCHEMA_NOWHERE: it has none */
    size_t name_offset;  /* const char * that must be unique in a list; SCHEMA_NOWHERE: none */
    const struct schema_row *rows;
    size_t count;
    const char *short_key; /* in a list, a plain text stands for { short_key = text; }; or NULL */
    bool has_extra;        /* other keys are for another schema: leave them */
};

#define SCHEMA_NOWHERE ((size_t)-1)

enum {
    SCHEMA_SEEN_MAX = 256,        /* settings outside lists that several files may set */
    SCHEMA_LIST_MAX = 10000,      /* entries of a list of groups: names are compared in pairs */
    SCHEMA_TEXT_BYTES_MAX = 4096, /* of one text, where its row says nothing else */
    SCHEMA_ROWS_MAX = 64          /* rows of one table */
};

struct schema_seen {
    const void *field;
    const char *key;
    struct place at;
};

/* one run of reading; set up by the caller, zero is the default of every flag */
struct schema_reader {
    struct arena *arena; /* owner of all that is read */
    struct problems *problems;
    const char *file; /* shown in errors; must live as long as what is read */
    const char *root; /* folder for SCHEMA_PATH; NULL: leave as written */
    bool is_far;      /* a layer others inherit from: ROW_OWN rows are refused */
    bool is_joining; /* several files: lists are joined, the same plain setting twice is an error */
    bool is_no_memory;         /* set by the reader */
    int in_list;               /* set by the reader */
    const struct schema *skip; /* top level: keys of this schema are not ours; may be NULL */
    struct schema_seen seen[SCHEMA_SEEN_MAX];
    size_t seen_count;
};

/* a parsed file: the tree borrows nothing from the bytes */
struct conf_tree;

/*
 * conf_tree_parse - guard, then libconfig
 * Returns   RC_OK; RC_PERM / RC_RANGE refused, also added to problems; RC_NOMEM
 */
enum rc conf_tree_parse(struct slice text, enum guard_kind kind, const char *file,
                        struct problems *problems, struct conf_tree **out,
                        struct err *err) MUST_CHECK;
const config_setting_t *conf_tree_root(const struct conf_tree *tree);
void conf_tree_free(struct conf_tree *tree);

/*
 * conf_file_read - the bytes of a file, bounded
 * Returns   RC_OK; RC_GONE no such file; RC_RANGE larger than bytes_max; RC_PERM cannot be read or
 *           no regular file; RC_NOMEM
 */
enum rc conf_file_read(const char *path, size_t bytes_max, struct buf *out,
                       struct err *err) MUST_CHECK;

/* schema_defaults - every field its default, recursively; RC_NOMEM. `into` is schema->size bytes.
 */
enum rc schema_defaults(const struct schema *schema, struct arena *arena, void *into) MUST_CHECK;

/*
 * schema_read - read a group's settings into `into`, which holds defaults or farther layers
 * Returns   RC_OK also where faults were added to reader->problems (ask problems_rc); RC_NOMEM
 */
enum rc schema_read(struct schema_reader *reader, const struct schema *schema,
                    const config_setting_t *group, void *into, struct err *err) MUST_CHECK;

/* schema_read_group - for custom rows: one group value with its unknown keys refused */
void schema_read_group(struct schema_reader *reader, const struct schema *schema,
                       const config_setting_t *group, void *into);

/* schema_fault - one error at a setting of the file being read */
void schema_fault(struct schema_reader *reader, const config_setting_t *setting, const char *format,
                  ...) PRINTF_LIKE(3, 4);

/*
 * schema_write - what differs from "not set", in libconfig syntax, one setting a line
 * depth   levels of indentation. Reading the text with the same schema gives the same struct.
 */
void schema_write(const struct schema *schema, const void *from, struct buf *out, int depth);

/* schema_write_row - one setting by its key (asserted to exist) */
void schema_write_row(const struct schema *schema, const char *key, const void *from,
                      struct buf *out, int depth);

/* conf_write_text - a text in double quotes, escaped so that libconfig reads the same bytes */
void conf_write_text(struct buf *out, const char *text);

/* schema_man - the settings as roff: .TP entries with where they stand, type, default, doc
 * where   "" at the top level, else as in "operators" */
void schema_man(const struct schema *schema, const char *where, struct buf *out);

#endif
