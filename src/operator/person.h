/*
 * person - an operator as configured, and lists of them
 */
#ifndef POSTROOM_OPERATOR_PERSON_H
#define POSTROOM_OPERATOR_PERSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "conf/house.h"

/* One entry of `operators`; all borrowed from the configuration. */
struct person {
    const char *name;
    const char *user;          /* login name whose files are this operator's; "" or NULL: none */
    const char *const *groups; /* without @ */
    size_t group_count;
    bool is_admin;
};

struct people {
    const struct person *list;
    size_t count;
};

/* people_of_house - the operators as configured; texts are borrowed from the house, the list lives
 * in the arena. RC_OK; RC_NOMEM */
enum rc people_of_house(const struct house *house, struct arena *arena, struct people *out,
                        struct err *err) MUST_CHECK;

/* people_find - by name; NULL where there is none */
const struct person *people_find(struct people people, const char *name);

/* person_matches - a reviewer entry, "bob" or "@marketing", means this person */
bool person_matches(const struct person *person, const char *reviewer);

#endif
